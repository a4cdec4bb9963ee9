"""Spread candidates: accept pairs so that no profile is in more than a cap of them, and no two profiles would rather
swap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.discovery import Search
from jv_scoring.discovery_block import all_blocks
from jv_scoring.discovery_field import Field, positions_of
from jv_scoring.discovery_lists import HIGHEST
from jv_scoring.discovery_search import Mask
from jv_scoring.engine import score_pairs
from jv_scoring.policy import CURRENT_POLICY
from jv_scoring.prepare import Prepared
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL, Calibration
from jv_scoring.vectors import Positions

COLUMNS = ("profile_id", "candidate_id", "harmonic_mean", "score_ab", "score_ba")
LARGEST_WHOLE = 20_000
"""Up to this many profiles, an allocation considers all candidate pairs. It keeps two bytes per pair of profiles."""
LIST_LENGTH = 200
"""With more profiles, how many candidates of each an allocation considers."""
_PAIRS_AT_ONCE = 2_000_000
_PAIRS_A_LOOK = 4_096
_SCORED_AT_ONCE = 200_000
_CELLS_AT_ONCE = 1 << 24

Values = npt.NDArray[np.uint16]
Ranks = tuple[Positions, Positions]
"""Pairs by their profiles' ranks: the smaller ids, and the larger ones."""


@dataclass(frozen=True)
class Ranged:
    """What an allocation considered.

    lists: the length of the candidate lists; None for all candidate pairs. ran_out: how many profiles have room left
    but no more candidates in their list, although more exist.
    """

    lists: int | None
    ran_out: int


def allocate(
    profiles: pd.DataFrame | Prepared,
    existing: pd.DataFrame,
    cap: int,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
    *,
    among: Mask | None = None,
    lists: int | None = None,
) -> pd.DataFrame:
    """Return the stable allocation of candidate pairs in which every profile appears at most `cap` times.

    Pairs are taken from the highest value down, equal ones by the smaller id, then by the larger. A pair is accepted if
    both its profiles have room. So no two profiles would both rather have each other than what they got. The arguments
    are those of `discover`. `lists`: consider only so many best candidates of every profile; above `LARGEST_WHOLE`
    profiles that is `LIST_LENGTH` unless another number is given. ValueError for an unknown policy, and for a `cap`
    below 0.

    Returns one row per accepted pair, in the order of acceptance: `profile_id` (the smaller id), `candidate_id`,
    `harmonic_mean`, `score_ab`, `score_ba`. `.attrs["ranged"]` is a `Ranged`.
    """
    return Allocator(profiles, existing, policy, calibration, among=among, lists=lists).spread(cap)


class Allocator:
    """Candidate pairs in order of their value, to spread under several caps. The arguments are those of `allocate`."""

    def __init__(
        self,
        profiles: pd.DataFrame | Prepared,
        existing: pd.DataFrame,
        policy: str = CURRENT_POLICY,
        calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
        *,
        among: Mask | None = None,
        lists: int | None = None,
    ) -> None:
        self._field, self._calibration = Field.of(profiles, existing, policy, calibration, among=among), calibration
        if lists is None and len(self._field.population) > LARGEST_WHOLE:
            lists = LIST_LENGTH
        self.lists = lists
        self._search = Search(self._field, lists or 0)
        self._search.run()
        self._values = _values(self._field) if lists is None else None

    def spread(self, cap: int) -> pd.DataFrame:
        """Return what `allocate` returns for this cap."""
        if cap < 0:
            raise ValueError(f"a profile cannot be in {cap} pairs; give a cap from 0")
        accepted = _Accepted(len(self._field.population), cap)
        ran_out = 0
        if self._values is not None:
            for low, high in _best_first(self._values, accepted.room):
                accepted.offer(low, high)
        else:
            low, high, _ = self._listed
            accepted.offer(low, high)
            ran_out = int((self._search.lists.full() & (accepted.room[self._field.rank] > 0)).sum())
        return _frame(self._field, accepted, self._calibration, Ranged(self.lists, ran_out))

    def rivals(self, accepted: pd.DataFrame, cap: int) -> int:
        """Return how many candidate pairs would rather have each other than what `accepted` gives them: 0 if it is
        stable.

        `accepted`: rows of `spread`. A pair would rather have each other if it is not accepted, and each of its two
        profiles has room or is in an accepted pair that is worse.
        """
        by_rank = self._field.names[self._field.population.profile[np.argsort(self._field.rank)]]
        low, high = (positions_of(by_rank, accepted[name]) for name in ("profile_id", "candidate_id"))
        value = np.rint(accepted["harmonic_mean"].to_numpy(np.float64) * 100).astype(np.int64)
        taken, worst = _order(value, low, high, len(by_rank)), np.zeros(len(by_rank), np.int64)
        for end in (low, high):
            np.maximum.at(worst, end, taken)
        worst[np.bincount(np.concatenate([low, high]), minlength=len(by_rank)) < cap] = np.iinfo(np.int64).max
        return sum(
            int((~np.isin(order, taken)).sum())
            for low, high, value in self._pairs()
            for order in [_order(value, low, high, len(by_rank))]
            for order in [order[(order < worst[low]) & (order < worst[high])]]
        )

    def _pairs(self) -> Iterator[tuple[Positions, Positions, Positions]]:
        """Yield all pairs that an allocation considers, in batches: smaller ids, larger ids, values in hundredths."""
        if self._values is None:
            yield self._listed
            return
        for rows in _row_blocks(self._values):
            low, high = np.nonzero(self._values[rows])
            low += rows.start
            yield low, high, self._values[low, high].astype(np.int64) - 1

    @cached_property
    def _listed(self) -> tuple[Positions, Positions, Positions]:
        return _listed_pairs(self._search)


