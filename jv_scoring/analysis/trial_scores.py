"""A candidate's scores beside production's, over the same matches: what stays as it is, and what would be worse.

The figures are ranks, shares and lists. A higher mean under another policy says nothing, so no mean is compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis import missing_data
from jv_scoring.analysis.aggregation_comparison import BEST, best_overlap, beyond_chance, finals, spearman, tier_moves
from jv_scoring.analysis.calibration_moves import similarities_under
from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.rows import DIMENSION_COLUMNS, column, dimensions, share
from jv_scoring.analysis.stored import METHODS, SIMILARITIES
from jv_scoring.analysis.tallies import Joint, Json
from jv_scoring.analysis.waterfall import COLUMNS as FACTOR_COLUMNS
from jv_scoring.analysis.waterfall import lost_to_best
from jv_scoring.columns import Floats, weighted_means
from jv_scoring.engine import DIRECTIONS, IDS
from jv_scoring.policy import Policy
from jv_scoring.prepare import NULLS
from jv_scoring.similarity import WORD_OVERLAP, Steps
from jv_scoring.synergy import SYNERGY

ALL, NO_MOMENTUM, NO_VECTORS, OTHER_ROLES = "all", "no Momentum data", "no vectors", "other roles"
PRODUCTION, CANDIDATE = "production", "candidate"
FEWEST_MATCHES, FEWEST_LISTS = 100, 20
"""Matches of a segment, and profiles with more than 10 matches in it, below which it is not judged by itself."""
COLUMNS = [*IDS, "policy", "scoring_version", "harmonic_mean", *METHODS, *DIMENSION_COLUMNS]
"""The columns of a partition's file that `Beside` reads."""
OF_STEPS = [
    *(f"{factor.column}_{direction}" for factor in SYNERGY for direction in DIRECTIONS),
    *(f"{factor}_{what}_{direction}" for factor in SIMILARITIES for what in ("cosine", "method")
      for direction in DIRECTIONS),
]  # fmt: skip
"""The columns beside these that `under` reads for other steps of the similarity factors."""
OF_MISSING = [*DIMENSION_COLUMNS, *FACTOR_COLUMNS, *IDS[1:]]
"""The columns that `missing_share` reads."""

Bools = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int32]


def under(rows: pd.DataFrame, policy: Policy, steps: Mapping[str, Steps]) -> pd.DataFrame:
    """Return the rows as a candidate has them: the policy's name, and Synergy under its steps, if it has steps."""
    changed: dict[str, npt.NDArray[Any]] = {"policy": np.full(len(rows), str(policy), object)}
    if steps:
        values = similarities_under(rows, steps)
        changed |= values
        for direction in DIRECTIONS:
            names = [f"{factor.column}_{direction}" for factor in SYNERGY]
            factors = [values[name] if name in values else column(rows, name) for name in names]
            changed |= {f"synergy_{nulls}_{direction}": weighted_means(factors, SYNERGY, nulls) for nulls in NULLS}
    return rows.assign(**changed)


def scores(rows: pd.DataFrame, policy: Policy) -> dict[str, Floats]:
    """Return score_ab, score_ba and harmonic_mean of rows that `under` returned, as the engine gives them."""
    return finals({of: dimensions(rows, of, policy.nulls) for of in DIRECTIONS}, policy)


