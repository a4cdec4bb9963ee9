"""The irregular rows of real data, with their number in a population of the usual size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

GONE_MATCHES = 23
"""Matches whose one profile is gone."""
SELF_MATCHES = 3
"""Profiles matched with themselves."""
TWICE_MATCHED = 37
"""Pairs that were suggested to both sides, so they are matched twice."""


def _null(value: object) -> bool:
    return value is None


def _present(value: object) -> bool:
    return value is not None and value != 0


@dataclass(frozen=True)
class Oddity:
    """Gives one of the `values` to `count` cells of a column, among those that `instead_of` selects."""

    column: str
    what: str
    count: int
    values: tuple[Any, ...]
    instead_of: Callable[[object], bool]


ODDITIES = (
    Oddity("jv_history", "an object", 7, ({"partner": "a friend", "year": 2021}, {"count": 4}, {}), _null),
    Oddity("jv_history", "a string", 5, ("two summits and a list swap", "none yet", ""), _null),
    Oddity(
        "network_role", "unknown", 19, ("Wizard of Words", "CEO", "???", "n/a", "Rockstar", "coach,speaker"), _present
    ),
    Oddity("revenue_tier", "unknown", 14, ("huge", "Unknown", "six figures", "Established", "$$$"), _present),
    Oddity("list_size", "negative", 4, (-1, -500), _null),
    Oddity("social_reach", "negative", 3, (-1, -20), _null),
    Oddity("audience_engagement_score", "NaN", 2, (float("nan"),), _null),
    Oddity("audience_engagement_score", "infinite", 1, (float("inf"),), _null),
    Oddity("audience_engagement_score", "negative", 3, (-0.2, -1.0), _null),
    Oddity("audience_engagement_score", "over 1", 6, (1.4, 4.2, 37.0), _present),
)
"""Irregular values that count as no data replace nulls, and others replace values, so the coverage does not change."""


def scaled(count: int, of: int, usual: int) -> int:
    """Return an irregular count, meant for `usual` rows, for `of` rows; at least one in a population large enough."""
    return max(round(count * of / usual), 1 if of >= 100 else 0)


def make_awkward(columns: dict[str, list[Any]], size: int, usual: int, rng: np.random.Generator) -> None:
    """Put the irregular values into the columns of `size` profiles, in place."""
    for oddity in ODDITIES:
        column = columns[oddity.column]
        places = [k for k, value in enumerate(column) if oddity.instead_of(value)]
        count = min(scaled(oddity.count, size, usual), len(places))
        for turn, place in enumerate(_some(places, count, rng)):
            column[place] = oddity.values[turn % len(oddity.values)]


def _some(places: Sequence[int], count: int, rng: np.random.Generator) -> list[int]:
    return [places[k] for k in rng.permutation(len(places))[:count].tolist()]
