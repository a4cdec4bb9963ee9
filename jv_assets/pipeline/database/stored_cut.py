"""The cut of the partitions in the schema jv: every run reads it, and only `jv repartition` writes it."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from jv_assets.partition_cut import Cut, TableCut, equal_width
from jv_assets.resources.database import Database

_READ = "SELECT table_name, firsts::text[] FROM jv.partition_cuts WHERE ranges = :ranges"
_CUT_AT = "SELECT table_name, cut_at FROM jv.partition_cuts WHERE ranges = :ranges ORDER BY table_name"
_DELETE = "DELETE FROM jv.partition_cuts WHERE ranges = :ranges"
_INSERT = """
    INSERT INTO jv.partition_cuts (ranges, table_name, firsts) VALUES (:ranges, :table, CAST(:firsts AS uuid[]))
"""
TABLES = {"profiles": "profiles", "matches": "match_suggestions"}
"""By field of a cut, its table."""


def read_cut(database: Database, count: int) -> Cut:
    """Return the cut into `count` partitions. A table without a stored cut has partitions of equal width."""
    rows = database.run(lambda connection: connection.execute(text(_READ), {"ranges": count}).all())
    stored = {table: TableCut(tuple(UUID(first).int for first in firsts)) for table, firsts in rows}
    return Cut(**{name: stored.get(table, equal_width(count)) for name, table in TABLES.items()})


def read_cut_times(database: Database, count: int) -> Mapping[str, datetime]:
    """Return, by table whose partitions differ in width, when they were cut."""

    def work(connection: Connection) -> dict[str, datetime]:
        rows = connection.execute(text(_CUT_AT), {"ranges": count})
        return {row.table_name: row.cut_at for row in rows}

    return database.run(work)


def store_cut(database: Database, cut: Cut) -> None:
    """Replace the cut with as many partitions. Tables with partitions of equal width are left out."""
    count = len(cut.matches.firsts)
    equal = equal_width(count)
    rows = [
        {"ranges": count, "table": TABLES[field.name], "firsts": firsts_as_text(table)}
        for field in fields(cut)
        if (table := getattr(cut, field.name)) != equal
    ]

    def work(connection: Connection) -> None:
        connection.execute(text(_DELETE), {"ranges": count})
        for row in rows:
            connection.execute(text(_INSERT), row)

    database.run(work)


def firsts_as_text(table: TableCut) -> list[str]:
    """Return the first uuid of each partition, for an SQL parameter."""
    return [str(UUID(int=first)) for first in table.firsts]
