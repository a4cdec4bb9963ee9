"""The trap of `redistribute`: a true value, once added, can lower a profile's score."""

from typing import get_args

import numpy as np

from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.analysis.momentum_options_data import Fill, Matches, Positions
from jv_scoring.analysis.rows import share
from jv_scoring.analysis.tallies import Json
from jv_scoring.columns import Floats, aggregates, round2, weighted_means
from jv_scoring.factors import MOMENTUM
from jv_scoring.policy import Aggregation, Nulls

DRAWS = 20
"""Values drawn for each profile where the fall of scores is averaged."""
AGGREGATIONS = get_args(Aggregation)


def trap(matches: Matches, scores: Floats, seed: int) -> Json:
    """Under `redistribute`: whom one true value more would lower, and by how much.

    scores: (fields, profiles) Momentum's factors, NaN without data. A true value is one of those observed in its field.
    Only profiles with a field missing and another known are looked at; one field is added at a time.

    Records under `momentum`, exact, a field: `profiles` (that lack it), `at_risk` (some observed value lowers their
    Momentum), `likely` (more than half of them do), `expected` (profiles lowered, if each got one value at random),
    `share_of_values` (that lower; mean over profiles), `mean_fall` (over all that lower) and `worst_fall`. Under
    `any_field`, how many profiles there are, and are at risk in a field or more. Under `scores`, an aggregation and
    field, what becomes of the directions that have such a profile as target, 0..100: `share_lower`, `mean_fall` (of
    those; both over `draws` values a profile) and `worst_fall` (exact). Whoever's Momentum falls is lowered under each
    aggregation, so only the amounts differ.
    """
    known = ~np.isnan(scores)
    partly = known.any(axis=0) & ~known.all(axis=0)
    at_risk = np.zeros(scores.shape[1], np.bool_)
    momentum, falls = [], []
    for k, field in enumerate(FIELDS):
        lacking = np.flatnonzero(partly & ~known[k])
        observed = np.sort(scores[k, known[k]])
        record, risky = _momentum_record(scores, k, lacking, observed)
        at_risk[risky] = True
        momentum.append({"field": field, **record})
        of_scores = _score_records(matches, scores, k, lacking=lacking, observed=observed, seed=seed)
        falls += [{"field": field, **fall} for fall in of_scores]
    every, risky_in_any = int(partly.sum()), int(at_risk.sum())
    return {
        "nulls": "redistribute",
        "draws": DRAWS,
        "any_field": {
            "profiles": every,
            "at_risk": risky_in_any,
            "share_at_risk": share(risky_in_any, every),
        },
        "momentum": momentum,
        "scores": sorted(falls, key=lambda record: AGGREGATIONS.index(record["aggregation"])),
    }


def share_at_risk(scores: Floats, nulls: Nulls) -> tuple[int, float | None]:
    """Return how many profiles lack a field and have another one, and the share of them that a true value would lower.

    As `trap` counts `any_field`, under either null treatment: under `impute`, a value below the neutral score lowers.
    """
    known = ~np.isnan(scores)
    partly = known.any(axis=0) & ~known.all(axis=0)
    at_risk = np.zeros(scores.shape[1], np.bool_)
    for k in range(len(FIELDS)):
        lacking, observed = np.flatnonzero(partly & ~known[k]), np.sort(scores[k, known[k]])
        at_risk[_momentum_record(scores, k, lacking, observed, nulls)[1]] = True
    every = int(partly.sum())
    return every, share(int(at_risk.sum()), every)


def _momentum_record(
    scores: Floats, k: int, lacking: Positions, observed: Floats, nulls: Nulls = "redistribute"
) -> tuple[Json, Positions]:
    """Of one field; and who is at risk. Profiles with the same known scores, and equal values, are worked out once."""
    record: Json = {
        "profiles": len(lacking), "observed": len(observed), "at_risk": 0, "share_at_risk": share(0, len(lacking)),
        "likely": 0, "expected": None, "share_of_values": None, "mean_fall": None, "worst_fall": None,
    }  # fmt: skip
    if not len(lacking) or not len(observed):
        return record, lacking[:0]
    values, times = np.unique(observed, return_counts=True)
    kinds, kind, profiles = np.unique(
        np.nan_to_num(scores[:, lacking], nan=-1.0), axis=1, return_inverse=True, return_counts=True
    )
    kinds = np.where(kinds < 0, np.nan, kinds)
    before = weighted_means(list(kinds), MOMENTUM, nulls)
    lower, fallen, worst = np.zeros(len(before)), np.zeros(len(before)), np.zeros(len(before))
    for value, count in zip(values.tolist(), times.tolist(), strict=True):
        kinds[k] = value
        fall = np.maximum(round2(before - weighted_means(list(kinds), MOMENTUM, nulls)), 0.0)
        lower += count * (fall > 0)
        fallen += count * fall
        np.maximum(worst, fall, out=worst)
    chance = lower / len(observed)
    risk, times_lower = int(profiles[chance > 0].sum()), float(profiles @ lower)
    record |= {
        "at_risk": risk,
        "share_at_risk": share(risk, len(lacking)),
        "likely": int(profiles[chance > 0.5].sum()),
        "expected": float(profiles @ chance),
        "share_of_values": float(profiles @ chance) / len(lacking),
        "mean_fall": float(profiles @ fallen) / times_lower if times_lower else None,
        "worst_fall": float(worst.max()) if risk else None,
    }
    return record, lacking[(chance > 0)[kind.ravel()]]


def _score_records(
    matches: Matches, scores: Floats, k: int, *, lacking: Positions, observed: Floats, seed: int
) -> list[Json]:
    """Of one field, the fall of the directions at those who lack it, under each aggregation; scores not rounded."""
    at = np.concatenate([np.isin(targets, lacking) for targets in matches.targets])
    directions = int(at.sum())
    shown = round(directions * matches.scale)
    nothing = {"directions": shown, "share_lower": None, "mean_fall": None, "worst_fall": None}
    if not directions or not len(observed):
        return [{"aggregation": aggregation, **nothing} for aggregation in AGGREGATIONS]
    intent, synergy, momentum, context = (
        np.concatenate(both)[at] for both in zip(*matches.dimensions["redistribute"], strict=True)
    )

    def falls(values: Floats) -> list[Floats]:
        """Under each aggregation, with these values in the field."""
        filled = scores[:, lacking]
        filled[k] = values
        then = np.concatenate(matches.momenta("redistribute", Fill(lacking, filled)))[at]
        after = [aggregates([intent, synergy, then, context], aggregation) for aggregation in AGGREGATIONS]
        return [np.where(then < momentum, old - new, 0.0) for old, new in zip(before, after, strict=True)]

    before = [aggregates([intent, synergy, momentum, context], aggregation) for aggregation in AGGREGATIONS]
    worst = [float(fall.max()) for fall in falls(observed[:1])]  # the lowest value lowers the most
    lower, fallen = [0] * len(AGGREGATIONS), [0.0] * len(AGGREGATIONS)
    rng = np.random.default_rng([seed, k])
    for _ in range(DRAWS):
        for j, fall in enumerate(falls(observed[rng.integers(len(observed), size=len(lacking))])):
            lower[j] += int((fall > 0).sum())
            fallen[j] += float(fall.sum())
    return [
        {
            "aggregation": aggregation,
            "directions": shown,
            "share_lower": lower[j] / (DRAWS * directions),
            "mean_fall": fallen[j] / lower[j] if lower[j] else None,
            "worst_fall": worst[j] or None,
        }
        for j, aggregation in enumerate(AGGREGATIONS)
    ]
