"""Counted writes: a write succeeds only if the rows asked for, locked and updated agree.

The same guard serves both production tables and the tables of schema jv.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from jv_assets.errors import UserError
from jv_assets.pipeline.database.obstacles import Table, is_row_security_active, read_obstacles
from jv_assets.resources.database import Database
from jv_assets.resources.database_errors import driver_error, is_passing
from jv_assets.resources.redaction import copied_row, headline

T = TypeVar("T")

LOOKED_AT = 20
"""How many rows of a batch have their other columns compared if no trigger or rule acts; up to twice as many."""
_OF_A_ROW = ("22", "23", "44", "54")
"""Classes of SQLSTATE that mean that the row itself cannot be written; 54: it is too long for an index."""
_OF_THE_SERVER = ("53", "58", "XX")
"""Classes of SQLSTATE for what the server lacks, such as disk space: no function caused that."""


class MiscountedError(UserError):
    """Fewer rows were locked or updated than were asked for. Nothing of the batch was written."""


class RefusedRowError(UserError):
    """The database refuses one row of the batch. `by_function`: a trigger's function raised the error."""

    def __init__(self, table: Table, row: str, error: psycopg.Error) -> None:
        self.by_function = _is_raised(error)
        cure = "let the table's owner change what refuses it, then type: jv retry"
        if self.by_function and table.suspects:
            cure = f"as {table.suspects}"
        line = f"row {row} of {table.name} cannot be written: {headline(error)}; correct that row, or {cure}"
        super().__init__(line)


@dataclass(frozen=True)
class Update:
    """A statement that updates from the temporary table `batch`, ids between :low and :high, and how many rows.

    It may return one row of counts; the first is how many rows it updated.
    """

    sql: str
    values: Mapping[str, Any]
    asked: int


def run_counted(database: Database, work: Callable[[Connection], T]) -> T:
    """Run `Database.run`, and once more if the counts disagree: a row may have been deleted while it was waited for.

    The second time, that row is not found, and counts as deleted. If the counts still disagree, that is an error.
    """
    try:
        return database.run(work)
    except MiscountedError:
        pass
    return database.run(work)


