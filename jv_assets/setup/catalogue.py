"""Compare the production tables in the database's catalogue with the list in `jv_assets.tables`.

What a run cannot do exactly is refused before it starts, with column, type and cure.
"""

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Row, text

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.setup.constraints import unpassable
from jv_assets.tables import CONTEXT, MODEL, SCORE, TABLES, TEXT, TEXTS, VECTOR, Column

_KINDS = {"v": "a view", "m": "a materialized view", "f": "a foreign table"}
_HIGHEST_DIGITS, _DECIMALS = 3, 2
"""A score goes from 0 to 100, with two decimals."""
_HEADER = 4
"""Bytes that Postgres adds to the length or precision of a type in a column's typmod."""
_RELATIONS = """
    SELECT c.relname AS name, c.relkind AS kind, current_setting('search_path') AS search_path,
        format('ALTER ROLE %I IN DATABASE %I SET', current_user, current_database()) AS setting,
        c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = c.oid) AS has_children,
        (SELECT quote_ident(n.nspname) FROM pg_rewrite w JOIN pg_depend d ON d.objid = w.oid
            JOIN pg_class o ON o.oid = d.refobjid JOIN pg_namespace n ON n.oid = o.relnamespace
            WHERE w.ev_class = c.oid AND o.relname = c.relname AND o.relkind IN ('r', 'p') LIMIT 1) AS elsewhere,
        EXISTS (
            SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
            WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 1
                AND a.attname = 'id' AND a.attnotnull
        ) AS has_key,
        EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary) AS has_other_key,
        CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS cut_by
    FROM pg_class c WHERE c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions'))
    ORDER BY c.relname DESC
"""
# Resolve a domain to its base type, and collect the conditions of each domain on the way.
_COLUMNS = """
    WITH RECURSIVE layer AS (
        SELECT c.relname AS table_name, a.attname AS name, a.attnum, a.atttypid AS type, a.atttypmod AS typmod,
            format_type(a.atttypid, a.atttypmod) AS shown, a.attgenerated AS generated, a.attnotnull AS not_null,
            false AS domain_not_null
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        WHERE c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions')) AND a.attnum > 0
            AND NOT a.attisdropped
        UNION ALL
        SELECT l.table_name, l.name, l.attnum, t.typbasetype, CASE l.typmod WHEN -1 THEN t.typtypmod ELSE l.typmod END,
            l.shown, l.generated, l.not_null, l.domain_not_null OR t.typnotnull
        FROM layer l JOIN pg_type t ON t.oid = l.type WHERE t.typtype = 'd'
    )
    SELECT l.*, CASE t.typtype WHEN 'e' THEN 'enum' ELSE t.typname END AS base
    FROM layer l JOIN pg_type t ON t.oid = l.type WHERE t.typtype <> 'd'
    ORDER BY l.table_name DESC, l.attnum
"""


def require_fit(database: Database) -> None:
    """Raise UserError if a run could not read or write the tables exactly. Also for runs that no command started."""

    def look(connection: Connection) -> None:
        refuse_no_tables(connection)
        refuse_unfit(connection)

    database.run(look)


def refuse_no_tables(connection: Connection) -> None:
    """Raise UserError if one of the two names is not a table, or if its text cannot be stored safely."""
    refuse_encoding(connection)
    for relation in connection.execute(text(_RELATIONS)):
        if relation.kind in _KINDS:
            cure = (
                f"let the pipeline's role find the table in schema {relation.elsewhere} first: {relation.setting} "
                f"search_path = {relation.elsewhere}, {relation.search_path}"
                if relation.elsewhere
                else "give in JV_DATABASE_URL the database that has the table"
            )
            raise UserError(
                f"{relation.name} is {_KINDS[relation.kind]}, but only a table can be read and written; {cure}"
            )
        if relation.has_children:
            raise UserError(
                f"{relation.name} has tables that inherit from it, so that an id may be there twice; let its owner "
                f"take each of them off: ALTER TABLE … NO INHERIT {relation.name}"
            )


