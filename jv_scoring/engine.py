"""Score many pairs at once, with the same results as `reference.score_pair`, to the last digit."""

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
OFFERINGS, AUDIENCES = ("seeking", "offering"), ("who_you_serve", "who_you_serve")
"""The compared texts of the two similarity factors, the source's first."""
FACTOR_OF = {OFFERINGS: SYNERGY[0].column, AUDIENCES: SYNERGY[1].column}
"""By compared texts, the column of the factor."""

_METHODS = pd.CategoricalDtype([SEMANTIC, WORD_OVERLAP])
ROLE_TABLE = np.array([[role_compatibility(a, b) for b in ROLE_NAMES] for a in ROLE_NAMES])
TIER_TABLE = np.array([[tier_score(a, b) for b in TIER_NAMES] for a in TIER_NAMES], np.float64)


def score_pairs(
    profiles: pd.DataFrame | Prepared,
    pairs: pd.DataFrame,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
    overlap: bool = False,
) -> pd.DataFrame:
    """Score every pair in both directions.

    `profiles`: indexed by id, with the columns of the profiles table (or what `prepare` made of them, once for many
    calls). `pairs`: `id`, `profile_id` (A), `suggested_profile_id` (B). `overlap` adds the two similarity factors by
    word overlap alone. ValueError for an unknown policy.

    Returns one row per scorable pair, in the order of `pairs`: the ids; `score_ab`, `score_ba`, `harmonic_mean`
    (0..100, 2 decimals); and for each direction, with the suffix `_ab` or `_ba`: the four dimensions (0..10, 2
    decimals, NaN if no factor is left), the sixteen factors (0..10, NaN: no data), and for the two similarity factors
    `…_method` (categories `semantic`, `word_overlap`) and `…_cosine` (0..1, NaN by word overlap).
    `.attrs["unscorable"]` is a dict from the ids of other pairs to the reason (`GONE` or `SELF`).
    """
    chosen = parse_policy(policy)
    prepared = profiles if isinstance(profiles, Prepared) else prepare(profiles)
    places = Pairs.of(prepared, pairs)
    gone, same = (places.a < 0) | (places.b < 0), places.a == places.b
    unscorable = dict.fromkeys(pairs["id"][gone], GONE) | dict.fromkeys(pairs["id"][same & ~gone], SELF)
    if unscorable:
        scorable = ~(gone | same)
        pairs, places = pairs.loc[scorable, IDS], places.take(scorable)
    columns: dict[str, object] = {name: pairs[name].reset_index(drop=True) for name in IDS}
    columns |= _scores(places, chosen, calibration, overlap)
    scored = pd.DataFrame(columns, copy=False)
    scored.attrs["unscorable"] = unscorable
    return scored


