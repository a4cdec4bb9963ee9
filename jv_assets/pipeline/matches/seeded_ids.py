"""The ids for which the score log is seeded: the union of the intervals in `jv.score_log_seeded`.

Each interval was a partition when it was seeded. After a new cut, a partition may overlap several of them.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Row, text

Interval = tuple[int, int]
"""The first and the last uuid (both included)."""

_SEEDED = "SELECT low::text, high::text, at FROM jv.score_log_seeded WHERE low <= :high AND high >= :low ORDER BY at"
_NOTE = "INSERT INTO jv.score_log_seeded (low, high) VALUES (:low, :high) ON CONFLICT DO NOTHING"


def unseeded(connection: Connection, low: str, high: str) -> list[tuple[str, str]]:
    """Return the intervals of low..high that no seeded interval covers, in order."""
    left = [_interval(low, high)]
    for row in _seeded(connection, low, high):
        left = _without(left, _interval(row.low, row.high))
    return [(str(UUID(int=first)), str(UUID(int=last))) for first, last in left]


def seeded_since(connection: Connection, low: str, high: str) -> datetime | None:
    """Return the moment from which on all of low..high is seeded; None while a part of it is not."""
    left = [_interval(low, high)]
    for row in _seeded(connection, low, high):
        left = _without(left, _interval(row.low, row.high))
        if not left:
            at: datetime = row.at
            return at
    return None


def note_seeded(connection: Connection, low: str, high: str) -> None:
    """Record that low..high is seeded."""
    connection.execute(text(_NOTE), {"low": low, "high": high})


def _seeded(connection: Connection, low: str, high: str) -> Sequence[Row[tuple[str, str, datetime]]]:
    """Return the seeded intervals that share an id with low..high, the oldest first."""
    return connection.execute(text(_SEEDED), {"low": low, "high": high}).all()


def _interval(low: str, high: str) -> Interval:
    return UUID(low).int, UUID(high).int


def _without(intervals: Sequence[Interval], taken: Interval) -> list[Interval]:
    """Return what is left of disjoint intervals without one more interval."""
    first, last = taken
    halves = [half for low, high in intervals for half in ((low, min(high, first - 1)), (max(low, last + 1), high))]
    return [(low, high) for low, high in halves if low <= high]
