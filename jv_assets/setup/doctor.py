"""Check the database, the model and the folder before the pipeline needs them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.home_access import try_home
from jv_assets.setup import writability
from jv_assets.setup.catalogue import refuse_encoding, refuse_no_tables, refuse_unfit, refuse_unpassable
from jv_assets.setup.dagster_database import look_at_dagster_database
from jv_assets.setup.extension import require_vector
from jv_assets.setup.migrations.run import check_dimensions, is_current, model_dimension
from jv_assets.setup.pooler import look_at_pooler
from jv_assets.setup.privileges import VERSION, look_at_privileges
from jv_assets.setup.seen import Seen, look_at_database, refuse_read_only
from jv_assets.setup.vectors import Vectors, look_at_vectors
from jv_assets.setup.writability import Use
from jv_assets.tables import READ, WRITTEN


@dataclass(frozen=True)
class Finding:
    """The state of one subject, in one line without a password. A warning or an error names cause and cure."""

    subject: str
    level: Literal["ok", "warning", "error"]
    text: str


def examine(database: Database, embedder: Embedder) -> list[Finding]:
    """Check everything. If the database cannot be reached, say only that."""
    try:
        with database.transaction() as connection:
            seen = look_at_database(connection)
            connection.detach()  # Close the connection now: a small pool would lack it for the next checks.
            connected, *others = _database_findings(connection, seen, database.place, "write")
            unfit = any(finding.level == "error" for finding in (connected, *others))
            last = [] if unfit else [_vectors(look_at_vectors(connection, embedder.model))]
    except UserError as error:
        return [Finding("connection", "error", str(error))]
    pooler = look_at_pooler(database) if seen.is_pooled else ("ok", "none: the server itself answers")
    dagster = [Finding("dagster", *each) for each in look_at_dagster_database()]
    model = _finding("model", lambda: f"{embedder.model}: {embedder.place}")
    return [connected, Finding("pooler", *pooler), *others, model, _finding("folder", _folder), *last, *dagster]


def require_ready(database: Database, use: Use = "write") -> list[str]:
    """Raise UserError with the first obstacle to a run. Quick, because every run asks.

    Returns what to warn about before `use`.
    """
    with database.transaction() as connection:
        for finding in _database_findings(connection, look_at_database(connection), database.place, use):
            if finding.level == "error":
                raise UserError(finding.text)
        hidden = writability.hidden_rows(connection) if use == "read" else None
        return [hidden] if hidden else []


def _database_findings(connection: Connection, seen: Seen, place: str, use: Use) -> Iterator[Finding]:
    findings = [
        _finding("connection", lambda: _connection(connection, seen, place, use)),
        _finding("pgvector", lambda: f"version {require_vector(connection)}"),
        _finding("tables", lambda: _tables(connection, seen)),
        _finding("dimensions", lambda: _dimensions(connection)),
        Finding("privileges", *look_at_privileges(seen, use)),
    ]
    yield from findings
    if use != "read":
        no_error = all(finding.level != "error" for finding in findings)
        yield _finding("writes", lambda: writability.look(connection, use if no_error else "dry run"))


def _vectors(vectors: Vectors) -> Finding:
    return Finding("vectors", "warning" if vectors.others else "ok", vectors.line)


def _finding(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", look())
    except UserError as error:
        return Finding(subject, "error", str(error))


def _connection(connection: Connection, seen: Seen, place: str, use: Use) -> str:
    refuse_encoding(connection)
    if use == "write":
        refuse_read_only(seen.server, place)
    return f"PostgreSQL {seen.server.version} at {place}, as {seen.server.role}"


def _tables(connection: Connection, seen: Seen) -> str:
    check = "check the database's name in JV_DATABASE_URL, and the role's search_path"
    if absent := [table for table in READ if table not in seen.tables]:
        cure = f"type: jv migrate (or {check})" if len(absent) == len(READ) else check
        raise UserError(f"the database has no table {' and no table '.join(absent)}; {cure}")
    refuse_no_tables(connection)
    for table, columns in READ.items():
        if lost := [name for name in columns if name not in seen.columns[table]]:
            raise UserError(f"{table} has no column {', '.join(lost)}, which is read: put it back, or {check}")
    version = seen.tables.get(VERSION)
    if version and not (version.may_enter and "SELECT" in version.may):
        return "both are there; whether schema jv is up to date cannot be read"
    migrated = is_current(connection)
    for table, types in WRITTEN.items():
        if lost := [name for name in types if name not in seen.columns[table]]:
            added = ", ".join(f"ADD COLUMN {name} {types[name]}" for name in lost)
            cure = f"let its owner type: ALTER TABLE {table} {added}" if migrated else "type: jv migrate"
            raise UserError(f"{table} has no column {', '.join(lost)}; {cure}")
    if not migrated:
        raise UserError("schema jv is missing or behind; type: jv migrate")
    refuse_unfit(connection)
    refuse_unpassable(connection)
    return f"{' and '.join(READ)} have all columns, schema jv is up to date"


def _dimensions(connection: Connection) -> str:
    wanted = model_dimension()
    check_dimensions(connection, wanted)
    return f"{wanted}, as {settings.embedding_model()} makes them"


def _folder() -> str:
    return f"{try_home(settings.home())} can be written"
