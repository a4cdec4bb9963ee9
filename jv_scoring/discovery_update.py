"""Update earlier best lists: search again only for what changed. The result equals that of a first search."""

from bisect import bisect_left
from collections.abc import Iterable

import numpy as np
import pandas as pd

from jv_scoring.discovery import Looked, Search
from jv_scoring.discovery_field import Field, names_of, positions_of
from jv_scoring.discovery_lists import MOST_CODES, Keys
from jv_scoring.discovery_search import Mask
from jv_scoring.library import plain_ids
from jv_scoring.policy import CURRENT_POLICY
from jv_scoring.prepare import Prepared
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL, Calibration
from jv_scoring.vectors import Positions


def update(
    profiles: pd.DataFrame | Prepared,
    existing: pd.DataFrame,
    k: int,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
    *,
    known: pd.DataFrame,
    changed: Iterable[object],
    among: Mask | None = None,
) -> pd.DataFrame:
    """Return the best `k` candidates of every eligible profile, or some more of them, from those found earlier.

    `known`: what `discover` or `update` returned for the same policy and calibration. Find some more than `k` at first:
    a list that loses changed candidates then seldom becomes too short, and only short ones are searched again.
    `changed`: the profiles whose inputs changed since, and one profile of each match that was deleted since. New and
    deleted profiles and new matches need not be named. The other arguments are those of `discover`. ValueError for an
    unknown policy.

    Returns the columns of `discover`. The rows of rank 1 to `k` are exactly those that `discover` returns for the same
    arguments; those of higher ranks are candidates in order, for the next update. A list that is not whole above `k`
    ends where it is not known to be.
    """
    longest = max(int(known["rank"].max()) if len(known) else 0, k)
    ids = (profiles.features if isinstance(profiles, Prepared) else profiles).index
    names = names_of(ids)
    fresh = [*plain_ids(changed), *names[~names.isin(known["profile_id"][known["rank"] == 1])]]
    field = Field.of(profiles, existing, policy, calibration, among=among, fresh=fresh)
    search = Search(field, longest if k else 0)
    floors = _enter(search, known)
    search.run()
    search.lists.cut(floors)
    enough = min(k, len(field.population) - 1)
    short = np.flatnonzero((search.lists.counts() < enough) & ~field.population.fresh)
    if not len(short):
        return search.frame()
    among = np.zeros(len(field.ids), np.bool_)
    among[field.population.profile] = True
    only = field.names[field.population.profile[short]]
    prepared = field.population.prepared
    again = Search(Field.of(prepared, field.joined, policy, calibration, among=among, only=only), longest)
    again.run()
    return _joined(search, again, short)


def _joined(search: Search, again: Search, short: Positions) -> pd.DataFrame:
    """Return the result of the first search, with the lists of the second in place of those that were too short."""
    field, first, second = search.field, search.frame(), again.frame()
    owner = field.place[positions_of(field.ids, first["profile_id"])]
    joined = pd.concat([first[~np.isin(owner, short)], second], ignore_index=True)
    owner = field.place[positions_of(field.ids, joined["profile_id"])]
    joined = joined.iloc[np.lexsort((joined["rank"], field.rank[owner]))].reset_index(drop=True)
    joined.attrs["looked"] = Looked(search.field.possible, search.looked_at + again.looked_at)
    return joined


def _enter(search: Search, known: pd.DataFrame) -> Keys:
    """Enter the known candidates that are unchanged; return up to which key each list is known to be complete."""
    field, lists = search.field, search.lists
    fresh = field.population.fresh
    owner = field.place[positions_of(field.names, known["profile_id"])]
    kept = (owner >= 0) & ~fresh[owner]
    known, owner = known[kept], owner[kept]
    other = field.place[positions_of(field.names, known["candidate_id"])]
    gone = other < 0
    rank = field.rank[other]
    by_rank = field.names[field.population.profile[np.argsort(field.rank)]].tolist()
    rank[gone] = [bisect_left(by_rank, name) for name in plain_ids(known["candidate_id"][gone])]
    value = np.rint(known["harmonic_mean"].to_numpy(np.float64) * 100).astype(np.intp)
    last = lists.key(value, rank, np.where(gone, 0, MOST_CODES)) - gone
    floors = np.full(len(field.population), -1, np.int64)
    np.maximum.at(floors, owner, last)
    listed = np.flatnonzero(floors >= 0)
    floors[floors < 0] = lists.empty
    same = ~gone & ~fresh[other]
    same[same] = ~field.is_taken(owner[same], other[same])
    levels = known["levels"].to_numpy(np.intp)
    lists.merge(owner[same], lists.key(value[same], rank[same], levels[same]))
    search.tighten(listed, lists.parts(floors[listed])[0])
    return floors
