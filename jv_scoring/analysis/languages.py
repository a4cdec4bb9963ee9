"""Recognise the language of a text by its commonest words, where they tell it."""

import re

_WORD = re.compile(r"[^\W\d_]+")
_COMMON = {
    "de": "und der das ist für mit nicht ich wir sie ein eine auf den dem von zu sich auch oder die mein meine suche",
    "en": "the and of to for with who is are we our they their that this looking you your my on help i from it",
    "es": "y el los las una con para que por del su sus quienes busco mi mis como más es son sobre ayudo mujeres",
    "fr": "et le les des une pour avec qui dans je nous vous sur est sont leur leurs du au aux mes cherche qu",
    "it": "e il gli che con una per di non sono chi cerco mi mia miei nel della delle alle loro aiuto più anche",
    "nl": "en het een van voor met die niet ik wij zij zijn hun mijn dat op te ook naar zoek aan wie ons",
    "pt": "e o os as um uma com para que não em do da dos das seu sua meu minha quem procuro são mais ajudo",
}
_LANGUAGES = {name: frozenset(words.split()) for name, words in _COMMON.items()}
_LEAST = 2
"""How many common words a text must have before they tell its language."""


def language_of(text: object) -> str | None:
    """Return the language of a text as two letters; None if its common words are too few, or fit several languages."""
    if not isinstance(text, str):
        return None
    found = _WORD.findall(text.lower())
    counts = sorted(((sum(word in common for word in found), name) for name, common in _LANGUAGES.items()))
    (second, _), (most, name) = counts[-2:]
    return name if most >= _LEAST and most > second else None
