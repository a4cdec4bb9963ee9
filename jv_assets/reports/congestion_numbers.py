"""Measure how evenly the places in profiles' best 10 are spread over the profiles."""

import numpy as np
import pandas as pd

from jv_scoring.analysis.aggregation_comparison import BEST, RANDOM, Aggregation, best_matches
from jv_scoring.analysis.clustered import MATCHES
from jv_scoring.analysis.rows import share
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


def baselines(aggregation: Aggregation, profiles: int) -> Json:
    """Return the Gini coefficients and Lorenz curves of baselines, and the share of places that involve no choice.

    Records under `baselines`: `supply` (every match gives a place, so ranking has no part in it), `random` (each
    profile's best 10 in a random order of its matches), `uniform` (as many places, each given to any profile). No
    choice: places in the best 10 of profiles with 10 matches or fewer, which all are among them.
    """
    supplied = aggregation.sums["as_b"].series(MATCHES)
    at_random = best_matches(aggregation, RANDOM).groupby("suggested_profile_id").size()
    everyone = max(profiles, len(supplied))
    records = [
        {
            "baseline": name,
            "gini": _gini(counts) if counts.sum() else None,
            "lorenz": _lorenz(counts) if counts.sum() else [],
        }
        for name, of in (("supply", supplied), ("random", at_random))
        for counts in (_counts(of, everyone),)
    ]
    of_a = aggregation.sums["as_a"].values[MATCHES]
    places = int(np.minimum(of_a, BEST).sum())
    records.append({"baseline": "uniform", **uniform(places, everyone)})
    return {"baselines": records, "no_choice_share": share(int(of_a[of_a <= BEST].sum()), places)}


def uniform(places: int, profiles: int) -> Json:
    """Return the mean Gini coefficient and the mean curve if each place were given to any profile, all alike.

    The places of a profile then follow a Poisson distribution, nearly: its share below a number of places has one
    place fewer each. The mean difference of two profiles is twice the mean by exp(-2 m) (I0(2 m) + I1(2 m)).
    """
    if not places:
        return {"gini": None, "lorenz": []}
    from scipy.special import ive
    from scipy.stats import poisson

    mean = places / profiles
    numbers = np.arange(int(poisson.ppf(1 - 1e-9, mean)) + 1)
    below, held = poisson.cdf(numbers, mean), poisson.cdf(numbers - 1, mean)
    points = [{"profiles": 0.0, "places": 0.0}]
    points += [{"profiles": float(x), "places": float(y)} for x, y in zip(below, held, strict=True)]
    gini = float(ive(0, 2 * mean) + ive(1, 2 * mean)) * (profiles - 1) / profiles
    return {"gini": gini, "lorenz": [*points, {"profiles": 1.0, "places": 1.0}]}


def _counts(places: pd.Series, profiles: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return every profile's places in rising order; profiles without one have 0."""
    counts = np.zeros(profiles, np.int64)
    counts[profiles - len(places) :] = np.sort(places.to_numpy(np.int64))
    return counts


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
