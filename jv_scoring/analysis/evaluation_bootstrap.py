"""Intervals by a bootstrap over profiles: seeded, exact whatever the order of the sums, and bounded in memory."""

from collections.abc import Iterator

import numpy as np

from jv_scoring.analysis.tallies import Ints
from jv_scoring.columns import Floats

DRAWS = 1000
_SEED = 20260217
_BYTES_AT_ONCE = 16 << 20
"""Of multiplicities, which take 8 bytes for each profile and draw."""


def multiplicities(profiles: int) -> Iterator[Floats]:
    """Yield how often each draw has each profile: blocks of shape (some draws, profiles), 1,000 draws together.

    The draws are `default_rng(20260217).integers(0, profiles, (1000, profiles))`, a row each. They are drawn row by
    row, which gives the same numbers and does not hold them all.
    """
    rng, at_once = np.random.default_rng(_SEED), max(1, _BYTES_AT_ONCE // (8 * max(profiles, 1)))
    for start in range(0, DRAWS if profiles else 0, at_once):
        rows = range(start, min(start + at_once, DRAWS))
        yield np.stack([np.bincount(rng.integers(0, profiles, profiles), minlength=profiles) for _ in rows]).astype(
            np.float64
        )


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
