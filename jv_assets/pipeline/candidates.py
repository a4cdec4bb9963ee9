"""Find candidates over the database: read the input of discovery, and join lists and allocation for a CSV file."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.names import PROFILES
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.id_spans import id_spans
from jv_assets.pipeline.reading import read_vectors
from jv_assets.pipeline.vector_cache import VectorCache
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.tables import selected
from jv_scoring.allocation import allocate
from jv_scoring.discovery import COLUMNS, discover
from jv_scoring.discovery_field import eligible
from jv_scoring.discovery_search import Mask
from jv_scoring.prepare import Prepared
from jv_scoring.similarity import Calibration, calibration_of
from jv_scoring.text import EMBEDDED_FIELDS

WHOLE = "all"
"""The name of the allocation's file, which has no partitions."""
CSV_COLUMNS = (*COLUMNS, "accepted")
_ROWS_AT_ONCE = 100_000
_TEXTS = f"""
    SELECT id::text, {selected("profiles", EMBEDDED_FIELDS)} FROM profiles WHERE id BETWEEN :low AND :high
"""  # noqa: S608 - of our own constants
_MATCHED = """
    SELECT profile_id::text, suggested_profile_id::text FROM match_suggestions WHERE id BETWEEN :low AND :high
"""


@dataclass(frozen=True)
class Ground:
    """All profiles with their vectors, which of them are eligible, and the pairs that a match joins."""

    prepared: Prepared
    among: Mask
    existing: pd.DataFrame
    calibration: Calibration

    def best(self, top: int, policy: str, only: Sequence[str]) -> pd.DataFrame:
        """Return the best candidates of these profiles, as `jv_scoring.discovery.discover` does."""
        return discover(self.prepared, self.existing, top, policy, self.calibration, among=self.among, only=only)

    def spread(self, cap: int, policy: str) -> pd.DataFrame:
        """Return the accepted pairs, as `jv_scoring.allocation.allocate` does."""
        return allocate(self.prepared, self.existing, cap, policy, self.calibration, among=self.among)


def read_ground(database: Database, files: RangeFiles, model: str) -> Ground:
    """Read the input of discovery. UserError if rows may be hidden, because their pairs would count as candidates."""
    features = files.read_all(PROFILES, ID_RANGES.get_partition_keys()).set_index("id")
    features = features.set_axis(features.index.astype(object))
    dimension = calibration_of(model).dimension
    cache = VectorCache(
        len(features),
        dimension,
        lambda profiles: read_vectors(database, model, dimension, features.index[profiles]),
        capacity=max(len(features), 1),
    )
    cache.hold(np.arange(len(features)))
    texts = _read(database, "profiles", _TEXTS, ("id", *EMBEDDED_FIELDS)).set_index("id")
    usable = texts.index[eligible(texts)]
    existing = _read(database, "match_suggestions", _MATCHED, ("profile_id", "suggested_profile_id"))
    among = np.asarray(features.index.isin(usable))
    return Ground(Prepared(features, cache.vectors), among, existing, calibration_of(model))


def _read(database: Database, table: str, statement: str, columns: Sequence[str]) -> pd.DataFrame:
    def work(connection: Connection, low: str, high: str) -> list[tuple[object, ...]]:
        return [tuple(row) for row in connection.execute(text(statement), {"low": low, "high": high})]

    rows = [
        row
        for low, high in id_spans(database, table, rows=_ROWS_AT_ONCE)
        for row in database.run(seeing_all(partial(work, low=low, high=high)))
    ]
    return pd.DataFrame(rows, columns=list(columns), dtype=object)


def csv_rows(lists: pd.DataFrame, accepted: pd.DataFrame | None) -> pd.DataFrame:
    """Return the rows of the CSV file: every profile's list, then its accepted pairs that are in no list of its own.

    `accepted`: the accepted pairs, each once; None without a cap.
    """
    lists = lists[list(COLUMNS)].astype({"rank": object})
    if accepted is None:
        return lists.assign(accepted="").reset_index(drop=True)
    ends, scores = ["profile_id", "candidate_id"], ["score_ab", "score_ba"]
    swapped = dict(zip(ends + scores, ends[::-1] + scores[::-1], strict=True))
    both = pd.concat([accepted, accepted.rename(columns=swapped)], ignore_index=True).assign(rank=None)
    both = both[both["profile_id"].isin(lists["profile_id"])]
    listed, taken = (pd.MultiIndex.from_frame(rows[ends]) for rows in (lists, both))
    rows = pd.concat(
        [
            lists.assign(accepted=np.where(listed.isin(taken), "true", "false")),
            both[~taken.isin(listed)][list(COLUMNS)].assign(accepted="true"),
        ],
        ignore_index=True,
    )
    place = pd.to_numeric(rows["rank"]).fillna(np.inf)
    value = rows["harmonic_mean"].to_numpy(np.float64)
    order = np.lexsort((rows["candidate_id"].astype(str), -value, place, rows["profile_id"].astype(str)))
    return rows.iloc[order].reset_index(drop=True)
