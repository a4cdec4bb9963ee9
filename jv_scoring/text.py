"""What counts as text, which words of it count, and which text gets a vector (docs/ismc.md, Factors, Similarity)."""

import re

_WORD = re.compile(r"\w{4,}")  # Greedy, so it needs no \b on either side.
_STOP_WORDS = frozenset({
    "that", "this", "with", "from", "they", "them", "their", "have", "been", "were", "will", "would", "could", "should",
    "about", "more", "also", "just", "some", "like", "into", "other", "what", "your", "help",
})  # fmt: skip
EMBEDDED_FIELDS = ("seeking", "offering", "who_you_serve", "what_you_do")
SHORTEST_EMBEDDED = 5


def has_text(value: object) -> bool:
    """Return whether `value` is a string and not blank."""
    return isinstance(value, str) and value != "" and not value.isspace()


def words(text: object) -> set[str]:
    """Return the words of four or more characters that count for word overlap; none for a non-string."""
    distinct: set[str] = set(_WORD.findall(text.lower())) if isinstance(text, str) else set()
    distinct -= _STOP_WORDS
    return distinct


def text_to_embed(value: object) -> str | None:
    """Return the stripped text to embed, or None if it is null or shorter than 5 characters: it has no vector."""
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) >= SHORTEST_EMBEDDED else None
