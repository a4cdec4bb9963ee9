"""Why a pair has its score: what each dimension and each missing value costs, and what a change would do.

The waterfall. Every aggregation is a plain weighted mean in a space of its own: with g(s) = 1/s (harmonic), ln s
(geometric) or s (arithmetic), weights w that add up to 1, and the dimensions' scores s, 0..10, a direction's score S,
0..100, is given by

    g(S / 10) = sum(w * g(s))

There, a dimension falls short of a perfect 10 by w * |g(10) - g(s)|, and what they all fall short by adds up to
|g(10) - g(S / 10)|. The 100 - S points that the direction lost are shared out in that proportion:

    lost = (100 - S) * w * |g(10) - g(s)| / |g(10) - g(S / 10)|

So what is lost is never negative, is 0 for a dimension at 10, adds up to 100 - S, and depends on no order of the
dimensions. For the arithmetic mean it is just 10 * w * (10 - s).
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jv_scoring.factors import NO_DATA, TARGET_DIMENSIONS, Factor, Profile
from jv_scoring.policy import (
    CURRENT_POLICY,
    DIMENSION_WEIGHTS,
    DIMENSIONS,
    FLOOR,
    Aggregation,
    aggregate,
    left_sum,
    parse_policy,
)
from jv_scoring.reference import Breakdown, PairScore, score_pair, weighted_mean
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL, Calibration
from jv_scoring.synergy import SYNERGY
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed

_ALL: tuple[Factor[Any], ...] = (*SYNERGY, *(factor for group in TARGET_DIMENSIONS.values() for factor in group))
_NEUTRAL = {factor.name: factor.neutral for factor in _ALL if factor.neutral is not None}


@dataclass(frozen=True)
class Contribution:
    """A step of the waterfall.

    `score`: of the dimension, 0..10. `weight`: its share, 0..1. `lost`: the points of 100 that it cost. `left`: what
    is left of the 100 after this dimension and those before it; after the last one, the score of the direction.
    """

    dimension: str
    score: float
    weight: float
    lost: float
    left: float


@dataclass(frozen=True)
class NullCost:
    """A direction's score, 0..100 with 2 decimals, and the scores under other treatments of missing data.

    `score`: under the policy. `neutral`: missing factors count as neutral, as under `impute`. `left_out`: they drop
    out, as under `redistribute`. `at_ten`: they have the best score.
    """

    factors: tuple[str, ...]
    score: float
    neutral: float
    left_out: float
    at_ten: float


@dataclass(frozen=True)
class PairExplanation:
    """A pair as it is, and as it would be with some columns changed."""

    before: PairScore
    after: PairScore


def waterfall(dimension_scores: Mapping[str, float | None], policy: str = CURRENT_POLICY) -> list[Contribution]:
    """Return how one direction's score comes about: from 100, what each dimension costs (see the module's formula).

    `dimension_scores`: by dimension, 0..10; one without a score drops out. ValueError for an unknown policy.
    """
    aggregation = parse_policy(policy).aggregation
    scores = [dimension_scores[name] for name in DIMENSIONS]
    present = [(name, score) for name, score in zip(DIMENSIONS, scores, strict=True) if score is not None]
    if not present:
        return []
    result = aggregate(scores, aggregation)
    whole = left_sum([DIMENSION_WEIGHTS[name] for name, _ in present])
    short = [DIMENSION_WEIGHTS[name] * _short_of_ten(score, aggregation) for name, score in present]
    to_share, total = max(0.0, 100 - result), left_sum(short)
    steps: list[Contribution] = []
    left = 100.0
    for (name, score), part in zip(present, short, strict=True):
        lost = to_share * (part / total) if total else 0.0
        left = result if len(steps) == len(present) - 1 else left - lost
        steps.append(Contribution(name, score, DIMENSION_WEIGHTS[name] / whole, lost, left))
    return steps


def _short_of_ten(score: float, aggregation: Aggregation) -> float:
    """Return |g(10) - g(score)|, without cancellation."""
    score = min(10.0, max(score, FLOOR))
    if aggregation == "harmonic":
        return (10 - score) / (10 * score)
    if aggregation == "geometric":
        return math.log(10 / score)
    return 10 - score


def null_costs(breakdown: Breakdown, policy: str = CURRENT_POLICY) -> list[NullCost]:
    """Return what each factor without data costs or gains a direction; last, if there are several, all together.

    `breakdown`: of one direction, as `score_pair` makes it under `policy`.
    """
    missing = [
        factor["name"]
        for name in DIMENSIONS
        for factor in breakdown[name]["factors"]
        if factor["detail"] == NO_DATA and factor["name"] in _NEUTRAL
    ]
    groups = [(name,) for name in missing] + ([tuple(missing)] if len(missing) > 1 else [])
    return [null_cost(breakdown, policy, group) for group in groups]


def null_cost(breakdown: Breakdown, policy: str, factors: Collection[str]) -> NullCost:
    """Return what these nullable factors, by name, cost or gain together because data is missing."""
    return NullCost(
        tuple(factors),
        direction_score(breakdown, policy),
        direction_score(breakdown, policy, {name: _NEUTRAL[name] for name in factors}),
        direction_score(breakdown, policy, dict.fromkeys(factors)),
        direction_score(breakdown, policy, dict.fromkeys(factors, 10.0)),
    )


def direction_score(
    breakdown: Breakdown, policy: str = CURRENT_POLICY, replaced: Mapping[str, float | None] | None = None
) -> float:
    """Return the score of a direction, 0..100 with 2 decimals, with some of its factors replaced (None: left out)."""
    replaced = replaced or {}
    dimensions: list[float | None] = []
    for name in DIMENSIONS:
        factors = [(replaced.get(factor["name"], factor["score"]), factor["weight"])
                   for factor in breakdown[name]["factors"]]  # fmt: skip
        counted = [(score, weight) for score, weight in factors if score is not None]
        dimensions.append(weighted_mean([s for s, _ in counted], [w for _, w in counted]) if counted else None)
    return round(aggregate(dimensions, parse_policy(policy).aggregation), 2)


def explain_pair(
    a: Profile,
    b: Profile,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
    *,
    changes: Mapping[str, Any] | None = None,
    changes_a: Mapping[str, Any] | None = None,
) -> PairExplanation:
    """Score the pair, and the same pair with the `changes` of B (and `changes_a` of A).

    The changes are new values by column. A text that changes loses its vector, unless the changes include its vector
    (`embedding_…`).
    """
    before = score_pair(a, b, policy, calibration)
    if not (changes or changes_a):
        return PairExplanation(before, before)
    after = score_pair(with_changes(a, changes_a or {}), with_changes(b, changes or {}), policy, calibration)
    return PairExplanation(before, after)


def with_changes(profile: Profile, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the profile with new values. The old vector of a changed text is dropped."""
    return {**profile, **{f"embedding_{name}": None for name in edited_texts(profile, changes)}, **changes}


def edited_texts(profile: Profile, changes: Mapping[str, Any]) -> list[str]:
    """Return the embedded fields whose text, as embedded, differs after the changes."""
    return [
        name
        for name in EMBEDDED_FIELDS
        if name in changes and text_to_embed(changes[name]) != text_to_embed(profile.get(name))
    ]
