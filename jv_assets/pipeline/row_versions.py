"""Which rows of a production table are as they were when they were read last: told without reading a value of them."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.resources.database import Database

_ROW = np.dtype([("id", "S36"), ("version", ">i8")])


def version_of(table: str) -> str:
    """SQL, of a table as it is called in FROM: a bigint that is another one after each change of the row."""
    # The transaction that wrote the row. A restored backup uses the same ids again for other transactions, so versions
    # are only compared where `pipeline.origins` says that they are of one history.
    return f"{table}.xmin::text::bigint"


def read_row_versions(database: Database, table: str, low: str, high: str) -> pd.Series:
    """`row_versions` in a transaction of its own, which nothing is worked out in."""
    return _decoded(database.run(partial(_versions, table=table, low=low, high=high)))


def row_versions(connection: Connection, table: str, low: str, high: str) -> pd.Series:
    """By id (uuid as text), in order: `version_of` the rows of `table` from low to high (both in it), int64."""
    return _decoded(_versions(connection, table, low, high))


def _versions(connection: Connection, table: str, low: str, high: str) -> bytes:
    # All in one value: to take rows one by one costs ten times as much as to find them.
    select = f"""
        SELECT string_agg(convert_to(id::text, 'UTF8') || int8send({version_of(table)}), '' ORDER BY id)
        FROM {table} WHERE id BETWEEN :low AND :high
    """  # noqa: S608 - ours
    return connection.scalar(text(select), {"low": low, "high": high}) or b""


def _decoded(versions: bytes) -> pd.Series:
    rows = np.frombuffer(versions, _ROW)
    return pd.Series(rows["version"].astype(np.int64), pd.Index(rows["id"].astype("U36").tolist(), dtype=object))


def unchanged(known: pd.DataFrame, version: str, versions: pd.Series) -> npt.NDArray[np.intp]:
    """For each of `versions`, the place in `known` (by its columns `id` and `version`) of the same row; -1 for none."""
    if version not in known:  # made before versions were kept
        return np.full(len(versions), -1)
    place = pd.Index(known["id"].astype(object)).get_indexer(versions.index)
    known_versions = known[version].to_numpy(np.int64)[place] if len(known) else place
    return np.where((place >= 0) & (known_versions == versions.to_numpy()), place, -1)
