"""What the pipeline needs of the database, the model and its folder, examined before it is needed."""

import select
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from sqlalchemy import Connection, Row, make_url, text

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.migrations.run import check_dimensions, is_current, model_dimension
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.home_access import try_home
from jv_assets.setup import writability
from jv_assets.setup.catalogue import refuse_no_tables, refuse_unfit, refuse_unpassable
from jv_assets.setup.dagster_database import look_at_dagster_database
from jv_assets.setup.vectors import Vectors, look_at_vectors
from jv_assets.setup.writability import Use
from jv_assets.tables import READ, WRITTEN

MEMORY, LOG, VERSION = "jv.embedded_texts", "jv.score_log_rows", "jv.alembic_version"
OURS = {
    MEMORY: ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "jv.publish_runs": ("SELECT", "INSERT", "DELETE"),
    "jv.replaced_scores": ("SELECT", "INSERT", "DELETE"),
    "jv.partition_cuts": ("SELECT", "INSERT", "DELETE"),
    "jv.score_log_sources": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    LOG: ("SELECT", "INSERT"),
    "jv.score_log_base": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "jv.score_log_seeded": ("SELECT", "INSERT"),
    "jv.score_log": ("SELECT",),
    "jv.identity": ("SELECT",),
    "jv.read_marks": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "jv.published_ranges": ("SELECT", "INSERT", "UPDATE"),
    VERSION: ("SELECT",),
}
"""By table of the schema jv, what the pipeline does there."""

_POOLER_SECONDS = 5.0
"""How long a pooler may take to answer; one that has no server connection left does not answer at all."""
_SERVER = """
    SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') = 'on' AS read_only,
        pg_backend_pid() AS pid, quote_ident(current_user) AS role, rolsuper AS is_superuser,
        quote_ident(current_database()) AS database, has_database_privilege(current_database(), 'TEMP') AS may_temp,
        (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
        to_regtype('vector') IS NOT NULL AS pgvector_in_path,
        (SELECT default_version FROM pg_available_extensions WHERE name = 'vector') AS pgvector_available
    FROM pg_roles WHERE rolname = current_user
"""
# Not to_regclass for schema jv: that is an error for a role that may not enter it.
_TABLES = """
    SELECT CASE n.nspname WHEN 'jv' THEN 'jv.' ELSE '' END || c.relname AS name,
        has_schema_privilege(n.oid, 'USAGE') AS may_enter,
        has_schema_privilege(n.oid, 'CREATE') AS may_create,
        pg_has_role(c.relowner, 'USAGE') AS is_owner,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p
              WHERE has_table_privilege(c.oid, p)) AS may
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions'))
        OR n.nspname = 'jv' AND c.relkind IN ('r', 'p', 'v')
"""
_COLUMNS = """
    SELECT c.relname, a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT') AS may_select,
        has_column_privilege(c.oid, a.attnum, 'UPDATE') AS may_update
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions')) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname DESC, a.attnum
"""


@dataclass(frozen=True)
class Finding:
    """What was found about one subject, in one line without a password; where it is not ok, with cause and cure."""

    subject: str
    level: Literal["ok", "warning", "error"]
    text: str


def examine(database: Database, embedder: Embedder) -> list[Finding]:
    """Look at everything; of a database that cannot be reached, only that is said."""
    try:
        with database.transaction() as connection:
            seen = _look(connection)
            connection.detach()  # to be closed, not kept: a small pool would lack it in what follows
            connected, *others = _database_findings(connection, seen, database.place, "write")
            unfit = any(finding.level == "error" for finding in (connected, *others))
            last = [] if unfit else [_vectors(look_at_vectors(connection, embedder.model))]
    except UserError as error:
        return [Finding("connection", "error", str(error))]
    pooler = _pooler(database) if seen.is_pooled else Finding("pooler", "ok", "none: the server itself answers")
    dagster = [Finding("dagster", *found) for found in look_at_dagster_database()]
    model = _finding("model", lambda: f"{embedder.model}: {embedder.place}")
    return [connected, pooler, *others, model, _finding("folder", _folder), *last, *dagster]


