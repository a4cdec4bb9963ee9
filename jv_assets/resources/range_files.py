"""One Parquet file a range of an asset, in a folder or a bucket: there whole, or not there."""

import contextlib
import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.partition_cut import Cut, equal_cut
from jv_assets.resources.home_access import BucketAccess, is_bucket, shown

T = TypeVar("T")
_FACTS = b"jv"
_ROW_GROUP = 5_000
"""Rows that a reader takes at a time; also how many one publishing transaction carries."""


class RangeFiles:
    """The files of all range assets under `JV_HOME` (or `home`), at `ranges/<cut's identity>/<asset>/<range>.parquet`.

    The cut's identity is part of the path, because the cut says which rows a range holds. `read_cut` returns the cut of
    so many partitions; it is asked once, so that a run has one cut from its start to its end.
    """

    def __init__(
        self, home: str | None = None, id_ranges: int | None = None, read_cut: Callable[[int], Cut] = equal_cut
    ) -> None:
        self._home, self._id_ranges, self._read_cut = home, id_ranges, read_cut
        self._bucket = BucketAccess()

    @cached_property
    def cut(self) -> Cut:
        """Where the partitions of both tables begin."""
        return self._read_cut(self._id_ranges or settings.id_ranges())

    def of_a_run(self) -> "RangeFiles":
        """Return the same files for one run, which reads the cut anew."""
        return RangeFiles(self._home, self._id_ranges, self._read_cut)

    def write(self, asset: str, key: str, rows: pd.DataFrame, facts: Mapping[str, Any]) -> int:
        """Put the rows in place of what the range had; `facts` (JSON) go with them. Returns the bytes written."""
        table = pa.Table.from_pandas(rows, preserve_index=False)
        kept = {name: value for name, value in (table.schema.metadata or {}).items() if name == b"pandas"}
        table = table.replace_schema_metadata(kept | {_FACTS: json.dumps(dict(facts)).encode()})
        sink = pa.BufferOutputStream()
        # A file is read whole, and zstd finds what repeats: dictionaries and statistics would add two thirds.
        pq.write_table(
            table, sink, compression="zstd", row_group_size=_ROW_GROUP, use_dictionary=False, write_statistics=False
        )
        data = sink.getvalue().to_pybytes()
        self.put(self.path(asset, key), data)
        return len(data)

    def read(self, asset: str, key: str, columns: Sequence[str] | None = None, but: Sequence[str] = ()) -> pd.DataFrame:
        """The rows of a range, with these columns, or with all `but` some.

        UserError where it was never written or cannot be read.
        """
        rows: pd.DataFrame = self._table(asset, key, columns, but).to_pandas()
        return rows

    def read_all(self, asset: str, keys: Iterable[str]) -> pd.DataFrame:
        """The rows of these ranges, one after the other. UserError as of `read`."""
        tables = pa.concat_tables([self._table(asset, key) for key in keys], promote_options="permissive")
        # Each column in one piece: Arrow would make it one for every selection of some rows.
        rows: pd.DataFrame = tables.combine_chunks().to_pandas()
        return rows

    def facts(self, asset: str, key: str) -> dict[str, Any]:
        """What was written with the rows; UserError where the range was never written or cannot be read."""

        def of_footer(path: UPath) -> bytes:
            with path.open("rb") as file:
                return bytes(pq.ParquetFile(file).schema_arrow.metadata[_FACTS])

        facts: dict[str, Any] = json.loads(self._take(asset, key, of_footer))
        return facts

    def exists(self, asset: str, key: str) -> bool:
        """Whether the range was ever written."""
        return bool(self._ask(self.path(asset, key), UPath.exists))

    def made(self, asset: str, keys: Iterable[str]) -> list[str]:
        """Those of the ranges that were ever written, in their order."""
        return [key for key in keys if self.exists(asset, key)]

    def path(self, asset: str, key: str) -> UPath:
        """Where the range's file is, or will be."""
        return self._root / asset / f"{key}.parquet"

    @cached_property
    def home(self) -> UPath:
        """The folder or bucket of these files."""
        return UPath(self._home or settings.home())

    def get(self, path: UPath) -> bytes:
        """The bytes of a small file in the home; FileNotFoundError where it is missing."""
        return bytes(self._ask(path, UPath.read_bytes))

    def put(self, path: UPath, data: bytes) -> None:
        """Write a small file in the home, whole or not at all. UserError where that cannot be done."""
        try:
            self._ask(path, partial(self._put, data=data))
        except OSError as error:
            raise UserError(f"cannot write {shown(path)}: {error.strerror or error}; see JV_HOME") from error

    def evict_other_cuts(self) -> None:
        """Delete the files that were made under another cut: what they hold is older than the files of this one.

        They would otherwise count as made once `JV_ID_RANGES` or the bounds are set back.
        """

        def evict(ranges: UPath) -> None:
            for folder in ranges.iterdir() if ranges.exists() else ():
                if folder.name != self.cut.identity:
                    folder.fs.rm(folder.path, recursive=True)

        with contextlib.suppress(FileNotFoundError):  # another run does the same
            try:
                self._ask(self._root.parent, evict)
            except OSError as error:
                raise UserError(f"cannot delete in {shown(self._root.parent)}: {error.strerror or error}") from error

    def _ask(self, path: UPath, what: Callable[[UPath], T]) -> T:
        return self._bucket.ask(path, what) if is_bucket(str(path)) else what(path)

    @cached_property
    def _root(self) -> UPath:
        return self.home / "ranges" / self.cut.identity

    def _table(self, asset: str, key: str, columns: Sequence[str] | None = None, but: Sequence[str] = ()) -> pa.Table:
        def of_whole(path: UPath) -> pa.Table:
            file = pq.ParquetFile(pa.BufferReader(path.read_bytes()))
            return file.read(columns=[name for name in columns or file.schema_arrow.names if name not in but])

        table: pa.Table = self._take(asset, key, of_whole)
        return table

    def _take(self, asset: str, key: str, what: Callable[[UPath], Any]) -> Any:
        path = self.path(asset, key)
        try:
            return self._ask(path, what)
        except FileNotFoundError:
            raise UserError(
                f"range {key} of {asset} was never made: materialize it first (jv rescore makes all)"
            ) from None
        except (OSError, pa.ArrowInvalid) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{shown(path)} cannot be read ({reason}): materialize range {key} of {asset} again"
            ) from error

    @staticmethod
    def _put(path: UPath, data: bytes) -> None:
        """A bucket shows an object only when it is whole; in a folder a finished file is moved to its place."""
        if path.protocol not in ("", "file"):
            path.write_bytes(data)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            whole.write_bytes(data)
            whole.replace(path)
        except BaseException:
            whole.unlink(missing_ok=True)
            raise
