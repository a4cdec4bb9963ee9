"""Score one pair. Read it beside docs/ismc.md. The engine must give the same for every pair, to the last digit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jv_scoring.factors import CONTEXT, INTENT, MOMENTUM, Factor, Profile, Reading
from jv_scoring.policy import CURRENT_POLICY, Nulls, Policy, aggregate, left_sum, match_score, parse_policy
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL, Calibration
from jv_scoring.synergy import SYNERGY

Breakdown = dict[str, Any]


@dataclass(frozen=True)
class PairScore:
    """A match's scores, 0..100 rounded to 2 decimals, and the breakdown of each direction as in match_context."""

    score_ab: float
    score_ba: float
    harmonic_mean: float
    breakdown_ab: Breakdown
    breakdown_ba: Breakdown


def score_pair(
    a: Profile,
    b: Profile,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
) -> PairScore:
    """Score profile `a` and profile `b` for each other.

    `a` and `b` map the columns of the profiles table to values; absent keys are null; vectors are sequences, arrays or
    None, both made by the model of `calibration`. ValueError for an unknown policy.
    """
    chosen = parse_policy(policy)
    breakdown_ab, ab = _direction(a, b, chosen, calibration)
    breakdown_ba, ba = _direction(b, a, chosen, calibration)
    return PairScore(round(ab, 2), round(ba, 2), round(match_score(ab, ba), 2), breakdown_ab, breakdown_ba)


def _direction(source: Profile, target: Profile, policy: Policy, calibration: Calibration) -> tuple[Breakdown, float]:
    """Return how valuable `target` is to `source`: the breakdown, and the score 0..100 before rounding."""
    breakdown: Breakdown = {
        "intent": _dimension(INTENT, [factor.measure(target) for factor in INTENT], policy.nulls),
        "synergy": _dimension(SYNERGY, [f.measure(source, target, calibration) for f in SYNERGY], policy.nulls),
        "momentum": _dimension(MOMENTUM, [factor.measure(target) for factor in MOMENTUM], policy.nulls),
        "context": _dimension(CONTEXT, [factor.measure(target) for factor in CONTEXT], policy.nulls),
    }
    score = aggregate([dimension["score"] for dimension in breakdown.values()], policy.aggregation)
    return breakdown | {"final_0_10": round(score / 10, 2)}, score


def _dimension(factors: Sequence[Factor[Any]], readings: Sequence[Reading], nulls: Nulls) -> Breakdown:
    """Return the weighted mean of the factors, 0..10 rounded to 2 decimals; None if no factor is left."""
    entries: list[dict[str, Any]] = [
        {"name": factor.name, "score": counted_score(factor, reading.score, nulls), "weight": factor.weight,
         "detail": reading.detail} | ({"method": reading.method} if reading.method else {})
        for factor, reading in zip(factors, readings, strict=True)
    ]  # fmt: skip
    counted = [(entry["score"], entry["weight"]) for entry in entries if entry["score"] is not None]
    score = weighted_mean([s for s, _ in counted], [w for _, w in counted]) if counted else None
    return {"score": score, "factors": entries}


def weighted_mean(scores: Sequence[float], weights: Sequence[float]) -> float:
    """Return the weighted mean of factor scores, 0..10, rounded to 2 decimals: points earned by points possible, times
    10.

    This is sum(score * weight) / sum(weight). If the third decimal is a 5, the last digit depends on the order of the
    operations. The stored scores were made with this order.
    """
    earned = left_sum([score * weight for score, weight in zip(scores, weights, strict=True)])
    return round(earned / (10 * left_sum(weights)) * 10, 2)


def counted_score(factor: Factor[Any], score: float | None, nulls: Nulls) -> float | None:
    """Return the score that goes into the dimension: under `impute` a factor without data counts as neutral."""
    return factor.neutral if score is None and nulls == "impute" else score