@dataclass(frozen=True, eq=False)
class Beside:
    """Matches in order of id. (matches,) each: the places of A and B among the profiles, -1 for a profile that is gone;
    both scores, 0..100; and whether a side has no data for Momentum, and a comparison of texts no vectors.
    """

    a: Places
    b: Places
    production: Floats
    candidate: Floats
    no_momentum: Bools
    no_vectors: Bools

    @classmethod
    def of(cls, rows: pd.DataFrame, candidate: Floats, profiles: pd.Index) -> "Beside":
        """Return the rows of a partition's file (`COLUMNS`) beside the candidate's harmonic_mean."""
        a, b = (profiles.get_indexer(pd.Index(rows[name], dtype=object)).astype(np.int32) for name in IDS[1:])
        momenta = [column(rows, f"momentum_redistribute_{direction}") for direction in DIRECTIONS]
        by_words = [(rows[name] == WORD_OVERLAP).to_numpy(np.bool_) for name in METHODS]
        no_momentum = np.logical_or.reduce([np.isnan(each) for each in momenta])
        return cls(a, b, column(rows, "harmonic_mean"), candidate, no_momentum, np.logical_or.reduce(by_words))

    @classmethod
    def joined(cls, parts: Sequence["Beside"]) -> "Beside":
        return cls(*(np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(cls)))

    def taken(self, chosen: Bools) -> "Beside":
        return Beside(*(getattr(self, each.name)[chosen] for each in fields(self)))

    def best(self, side: str) -> pd.DataFrame:
        """Return `suggested_profile_id`, as places, of the best 10 matches of each profile by one side's score."""
        return pd.DataFrame({"suggested_profile_id": self.b[self._ranked().places(side) < BEST]})

    def tied(self, segment: str) -> Json:
        """Return how close both orders are: the record of a segment that these matches are."""
        joint, count = Joint.of(self.production, self.candidate), len(self.a)
        overlap = best_overlap(self._ranked(), PRODUCTION, CANDIDATE)
        _, of_a = np.unique(self.a, return_counts=True)
        beyond = beyond_chance(overlap["best_overlap_with_more"], of_a.astype(np.int64))
        return {
            "segment": segment,
            "matches": count,
            "rank_correlation": spearman(joint),
            "best_10_overlap": beyond["best_overlap_beyond_chance"],
            "lists": overlap["profiles_with_more"],
            "tier_moves": tier_moves(joint)["equal_sizes"] / count if count else None,
        }

    def _ranked(self) -> Largest:
        by = {PRODUCTION: self.production, CANDIDATE: self.candidate}
        return Largest({"profile_id": self.a, **by}, BEST + 1, (PRODUCTION, CANDIDATE), within="profile_id")


def segments(beside: Beside, roles: npt.NDArray[np.object_]) -> Iterator[tuple[str, Bools]]:
    """Yield the segments that are judged by themselves: two of weak data, and each role of A, by profile in `roles`.

    A segment of fewer than `FEWEST_MATCHES` is left out, and the roles of so few are judged together.
    """
    known = pd.Series([*roles, None], dtype=object).fillna("unknown")
    codes, names = pd.factorize(known.to_numpy(object)[beside.a], sort=True)  # The last one is that of no profile.
    counts = np.bincount(codes, minlength=len(names))
    few = counts < FEWEST_MATCHES
    found = [(NO_MOMENTUM, beside.no_momentum), (NO_VECTORS, beside.no_vectors)]
    found += [(f"role {names[k]}", codes == k) for k in np.flatnonzero(~few).tolist()]
    if few.any():
        found.append((OTHER_ROLES, few[codes]))
    yield from ((name, chosen) for name, chosen in found if chosen.sum() >= FEWEST_MATCHES)


def ties(beside: Beside, roles: npt.NDArray[np.object_]) -> list[Json]:
    """Return the record of all matches, and of each segment."""
    return [beside.tied(ALL), *(beside.taken(chosen).tied(name) for name, chosen in segments(beside, roles))]


def missing_share(rows: pd.DataFrame, policy: Policy) -> float | None:
    """Return the share of all points that these rows (as of `under`) lose to the best which missing data loses, 0..1.

    It is a share of what one policy takes away, so two policies can be compared by it.
    """
    lost = sum(
        int(of.sum()) for direction in DIRECTIONS for of in lost_to_best(rows, direction, policy).values()
    )  # fmt: skip
    costs = missing_data.costs(rows)
    return share(sum(int(costs.values[field].sum()) for field in missing_data.FIELDS), lost)