def _order(value: Positions, low: Positions, high: Positions, profiles: int) -> Positions:
    """Return numbers that sort pairs as an allocation takes them, by their values and the ranks of their ids."""
    order: Positions = ((HIGHEST - value) * profiles + low) * profiles + high
    return order


class _Accepted:
    """The pairs accepted so far. room: (ranks,) how many more pairs each profile may be in."""

    def __init__(self, profiles: int, cap: int) -> None:
        self.room = np.full(profiles, cap, np.int64)
        self._left = self.room.tolist()
        self.low: list[int] = []
        self.high: list[int] = []

    def offer(self, low: Positions, high: Positions) -> None:
        """Accept each pair in turn if both profiles have room."""
        left = self._left
        for start in range(0, len(low), _PAIRS_A_LOOK):
            some = slice(start, start + _PAIRS_A_LOOK)
            room = (self.room[low[some]] > 0) & (self.room[high[some]] > 0)
            taken = len(self.low)
            for one, other in zip(low[some][room].tolist(), high[some][room].tolist(), strict=True):
                if left[one] and left[other]:
                    left[one] -= 1
                    left[other] -= 1
                    self.low.append(one)
                    self.high.append(other)
            np.subtract.at(self.room, self.low[taken:] + self.high[taken:], 1)


def _values(field: Field) -> Values:
    """(ranks, ranks) above the diagonal: 1 more than each candidate pair's value in hundredths; 0 for no candidate."""
    of, rank = field.population, field.rank
    values = np.zeros((len(of), len(of)), np.uint16)
    for block in all_blocks(of):
        hits = block.hits(field.allowed(block.one, block.other))
        ones, others = rank[hits.one], rank[hits.other]
        values[np.minimum(ones, others), np.maximum(ones, others)] = hits.value + 1
    return values


def _best_first(values: Values, room: npt.NDArray[np.int64]) -> Iterator[Ranks]:
    """Yield all pairs from the best down, in batches; skip those of profiles that have no room any more."""
    ranks, top = np.arange(len(values)), HIGHEST + 1
    counts = _counts(values)
    batch = max(_PAIRS_AT_ONCE, values.size // 100)
    while top > 0:
        free = room[ranks] > 0
        if free.sum() < len(ranks) / 2:
            ranks, values = ranks[free], values[np.ix_(free, free)]
            counts = _counts(values)
        reached = np.cumsum(counts[top:0:-1])
        bottom = top - max(int(np.searchsorted(reached, batch, "right")) - 1, 0)
        between = _between(values, bottom, top)
        if bottom == top:  # The maximum; row by row they are in order already.
            yield from ((ranks[low], ranks[high]) for low, high in between)
        else:
            pairs = list(between)
            low, high = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
            order = np.argsort(HIGHEST + 1 - values[low, high], kind="stable")
            yield ranks[low[order]], ranks[high[order]]
        top = bottom - 1


def _between(values: Values, bottom: int, top: int) -> Iterator[Ranks]:
    for rows in _row_blocks(values):
        block = values[rows]
        low, high = np.nonzero((block >= bottom) & (block <= top))
        yield low + rows.start, high


def _counts(values: Values) -> Positions:
    """Return how many pairs have each value."""
    counts = np.zeros(HIGHEST + 2, np.intp)
    for rows in _row_blocks(values):
        counts += np.bincount(values[rows].ravel(), minlength=len(counts))
    return counts


def _row_blocks(values: Values) -> Iterator[slice]:
    step = max(_CELLS_AT_ONCE // max(len(values), 1), 1)
    yield from (slice(start, start + step) for start in range(0, max(len(values), 1), step))


def _listed_pairs(search: Search) -> tuple[Positions, Positions, Positions]:
    """Return the pairs of all lists, each once, the best first: smaller ids, larger ids, values in hundredths."""
    hits, _ = search.listed()
    ends = np.sort(search.field.rank[np.stack([hits.one, hits.other])], axis=0)
    low, high, value = np.unique(np.stack([*ends, hits.value]), axis=1)
    order = np.lexsort((high, low, -value))
    return low[order], high[order], value[order]


def _frame(field: Field, accepted: _Accepted, calibration: Calibration, ranged: Ranged) -> pd.DataFrame:
    frame = scored_pairs(field, np.array(accepted.low, np.intp), np.array(accepted.high, np.intp), calibration)
    frame.attrs = {"ranged": ranged}
    return frame


def scored_pairs(field: Field, low: Positions, high: Positions, calibration: Calibration) -> pd.DataFrame:
    """Return `COLUMNS` of pairs that are given by the ranks of their ids."""
    of = field.population
    by_rank = field.ids[of.profile[np.argsort(field.rank)]]
    pairs = pd.DataFrame({"profile_id": by_rank[low], "suggested_profile_id": by_rank[high]})
    pairs.insert(0, "id", np.arange(len(pairs)))
    parts = []
    for start in range(0, max(len(pairs), 1), _SCORED_AT_ONCE):
        scored = score_pairs(of.prepared, pairs.iloc[start : start + _SCORED_AT_ONCE], str(of.policy), calibration)
        parts.append(scored.rename(columns={"suggested_profile_id": "candidate_id"})[list(COLUMNS)])
    return pd.concat(parts, ignore_index=True)
