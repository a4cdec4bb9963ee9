"""Measure the older matcher's choice against discovery: what it found, what it missed, and what spreading costs.

The best K of a profile among all pairs, existing or not, are the best K of its candidates and its existing pairs
together. So the existing pairs are scored, and no further search is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.allocation import scored_pairs
from jv_scoring.analysis.tallies import Json
from jv_scoring.discovery_field import Field, positions_of
from jv_scoring.discovery_search import Mask
from jv_scoring.library import plain_ids
from jv_scoring.policy import TIERS
from jv_scoring.prepare import Prepared
from jv_scoring.similarity import Calibration
from jv_scoring.vectors import Floats, Positions

BEST = 10
"""How many best pairs of each profile the figures are about."""


@dataclass(frozen=True)
class Best:
    """Best pairs; a profile is the rank of its id among the eligible ones.

    owner: (places,) the profile whose best pair it is. partner: (places,) the other profile. value: (places,) 0..100.
    exists: (places,) whether a match joins the two.
    """

    owner: Positions
    partner: Positions
    value: Floats
    exists: Mask

    def take(self, chosen: Mask | Positions) -> "Best":
        return Best(self.owner[chosen], self.partner[chosen], self.value[chosen], self.exists[chosen])

    def first(self, k: int) -> "Best":
        """Return the best `k` of each owner; equal values go by the partner's id."""
        ordered = self.take(np.lexsort((self.partner, -self.value, self.owner)))
        number = np.arange(len(ordered.owner)) - np.searchsorted(ordered.owner, ordered.owner)
        return ordered.take(number < k)

    def join(self, other: "Best") -> "Best":
        return Best(
            np.concatenate([self.owner, other.owner]),
            np.concatenate([self.partner, other.partner]),
            np.concatenate([self.value, other.value]),
            np.concatenate([self.exists, other.exists]),
        )


class ExistingPairs:
    """The pairs of eligible profiles that a match joins, from both their sides and with their values."""

    def __init__(
        self, prepared: Prepared, existing: pd.DataFrame, policy: str, calibration: Calibration, among: Mask
    ) -> None:
        field = Field.of(prepared, existing, policy, calibration, among=among)
        self._names = field.names[field.population.profile[np.argsort(field.rank)]]
        ends = np.stack(np.divmod(field.taken, max(len(self._names), 1)))
        low, high = np.sort(field.rank[ends], axis=0)
        value = scored_pairs(field, low, high, calibration)["harmonic_mean"].to_numpy(np.float64)
        both = np.concatenate([low, high]), np.concatenate([high, low])
        self.pairs = Best(*both, np.tile(value, 2), np.ones(2 * len(value), np.bool_))

    def __len__(self) -> int:
        """Return how many profiles are eligible."""
        return len(self._names)

    def found(self, candidates: pd.DataFrame) -> Best:
        """Return the candidates that `discover` returned."""
        owner, partner = (positions_of(self._names, candidates[name]) for name in ("profile_id", "candidate_id"))
        value = candidates["harmonic_mean"].to_numpy(np.float64)
        return Best(owner, partner, value, np.zeros(len(owner), np.bool_))

    def best_of_all(self, candidates: pd.DataFrame, k: int, only: Iterable[object] | None = None) -> Best:
        """Return the best `k` pairs of each profile, existing or not; of the profiles `only`, or of all.

        `candidates`: what `discover` returned for these profiles and `k` or more.
        """
        best = self.found(candidates).join(self.pairs).first(k)
        if only is None:
            return best
        wanted = np.asarray(self._names.isin(plain_ids(only)))
        return best.take(wanted[best.owner])

    def named(self, pairs: Best) -> Positions:
        """Return how often each eligible profile is the partner."""
        return np.bincount(pairs.partner, minlength=len(self))


def figures(existing: ExistingPairs, candidates: pd.DataFrame, allocations: Iterable[tuple[int, pd.DataFrame]]) -> Json:
    """Return the figures of the report.

    `candidates`: the best `BEST` or more of every eligible profile. `allocations`: caps, and the pairs accepted under
    them. `tiers`: of each profile's best among all pairs, how many exist as matches. `spreads`: how evenly profiles are
    named by existing best lists, by those of discovery, and by allocations.
    """
    best, found, matched = (
        existing.best_of_all(candidates, BEST),
        existing.found(candidates).first(BEST),
        existing.pairs.first(BEST),
    )
    spreads = [
        {"what": "existing", "cap": None, **_spread(existing.named(matched), matched.value)},
        {"what": "discovered", "cap": None, **_spread(existing.named(found), found.value)},
    ]
    for cap, accepted in allocations:
        pairs = existing.found(accepted)
        counts = existing.named(pairs) + np.bincount(pairs.owner, minlength=len(existing))
        spreads.append({"what": "allocation", "cap": cap, **_spread(counts, pairs.value)})
    return {
        "best": BEST,
        "profiles": len(existing),
        "places": len(best.owner),
        "suggested": int(best.exists.sum()),
        "tiers": list(_tiers(best)),
        "existing_pairs": len(existing.pairs.owner) // 2,
        "existing_mean": _mean(existing.pairs.value),
        "spreads": spreads,
    }


def _tiers(best: Best) -> Iterable[Json]:
    above = np.inf
    for name, least in TIERS:
        here = (best.value >= least) & (best.value < above)
        yield {"tier": name, "places": int(here.sum()), "suggested": int((here & best.exists).sum())}
        above = least


def _spread(counts: Positions, values: Floats) -> Json:
    return {
        "places": int(counts.sum()),
        "mean": _mean(values),
        "in_none": int((counts == 0).sum()),
        "most": int(counts.max(initial=0)),
        "gini": round(gini(counts), 4),
        "top_1_percent": round(top_share(counts, 0.01), 4),
    }


def _mean(values: Floats) -> float | None:
    return round(float(values.mean()), 2) if len(values) else None


def gini(counts: npt.NDArray[np.intp]) -> float:
    """Return how unevenly profiles are named: 0 if all are named alike, towards 1 if few profiles take everything."""
    ordered = np.sort(counts)
    total, number = int(ordered.sum()), len(ordered)
    if not total:
        return 0.0
    return float(2 * (np.arange(1, number + 1) * ordered).sum() / (number * total) - (number + 1) / number)


def top_share(counts: npt.NDArray[np.intp], share: float) -> float:
    """Return the share of all places that the top share of the profiles has, rounded up to whole profiles."""
    ordered, taken = np.sort(counts), int(counts.sum())
    first = len(ordered) - int(np.ceil(share * len(ordered)))
    return float(ordered[first:].sum() / taken) if taken else 0.0