def require_ready(database: Database, use: Use = "write") -> list[str]:
    """UserError with the first thing that would keep a run from going well. Quick: it is asked before every run.

    Returns what to warn of before `use`.
    """
    with database.transaction() as connection:
        for finding in _database_findings(connection, _look(connection), database.place, use):
            if finding.level == "error":
                raise UserError(finding.text)
        hidden = writability.hidden_rows(connection) if use == "read" else None
        return [hidden] if hidden else []


@dataclass(frozen=True)
class _Seen:
    """What the database says of itself: `tables` by name, `columns` by table and name."""

    server: Row[Any]
    tables: dict[str, Row[Any]]
    columns: dict[str, dict[str, Row[Any]]]
    is_pooled: bool


def _look(connection: Connection) -> _Seen:
    server = connection.execute(text(_SERVER)).one()
    tables = {row.name: row for row in connection.execute(text(_TABLES))}
    columns: dict[str, dict[str, Row[Any]]] = {name: {} for name in READ if name in tables}
    for row in connection.execute(text(_COLUMNS)):
        columns[row.relname][row.attname] = row
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    # a pooler tells each client a number of its own, with which it can cancel its statements
    return _Seen(server, tables, columns, driver.info.backend_pid != server.pid)


def _database_findings(connection: Connection, seen: _Seen, place: str, use: Use) -> Iterator[Finding]:
    found = [
        _finding("connection", lambda: _connection(seen, place)),
        _finding("pgvector", lambda: _pgvector(seen)),
        _finding("tables", lambda: _tables(connection, seen)),
        _finding("dimensions", lambda: _dimensions(connection)),
        _privileges(seen),
    ]
    yield from found
    if use != "read":
        well = all(finding.level != "error" for finding in found)
        yield _finding("writes", lambda: writability.look(connection, use if well else "dry run"))


def _vectors(found: Vectors) -> Finding:
    return Finding("vectors", "warning" if found.others else "ok", found.line)


