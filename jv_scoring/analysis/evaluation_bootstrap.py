"""Intervals by a bootstrap over profiles: seeded, exact whatever the order of the sums, and bounded in memory."""

from collections.abc import Iterator

import numpy as np

from jv_scoring.analysis.tallies import Ints
from jv_scoring.columns import Floats

DRAWS = 1000
_SEED = 20260217
_AT_ONCE = 1 << 20
"""How many drawn profiles memory holds at a time, some 40 bytes each."""


def multiplicities(profiles: int) -> Iterator[Floats]:
    """Yield how often each draw has each profile: blocks of shape (some draws, profiles), 1,000 draws together.

    The draws are `default_rng(20260217).integers(0, profiles, (1000, profiles))`, a row each. They are drawn in blocks
    of rows, which gives the same numbers and does not hold them all.
    """
    rng, at_once = np.random.default_rng(_SEED), max(1, _AT_ONCE // max(profiles, 1))
    for start in range(0, DRAWS if profiles else 0, at_once):
        rows = min(at_once, DRAWS - start)
        drawn = rng.integers(0, profiles, (rows, profiles)) + profiles * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * profiles).reshape(rows, profiles).astype(np.float64)


def drawn_sums(columns: Ints) -> Floats:
    """Return the sum of each column over the profiles of each draw: of shape (profiles, columns), (1000, columns).

    The columns are whole numbers, so that the sums are exact in any order.
    """
    filled = np.flatnonzero(columns.any(axis=1))
    values = columns[filled].astype(np.float64)
    parts = [np.zeros((0, columns.shape[1]))]
    parts += [drawn[:, filled] @ values for drawn in multiplicities(len(columns))]
    return np.concatenate(parts)


def interval(values: Floats) -> tuple[float | None, float | None]:
    """Return the 2.5th and the 97.5th percentile; None without a value. NaN stands for a draw without a pair."""
    values = values[~np.isnan(values)]
    if not len(values):
        return None, None
    low, high = np.percentile(values, [2.5, 97.5]).tolist()
    return low, high


def shares(twice_wins: Floats, pairs: Floats) -> Floats:
    """Return the share of pairs won in each draw; NaN in a draw without a pair."""
    with np.errstate(invalid="ignore"):
        return np.where(pairs > 0, twice_wins / 2 / pairs, np.nan)
