"""A table, or some of its ids, in intervals that hold so many rows at most: what memory holds at a time."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from jv_assets.resources.database import Database

FIRST, LAST = str(UUID(int=0)), str(UUID(int=2**128 - 1))
ROWS = 2_500
"""Rows of an interval: contexts, of 3 KB each, and the texts of profiles take 8 MB then, several times over."""
_IDS_AT_ONCE = 5_000
_BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true)")


def id_spans(
    database: Database, table: str, low: str = FIRST, high: str = LAST, *, column: str = "id", rows: int | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the first and the last id of intervals that cover low..high (both in it); at least one.

    Each holds `rows` rows of the table at most, `ROWS` by default, but for those that are added meanwhile. Of a
    `column` that is not unique, an interval has all rows of its last id.
    """
    statement = text(f"""
        SELECT {column}::text FROM {table} WHERE {column} BETWEEN :low AND :high
        ORDER BY {column} OFFSET :before LIMIT 1
    """)  # noqa: S608 - ours
    while True:
        asked = {"low": low, "high": high, "before": (rows or ROWS) - 1}
        last = database.run(partial(_scalar, statement=statement, asked=asked))
        if last is None or last == high:
            yield low, high
            return
        yield low, last
        low = after(last)


def after(row_id: str) -> str:
    """Return the next uuid, of one that is not the last."""
    return str(UUID(int=UUID(row_id).int + 1))


def _scalar(connection: Connection, statement: TextClause, asked: Mapping[str, object]) -> str | None:
    # Ids have an index. For some thousands of rows the planner may read a table of narrow rows whole.
    connection.execute(_BY_INDEX)
    value: str | None = connection.scalar(statement, asked)
    return value


def some_at_once(ids: Sequence[str]) -> list[Sequence[str]]:
    """Return the ids, as many at a time as one query names; one part at least, be it empty."""
    return [ids[start : start + _IDS_AT_ONCE] for start in range(0, max(len(ids), 1), _IDS_AT_ONCE)]
