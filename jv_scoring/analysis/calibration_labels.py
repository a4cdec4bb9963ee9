"""Do people's actions say more of a cosine than the steps do? Isotonic regression of labels, cross-fitted by profile.

The steps group cosines into five levels. Isotonic regression fits the rate of label 1 along the cosine, rising. Both
are fitted on some profiles and judged on others by log loss, so a curve that follows chance loses. It is accepted only
if it is better beyond its 95 % interval.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jv_scoring.analysis.evaluation_bootstrap import interval, multiplicities
from jv_scoring.analysis.evaluation_labels import Bools
from jv_scoring.analysis.tallies import Ints, Json
from jv_scoring.columns import Floats
from jv_scoring.similarity import Steps

LEAST_LABELS = 200
"""With fewer labels, nothing is fitted."""
ACCEPTED, NOT_BETTER, TOO_FEW = "accepted", "not better", "not enough data"
FOLDS = 5
_SEED = 20261130


@dataclass(frozen=True, eq=False)
class Labelled:
    """Matches with a label: the cosine of a factor, A and B by number, and whether the label is 1."""

    cosines: Floats
    a: Ints
    b: Ints
    positive: Bools

    def take(self, chosen: Bools) -> "Labelled":
        return Labelled(self.cosines[chosen], self.a[chosen], self.b[chosen], self.positive[chosen])


def isotonic(factor: str, labels: Labelled, steps: Steps) -> Json:
    """Return whether isotonic regression of the labels is better than one rate for each step.

    `improvement` is the mean fall of held-out log loss for a match, `low` and `high` its 95 % interval by a bootstrap
    over A. `curve`: the fitted rate of label 1 by cosine, of all labels.
    """
    counts = {"factor": factor, "labels": len(labels.a), "positive": int(labels.positive.sum())}
    nothing: Json = {"improvement": None, "low": None, "high": None, "curve": []}
    if why := _too_few(labels):
        return {**counts, **nothing, "verdict": TOO_FEW, "why": why}
    fall = _held_out_fall(labels, steps)
    known = ~np.isnan(fall)
    if not known.any():
        return {**counts, **nothing, "verdict": TOO_FEW, "why": "the labels are of too few profiles"}
    low, high = interval(_means(fall[known], labels.a[known]))
    better = low is not None and low > 0
    return {
        **counts,
        "improvement": float(fall[known].mean()),
        "low": low,
        "high": high,
        "curve": _curve(labels),
        "verdict": ACCEPTED if better else NOT_BETTER,
        "why": "",
    }


def _too_few(labels: Labelled) -> str:
    count, positive = len(labels.a), int(labels.positive.sum())
    if count < LEAST_LABELS:
        return f"{count:,} labels, of {LEAST_LABELS} needed"
    return "all labels are alike" if positive in (0, count) else ""


def _held_out_fall(labels: Labelled, steps: Steps) -> Floats:
    """Return how much less log loss each match has by the curve than by the steps; NaN where nothing was fitted.

    No match that was fitted on shares a profile with the fold that it is judged on.
    """
    profiles = int(max(labels.a.max(), labels.b.max())) + 1
    fold = np.random.default_rng(_SEED).integers(0, FOLDS, profiles)
    fall = np.full(len(labels.a), np.nan)
    for k in range(FOLDS):
        held_out = fold[labels.a] == k
        fitted = labels.take(~held_out & (fold[labels.b] != k))
        if held_out.any() and len(fitted.a) and 0 < fitted.positive.sum() < len(fitted.a):
            cosines, positive = labels.cosines[held_out], labels.positive[held_out]
            by_steps = _by_steps(fitted, cosines, steps)
            by_curve = _by_curve(fitted, cosines)
            fall[held_out] = _loss(by_steps, positive) - _loss(by_curve, positive)
    return fall


def _by_steps(fitted: Labelled, cosines: Floats, steps: Steps) -> Floats:
    """Return the rate of each cosine's level, with half a match of each label added, so that none is 0 or 1."""
    limits = [limit for limit, _ in reversed(steps)]
    levels, wanted = (np.searchsorted(limits, values, "right") for values in (fitted.cosines, cosines))
    positive = np.bincount(levels, fitted.positive, len(limits) + 1)
    rates: Floats = (positive + 0.5) / (np.bincount(levels, minlength=len(limits) + 1) + 1)
    return rates[wanted]


def _by_curve(fitted: Labelled, cosines: Floats) -> Floats:
    least = 0.5 / (len(fitted.a) + 1)
    rates: Floats = np.clip(_fit(fitted).predict(cosines), least, 1 - least)
    return rates


def _curve(labels: Labelled) -> list[Json]:
    fit = _fit(labels)
    points = zip(fit.X_thresholds_.tolist(), fit.y_thresholds_.tolist(), strict=True)
    return [{"cosine": cosine, "rate": rate} for cosine, rate in points]


def _fit(labels: Labelled) -> Any:
    from sklearn.isotonic import IsotonicRegression

    regression = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    return regression.fit(labels.cosines, labels.positive.astype(np.float64))


def _loss(rates: Floats, positive: Bools) -> Floats:
    return -np.log(np.where(positive, rates, 1 - rates))


def _means(values: Floats, profiles: Ints) -> Floats:
    """Return the mean of the matches of each draw of profiles."""
    _, place = np.unique(profiles, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place).astype(np.float64)
    parts = [np.zeros(0)]
    for drawn in multiplicities(len(sums)):
        with np.errstate(invalid="ignore"):
            parts.append(drawn @ sums / (drawn @ counts))
    return np.concatenate(parts)
