"""The shape of the demo's vocabulary. Phrases are in one string, separated by bars."""

from dataclasses import dataclass


def phrases(text: str) -> tuple[str, ...]:
    """Return the phrases of a string, separated by bars."""
    return tuple(text.split("|"))


@dataclass(frozen=True, eq=False)
class Topic:
    """A field of work. `do` are verbs in the plural present ("grow …"), `expert` singulars, `product` no article."""

    key: str
    weight: int
    craft: str
    expert: str
    do: str
    pain: str
    win: str
    product: str


@dataclass(frozen=True, eq=False)
class Audience:
    """A group of people who are served. `who` are plurals, `trait` relative clauses, `want` verbs in the present."""

    key: str
    weight: int
    who: str
    trait: str
    want: str
    worry: str
