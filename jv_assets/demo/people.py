"""The people of the demo population: invented people, with their work, whom they serve and whom they look for."""

from dataclasses import dataclass

from jv_assets.demo.dice import Dice, quantile
from jv_assets.demo.lexicon import AT_WORK, AUDIENCES, BUSINESS_TOPICS, LANGUAGES, TOPICS, Language, phrases

_TRADES = {k: topic.weight for k, topic in enumerate(BUSINESS_TOPICS)}
_TOPICS = {k: topic.weight for k, topic in enumerate(TOPICS)}
_WORKING = {k: audience.weight for k, audience in enumerate(AT_WORK)}
_PRIVATE = {k: audience.weight for k, audience in enumerate(AUDIENCES) if k >= len(AT_WORK)}
_LANGUAGE_WEIGHTS: dict[Language | None, int] = {language: language.share for language in LANGUAGES}
_LANGUAGE_WEIGHTS[None] = 1000 - sum(_LANGUAGE_WEIGHTS.values())
_EFFORT = ((0.0, 0.05), (0.1, 0.3), (0.5, 0.6), (0.9, 0.85), (1.0, 1.0))
_EFFORT_WITHOUT_TEXT = ((0.0, 0.0), (0.7, 0.15), (1.0, 0.4))
# Syllables that make no known name. A first name has two of them, a family name or a company three.
_STARTS = phrases("Ba|Bre|Dro|Fen|Gri|Hul|Jor|Kel|Lum|Mav|Nuv|Ovi|Pel|Quo|Rin|Sul|Tam|Ulo|Ver|Wex|Yar|Zel")
_MIDDLES = phrases("bra|da|fi|go|la|lo|mi|mo|na|pe|qua|ro|ru|sha|ti|tu|va|vo")
_ENDS = phrases("bex|dor|fen|gan|kip|lin|lum|mar|nox|quil|ren|rix|sol|tam|vek|vun|wick|zan")


@dataclass(frozen=True, slots=True)
class Person:
    """One profile's owner. `topic`, `second` and `sought` index `TOPICS`; `audience` and `others` index `AUDIENCES`.

    `effort` (0..1): how much was put into the profile, which also makes people popular. `habit`: which synonyms they
    use. `verbosity` (0..1): how long the texts are. `sloppiness` (0..1): how often they are mistyped.
    """

    first: str
    family: str
    company: str
    topic: int
    second: int
    sought: tuple[int, int]
    audience: int
    others: tuple[int, int]
    habit: int
    language: Language | None
    has_text: bool
    effort: float
    verbosity: float
    sloppiness: float


def draw_person(dice: Dice, has_text: bool) -> Person:
    """Return an invented person."""
    topic = dice.weighted(_TOPICS)
    working = dice.chance(0.85 if topic < len(BUSINESS_TOPICS) else 0.35)
    audiences = _WORKING if working else _PRIVATE
    return Person(
        first=dice.pick(_STARTS) + dice.pick(_ENDS),
        family=dice.pick(_STARTS) + dice.pick(_MIDDLES) + dice.pick(_ENDS),
        company=dice.pick(_STARTS) + dice.pick(_MIDDLES) + dice.pick(_ENDS),
        topic=topic,
        second=dice.weighted(_TRADES if topic < len(BUSINESS_TOPICS) else _TOPICS),
        sought=(_draw_sought(dice, topic), _draw_sought(dice, topic)),
        audience=dice.weighted(audiences),
        others=(dice.weighted(audiences), dice.weighted(audiences)),
        habit=dice.whole(0, 59),
        language=dice.weighted(_LANGUAGE_WEIGHTS),
        has_text=has_text,
        effort=quantile(dice.unit(), _EFFORT if has_text else _EFFORT_WITHOUT_TEXT),
        verbosity=dice.unit(),
        sloppiness=dice.unit() ** 3,
    )


def _draw_sought(dice: Dice, topic: int) -> int:
    """Most look for a trade that all businesses need; some look for their own kind."""
    return topic if dice.chance(0.25) else dice.weighted(_TRADES)
