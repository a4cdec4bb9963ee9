"""Score many pairs at once: the same as `reference.score_pair` for each, to the last digit."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.columns import aggregates, match_scores, round2, weighted_means
from jv_scoring.factors import TARGET_DIMENSIONS
from jv_scoring.policy import CURRENT_POLICY, DIMENSIONS, Nulls, Policy, parse_policy
from jv_scoring.prepare import ROLE_NAMES, TIER_NAMES, Prepared, prepare
from jv_scoring.roles import role_compatibility
from jv_scoring.similarity import (
    CALIBRATIONS,
    LOWEST_SCORE,
    OVERLAP_STEPS,
    REFERENCE_MODEL,
    SEMANTIC,
    WORD_OVERLAP,
    Calibration,
    Steps,
)
from jv_scoring.synergy import SYNERGY, tier_score
from jv_scoring.vectors import Floats, PairVectors, Positions

GONE, SELF = "profile gone", "matched with itself"
DIRECTIONS = ("ab", "ba")
IDS = ["id", "profile_id", "suggested_profile_id"]
SCORES = ["score_ab", "score_ba", "harmonic_mean"]
METHODS = [SEMANTIC, WORD_OVERLAP]

_ROLE_TABLE = np.array([[role_compatibility(a, b) for b in ROLE_NAMES] for a in ROLE_NAMES])
_TIER_TABLE = np.array([[tier_score(a, b) for b in TIER_NAMES] for a in TIER_NAMES], np.float64)


def score_pairs(
    profiles: pd.DataFrame | Prepared,
    pairs: pd.DataFrame,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
    overlap: bool = False,
) -> pd.DataFrame:
    """Score every pair in both directions.

    `profiles`: indexed by id, with the columns of the profiles table (or what `prepare` made of them once for many
    calls). `pairs`: `id`, `profile_id` (A), `suggested_profile_id` (B). `overlap` adds the two similarity factors by
    word overlap alone. ValueError for an unknown policy.

    Returns a row per scorable pair, in the order of `pairs`: the ids; `score_ab`, `score_ba`, `harmonic_mean` (0..100,
    2 decimals); and for each direction, with the suffix `_ab` or `_ba`: the four dimensions (0..10, 2 decimals, NaN
    where no factor is left), the sixteen factors (0..10, NaN: no data), and of the two similarity factors `…_method`
    (categories `semantic`, `word_overlap`) and `…_cosine` (0..1, NaN by word overlap). Pairs that cannot be scored come
    back in `.attrs["unscorable"]`, a dict of id to reason (`GONE` or `SELF`).
    """
    chosen = parse_policy(policy)
    prepared = profiles if isinstance(profiles, Prepared) else prepare(profiles)
    a, b = (positions(prepared, pairs[column]) for column in ("profile_id", "suggested_profile_id"))
    gone, same = (a < 0) | (b < 0), a == b
    scorable = ~(gone | same)
    unscorable = dict.fromkeys(pairs["id"][gone], GONE) | dict.fromkeys(pairs["id"][same & ~gone], SELF)
    if unscorable:
        pairs, a, b = pairs[scorable], a[scorable], b[scorable]
    columns: dict[str, object] = {name: pairs[name].reset_index(drop=True) for name in IDS}
    columns |= _scores(prepared, a, b, chosen, calibration, overlap)
    scored = pd.DataFrame(columns, copy=False)
    scored.attrs["unscorable"] = unscorable
    return scored


def positions(prepared: Prepared, ids: pd.Series) -> Positions:
    """The row of each id among the prepared profiles, -1 where it is gone."""
    return prepared.facts.index.get_indexer(pd.Index(ids, dtype=ids.dtype))


def _scores(
    prepared: Prepared, a: Positions, b: Positions, policy: Policy, calibration: Calibration, overlap: bool
) -> dict[str, object]:
    factors = _synergy_factors(prepared, a, b, calibration, overlap)
    dimensions: dict[str, Floats] = {}
    for direction, target in zip(DIRECTIONS, (b, a), strict=True):
        for group in TARGET_DIMENSIONS.values():
            for factor in group:
                factors[f"{factor.column}_{direction}"] = _fact(prepared, factor.column)[target]
        dimensions |= _dimensions(prepared, target, factors, direction, policy.nulls)
    score_ab, score_ba = raw_directions(dimensions, policy)
    return {
        "score_ab": round2(score_ab),
        "score_ba": round2(score_ba),
        "harmonic_mean": round2(match_scores(score_ab, score_ba)),
        **dimensions,
        **factors,
    }


def _fact(prepared: Prepared, column: str) -> Floats:
    return prepared.facts[column].to_numpy()


def _dimensions(
    prepared: Prepared, target: Positions, factors: dict[str, object], direction: str, nulls: Nulls
) -> dict[str, Floats]:
    synergy = [factors[f"{factor.column}_{direction}"] for factor in SYNERGY]
    return {
        f"intent_{direction}": _fact(prepared, "intent")[target],
        f"synergy_{direction}": weighted_means(synergy, SYNERGY, nulls),  # type: ignore[arg-type]
        f"momentum_{direction}": _fact(prepared, momentum_name(nulls))[target],
        f"context_{direction}": _fact(prepared, "context")[target],
    }


def momentum_name(nulls: Nulls) -> str:
    """The column of the facts that holds Momentum under a null treatment; with `_json`, its fragment."""
    return "momentum" if nulls == "impute" else f"momentum_{nulls}"


def raw_directions(scored: dict[str, Floats] | pd.DataFrame, policy: Policy) -> tuple[Floats, Floats]:
    """Both directions' scores, 0..100 and not rounded, from the columns of the dimensions."""
    ab, ba = (
        aggregates([np.asarray(scored[f"{name}_{direction}"]) for name in DIMENSIONS], policy.aggregation)
        for direction in DIRECTIONS
    )
    return ab, ba


