"""Compute new bounds for the partitions from the ids in the tables, for `jv repartition`."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection, text

from jv_assets.partition_cut import Cut, TableCut, equal_width, even_rows
from jv_assets.pipeline.database.stored_cut import TABLES, firsts_as_text, read_cut
from jv_assets.resources.database import Database

SKEW = 3.0
"""How many times the mean number of rows the largest partition may have and still count as even."""

# These queries read a whole table by its primary key: 0.3 s for a million rows.
_NO_TIMEOUT = "SET LOCAL statement_timeout = 0"
_SIZES = "SELECT width_bucket(id, CAST(:firsts AS uuid[])), count(*) FROM {table} GROUP BY 1"
_IDS_AT = """
    SELECT id::text FROM (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place FROM {table}) AS t
    WHERE place = ANY(CAST(:places AS bigint[])) ORDER BY id
"""


@dataclass(frozen=True)
class Sizes:
    """The rows of a table, and of its largest partition under two cuts."""

    rows: int
    largest_now: int
    largest_then: int


@dataclass(frozen=True)
class Proposal:
    """The current cut of a database, the proposed one, and the sizes by table."""

    now: Cut
    then: Cut
    sizes: Mapping[str, Sizes]


def propose(database: Database, count: int) -> Proposal:
    """Return what `jv repartition` would do. A table whose partitions are even keeps its bounds."""
    now = read_cut(database, count)
    cuts: dict[str, TableCut] = {}
    sizes: dict[str, Sizes] = {}
    for name, table in TABLES.items():
        cuts[name], sizes[table] = _propose(database, table, getattr(now, name))
    return Proposal(now, Cut(**cuts), sizes)


def _propose(database: Database, table: str, now: TableCut) -> tuple[TableCut, Sizes]:
    """Keep the cut if its partitions are even; otherwise use equal widths if these are even, or else the ids."""

    def work(connection: Connection) -> tuple[TableCut, Sizes]:
        connection.execute(text(_NO_TIMEOUT))
        count = len(now.firsts)
        rows, largest = _sizes(connection, table, now)
        then, largest_then = now, largest
        if not _is_even(largest_then, rows, count):
            then = equal_width(count)
            _, largest_then = _sizes(connection, table, then)
        if not _is_even(largest_then, rows, count):
            then = _from_ids(connection, table, rows, count)
            _, largest_then = _sizes(connection, table, then)
        return then, Sizes(rows, largest, largest_then)

    return database.run(work)


def _is_even(largest: int, rows: int, count: int) -> bool:
    return largest <= max(1, SKEW * rows / count)


def _sizes(connection: Connection, table: str, cut: TableCut) -> tuple[int, int]:
    """Return the rows of a table and of its largest partition."""
    statement = text(_SIZES.format(table=table))
    counts = [count for _, count in connection.execute(statement, {"firsts": firsts_as_text(cut)})]
    return sum(counts), max(counts, default=0)


def _from_ids(connection: Connection, table: str, rows: int, count: int) -> TableCut:
    """Return partitions with equally many rows. Of many rows, reads only the first id of each partition."""
    places = sorted({place * rows // count for place in range(count)}) if rows >= count else list(range(rows))
    ids = connection.scalars(text(_IDS_AT.format(table=table)), {"places": places})
    return even_rows([UUID(one).int for one in ids], count)