def _finding(subject: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(subject, "ok", look())
    except UserError as error:
        return Finding(subject, "error", str(error))


def _connection(seen: _Seen, place: str) -> str:
    if seen.server.read_only:
        raise UserError(
            f"{place} takes no writes: it is a replica, or default_transaction_read_only is on; give the primary in "
            "JV_DATABASE_URL, or let the server's operator turn that off"
        )
    return f"PostgreSQL {seen.server.version} at {place}, as {seen.server.role}"


def _pgvector(seen: _Seen) -> str:
    server = seen.server
    if server.pgvector and not server.pgvector_in_path:
        raise UserError(
            "pgvector is in a schema where the role does not look; let a superuser type: ALTER EXTENSION vector SET "
            f"SCHEMA public; or add its schema by ALTER ROLE {server.role} SET search_path"
        )
    if server.pgvector:
        return f"version {server.pgvector}"
    if server.pgvector_available:
        raise UserError(f"pgvector {server.pgvector_available} is not yet in this database; type: jv migrate")
    raise UserError("the database server has no pgvector: install it there (the package postgresql-NN-pgvector)")


def _tables(connection: Connection, seen: _Seen) -> str:
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


def _privileges(seen: _Seen) -> Finding:
    role = seen.server.role
    statements = [f"GRANT {what} TO {role}" for what in _missing_grants(seen)]
    if LOG in seen.tables and not (seen.tables[LOG].is_owner and seen.tables[LOG].may_create):
        # Only its owner may add a partition to a table, and a view reads with the rights of its own.
        statements.append(f"GRANT CREATE ON SCHEMA jv TO {role}")
        statements += [f"ALTER TABLE {name} OWNER TO {role}" for name in (LOG, "jv.score_log")]
    if statements:
        cure = "; ".join(statements)
        return Finding("privileges", "error", f"role {role} may too little; let the tables' owner type: {cure}")
    if seen.server.is_superuser and settings.database_url() is None:
        return Finding("privileges", "ok", f"{role}, the superuser of the embedded server")
    if excess := _excess(seen):
        cure = "use one that may only read, and UPDATE the pipeline's columns"
        return Finding("privileges", "warning", f"role {role} may more than it needs ({excess}); {cure}")
    return Finding("privileges", "ok", f"role {role} may do what is needed, and nothing else")


def _missing_grants(seen: _Seen) -> Iterator[str]:
    for table, columns in seen.columns.items():
        if any(not column.may_select for name, column in columns.items() if name in (*READ[table], *WRITTEN[table])):
            yield f"SELECT ON {table}"
        if closed := [name for name, column in columns.items() if name in WRITTEN[table] and not column.may_update]:
            yield f"UPDATE ({', '.join(closed)}) ON {table}"
    if any(not seen.tables[name].may_enter for name in OURS if name in seen.tables):
        yield "USAGE ON SCHEMA jv"
    for name, privileges in OURS.items():
        if name in seen.tables and (missing := [one for one in privileges if one not in seen.tables[name].may]):
            yield f"{', '.join(missing)} ON {name}"
    if not seen.server.may_temp:
        yield f"TEMP ON DATABASE {seen.server.database}"


def _excess(seen: _Seen) -> str:
    if seen.server.is_superuser:
        return "it is a superuser"
    if owned := [table for table in seen.columns if seen.tables[table].is_owner]:
        return f"it owns {' and '.join(owned)}"
    found = []
    for table, columns in seen.columns.items():
        found += [f"{p} {table}" for p in ("INSERT", "DELETE", "TRUNCATE") if p in seen.tables[table].may]
        others = [name for name, column in columns.items() if column.may_update and name not in WRITTEN[table]]
        if first := sorted(others, key=lambda name: name != "match_score")[:3]:
            found.append(f"UPDATE {table} ({', '.join(first)}{', …' if others[3:] else ''})")
    return ", ".join(found)


def _pooler(database: Database) -> Finding:
    """The kind of the pooler, told by whether two clients get the same server connection, or wait for each other's."""
    shared = Finding("pooler", "ok", "transaction pooler: each transaction may get another server connection")
    cause = (
        f"it gave no second connection within {_POOLER_SECONDS:g} s: its pool is used up, or has one, in session mode"
    )
    used_up = Finding("pooler", "warning", f"{cause}; raise default_pool_size, or set pool_mode to transaction")
    try:
        with closing(_client(database)) as first, closing(_client(database)) as second:
            # more than once: other clients may come between, and a pool may hand out its connections in turn
            for _ in range(3):
                mine = {_backend(first), _backend(first)}
                other = _backend(second, "BEGIN")
                if other is None or None in mine:
                    return used_up
                if other not in mine:
                    mine.add(_backend(first))
                _backend(second, "ROLLBACK")
                if other in mine or len(mine) > 1:
                    return shared
    except psycopg.OperationalError:
        return used_up
    return Finding("pooler", "ok", "session pooler: a server connection belongs to one client as long as it stays")


def _client(database: Database) -> psycopg.Connection[Any]:
    url = make_url(database.url)
    # not as a URL: libpq takes no blank in one, and its error has the password
    _, options = url.get_dialect()().create_connect_args(url)
    options.update(connect_timeout=10, application_name="jv", autocommit=True)
    return psycopg.connect(**options)


def _backend(client: psycopg.Connection[Any], before: str = "") -> int | None:
    """The number of the client's server connection now, None where it got none in time."""
    client.pgconn.send_query(f"{before}; SELECT pg_backend_pid()".encode())
    found = None
    while select.select([client.pgconn.socket], [], [], _POOLER_SECONDS)[0]:
        client.pgconn.consume_input()
        while not client.pgconn.is_busy():
            result = client.pgconn.get_result()
            if result is None:
                return found
            if result.ntuples:
                found = int(result.get_value(0, 0) or 0)
    return None


def _folder() -> str:
    return f"{try_home(settings.home())} can be written"
