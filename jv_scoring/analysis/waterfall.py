"""What each dimension and factor costs on average: the waterfall of `jv_scoring.explain` over all directions.

A direction's lost points are shared out among the dimensions by the formula of `jv_scoring.explain`, and a dimension's
points among its factors in proportion to weight times distance, because a dimension is a weighted mean. Points are lost
against 10, which no rule gives for some factors, and against the best that the rules give any profile.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jv_scoring.analysis.rows import column, dimensions, share, weakest_counts, weakest_report
from jv_scoring.analysis.stored import GROUPS
from jv_scoring.analysis.sums import Sums
from jv_scoring.analysis.tallies import Counts, Ints, Json
from jv_scoring.columns import Floats, aggregates, weighted_means
from jv_scoring.engine import DIRECTIONS, ROLE_TABLE, TIER_TABLE
from jv_scoring.policy import CURRENT_POLICY, DIMENSION_WEIGHTS, DIMENSIONS, FLOOR, Aggregation, Policy, parse_policy

NAMES = tuple(factor.column for group in GROUPS.values() for factor in group)
BEST = {
    "jv_history": 10.0, "booking_link": 8.0, "profile_investment": 10.0, "website": 7.0,
    "offering_seeking": 10.0, "audience_alignment": 10.0,
    "role_compatibility": float(ROLE_TABLE.max()), "revenue_tier": float(np.nanmax(TIER_TABLE)),
    "audience_engagement": 10.0, "social_reach": 10.0, "active_projects": 8.0, "list_size": 9.0,
    "profile_completeness": 10.0, "revenue_known": 8.0, "enrichment_quality": 10.0, "contact_available": 9.0,
}  # fmt: skip
"""By factor, the best score that the rules give any profile, 0..10."""
UNIT = 1_000_000
"""Parts of a point: losses are rounded to whole ones, so that sums of them are exact."""
COLUMNS = [f"{name}_{direction}" for name in NAMES for direction in DIRECTIONS]
"""The columns of a partition's file that this reads, beside the dimensions."""


def waterfall(rows: pd.DataFrame, policy: Policy) -> tuple[dict[str, Sums], Counts]:
    """Return sums over both directions, in millionths of a point, and direction by the dimensions that cost most there.

    Sums: `lost`, by factor, with the columns `ten`, against 10, and `best`, against the best attainable; `raised`, by
    dimension, with `points`, what a direction would win if the dimension alone were the best attainable. The dimensions
    that cost most are those against 10, with ties as in `rows.COMBINATIONS`.
    """
    lost, raised, costs = [], [], {}
    for direction in DIRECTIONS:
        of = dimensions(rows, direction, policy.nulls)
        to_ten = _lost(of, _TEN, policy)
        costs[direction] = [-np.rint(each * UNIT) for each in to_ten]
        ten = _of_factors(rows, direction, policy, to_ten, dict.fromkeys(NAMES, 10.0))
        against = {"ten": ten, "best": lost_to_best(rows, direction, policy)}
        lost.append(Sums.of(NAMES, {name: [int(of[each].sum()) for each in NAMES] for name, of in against.items()}))
        points = [_raised(of, k, best, policy) for k, best in enumerate(_BEST_DIMENSIONS)]
        raised.append(Sums.of(DIMENSIONS, {"points": points}))
    return {"lost": lost[0] + lost[1], "raised": raised[0] + raised[1]}, weakest_counts(costs)


def lost_to_best(rows: pd.DataFrame, direction: str, policy: Policy) -> dict[str, Ints]:
    """Return by factor (rows,) what it costs against the best attainable, in millionths of a point."""
    of = dimensions(rows, direction, policy.nulls)
    return _of_factors(rows, direction, policy, _lost(of, _BEST_DIMENSIONS, policy), BEST)


