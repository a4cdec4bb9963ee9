"""What the pipeline's role needs and no more: to read two tables, write our columns in them, and own the schema jv."""

from psycopg import Cursor, sql
from sqlalchemy import Connection, text

from jv_assets.errors import UserError
from jv_assets.migrations.run import is_current
from jv_assets.pipeline.obstacles import POLICY
from jv_assets.resources.database import Database
from jv_assets.tables import WRITTEN

_ROLE = "SELECT rolsuper FROM pg_roles WHERE rolname = :role"
# Of a table that is secured against the role: the roles that have the policy, null where there is none.
_SECURED = """
    SELECT c.relname, (
        SELECT array_agg(r.rolname::text ORDER BY r.rolname)
        FROM pg_policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
        WHERE p.polrelid = c.oid AND p.polname = 'jv_all_rows'
    )
    FROM pg_class c, pg_roles me
    WHERE c.oid = ANY (SELECT to_regclass(t) FROM unnest(CAST(:tables AS text[])) AS t) AND me.rolname = :role
        AND c.relrowsecurity AND NOT me.rolbypassrls
        AND (c.relforcerowsecurity OR NOT pg_has_role(me.oid, c.relowner, 'USAGE'))
        AND NOT EXISTS (
            SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'jv_all_rows' AND me.oid = ANY (p.polroles)
        )
    ORDER BY c.relname DESC
"""
_RELATIONS = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'jv' AND c.relkind IN ('r', 'p', 'v') ORDER BY c.relname
"""


def grant(database: Database, role: str) -> list[str]:
    """Give the role its rights, in one transaction; returns the statements. Doing it again changes nothing.

    Where row-level security is on, a policy shows the role all rows and lets it update them.

    To be run by the owner of the tables, who must be a superuser or a member of the role to hand over the schema.
    UserError for a role that there is not, a database that is not migrated, and rights that the owner lacks.
    """
    with database.transaction() as connection:
        _refuse_unfit(connection, role)
        statements = _statements(connection, role)
        cursor: Cursor[tuple[object, ...]] = connection.connection.cursor()  # type: ignore[assignment]
        for statement in statements:
            cursor.execute(statement)
        return [statement.as_string(cursor) for statement in statements]


def _refuse_unfit(connection: Connection, role: str) -> None:
    if not is_current(connection):
        raise UserError("schema jv is missing or behind; type: jv migrate")
    found = connection.execute(text(_ROLE), {"role": role}).first()
    if found is None:
        raise UserError(f"there is no role {role}: let an administrator type: CREATE ROLE … LOGIN PASSWORD …")
    if found.rolsuper:
        raise UserError(f"role {role} is a superuser, who may do anything: give the pipeline a role of its own")


def _statements(connection: Connection, role: str) -> list[sql.Composed]:
    """Nothing here is put together from text: names are quoted as identifiers."""
    name, database = sql.Identifier(role), sql.Identifier(str(connection.scalar(text("SELECT current_database()"))))
    statements = [sql.SQL("GRANT TEMP ON DATABASE {} TO {}").format(database, name)]
    for table, columns in WRITTEN.items():
        ours = sql.SQL(", ").join(map(sql.Identifier, columns))
        statements.append(sql.SQL("GRANT SELECT, UPDATE ({}) ON {} TO {}").format(ours, sql.Identifier(table), name))
    statements.append(sql.SQL("ALTER SCHEMA jv OWNER TO {}").format(name))
    for relation in connection.scalars(text(_RELATIONS)):
        statements.append(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier("jv", relation), name))
    return statements + _policies(connection, role)


def _policies(connection: Connection, role: str) -> list[sql.Composed]:
    """By which the role sees and updates all rows, where row-level security is on and they are not there yet."""
    statements = []
    for table, other_roles in connection.execute(text(_SECURED), {"role": role, "tables": list(WRITTEN)}):
        roles = sql.SQL(", ").join(map(sql.Identifier, [*(other_roles or ()), role]))
        # To all that have it already, too: it may have been made for another role.
        words = "CREATE POLICY {} ON {} TO {} USING (true) WITH CHECK (true)"
        if other_roles is not None:
            words = words.replace("CREATE", "ALTER")
        statements.append(sql.SQL(words).format(sql.Identifier(POLICY), sql.Identifier(table), roles))
    return statements
