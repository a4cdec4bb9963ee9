"""The reference's arithmetic for whole columns: the same operations in the same order, so the last digit is the
same.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from jv_scoring.factors import Factor
from jv_scoring.policy import DIMENSION_WEIGHTS, FLOOR, Aggregation, Nulls

Floats = npt.NDArray[np.float64]


def round2(values: Floats) -> Floats:
    """Round each value to 2 decimals as Python's `round` does (`np.round` is wrong on many ties); NaN stays NaN."""
    scaled = values * 100
    rounded = np.rint(scaled)
    near_tie = np.flatnonzero(np.abs(np.abs(scaled - rounded) - 0.5) < 1e-6)
    rounded /= 100
    rounded[near_tie] = [round(value, 2) for value in values[near_tie].tolist()]
    return rounded


def weighted_means(columns: Sequence[Floats], factors: Sequence[Factor[Any]], nulls: Nulls) -> Floats:
    """Return `reference.weighted_mean` of each row of factor scores, 0..10 (NaN: no data); NaN if none is left."""
    earned = np.zeros(len(columns[0]))
    weight: Floats | float = 0.0
    for column, factor in zip(columns, factors, strict=True):
        if factor.neutral is None:
            earned += column * factor.weight
            weight = weight + factor.weight
            continue
        missing = np.isnan(column)
        if nulls == "impute":
            earned += np.where(missing, factor.neutral, column) * factor.weight
            weight = weight + factor.weight
        else:
            earned += np.where(missing, 0.0, column) * factor.weight
            weight = weight + np.where(missing, 0.0, factor.weight)
    with np.errstate(invalid="ignore"):
        return round2(earned / (10 * weight) * 10)


def aggregates(dimensions: Sequence[Floats], aggregation: Aggregation) -> Floats:
    """Return `policy.aggregate` of each row: the four dimensions in order, 0..10 (NaN drops out), to 0..100, not
    rounded.
    """
    total = np.zeros(len(dimensions[0]))
    weight: Floats | float = 0.0
    for scores, w in zip(dimensions, DIMENSION_WEIGHTS.values(), strict=True):
        present = ~np.isnan(scores)
        everywhere = bool(present.all())
        term = _TERMS[aggregation](np.maximum(scores if everywhere else np.where(present, scores, 1.0), FLOOR), w)
        total += term if everywhere else np.where(present, term, 0.0)
        weight = weight + (w if everywhere else np.where(present, w, 0.0))
    if aggregation == "harmonic":
        return weight / total * 10
    if aggregation == "geometric":
        return _each(math.exp, total / weight) * 10
    return total / weight * 10


def match_scores(score_ab: Floats, score_ba: Floats) -> Floats:
    """Return `policy.match_score` of each row, both 0..100 and not rounded."""
    zero = np.minimum(score_ab, score_ba) <= FLOOR
    with np.errstate(divide="ignore"):
        return np.where(zero, 0.0, 2 / (1 / score_ab + 1 / score_ba))


def _each(function: Callable[[float], float], values: Floats) -> Floats:
    """Return `math.log` or `math.exp` of each value: numpy's own may differ in the last bit between processors."""
    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


_TERMS: dict[Aggregation, Callable[[Floats, float], Floats]] = {
    "harmonic": lambda scores, w: w / scores,
    "geometric": lambda scores, w: w * _each(math.log, scores),
    "arithmetic": lambda scores, w: w * scores,
}
