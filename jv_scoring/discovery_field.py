"""The field of a search: who is eligible, whose candidates are wanted, and which pairs exist."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jv_scoring.discovery_search import Mask, Population
from jv_scoring.library import plain_ids
from jv_scoring.policy import parse_policy
from jv_scoring.prepare import Prepared, prepare
from jv_scoring.similarity import Calibration
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from jv_scoring.vectors import Positions


def eligible(profiles: pd.DataFrame) -> Mask:
    """Return whether each profile has a usable text: five characters or more in one of the embedded fields."""
    usable = np.zeros(len(profiles), np.bool_)
    for name in EMBEDDED_FIELDS:
        if name in profiles:
            usable |= np.array([text_to_embed(value) is not None for value in profiles[name]], np.bool_)
    return usable


@dataclass(frozen=True)
class Field:
    """The field of a search; a place is a profile's number in the order of the search.

    ids: (profiles,) as given; `names`: as text. place: (profiles,) and -1 at the end, for a profile that is gone or not
    eligible. rank: (places,) of the profile's id. wanted: (places,) whether its candidates are wanted. joined: (2,
    matches) positions of the profiles that a match joins, -1 if one is gone. taken: (pairs,) ascending `first *
    places + second` of the places that a match joins, the smaller one first.
    """

    ids: pd.Index
    names: pd.Index
    population: Population
    place: Positions
    rank: Positions
    wanted: Mask
    joined: Positions
    taken: Positions

    @classmethod
    def of(
        cls,
        profiles: pd.DataFrame | Prepared,
        existing: pd.DataFrame | Positions,
        policy: str,
        calibration: Calibration,
        *,
        among: Mask | None = None,
        only: Iterable[object] | None = None,
        fresh: Iterable[object] | None = None,
    ) -> "Field":
        """Return the field of a search for these arguments of `discover`.

        `existing`: also the `joined` of another field of the same profiles. Only pairs with a `fresh` profile are
        considered: those named, or those of `only`, or all.
        """
        chosen = parse_policy(policy)
        prepared = profiles if isinstance(profiles, Prepared) else prepare(profiles)
        ids = prepared.features.index
        names = names_of(ids)
        if among is None:
            among = np.ones(len(ids), np.bool_) if isinstance(profiles, Prepared) else eligible(profiles)
        wanted = _named(names, only)
        of = Population(
            prepared,
            np.flatnonzero(among),
            wanted if fresh is None else _named(names, fresh),
            chosen,
            calibration,
        )
        rank = np.empty(len(of), np.intp)
        rank[by_id(names[of.profile])] = np.arange(len(of))
        place = np.full(len(ids) + 1, -1, np.intp)
        place[of.profile] = np.arange(len(of))
        joined = (
            existing
            if isinstance(existing, np.ndarray)
            else np.stack([positions_of(names, existing[name]) for name in ("profile_id", "suggested_profile_id")])
        )
        low, high = np.sort(place[joined], axis=0)
        taken = np.sort((low * len(of) + high)[(low >= 0) & (low < high)])
        taken = taken[np.diff(taken, prepend=-1) > 0]  # As `np.unique`, which is slower.
        return cls(ids, names, of, place, rank, wanted[of.profile], joined, taken)

    @property
    def possible(self) -> int:
        """How many candidate pairs have a profile whose candidates are wanted."""
        count, wanted = len(self.population), int(self.wanted.sum())
        joined = (self.wanted[self.taken // max(count, 1)] | self.wanted[self.taken % max(count, 1)]).sum()
        return wanted * (count - wanted) + wanted * (wanted - 1) // 2 - int(joined)

    def allowed(self, one: Positions, other: Positions) -> Mask:
        """Return (rows, columns) whether each pair of these places, both ascending, is a candidate pair that was not
        met in the other order.
        """
        count = len(self.population)
        allowed = np.ones((len(one), len(other)), np.bool_)
        if one[-1] >= other[0]:
            allowed &= one[:, None] < other
        first, last = np.searchsorted(self.taken, [one[0] * count, (one[-1] + 1) * count])
        low, high = np.divmod(self.taken[first:last], count)
        row, column = np.searchsorted(one, low), np.searchsorted(other, high)
        column[column == len(other)] = 0
        here = (one[row] == low) & (other[column] == high)
        allowed[row[here], column[here]] = False
        return allowed

    def is_taken(self, one: Positions, other: Positions) -> Mask:
        """Return whether a match joins each two places."""
        pairs = np.minimum(one, other) * len(self.population) + np.maximum(one, other)
        at = np.searchsorted(self.taken, pairs)
        found = np.zeros(len(pairs), np.bool_)
        within = at < len(self.taken)
        found[within] = self.taken[at[within]] == pairs[within]
        return found


def names_of(ids: pd.Index) -> pd.Index:
    """Return ids as `plain_ids` does; quickly if all of them are lower-case text already."""
    names = ids.astype(object)  # Not the type of `ids`: no match can be looked up among integers, if there are no ids.
    try:
        joined = "".join(names)
    except TypeError:  # Not all of them are text.
        return plain_ids(names)
    return names if joined == joined.lower() else plain_ids(names)


def _named(names: pd.Index, chosen: Iterable[object] | None) -> Mask:
    return np.ones(len(names), np.bool_) if chosen is None else np.asarray(names.isin(plain_ids(chosen)))


def positions_of(known: pd.Index, names: pd.Series) -> Positions:
    """Return each name's place in `known`, -1 where it has none. `known`: dtype object.

    Of a categorical column, each category is looked up once.
    """
    if isinstance(names.dtype, pd.CategoricalDtype):
        places = np.append(positions_of(known, names.cat.categories.to_series()), -1)
        return places[names.cat.codes]
    # With the dtype given, pandas does not look at every id to find one.
    positions = known.get_indexer(pd.Index(names, dtype=known.dtype))
    strange = np.flatnonzero(positions < 0)
    if len(strange):
        positions[strange] = known.get_indexer(plain_ids(names.iloc[strange]))
    return positions


def by_id(ids: pd.Index) -> Positions:
    """Return the order of ids, ascending."""
    values = ids.tolist()
    try:
        order = sorted(range(len(values)), key=values.__getitem__)
    except TypeError:  # Ids of several types.
        order = sorted(range(len(values)), key=lambda k: str(values[k]))
    return np.array(order, np.intp)
