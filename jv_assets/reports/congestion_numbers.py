"""Measure how evenly the places in profiles' best 10 are spread over the profiles."""

import numpy as np
import pandas as pd

from jv_scoring.analysis.tallies import Json

_TIMES = ((0, 0), (1, 1), (2, 2), (3, 5), (6, 10), (11, 20), (21, 50), (51, 100), (101, None))
_MOST, _POINTS = 20, 100


def congestion(best: pd.DataFrame, profiles: int) -> Json:
    """Return the congestion of the best matches, from `aggregation_comparison.best_matches` and the number of profiles.

    A profile has one place for each other profile that has it in its best 10. Records under: `times` (how many profiles
    have how many places), `lorenz` (the share of all places that the profiles with the fewest have, by their share of
    all profiles) and `most` (the profiles with the most places). `gini`: 0 if all have the same number, 1 if one has
    all; None if there are no places.
    """
    places = best.groupby("suggested_profile_id").size().sort_index().sort_values(ascending=False, kind="stable")
    everyone = max(profiles, len(places))
    counts = np.zeros(everyone, np.int64)
    counts[: len(places)] = places.to_numpy(np.int64)
    counts = counts[::-1]
    taken, most = int(counts.sum()), int(counts.max(initial=0))
    return {
        "profiles": everyone,
        "places": taken,
        "in_none": everyone - len(places),
        "most_places": most if everyone else None,
        "gini": _gini(counts) if taken else None,
        "top_1_percent": _top(counts, 0.01),
        "top_10_percent": _top(counts, 0.10),
        "times": [
            {
                "times": _label(low, high),
                "profiles": int(((counts >= low) & (counts <= (most if high is None else high))).sum()),
            }
            for low, high in _TIMES
            if low <= most
        ],
        "lorenz": _lorenz(counts) if taken else [],
        "most": [{"profile_id": str(name), "places": int(count)} for name, count in places.head(_MOST).items()],
    }


def _gini(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Return the Gini coefficient of counts in rising order, not all 0."""
    number = len(counts)
    weighted = sum(rank * count for rank, count in enumerate(counts.tolist(), start=1))
    return 2 * weighted / (number * int(counts.sum())) - (number + 1) / number


def _top(counts: np.ndarray[tuple[int], np.dtype[np.int64]], share: float) -> float | None:
    """Return the share of all places that the top share of the profiles has, rounded up to whole profiles."""
    first = len(counts) - int(np.ceil(share * len(counts)))
    taken = int(counts.sum())
    return int(counts[first:].sum()) / taken if taken else None


def _lorenz(counts: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[Json]:
    """Return at most 101 points of the curve, each of them exact."""
    number = len(counts)
    passed = np.concatenate([[0], np.cumsum(counts)])
    at = np.unique(np.linspace(0, number, min(number, _POINTS) + 1).round().astype(np.int64))
    return [{"profiles": k / number, "places": int(passed[k]) / int(passed[-1])} for k in at.tolist()]


def _label(low: int, high: int | None) -> str:
    if high is None:
        return f"over {low - 1}"
    return str(low) if low == high else f"{low}–{high}"
