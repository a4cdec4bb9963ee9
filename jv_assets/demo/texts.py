"""Write the texts of the demo's people: sentences filled with phrases of their topic and audience."""

import re
from collections.abc import Mapping, Sequence
from functools import cache

from jv_assets.demo.dice import Dice, quantile
from jv_assets.demo.lexicon import AUDIENCES, FILLERS, SENTENCES, TOPICS, Audience, Topic
from jv_assets.demo.people import Person
from jv_assets.demo.spelling import mistyped

Vocabulary = Mapping[str, Sequence[str]]

_COLUMNS = {
    "seeking": (SENTENCES["seeking"], SENTENCES["seeking_fragments"]),
    "offering": (SENTENCES["offering"], SENTENCES["offering_fragments"]),
    "who_you_serve": (SENTENCES["who"], SENTENCES["who_fragments"]),
    "what_you_do": (SENTENCES["what"], SENTENCES["what_fragments"]),
}
# How many sentences a text has, 0 for a few words only: (quantile, sentences).
_SENTENCES = ((0.0, 0.0), (0.12, 1.0), (0.27, 2.0), (0.47, 3.0), (0.7, 4.0), (0.96, 7.0), (0.9985, 12.0), (1.0, 60.0))
_MISSING = {0: 82, 1: 13, 2: 5}
_SLOT = re.compile(r"\{(\w+)\}")
_A_VOWEL = re.compile(r"\b([Aa]) (?=[aeiAEI8]|[Oo](?!ne)|hon)")


def embedded_texts(person: Person, dice: Dice, earlier: dict[tuple[str, int], str]) -> dict[str, str | None]:
    """Return the person's texts by embedded column. `earlier` holds the last text of each column and topic: some copy
    it.
    """
    missing = dice.sample(tuple(_COLUMNS), dice.weighted(_MISSING) if person.has_text else len(_COLUMNS))
    texts: dict[str, str | None] = {}
    for column in _COLUMNS:
        if column in missing:
            texts[column] = None if dice.chance(0.7) else dice.pick(SENTENCES["unusable"])
            continue
        key = (column, person.topic)
        if person.language is None and key in earlier and dice.chance(0.03):
            texts[column] = earlier[key]
            continue
        texts[column] = _write(person, column, dice)
        if person.language is None:
            earlier[key] = texts[column] or ""
    if texts["what_you_do"] and texts["offering"] and dice.chance(0.02):
        texts["offering"] = texts["what_you_do"]
    return texts


def fill(template: str, words: Vocabulary, dice: Dice) -> str:
    """Return the template with a phrase in each slot, without repetition if there is a choice."""
    used: set[str] = set()

    def phrase(slot: re.Match[str]) -> str:
        choice = dice.pick([p for p in words[slot[1]] if p not in used] or words[slot[1]])
        used.add(choice)
        return choice

    return _A_VOWEL.sub(r"\1n ", _SLOT.sub(phrase, template))


def vocabulary(person: Person) -> Vocabulary:
    """Return the phrases for each slot of a sentence."""
    topic, second = TOPICS[person.topic], TOPICS[person.second]
    sought, also = (TOPICS[k] for k in person.sought)
    audience, other, another = (AUDIENCES[k] for k in (person.audience, *person.others))
    return (
        FILLERS
        | _topic_slots(topic, "", "")
        | _topic_slots(second, "", "2")
        | _topic_slots(sought, "x", "")
        | {"xexperts2": _topic_slots(also, "", "")["experts"]}
        | _audience_slots(audience, person.habit)
        | {"whob": other.who, "whoc": another.who}
        | {"first": (person.first,), "company": (person.company,), "site": (f"{person.company.lower()}.example.com",)}
    )


@cache
def _topic_slots(topic: Topic, prefix: str, suffix: str) -> dict[str, Sequence[str]]:
    slots: dict[str, Sequence[str]] = {
        f"{prefix}{name}{suffix}": getattr(topic, name) for name in ("craft", "expert", "do", "pain", "win", "product")
    }
    slots[f"{prefix}experts{suffix}"] = [_plural(expert) for expert in topic.expert]
    return slots


@cache
def _audience_slots(audience: Audience, habit: int) -> dict[str, Sequence[str]]:
    """Return the phrases of one audience that a person uses: always the same two of the synonyms."""

    def own(several: Sequence[str]) -> Sequence[str]:
        return [several[(habit + k) % len(several)] for k in range(2)]

    who, worry = own(audience.who), own(audience.worry)
    return {
        "who": who,
        "who2": who,
        "xwho": who,
        "trait": own(audience.trait),
        "want": own(audience.want),
        "worry": worry,
        "worry2": worry,
    }


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith(("ch", "s")) else "s")


def _write(person: Person, column: str, dice: Dice) -> str:
    length = _length(person, dice)
    if person.language is not None:
        return _foreign(person, column, max(1, min(length, 4)), dice)
    words = vocabulary(person)
    sentences, fragments = _COLUMNS[column]
    if length == 0:
        parts = [fill(template, words, dice) for template in dice.sample(fragments, 1 + dice.chance(0.3))]
        return mistyped(_capital(dice.pick((", ", " / ", " - ", "\n")).join(parts)), person.sloppiness, dice)
    if length <= 5 and dice.chance(0.05):
        parts = [fill(template, words, dice) for template in dice.sample(fragments, length + 1)]
        return mistyped("- " + "\n- ".join(parts), person.sloppiness, dice)
    return mistyped(prose(sentences, length, words, dice), person.sloppiness, dice)


def _length(person: Person, dice: Dice) -> int:
    """Return how many sentences: a person who writes long texts does so everywhere, more or less."""
    both = person.verbosity + dice.unit()
    at = (
        both * both / 2 if both < 1 else 1 - (2 - both) * (2 - both) / 2
    )  # The sum of two uniform numbers, made uniform.
    return int(quantile(at, _SENTENCES))


def prose(sentences: Sequence[str], count: int, words: Vocabulary, dice: Dice) -> str:
    """Return `count` sentences; longer texts have paragraphs and a story."""
    stories = count // 4
    chosen = dice.sample(sentences, count - stories) + dice.sample(SENTENCES["story"], stories)
    while len(chosen) < count:
        chosen += dice.sample(sentences + SENTENCES["story"], count - len(chosen))  # type: ignore[operator]
    text = ""
    for k, template in enumerate(chosen):
        gap = "" if k == 0 else "\n\n" if count > 4 and dice.chance(0.3) else " "
        text += gap + _capital(fill(template, words, dice))
    return text


def _foreign(person: Person, column: str, count: int, dice: Dice) -> str:
    language = person.language
    assert language is not None
    words = {"topic": language.topic, "people": language.people}
    return " ".join(_capital(fill(t, words, dice)) for t in dice.sample(language.sentences[column], count))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
