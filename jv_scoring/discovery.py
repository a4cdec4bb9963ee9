"""Find the best candidates of every profile: exactly the pairs that scoring all pairs would put first.

`discover` looks at few pairs, because a pair's value is bounded by what each profile contributes alone
(`discovery_bounds`). The result is the same, to the last digit, as scoring every pair by `reference.score_pair`.
docs/discovery.md has the rules and the proof, docs/ismc.md what a value is.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.discovery_block import COLUMNS_AT_ONCE, Block
from jv_scoring.discovery_bounds import TOP
from jv_scoring.discovery_field import Field
from jv_scoring.discovery_lists import BestLists, Keys
from jv_scoring.discovery_search import Hits, Mask, Matrix, Tile
from jv_scoring.policy import CURRENT_POLICY
from jv_scoring.prepare import Prepared
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL, Calibration
from jv_scoring.vectors import Positions

COLUMNS = ("profile_id", "candidate_id", "rank", "harmonic_mean", "score_ab", "score_ba")
_ROUNDING = 0.5 + 0.01
"""In hundredths of a point: a sum of terms that is worse than a value by more cannot round to that value.

Sums of float32 are off by 4 roundings, and bounds by one: together at most 0.003 hundredths of the highest value.
"""


@dataclass(frozen=True)
class Looked:
    """How many candidate pairs a search could have looked at, and how many went into matrix products."""

    possible: int
    looked_at: int


def discover(
    profiles: pd.DataFrame | Prepared,
    existing: pd.DataFrame,
    k: int,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
    *,
    among: Mask | None = None,
    only: Iterable[object] | None = None,
) -> pd.DataFrame:
    """Return the best `k` candidates of every eligible profile.

    `profiles`: indexed by id, with the columns of the profiles table, or what `prepare` made of them. `existing`: the
    columns `profile_id` and `suggested_profile_id`; pairs that it joins, in either order, are not candidates. `among`:
    which profiles are eligible; by default those with a usable text, or all that were prepared. `only`: the profiles to
    find candidates for; by default every eligible one. ValueError for an unknown policy, and for a `k` below 0.

    Returns one row per profile and candidate, ordered by `profile_id` and `rank` (from 1): both ids, `rank`,
    `harmonic_mean`, `score_ab` (the candidate for the profile) and `score_ba`, float64 0..100 with 2 decimals. Ids are
    as given, dtype object. Equal values are ranked by the candidate's id. `levels` (int64, 0..124) is for
    `discovery_update.update`: 25 times the level of Offering↔Seeking for the profile, 5 times that for the candidate,
    and that of Audience Alignment. `.attrs["looked"]` is a `Looked`.
    """
    if k < 0:
        raise ValueError(f"{k} candidates a profile cannot be found; give a number from 0")
    field = Field.of(profiles, existing, policy, calibration, among=among, only=only)
    search = Search(field, k)
    search.run()
    return search.frame()


class Search:
    """One search for the best K of every wanted profile.

    lists: the best candidates so far. looked_at: how many candidate pairs went into matrix products. An update enters
    known candidates into `lists`, and calls `tighten`, before `run`.
    """

    def __init__(self, field: Field, k: int) -> None:
        self.field, self.of = field, field.population
        self.k = min(k, max(len(self.of) - 1, 0))
        self.lists = BestLists.new(len(self.of), max(self.k, 1))
        self.worst = np.where(field.wanted, np.inf, -np.inf)
        """(places,) float64: the highest sum of terms with which a pair could still be among the best of a profile."""
        self.looked_at = 0

    def run(self) -> None:
        """Fill `lists`: the best K of each wanted profile, of all pairs with a fresh profile."""
        if self.k:
            for tile in self.of.tiles:
                self._meet(tile)

    def _meet(self, tile: Tile) -> None:
        """Look at the pairs of a tile with itself and with all later places that could be among the best of either."""
        columns = self._reached(tile, np.arange(tile[0], len(self.of)))
        for start in range(0, len(columns), COLUMNS_AT_ONCE):
            # Again, because the lists got better meanwhile.
            some = self._reached(tile, columns[start : start + COLUMNS_AT_ONCE])
            if len(some):
                self._look(tile, some)

    def _reached(self, tile: Tile, columns: Positions) -> Positions:
        return columns[self.of.reached(tile, columns, TOP, self.worst)]

    def _look(self, tile: Tile, columns: Positions) -> None:
        block = Block(self.of, tile, columns)
        allowed = self.field.allowed(block.one, columns)
        self.looked_at += int(np.count_nonzero(allowed))
        hopeful = self._hopeful(tile, block)
        if not hopeful.any():
            return
        block, allowed = block.take(hopeful), allowed[:, hopeful]
        sums = block.sums()
        sums[~allowed] = np.inf
        self._seed(block, sums)
        worst = self.worst.astype(np.float32)
        chosen = (sums <= np.maximum(worst[block.one][:, None], worst[block.other])) & allowed
        self._keep(block.hits(chosen))

    def _hopeful(self, tile: Tile, block: Block) -> Mask:
        """Return (columns,) whether a pair could be among the best of either profile, by its level of Audience
        Alignment.
        """
        least = np.zeros(len(block.other), np.uint8)
        for level in range(TOP):
            least += ~self.of.reached(tile, block.other, level, self.worst)
        return np.asarray((block.audience >= least).any(axis=0))

    def _seed(self, block: Block, sums: Matrix) -> None:
        """Give profiles without K candidates a first bound, from the pairs of this block that are certain."""
        unfilled = [~self.lists.full(places) & (self.worst[places] == np.inf) for places in (block.one, block.other)]
        certain: Matrix | None = None
        for axis, (places, new) in enumerate(zip((block.one, block.other), unfilled, strict=True)):
            if sums.shape[1 - axis] <= self.k or not new.any():
                continue
            if certain is None:
                certain = np.where(block.unsettled(), np.inf, sums)
            lines = certain[new] if axis == 0 else certain[:, new].T
            kth = np.partition(lines, self.k - 1, axis=1)[:, self.k - 1]
            self.tighten(places[new], np.floor(200 / kth - _ROUNDING))

    def _keep(self, hits: Hits) -> None:
        """Enter the hits that are better than what either profile holds."""
        lists, rank = self.lists, self.field.rank
        profiles: list[Positions] = []
        keys: list[Keys] = []
        for owner, candidate, ab, ba in (
            (hits.one, hits.other, hits.ab, hits.ba),
            (hits.other, hits.one, hits.ba, hits.ab),
        ):
            key = lists.key(hits.value, rank[candidate], _levels(ab, ba, hits.audience))
            better = self.field.wanted[owner] & lists.beaten(owner, key)
            profiles.append(owner[better])
            keys.append(key[better])
        changed = lists.merge(np.concatenate(profiles), np.concatenate(keys))
        self.tighten(changed, lists.floors(changed))

    def tighten(self, places: Positions, floors: npt.NDArray[np.number]) -> None:
        """Lower `worst` at `places` to what can round to `floors`, in hundredths of a point; -1 for any value."""
        least = np.asarray(floors, np.float64) - _ROUNDING
        with np.errstate(divide="ignore"):
            sums = np.where(least > 0, 200 / np.maximum(least, 0), np.inf)
        self.worst[places] = np.minimum(self.worst[places], sums)

    def frame(self) -> pd.DataFrame:
        """Return what `discover` returns."""
        hits, ranks = self.listed()
        score_ab, score_ba, value = self.of.scores(hits)
        ids = self.field.ids.to_numpy(object)[self.of.profile]
        columns = {
            "profile_id": ids[hits.one],
            "candidate_id": ids[hits.other],
            "rank": ranks,
            "harmonic_mean": value,
            "score_ab": score_ab,
            "score_ba": score_ba,
            "levels": _levels(hits.ab, hits.ba, hits.audience),
        }
        # With the type given, pandas does not look at every id to find one.
        frame = pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in columns.items()})
        frame.attrs["looked"] = Looked(self.field.possible, self.looked_at)
        return frame

    def listed(self) -> tuple[Hits, Positions]:
        """Return each profile (`one`) with its candidates (`other`), by id and rank, and their ranks from 1."""
        by_rank = np.argsort(self.field.rank)
        keys = self.lists.keys[by_rank]
        row, number = np.nonzero(keys != self.lists.empty)
        value, ranks, codes = self.lists.parts(keys[row, number])
        return Hits(by_rank[row], by_rank[ranks], value, codes // 25, codes // 5 % 5, codes % 5), number + 1


def _levels(ab: Positions, ba: Positions, audience: Positions) -> Positions:
    """Return the three levels, 0..4 each, in one number."""
    return 25 * ab + 5 * ba + audience