def refuse_encoding(connection: Connection) -> None:
    """Raise UserError if the database cannot hold every text."""
    encoding = connection.scalar(text("SELECT current_setting('server_encoding')"))
    if encoding != "UTF8":
        raise UserError(
            f"the database's encoding is {encoding}, which does not hold every text that the pipeline writes; move the "
            "tables to one that does: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        )


def refuse_unfit(connection: Connection) -> None:
    """Raise UserError if a column cannot hold or give back exactly what it must, or if ids need not be unique."""
    rows = connection.execute(text(_COLUMNS)).all()
    for table, of_table in groupby(rows, key=lambda column: column.table_name):
        faults = [fault for column in of_table for fault in _faults(table, column)]
        if faults:
            causes, cures = ", ".join(cause for cause, _ in faults), ", ".join(cure for _, cure in faults)
            raise UserError(f"{causes}; let its owner type: ALTER TABLE {table} {cures}")
    for relation in connection.execute(text(_RELATIONS)):
        if not relation.has_key:
            raise UserError(
                f"{relation.name} has no primary key or unique constraint on id alone, so that an id may be there "
                f"twice; {_key_of(relation)}"
            )


def _key_of(relation: Row[Any]) -> str:
    """How the table comes by a key on id alone."""
    if relation.cut_by and not relation.cut_by.endswith(" (id)"):
        return (
            f"it is partitioned by {relation.cut_by}, and no such table can have that key: let its owner move the rows "
            "to a table that is partitioned by HASH (id), or not at all"
        )
    # The columns of another primary key need not be id.
    added = "ALTER COLUMN id SET NOT NULL, ADD UNIQUE (id)" if relation.has_other_key else "ADD PRIMARY KEY (id)"
    return f"delete the rows that are too many, then let its owner type: ALTER TABLE {relation.name} {added}"


def refuse_unpassable(connection: Connection) -> None:
    """Raise UserError if a condition of the database refuses whatever the pipeline would write."""
    if problem := unpassable(connection, connection.execute(text(_COLUMNS)).all()):
        raise UserError(problem)


def _faults(table: str, actual: Row[Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a column, and the part of an ALTER TABLE that corrects it."""
    column = TABLES[table].get(actual.name)
    if column is None or not (_is_needed(column) or column.written_by == "pipeline"):
        return
    name, created = f"{table}.{actual.name}", column.kind.created
    if actual.generated:
        virtual = f"DROP COLUMN {actual.name}, ADD COLUMN {actual.name} {created}"
        stored = f"ALTER COLUMN {actual.name} DROP EXPRESSION"
        if column.written_by == "pipeline":
            yield f"{name} is generated, but the pipeline writes it", virtual if actual.generated == "v" else stored
        return
    if reason := _unfit(column, actual):
        yield f"{name} is {actual.shown}, {reason}", _retyped(column, actual)
    elif column.kind in (SCORE, CONTEXT, VECTOR) and actual.not_null:
        yield f"{name} is NOT NULL, but NULL says that there is none", f"ALTER COLUMN {actual.name} DROP NOT NULL"


def _is_needed(column: Column) -> bool:
    """Return whether a run reads the column. Evaluation skips columns that it cannot read."""
    return bool(set(column.read_by) - {"evaluation"})


def _unfit(column: Column, actual: Row[Any]) -> str | None:
    kind, precision = column.kind, actual.typmod - _HEADER
    if actual.base not in kind.accepted:
        return f"which is not read as {kind.created}"
    if column.written_by == "pipeline" and actual.domain_not_null:
        return "which is NOT NULL, but NULL says that there is none"
    if kind == SCORE and actual.base == "numeric" and actual.typmod >= 0:
        digits, decimals = precision >> 16, ((precision & 0x7FF) ^ 1024) - 1024
        if digits - decimals < _HIGHEST_DIGITS or decimals < _DECIMALS:
            return "which does not hold 0 to 100 with two decimals"
    if kind == MODEL and actual.typmod >= 0 and precision < len(settings.embedding_model()):
        return f"too short for {settings.embedding_model()}"
    return None


def _retyped(column: Column, actual: Row[Any]) -> str:
    """Return the type that a new database gets, and how to convert the values."""
    created = f"vector({actual.typmod})" if column.kind == VECTOR and actual.typmod > 0 else column.kind.created
    # The text of a JSON string has quotes around it, and that of an array braces.
    value = f"({actual.name} #>> '{{}}')" if actual.base in ("json", "jsonb") else actual.name
    using = f"{value}::{created}"
    if column.kind == TEXTS:
        using = f"{value}::text[]" if actual.base.startswith("_") else f"string_to_array({value}::text, ',')"
    elif column.kind == TEXT and actual.base.startswith("_"):
        using = f"array_to_string({actual.name}, ', ')"
    elif column.kind == SCORE or column.kind.created == "integer":
        using = f"{value}::text::{created}"
    return f"ALTER COLUMN {actual.name} TYPE {created} USING {using}"
