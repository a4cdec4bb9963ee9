"""One Parquet file per partition and asset, in a folder or a bucket. A file is either whole or absent."""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.partition_cut import Cut, equal_cut
from jv_assets.resources.home_access import BucketAccess, is_bucket, shown
from jv_assets.resources.range_file import RangeFile, metadata_of_footer, told, write_chunks

T = TypeVar("T")


class RangeFiles:
    """The files of all partitioned assets under `JV_HOME` (or `home`), at `ranges/<cut's
    identity>/<asset>/<key>.parquet`.

    The cut's identity is part of the path, because the cut decides which rows a partition holds. `read_cut` returns the
    cut into so many partitions. It is called once, so that a run has one cut from start to end.
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

    def write(self, asset: str, key: str, rows: pd.DataFrame, metadata: Mapping[str, Any]) -> int:
        """Replace the partition's rows; `metadata` (JSON) goes with them. Return the bytes written."""
        return self.write_chunks(asset, key, [rows], lambda: metadata)

    def write_chunks(
        self, asset: str, key: str, chunks: Iterable[pd.DataFrame], metadata: Callable[[], Mapping[str, Any]]
    ) -> int:
        """Replace the partition's rows by those of the chunks; memory holds two chunks at a time.

        `metadata` returns JSON values, and is called after the last chunk. Returns the bytes written.
        """
        with self._to_be(self.path(asset, key)) as place:
            write_chunks(place, chunks, metadata)
            return Path(place).stat().st_size

    def read(self, asset: str, key: str, columns: Sequence[str] | None = None, but: Sequence[str] = ()) -> pd.DataFrame:
        """Return the rows of a partition, with these columns, or with all columns `but` some.

        UserError if the file is missing or unreadable.
        """
        with self.opened(asset, key) as file:
            return file.read(columns, but)

    def chunks(
        self, asset: str, key: str, columns: Sequence[str] | None = None, *, rows: int | None = None
    ) -> Iterator[pd.DataFrame]:
        """Yield the rows as `read` returns them, at most `rows` (`CHUNK`) at a time, and at least once."""
        for table in self.tables(asset, key, columns, rows=rows):
            yield table.to_pandas()

    def tables(
        self, asset: str, key: str, columns: Sequence[str] | None = None, *, rows: int | None = None
    ) -> Iterator[pa.Table]:
        """Yield the same as Arrow tables."""
        with self.opened(asset, key) as file:
            for groups in file.groups(rows):
                yield file.table(columns, groups=groups)

    def read_all(self, asset: str, keys: Iterable[str]) -> pd.DataFrame:
        """Return the rows of these partitions, one after the other. UserError as in `read`."""
        tables = pa.concat_tables([self._table(asset, key) for key in keys], promote_options="permissive")
        # Make each column contiguous: otherwise Arrow would do so for every selection of rows.
        rows: pd.DataFrame = tables.combine_chunks().to_pandas()
        return rows

    def metadata(self, asset: str, key: str) -> dict[str, Any]:
        """Return the metadata of a partition's file; UserError if the file is missing or unreadable."""

        def of_footer(path: UPath) -> dict[str, Any]:
            with path.open("rb") as file:
                return metadata_of_footer(pq.ParquetFile(file))

        path = self.path(asset, key)
        with told(path, asset, key):
            return self._ask(path, of_footer)

    @contextlib.contextmanager
    def opened(self, asset: str, key: str) -> Iterator[RangeFile]:
        """Open the file of a partition. The content does not change if the file is replaced meanwhile. UserError as in
        `read`.
        """
        path = self.path(asset, key)
        with contextlib.ExitStack() as stack:
            with told(path, asset, key):
                file = RangeFile(stack.enter_context(self._here(path)), path, asset, key)
            yield file

    def exists(self, asset: str, key: str) -> bool:
        """Return whether the partition has a file."""
        return bool(self._ask(self.path(asset, key), UPath.exists))

    def made(self, asset: str, keys: Iterable[str]) -> list[str]:
        """Return those of the partitions that have a file, in their order."""
        return [key for key in keys if self.exists(asset, key)]

    def path(self, asset: str, key: str) -> UPath:
        """Return the path of the partition's file."""
        return self._root / asset / f"{key}.parquet"

    @cached_property
    def home(self) -> UPath:
        """The folder or bucket of these files."""
        return UPath(self._home or settings.home())

    def get(self, path: UPath) -> bytes:
        """Return the bytes of a small file in the home; FileNotFoundError if it is missing."""
        return bytes(self._ask(path, UPath.read_bytes))

    def put(self, path: UPath, data: bytes) -> None:
        """Write a small file in the home, whole or not at all. UserError if that fails."""
        with self._to_be(path) as place:
            Path(place).write_bytes(data)

    def evict_other_cuts(self) -> None:
        """Delete the files of other cuts, which are stale.

        They would otherwise count as made if `JV_ID_RANGES` or the bounds are set back.
        """

        def evict(ranges: UPath) -> None:
            for folder in ranges.iterdir() if ranges.exists() else ():
                if folder.name != self.cut.identity:
                    folder.fs.rm(folder.path, recursive=True)

        with contextlib.suppress(FileNotFoundError):  # Another run does the same.
            try:
                self._ask(self._root.parent, evict)
            except OSError as error:
                raise UserError(f"cannot delete in {shown(self._root.parent)}: {error.strerror or error}") from error

    def _ask(self, path: UPath, what: Callable[[UPath], T]) -> T:
        return self._bucket.ask(path, what) if is_bucket(str(path)) else what(path)

    @cached_property
    def _root(self) -> UPath:
        return self.home / "ranges" / self.cut.identity

    def _table(self, asset: str, key: str) -> pa.Table:
        with self.opened(asset, key) as file:
            return file.table()

    @contextlib.contextmanager
    def _here(self, path: UPath) -> Iterator[IO[bytes]]:
        """Open a file for reading. For a bucket, open a local copy, because each request has a time limit."""
        if _is_local(path):
            with path.open("rb") as file:
                yield file
            return
        with TemporaryDirectory() as folder:
            copy = Path(folder, "file")
            self._bucket.ask(path, lambda remote: remote.fs.get_file(remote.path, str(copy)))
            with copy.open("rb") as file:
                yield file

    @contextlib.contextmanager
    def _to_be(self, path: UPath) -> Iterator[str]:
        """Give a local path for a file that is moved to `path` when it is whole. Leaves nothing of an
        unfinished file.
        """
        try:
            with _to_be_moved(path) if _is_local(path) else self._to_be_sent(path) as place:
                yield place
        except OSError as error:
            # PyArrow puts its current operation into strerror.
            cause = os.strerror(error.errno) if error.errno else str(error)
            raise UserError(f"cannot write {shown(path)}: {cause}; see JV_HOME") from error

    @contextlib.contextmanager
    def _to_be_sent(self, path: UPath) -> Iterator[str]:
        """A bucket shows an object only when it is whole."""
        with TemporaryDirectory() as folder:
            yield f"{folder}/file"
            self._bucket.ask(path, lambda remote: remote.fs.put_file(f"{folder}/file", remote.path))


def _is_local(path: UPath) -> bool:
    return path.protocol in ("", "file")


@contextlib.contextmanager
def _to_be_moved(path: UPath) -> Iterator[str]:
    """In a folder, a finished file is renamed to its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield str(whole)
        whole.replace(path)
    except BaseException:
        whole.unlink(missing_ok=True)
        raise
