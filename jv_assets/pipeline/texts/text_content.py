"""Texts that an embedding model cannot tell apart: without content, or in an unknown script.

Both models read English. Their vectors of such texts are alike whatever was meant, so unrelated profiles would score
10. The rules do not change; these texts are counted.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from jv_assets.names import PROFILES
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.text import has_text

MEANINGLESS_TEXTS = ("texts_without_content", "texts_in_other_scripts")
"""Columns of the files of `profiles`: how many texts of a profile are of each kind."""
_PLACEHOLDERS = frozenset({
    "asdf", "blank", "empty", "nan", "na", "nil", "no", "none", "nothing", "null", "placeholder", "tba", "tbc", "tbd",
    "test", "testing", "todo", "undefined", "unknown", "xx", "xxx", "xxxx", "applicable", "available", "not", "yet",
})  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_LONGEST_WORD = 100
"""Characters of a word. For a longer one, both models' tokenizers use the token for unknown words."""


def has_no_content(value: object) -> bool:
    """Return whether a text, which is not blank, has no meaningful word.

    True for signs, emoji and invisible characters alone, for placeholders such as `n/a`, and for words that are too
    long for a tokenizer.
    """
    if not has_text(value):
        return False
    # The first word of a text mostly answers, so look no further than needed.
    words = (found[0] for found in _WORD.finditer(_visible(str(value)).lower()) if len(found[0]) <= _LONGEST_WORD)
    return all(word in _PLACEHOLDERS or (len(word) == 1 and word.isascii()) for word in words)


def is_in_another_script(value: object) -> bool:
    """Return whether at least half of a text's letters are not Latin."""
    if not isinstance(value, str) or value.isascii():
        return False
    letters = [character for character in value if character.isalpha()]
    return bool(letters) and 2 * sum(map(_is_latin, letters)) <= len(letters)


def _visible(text: str) -> str:
    """Return the text without control characters and joiners, which neither split a word nor mean anything."""
    if text.isascii() and text.isprintable():
        return text
    shaping = [character for character in set(text) if _is_shaping(character)]  # a text has few different ones
    return text.translate({ord(c): " " if c.isspace() else None for c in shaping}) if shaping else text


_SHAPING = {"Cc", "Cf", "Cn", "Co", "Cs", "Mn", "Me"}


@lru_cache(maxsize=4096)
def _is_shaping(character: str) -> bool:
    return unicodedata.category(character) in _SHAPING


@lru_cache(maxsize=4096)
def _is_latin(letter: str) -> bool:
    return unicodedata.name(letter, "").startswith("LATIN ")


def meaningless_shares(files: RangeFiles, keys: Sequence[str]) -> dict[str, float]:
    """Return the share, 0..1, of profiles with a text of each of `MEANINGLESS_TEXTS`; {} if there are no profiles."""
    rows, counts = 0, dict.fromkeys(MEANINGLESS_TEXTS, 0)
    for key in keys:
        for profiles in files.chunks(PROFILES, key, ["id", *MEANINGLESS_TEXTS]):
            if set(MEANINGLESS_TEXTS) <= set(profiles):  # Otherwise the file is older than these columns.
                rows += len(profiles)
                counts = {name: count + int((profiles[name] > 0).sum()) for name, count in counts.items()}
    return {name: round(count / rows, 4) for name, count in counts.items()} if rows else {}
