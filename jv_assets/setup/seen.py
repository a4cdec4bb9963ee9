"""What the catalogue says about a database, its tables and columns, read once for all checks of the doctor."""

from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import Connection, Row, text

from jv_assets.errors import UserError
from jv_assets.tables import READ

_SERVER = """
    SELECT current_setting('server_version') AS version, current_setting('transaction_read_only') = 'on' AS read_only,
        pg_backend_pid() AS pid, quote_ident(current_user) AS role, rolsuper AS is_superuser,
        quote_ident(current_database()) AS database, has_database_privilege(current_database(), 'TEMP') AS may_temp
    FROM pg_roles WHERE rolname = current_user
"""
# Not to_regclass for schema jv, because it raises an error for a role that may not use the schema.
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


READ_ONLY = "SELECT current_setting('transaction_read_only') = 'on' AS read_only"


@dataclass(frozen=True)
class Seen:
    """What the database says about itself: `tables` by name, `columns` by table and name."""

    server: Row[Any]
    tables: dict[str, Row[Any]]
    columns: dict[str, dict[str, Row[Any]]]
    is_pooled: bool


def look_at_database(connection: Connection) -> Seen:
    """Read the catalogue; reads no row of a table."""
    server = connection.execute(text(_SERVER)).one()
    tables = {row.name: row for row in connection.execute(text(_TABLES))}
    columns: dict[str, dict[str, Row[Any]]] = {name: {} for name in READ if name in tables}
    for row in connection.execute(text(_COLUMNS)):
        columns[row.relname][row.attname] = row
    driver = connection.connection.driver_connection
    assert isinstance(driver, psycopg.Connection)
    # A pooler gives each client its own number, with which the client can cancel its statements.
    return Seen(server, tables, columns, driver.info.backend_pid != server.pid)


def refuse_read_only(server: Row[Any], place: str) -> None:
    """Raise UserError if nothing can be written, by a row that has `read_only`."""
    if server.read_only:
        raise UserError(
            f"{place} takes no writes: it is a replica, or default_transaction_read_only is on; give the primary in "
            "JV_DATABASE_URL, or let the server's operator turn that off (jv status, explain, export and report only "
            "read, and work there)"
        )
