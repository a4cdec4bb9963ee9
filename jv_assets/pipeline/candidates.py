"""Find candidates over the database: read the input of discovery, and join lists and allocation to rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.names import PROFILES
from jv_assets.partition_cut import every_range
from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.id_spans import id_spans
from jv_assets.pipeline.reading import read_all_vectors
from jv_assets.pipeline.rules import in_force
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.tables import selected
from jv_scoring.allocation import Allocator
from jv_scoring.analysis.match_candidates import ExistingPairs
from jv_scoring.discovery import COLUMNS, discover
from jv_scoring.discovery_field import eligible
from jv_scoring.discovery_search import Mask
from jv_scoring.discovery_update import update
from jv_scoring.inputs import inputs_hashes
from jv_scoring.prepare import Prepared
from jv_scoring.similarity import Calibration
from jv_scoring.text import EMBEDDED_FIELDS

WHOLE = "all"
"""The name of the allocation's file, which has no partitions."""
FIGURES = "figures"
"""The name of the report's figures in the metadata of the allocation's file."""
RIVALS = "rivals"
"""There too: how many pairs would rather have each other than what they got."""
CSV_COLUMNS = (*COLUMNS, "accepted")
_ROWS_AT_ONCE = 100_000
_TEXTS = f"""
    SELECT id::text, {selected("profiles", EMBEDDED_FIELDS)} FROM profiles WHERE id BETWEEN :low AND :high
"""  # noqa: S608 - of our own constants
_MATCHED = """
    SELECT profile_id::text, suggested_profile_id::text FROM match_suggestions WHERE id BETWEEN :low AND :high
"""
# Without the epoch, so that it compares with xmin.
_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric % 4294967296"


@dataclass(frozen=True)
class Ground:
    """All profiles with their vectors of `model`, which of them are eligible, and the pairs that a match joins.

    `horizon`: all transactions before this one had ended when the matches were read.
    """

    prepared: Prepared
    among: Mask
    existing: pd.DataFrame
    model: str
    horizon: str

    @property
    def calibration(self) -> Calibration:
        return in_force(self.model).calibration

    @property
    def eligible(self) -> pd.Index:
        """Return the ids of the eligible profiles."""
        return self.prepared.features.index[self.among]

    def best(self, top: int, policy: str, only: Sequence[str]) -> pd.DataFrame:
        """Return the best candidates of these profiles, as `jv_scoring.discovery.discover` does."""
        return discover(self.prepared, self.existing, top, policy, self.calibration, among=self.among, only=only)

    def updated(self, top: int, policy: str, known: pd.DataFrame, changed: Sequence[str]) -> pd.DataFrame:
        """Return the best candidates of all profiles, from those `known`, as `discovery_update.update` does."""
        return update(self.prepared, self.existing, top, policy, self.calibration, known=known, changed=changed,
                      among=self.among)  # fmt: skip

    def allocator(self, policy: str) -> Allocator:
        """Return what spreads the candidate pairs under any cap."""
        return Allocator(self.prepared, self.existing, policy, self.calibration, among=self.among)

    def existing_pairs(self, policy: str) -> ExistingPairs:
        """Return the pairs that a match joins, with their values."""
        return ExistingPairs(self.prepared, self.existing, policy, self.calibration, self.among)

    def with_inputs(self, pairs: pd.DataFrame) -> pd.DataFrame:
        """Return the pairs with a column `inputs_hash`, as a match of them would have it."""
        index = self.prepared.features.index
        a, b = (index.get_indexer(pd.Index(pairs[name])) for name in ("profile_id", "candidate_id"))
        hashes = inputs_hashes(self.prepared.input_hashes(np.concatenate([a, b])), a, b, self.model)
        plain = pairs.assign(inputs_hash=np.array(hashes, object))
        plain.attrs = {}  # A file cannot hold them.
        return plain


def read_ground(database: Database, files: RangeFiles, model: str) -> Ground:
    """Read the input of discovery. UserError if rows may be hidden, because their pairs would count as candidates."""
    features = files.read_all(PROFILES, every_range()).set_index("id")
    features = features.set_axis(features.index.astype(object))
    vectors = read_all_vectors(database, model, features.index)
    texts = _read(database, "profiles", _TEXTS, ("id", *EMBEDDED_FIELDS)).set_index("id")
    usable = texts.index[eligible(texts)]
    horizon = str(database.run(lambda connection: connection.scalar(text(_HORIZON))))
    existing = existing_matches(database)
    among = np.asarray(features.index.isin(usable))
    return Ground(Prepared(features, vectors), among, existing, model, horizon)


def existing_matches(database: Database, before: str | None = None) -> pd.DataFrame:
    """Return `profile_id` and `suggested_profile_id` of all matches; or of those whose row was not written since the
    horizon `before` of a `Ground`.
    """
    statement = _MATCHED if before is None else f"{_MATCHED} AND age(xmin) > age(CAST('{int(before)}' AS xid))"
    return _read(database, "match_suggestions", statement, ("profile_id", "suggested_profile_id"))


def _read(database: Database, table: str, statement: str, columns: Sequence[str]) -> pd.DataFrame:
    def work(connection: Connection, low: str, high: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in connection.execute(text(statement), {"low": low, "high": high})]

    rows = [
        row
        for low, high in id_spans(database, table, rows=_ROWS_AT_ONCE)
        for row in database.run(seeing_all(partial(work, low=low, high=high)))
    ]
    return pd.DataFrame(rows, columns=list(columns), dtype=object)


def both_sides(accepted: pd.DataFrame) -> pd.DataFrame:
    """Return accepted pairs, each of which is there once, from both their sides."""
    ends, scores = ["profile_id", "candidate_id"], ["score_ab", "score_ba"]
    swapped = dict(zip(ends + scores, ends[::-1] + scores[::-1], strict=True))
    both = pd.concat([accepted, accepted.rename(columns=swapped)], ignore_index=True)
    return both[[*ends, "harmonic_mean", *scores]].assign(rank=None)


def csv_rows(lists: pd.DataFrame, accepted: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of the CSV file: every profile's list, then its accepted pairs that are in no list of its own.

    `accepted`: the accepted pairs, each once; None without a cap.
    """
    both = None if accepted is None else both_sides(accepted)
    return joined_rows(lists[list(COLUMNS)], both)[list(CSV_COLUMNS)]


def joined_rows(lists: pd.DataFrame, accepted: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of `csv_rows` with all columns of `lists`. `accepted`: from both sides, with these columns."""
    lists = lists.astype({"rank": object})
    if accepted is None:
        return lists.assign(accepted="").reset_index(drop=True)
    ends, columns = ["profile_id", "candidate_id"], list(lists.columns)
    accepted = accepted[accepted["profile_id"].isin(lists["profile_id"])]
    listed, taken = (pd.MultiIndex.from_frame(rows[ends]) for rows in (lists, accepted))
    rows = pd.concat(
        [
            lists.assign(accepted=np.where(listed.isin(taken), "true", "false")),
            accepted[~taken.isin(listed)][columns].assign(accepted="true"),
        ],
        ignore_index=True,
    )
    place = pd.to_numeric(rows["rank"]).fillna(np.inf)
    value = rows["harmonic_mean"].to_numpy(np.float64)
    order = np.lexsort((rows["candidate_id"].astype(str), -value, place, rows["profile_id"].astype(str)))
    return rows.iloc[order].reset_index(drop=True)