def waterfall_report(lost: Sums, raised: Sums, costliest: Counts, policy: str | None) -> Json:
    """Return points of 100 lost per direction, on average: by dimension and by factor; None without directions."""
    directions = int(costliest.values.sum())
    by_dimension, _ = weakest_report(costliest)
    points = {name: lost.series(name) for name in lost.values}
    of_raised = raised.series("points")

    def mean(total: float) -> float | None:
        of_one = share(int(total), directions)
        return None if of_one is None else of_one / UNIT

    records = []
    for name, group in GROUPS.items():
        (most,) = [each for each in by_dimension if (each["direction"], each["dimension"]) == ("both", name)]
        columns = [factor.column for factor in group]
        records.append({
            "dimension": name, "lost": mean(points["ten"].reindex(columns, fill_value=0).sum()),
            "lost_to_best": mean(points["best"].reindex(columns, fill_value=0).sum()),
            "raised": mean(of_raised.get(name, 0)), "costliest_share": most["share"],
        })  # fmt: skip
    factors = [
        {"dimension": name, "factor": factor.column, "best": BEST[factor.column],
         "lost": mean(points["ten"].get(factor.column, 0)), "lost_to_best": mean(points["best"].get(factor.column, 0))}
        for name, group in GROUPS.items()
        for factor in group
    ]  # fmt: skip
    best = aggregates(
        [np.array([each]) for each in _BEST_DIMENSIONS], parse_policy(policy or CURRENT_POLICY).aggregation
    )
    return {"directions": directions, "best": float(best[0]), "dimensions": records, "factors": factors}


_TEN = [10.0] * len(DIMENSIONS)
_BEST_DIMENSIONS = [
    float(weighted_means([np.array([BEST[factor.column]]) for factor in group], group, "impute")[0])
    for group in GROUPS.values()
]
"""Each dimension of a direction whose factors are all the best attainable."""


def _lost(scores: Sequence[Floats], limits: Sequence[float], policy: Policy) -> list[Floats]:
    """Return (rows,) the points that each dimension costs against its limit; they add up to what the direction lost."""
    count = len(scores[0])
    whole = aggregates([np.full(count, limit) for limit in limits], policy.aggregation)
    to_share = np.maximum(whole - aggregates(scores, policy.aggregation), 0.0)
    short = [
        DIMENSION_WEIGHTS[name] * np.where(np.isnan(of), 0.0, _short_of(limit, of, policy.aggregation))
        for name, of, limit in zip(DIMENSIONS, scores, limits, strict=True)
    ]
    total = np.sum(short, axis=0)
    return [np.divide(to_share * part, total, out=np.zeros(count), where=total > 0) for part in short]


def _short_of(limit: float, scores: Floats, aggregation: Aggregation) -> Floats:
    """Return |g(limit) - g(score)| as in `jv_scoring.explain`; 0 for a score above the limit."""
    scores = np.minimum(np.maximum(np.where(np.isnan(scores), limit, scores), FLOOR), limit)
    if aggregation == "harmonic":
        return (limit - scores) / (limit * scores)
    return np.log(limit / scores) if aggregation == "geometric" else limit - scores


def _of_factors(
    rows: pd.DataFrame, direction: str, policy: Policy, lost: Sequence[Floats], limits: dict[str, float]
) -> dict[str, Ints]:
    """Return by factor (rows,) what it costs, in millionths of a point."""
    found = {}
    for of_dimension, group in zip(lost, GROUPS.values(), strict=True):
        parts, weights = [], []
        for factor in group:
            values = column(rows, f"{factor.column}_{direction}")
            missing = np.isnan(values)
            neutral = factor.neutral if policy.nulls == "impute" else None
            values = np.where(missing, limits[factor.column] if neutral is None else neutral, values)
            counts = ~missing if neutral is None else np.ones_like(missing)
            parts.append(factor.weight * np.maximum(limits[factor.column] - values, 0.0))
            weights.append(factor.weight * counts)
        # By weight alone where rounding leaves a loss to a dimension whose factors lost nothing.
        shares = np.where(np.sum(parts, axis=0) > 0, parts, weights)
        total = np.sum(shares, axis=0)
        of_one = np.divide(of_dimension * shares, total, out=np.zeros_like(shares), where=total > 0)
        for factor, each in zip(group, of_one, strict=True):
            found[factor.column] = np.rint(each * UNIT).astype(np.int64)
    return found


def _raised(scores: Sequence[Floats], k: int, best: float, policy: Policy) -> int:
    """Return the points won over all rows if dimension `k` alone were the best attainable, in millionths."""
    higher = [*scores[:k], np.fmax(scores[k], best), *scores[k + 1 :]]
    won: Ints = np.rint(
        (aggregates(higher, policy.aggregation) - aggregates(scores, policy.aggregation)) * UNIT
    ).astype(np.int64)
    return int(np.maximum(won, 0).sum())