@dataclass(frozen=True)
class _Similarity:
    """A similarity factor of many pairs, in one direction."""

    score: Floats
    semantic: npt.NDArray[np.bool_]
    cosine: Floats
    overlap_score: Floats | None

    def columns(self, name: str, direction: str) -> dict[str, object]:
        method = pd.Categorical.from_codes(np.where(self.semantic, 0, 1), METHODS)
        columns: dict[str, object] = {
            f"{name}_{direction}": self.score,
            f"{name}_method_{direction}": method,
            f"{name}_cosine_{direction}": self.cosine,
        }
        return columns | ({} if self.overlap_score is None else {f"{name}_overlap_{direction}": self.overlap_score})


def _synergy_factors(
    prepared: Prepared, a: Positions, b: Positions, calibration: Calibration, overlap: bool
) -> dict[str, object]:
    audience = _similarity(prepared, "who_you_serve", "who_you_serve", a, b, calibration, overlap)
    roles = _ROLE_TABLE[prepared.roles[a], prepared.roles[b]]  # both tables are symmetric
    tiers = _TIER_TABLE[prepared.tiers[a], prepared.tiers[b]]
    factors: dict[str, object] = {}
    for direction, source, target in (("ab", a, b), ("ba", b, a)):
        offering = _similarity(prepared, "seeking", "offering", source, target, calibration, overlap)
        factors |= offering.columns("offering_seeking", direction)
        factors |= audience.columns("audience_alignment", direction)
        factors |= {f"role_compatibility_{direction}": roles, f"revenue_tier_{direction}": tiers}
    return factors


def _similarity(
    prepared: Prepared,
    source: str,
    target: str,
    i: Positions,
    j: Positions,
    calibration: Calibration,
    overlap: bool,
) -> _Similarity:
    pairs = PairVectors(prepared.vectors[source], prepared.vectors[target], i, j)
    cosines, semantic = pairs.cosines(), pairs.semantic
    pairs.settle(cosines, lambda values: _distance(values, calibration.steps))
    scores = _step_scores(cosines, calibration.steps)
    by_words = np.flatnonzero(~semantic | overlap)
    shares = overlap_shares(prepared, source, target, i[by_words], j[by_words])
    overlap_scores = np.full(len(i), np.nan)
    overlap_scores[by_words] = _step_scores(shares, OVERLAP_STEPS)
    scores = np.where(semantic, scores, overlap_scores)
    return _Similarity(scores, semantic, cosines, overlap_scores if overlap else None)


def _distance(values: Floats, steps: Steps) -> Floats:
    """How far each value is from the nearest limit."""
    distance = np.full(len(values), np.inf)
    for limit, _ in steps:
        np.minimum(distance, np.abs(values - limit), out=distance)
    return distance


def _step_scores(values: Floats, steps: Steps) -> Floats:
    """`similarity.step_score` of each value."""
    scores = np.full(len(values), LOWEST_SCORE)
    for limit, score in reversed(steps):
        scores[values >= limit] = score
    return scores


def overlap_shares(prepared: Prepared, source: str, target: str, i: Positions, j: Positions) -> Floats:
    """`similarity.word_overlap` of each pair, 0..1."""
    smaller = np.minimum(prepared.word_counts[source][i], prepared.word_counts[target][j])
    some = np.flatnonzero(smaller)
    i, j, shares = i[some], j[some], np.zeros(len(smaller))
    left, right = prepared.word_sets(source, i), prepared.word_sets(target, j)
    common = [len(left[x] & right[y]) for x, y in zip(i.tolist(), j.tolist(), strict=True)]
    shares[some] = np.array(common, np.float64) / smaller[some]
    return shares
