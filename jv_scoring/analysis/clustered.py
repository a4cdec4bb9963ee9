"""Means over matches, with 95 % intervals that hold for other profiles: matches of one profile are not independent.

The variance of a mean is the sum of all products of two matches' errors, divided by the number of matches squared. Two
independent matches have no such product on average. So it counts the products of two matches that share a profile, on
either side, once for each shared profile, and the square of each match once. A profile with many matches then counts
as one profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.sums import Sums
from jv_scoring.analysis.tallies import Histogram, Json

Z = 1.959963984540054
"""Standard errors on each side of a 95 % interval."""
MATCHES = "matches"
_HUNDREDTHS = 100


@dataclass(frozen=True)
class Mean:
    """A mean over `count` matches.

    own: the variance of the mean if all matches were independent. by_profile: by profile, the sum of its matches'
    errors by `count`.
    """

    value: float
    count: int
    own: float
    by_profile: pd.Series


def by_profile(first: npt.ArrayLike, second: npt.ArrayLike, columns: Mapping[str, npt.NDArray[np.int64]]) -> Sums:
    """Return sums of each column by profile, over the matches that it has on either side, and their number, `matches`.

    A profile is never matched with itself, so each match counts for two profiles.
    """
    profiles = np.concatenate([np.asarray(first, object), np.asarray(second, object)])
    ones = {MATCHES: np.ones(len(profiles), np.int64)}
    return Sums.of(profiles, ones | {name: np.concatenate([values, values]) for name, values in columns.items()})


def mean_of(histogram: Histogram, sums: Sums, column: str) -> Mean | None:
    """Return the mean of a histogram's values; `sums` has them in hundredths by profile. None without matches."""
    value, sd, count = histogram.mean, histogram.sd, histogram.count
    if value is None or sd is None:
        return None
    errors = sums.series(column) / _HUNDREDTHS - sums.series(MATCHES) * value
    return Mean(value, count, sd**2 / count, errors / count)


def difference(one: Mean | None, other: Mean | None) -> Mean | None:
    """Return the difference of two means over different matches, whose profiles may be the same."""
    if one is None or other is None:
        return None
    parts = one.by_profile.sub(other.by_profile, fill_value=0.0).sort_index()
    return Mean(one.value - other.value, one.count + other.count, one.own + other.own, parts)


def interval(mean: Mean | None) -> Json:
    """Return `value`, `low`, `high`, the standard `error` by profile, and `error_by_match`, as if matches were
    independent.

    Without an interval for fewer than three profiles: their errors say nothing about others.
    """
    if mean is None:
        return dict.fromkeys(("value", "low", "high", "error", "error_by_match", "profiles"))
    profiles = len(mean.by_profile)
    found: Json = {"value": mean.value, "low": None, "high": None, "error": None, "error_by_match": sqrt(mean.own)}
    found["profiles"] = profiles
    if profiles < 3:
        return found
    shared = float((mean.by_profile.to_numpy() ** 2).sum()) - mean.own  # Each match's own square is in two profiles.
    error = sqrt(max(shared, mean.own) * profiles / (profiles - 1))
    return found | {"low": mean.value - Z * error, "high": mean.value + Z * error, "error": error}