@dataclass(frozen=True)
class Pairs:
    """Pairs of prepared profiles: the positions of A and B among them, -1 for a deleted one."""

    prepared: Prepared
    a: Positions
    b: Positions

    @classmethod
    def of(cls, prepared: Prepared, pairs: pd.DataFrame) -> "Pairs":
        """Return pairs from the columns `profile_id` and `suggested_profile_id`."""
        a, b = (
            # With the dtype given, pandas does not look at every id to find one.
            prepared.features.index.get_indexer(pd.Index(pairs[name], dtype=pairs[name].dtype))
            for name in ("profile_id", "suggested_profile_id")
        )
        return cls(prepared, a, b)

    def take(self, chosen: npt.NDArray[np.bool_] | Positions) -> "Pairs":
        return Pairs(self.prepared, self.a[chosen], self.b[chosen])

    def swapped(self) -> "Pairs":
        return Pairs(self.prepared, self.b, self.a)

    def vectors(self, source: str, target: str) -> PairVectors:
        """Return the vectors of one compared text of A against those of another of B."""
        return PairVectors(self.prepared.vectors[source], self.prepared.vectors[target], self.a, self.b)

    def overlap_shares(self, source: str, target: str) -> Floats:
        """Return `similarity.word_overlap` of one compared text of A and another of B, 0..1."""
        counts = self.prepared.word_counts
        smaller = np.minimum(counts[source][self.a], counts[target][self.b])
        some = np.flatnonzero(smaller)
        a, b, shares = self.a[some], self.b[some], np.zeros(len(smaller))
        left, right = self.prepared.word_sets(source, a), self.prepared.word_sets(target, b)
        common = [len(left[x] & right[y]) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
        shares[some] = np.array(common, np.float64) / smaller[some]
        return shares


def _scores(pairs: Pairs, policy: Policy, calibration: Calibration, overlap: bool) -> dict[str, object]:
    factors = _synergy_factors(pairs, calibration, overlap)
    features, momentum = pairs.prepared.numbers, momentum_name(policy.nulls)
    dimensions: dict[str, Floats] = {}
    for direction, target in zip(DIRECTIONS, (pairs.b, pairs.a), strict=True):
        for group in TARGET_DIMENSIONS.values():
            factors |= {f"{factor.column}_{direction}": features[factor.column][target] for factor in group}
        synergy = [np.asarray(factors[f"{factor.column}_{direction}"], np.float64) for factor in SYNERGY]
        dimensions[f"intent_{direction}"] = features["intent"][target]
        dimensions[f"synergy_{direction}"] = weighted_means(synergy, SYNERGY, policy.nulls)
        dimensions[f"momentum_{direction}"] = features[momentum][target]
        dimensions[f"context_{direction}"] = features["context"][target]
    score_ab, score_ba = raw_directions(dimensions, policy)
    return {
        "score_ab": round2(score_ab),
        "score_ba": round2(score_ba),
        "harmonic_mean": round2(match_scores(score_ab, score_ba)),
        **dimensions,
        **factors,
    }


def momentum_name(nulls: Nulls) -> str:
    """Return the feature column that holds Momentum under a null treatment; with `_json`, its fragment."""
    return "momentum" if nulls == "impute" else f"momentum_{nulls}"


def raw_directions(scored: dict[str, Floats] | pd.DataFrame, policy: Policy) -> tuple[Floats, Floats]:
    """Return both directions' scores, 0..100 and not rounded, from the columns of the dimensions."""
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
        method = pd.Categorical.from_codes((~self.semantic).astype(np.int8), dtype=_METHODS)
        columns: dict[str, object] = {
            f"{name}_{direction}": self.score,
            f"{name}_method_{direction}": method,
            f"{name}_cosine_{direction}": self.cosine,
        }
        return columns | ({} if self.overlap_score is None else {f"{name}_overlap_{direction}": self.overlap_score})


def _synergy_factors(pairs: Pairs, calibration: Calibration, overlap: bool) -> dict[str, object]:
    prepared, a, b = pairs.prepared, pairs.a, pairs.b
    audience = compare_texts(pairs, AUDIENCES, calibration, overlap)
    roles = ROLE_TABLE[prepared.roles[a], prepared.roles[b]]  # This table and the next are symmetric.
    tiers = TIER_TABLE[prepared.tiers[a], prepared.tiers[b]]
    factors: dict[str, object] = {}
    for direction, of_source in (("ab", pairs), ("ba", pairs.swapped())):
        offering = compare_texts(of_source, OFFERINGS, calibration, overlap)
        factors |= offering.columns("offering_seeking", direction)
        factors |= audience.columns("audience_alignment", direction)
        factors |= {f"role_compatibility_{direction}": roles, f"revenue_tier_{direction}": tiers}
    return factors


def compare_texts(pairs: Pairs, texts: tuple[str, str], calibration: Calibration, overlap: bool) -> _Similarity:
    vectors = pairs.vectors(*texts)
    semantic = vectors.semantic
    cosines, semantic_scores = cosine_scores(vectors, calibration.steps_of(FACTOR_OF[texts]))
    by_words = np.flatnonzero(~semantic | overlap)
    overlap_scores = np.full(len(semantic), np.nan)
    overlap_scores[by_words] = step_scores(pairs.take(by_words).overlap_shares(*texts), OVERLAP_STEPS)
    scores = np.where(semantic, semantic_scores, overlap_scores)
    return _Similarity(scores, semantic, cosines, overlap_scores if overlap else None)


def cosine_scores(vectors: PairVectors, steps: Steps) -> tuple[Floats, Floats]:
    """Return the cosines of pairs, and their scores by steps; without meaning where a vector is missing."""
    cosines = vectors.cosines()
    vectors.settle(cosines, lambda values: _distance(values, steps))
    return cosines, step_scores(cosines, steps)


def _distance(values: Floats, steps: Steps) -> Floats:
    """Return how far each value is from the nearest limit."""
    distance = np.full(len(values), np.inf)
    for limit, _ in steps:
        np.minimum(distance, np.abs(values - limit), out=distance)
    return distance


def step_scores(values: Floats, steps: Steps) -> Floats:
    """Return `similarity.step_score` of each value."""
    scores = np.full(len(values), LOWEST_SCORE)
    for limit, score in reversed(steps):
        scores[values >= limit] = score
    return scores