def seeing_all(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """Return `work`, followed by a UserError if rows may have been hidden from it, so that their absence proves
    nothing.
    """

    def and_look(connection: Connection) -> T:
        result = work(connection)
        # Check afterwards: until this transaction ends, nobody can change the policies of the tables that it read.
        require_all_seen(connection)
        return result

    return and_look


def require_all_seen(connection: Connection) -> None:
    """Raise UserError if row-level security may hide rows of any table from this role."""
    if is_row_security_active(connection) and (hidden := read_obstacles(connection).unseen):
        raise UserError(hidden)


def require_count(connection: Connection, table: str, verb: str, asked: int, done: int) -> None:
    """Raise MiscountedError, which names the cause, if fewer rows were locked, updated or kept than were asked for."""
    if asked == done:
        return
    obstacles = read_obstacles(connection)
    cause = obstacles.unseen or obstacles.rewritten or obstacles.table(table).suspects
    cause = cause or "somebody else changes these rows at the same time; type: jv retry"
    raise MiscountedError(
        f"{table}: {asked:,} rows were to be {verb}, and {done:,} were, so nothing was written: {cause}"
    )


def copy_rows(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Put the rows into the temporary table `batch`; the first value of each is the id of a row of `table`."""
    cursor = connection.connection.cursor()
    try:
        with cursor.copy(f"COPY batch ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        number = copied_row(error)
        if number is None:
            raise
        raise RefusedRowError(Table(table), str(rows[number][0]), error) from None


def update_rows(
    connection: Connection,
    table: str,
    ids: Sequence[str],
    updates: Sequence[Update],
    other: str,
    *,
    kept: Mapping[str, str] = MappingProxyType({}),
) -> list[tuple[int, ...]]:
    """Run the updates of the rows `ids`, locked and in order; each must update exactly what it asks for.

    Returns the counts of each update.

    `other`: SQL that counts the rows among :ids whose columns of ours differ from `batch`. `kept`: by name, SQL for
    what a row `p` holds in columns of ours that no update is about. UserError, which names trigger or rule, if another
    column, another row or another value was written.
    """
    obstacles = read_obstacles(connection)
    if obstacles.rewritten:
        raise UserError(obstacles.rewritten)
    known = obstacles.table(table)
    looked_at = list(ids if known.is_acted_on else ids[:: max(1, len(ids) // LOOKED_AT)])
    values = {**updates[0].values, "ids": looked_at} if updates else {"ids": looked_at}
    same = {name: "p." + name.replace(":", r"\:") for name in known.columns}
    if known.is_acted_on and updates:
        same |= kept
    before, changes = _others(connection, known, same, values), _changes(connection)
    counts = []
    for update in updates:
        counts.append(_run(connection, known, ids, update))
        require_count(connection, table, "updated", update.asked, counts[-1][0])
    if known.is_acted_on:
        _act_now(connection, known)
        more = _changes(connection) - changes - sum(update.asked for update in updates)
        if more > 0:
            raise _side_effect(known, f"{more:,} rows more")
        if updates and connection.scalar(text(other), values):
            raise _side_effect(known, "what is written")
    after = _others(connection, known, same, values)
    changed = {name for old, new in zip(before, after, strict=True) for name in old if old[name] != new.get(name)}
    if changed:
        raise _side_effect(known, ", ".join(sorted(changed)))
    return counts


def _side_effect(table: Table, what: str) -> UserError:
    cause = table.suspects or "let the table's owner look for what does it"
    return UserError(f"updating {table.name} also changed {what}, so nothing was written: {cause}")


def _others(
    connection: Connection, table: Table, columns: Mapping[str, str], values: Mapping[str, Any]
) -> list[dict[str, str | None]]:
    """Return what no update is about, as text, of the rows :ids in order of id: it may hold what Python cannot."""
    if not columns:
        return []
    select = f"""
        SELECT ARRAY[{", ".join(f"({sql})::text" for sql in columns.values())}] FROM {table.name} p
        WHERE p.id = ANY(CAST(:ids AS uuid[])) ORDER BY p.id
    """  # noqa: S608 - of the catalogue, quoted, and of our own constants
    rows = connection.scalars(text(select), values)
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _changes(connection: Connection) -> int:
    """Return how often this transaction has changed a row of the production tables, triggers included."""
    return int(connection.scalar(text(_CHANGES)) or 0)


def _act_now(connection: Connection, table: Table) -> None:
    """Fire the deferred triggers now. They would otherwise fire at COMMIT, after all checks."""
    try:
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        return
    except DBAPIError as error:
        cause = driver_error(error)
    if not _is_raised(cause):
        raise cause
    raise UserError(f"updating {table.name} fails at its end: {headline(cause)}; {table.suspects}")


def _run(connection: Connection, table: Table, ids: Sequence[str], update: Update) -> tuple[int, ...]:
    """Return the counts of the update; RefusedRowError with the first row that the database refuses."""
    bounds = {"low": ids[0], "high": ids[-1]} if ids else {}
    try:
        with connection.begin_nested():
            done = connection.execute(text(update.sql), {**update.values, **bounds})
            return tuple(done.one()) if done.returns_rows else (done.rowcount,)
    except DBAPIError as error:
        cause = driver_error(error)
    if not ((cause.sqlstate or "").startswith(_OF_A_ROW) or _is_raised(cause)):
        raise cause
    # The shortest refused prefix of the batch ends with that row, because a constraint may concern several rows.
    good, bad = 0, len(ids)
    while bad - good > 1:
        middle = (good + bad) // 2
        try:
            with connection.begin_nested() as savepoint:
                connection.execute(text(update.sql), {**update.values, **bounds, "high": ids[middle - 1]})
                savepoint.rollback()
            good = middle
        except DBAPIError as error:
            bad, cause = middle, driver_error(error)
    raise RefusedRowError(table, ids[bad - 1], cause) from None


def _is_raised(error: psycopg.Error) -> bool:
    """Return whether a function raised the error: a plain update has no context, except while it waits for a lock."""
    return bool(error.diag.context) and not is_passing(error) and not is_of_the_server(error)


def is_of_the_server(error: psycopg.Error) -> bool:
    """Return whether the server lacked something, whatever the row."""
    return (error.sqlstate or "").startswith(_OF_THE_SERVER)


# The rows of a partitioned table are counted where they are, in its partitions.
_CHANGES = """
    WITH RECURSIVE tree (oid) AS (
        VALUES (to_regclass('profiles')::oid), (to_regclass('match_suggestions')::oid)
        UNION SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = oid
    )
    SELECT sum(pg_stat_get_xact_tuples_inserted(oid) + pg_stat_get_xact_tuples_updated(oid)
        + pg_stat_get_xact_tuples_deleted(oid))
    FROM tree
"""
