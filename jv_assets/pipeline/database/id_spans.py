"""Cut a table, or an interval of ids, into spans of limited rows, so that memory holds one span at a time."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from jv_assets.resources.database import Database

FIRST, LAST = str(UUID(int=0)), str(UUID(int=2**128 - 1))
ROWS = 2_500
"""Rows of a span. Contexts, of 3 KB each, and texts of profiles then take 8 MB, several times over."""
_IDS_AT_ONCE = 5_000
_BY_INDEX = text("SELECT set_config('enable_seqscan', 'off', true)")


def id_spans(
    database: Database, table: str, low: str = FIRST, high: str = LAST, *, column: str = "id", rows: int | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the first and the last id of spans that cover low..high (both included); at least one.

    Each holds at most `rows` rows of the table, `ROWS` by default, except for rows that are added meanwhile. For a
    `column` that is not unique, a span has all rows of its last id.
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
    """Return the next uuid; the argument is not the last one."""
    return str(UUID(int=UUID(row_id).int + 1))


def _scalar(connection: Connection, statement: TextClause, asked: Mapping[str, object]) -> str | None:
    # Force the index on ids: for some thousands of rows, the planner may read a whole table of narrow rows.
    connection.execute(_BY_INDEX)
    value: str | None = connection.scalar(statement, asked)
    return value


def some_at_once(ids: Sequence[str]) -> list[Sequence[str]]:
    """Yield the ids in parts that one query can name; at least one part, which may be empty."""
    return [ids[start : start + _IDS_AT_ONCE] for start in range(0, max(len(ids), 1), _IDS_AT_ONCE)]
