"""One Parquet file of a partition: written in chunks and read by row groups, so that memory holds only some rows."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import IO, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from jv_assets.errors import UserError
from jv_assets.resources.home_access import shown

ROW_GROUP = 2_500
"""Rows of a row group, the smallest unit of a read. Contexts, of 3 KB each, then take 8 MB."""
CHUNK = 10_000
"""How many rows a reader holds at a time: about 7 MB without their contexts."""
_METADATA_KEY = "jv"
_BINARY = ("vectors_digest",)
"""Columns of bytes. Otherwise, a column of objects without a value in the first two chunks counts as text."""


class RangeFile:
    """The open file of a partition."""

    def __init__(self, file: IO[bytes], path: UPath, asset: str, key: str) -> None:
        self._parquet = pq.ParquetFile(file, pre_buffer=True)
        self._place = (path, asset, key)

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata that was written with the rows."""
        return metadata_of_footer(self._parquet)

    def groups(self, rows: int | None = None) -> list[list[int]]:
        """Return the row groups, in order of id, as lists of at most `rows` (`CHUNK`) rows; at least one list."""
        lists: list[list[int]] = [[]]
        held = 0
        for group in range(self._parquet.num_row_groups):
            count = self._parquet.metadata.row_group(group).num_rows
            if held and held + count > (rows or CHUNK):
                lists.append([])
                held = 0
            lists[-1].append(group)
            held += count
        return lists

    def read(
        self, columns: Sequence[str] | None = None, but: Sequence[str] = (), groups: Sequence[int] | None = None
    ) -> pd.DataFrame:
        """Return the rows of these row groups, or all, with these columns, or with all columns `but` some."""
        rows: pd.DataFrame = self.table(columns, but, groups).to_pandas()
        return rows

    def table(
        self, columns: Sequence[str] | None = None, but: Sequence[str] = (), groups: Sequence[int] | None = None
    ) -> pa.Table:
        """Return the same as an Arrow table."""
        names = [name for name in columns or self._parquet.schema_arrow.names if name not in but]
        with told(*self._place):
            if groups is None:
                return self._parquet.read(columns=names)
            return self._parquet.read_row_groups(list(groups), columns=names)


def metadata_of_footer(parquet: pq.ParquetFile) -> dict[str, Any]:
    """Return the metadata that was written with the rows of a file."""
    metadata: dict[str, Any] = json.loads((parquet.metadata.metadata or {})[_METADATA_KEY.encode()])
    return metadata


@contextmanager
def told(path: UPath, asset: str, key: str) -> Iterator[None]:
    """Turn an error while reading a file into a UserError of one line."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"range {key} of {asset} was never made: materialize it first (jv rescore makes all)") from None
    except (OSError, pa.ArrowInvalid) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{shown(path)} cannot be read ({reason}): materialize range {key} of {asset} again") from error


def write_chunks(place: str, chunks: Iterable[pd.DataFrame], metadata: Callable[[], Mapping[str, Any]]) -> None:
    """Write one or more chunks to a local path. `metadata` returns JSON values, and is called after the last chunk.

    Memory holds two chunks at a time: the columns get the types that the first two need. A chunk that is the only one
    keeps its categories; of several, categories become text, because each chunk has its own.
    """
    tables = map(_as_table, chunks)
    first = next(tables)
    second = next(tables, None)
    schema = first.schema if second is None else _schema_of_both(first.schema, second.schema)
    # A file is read by row groups, and zstd removes repetition. Dictionaries and statistics would add two thirds.
    with pq.ParquetWriter(place, schema, compression="zstd", use_dictionary=False, write_statistics=False) as writer:
        for table in chain(filter(None, (first, second)), tables):
            # Reused chunks have the same columns in another order.
            writer.write_table(table.select(schema.names).cast(schema), row_group_size=ROW_GROUP)
        writer.add_key_value_metadata({_METADATA_KEY: json.dumps(dict(metadata()))})


def _as_table(rows: pd.DataFrame) -> pa.Table:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    kept = {name: value for name, value in (table.schema.metadata or {}).items() if name == b"pandas"}
    return table.replace_schema_metadata(kept)


def _schema_of_both(first: pa.Schema, second: pa.Schema) -> pa.Schema:
    """Return the schema with the more general type of each column."""
    both = pa.unify_schemas([_without_categories(first), _without_categories(second)], promote_options="permissive")
    fields = [
        pa.field(of.name, pa.binary() if of.name in _BINARY else pa.string()) if pa.types.is_null(of.type) else of
        for of in both
    ]
    return pa.schema(fields).with_metadata(first.metadata)


def _without_categories(schema: pa.Schema) -> pa.Schema:
    return pa.schema(
        [pa.field(of.name, of.type.value_type if pa.types.is_dictionary(of.type) else of.type) for of in schema]
    )
