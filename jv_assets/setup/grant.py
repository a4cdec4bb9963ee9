"""Grant the pipeline's role what it needs: read two tables, write our columns in them, and own the schema jv."""

from psycopg import Cursor, sql
from sqlalchemy import Connection, text

from jv_assets.errors import UserError
from jv_assets.pipeline.database.obstacles import POLICY
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import is_current
from jv_assets.setup.seen import READ_ONLY, refuse_read_only
from jv_assets.tables import WRITTEN

_ROLE = "SELECT rolsuper FROM pg_roles WHERE rolname = :role"
# From PostgreSQL 16 on, the creator of a role may administer it, but is not a member who may hand something over to it.
_POWERS = """
    SELECT quote_ident(me.rolname) AS me, quote_ident(r.rolname) AS role, quote_ident(current_database()) AS database,
        pg_has_role(me.oid, r.oid, CASE WHEN is_16 THEN 'SET' ELSE 'MEMBER' END)
            AND pg_has_role(me.oid, r.oid, 'USAGE') AS may_hand_over,
        me.rolsuper OR pg_has_role(me.oid, r.oid, 'MEMBER WITH ADMIN OPTION') OR me.rolcreaterole AND NOT is_16
            AS may_grant_role,
        CASE WHEN is_16 AND NOT me.rolinherit THEN ' WITH INHERIT TRUE' ELSE '' END AS inherits,
        has_database_privilege(current_database(), 'CREATE')
            OR r.oid = (SELECT nspowner FROM pg_namespace WHERE nspname = 'jv') AS may_create,
        has_database_privilege(r.oid, current_database(), 'TEMP') AS has_temp,
        has_database_privilege(current_database(), 'TEMP WITH GRANT OPTION') AS may_grant_temp,
        (SELECT quote_ident(rolname) FROM pg_roles JOIN pg_database d ON d.datdba = pg_roles.oid
            WHERE datname = current_database()) AS database_owner
    FROM pg_roles me, pg_roles r, (SELECT current_setting('server_version_num')::int >= 160000 AS is_16) AS server
    WHERE me.rolname = current_user AND r.rolname = :role
"""
_NOT_OWNED = """
    SELECT string_agg(c.oid::regclass::text, ' and ' ORDER BY c.relname DESC) AS names, quote_ident(r.rolname) AS owner,
        quote_ident(current_user) AS me
    FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
    WHERE c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions')) AND NOT pg_has_role(c.relowner, 'USAGE')
    GROUP BY 2 ORDER BY 1 LIMIT 1
"""
# The schemas of the tables and of pgvector that the role may not use yet.
_CLOSED_SCHEMAS = """
    SELECT n.nspname AS name, quote_ident(n.nspname) AS quoted, quote_ident(owner.rolname) AS owner,
        has_schema_privilege(n.oid, 'USAGE WITH GRANT OPTION') AS may_grant
    FROM pg_namespace n JOIN pg_roles owner ON owner.oid = n.nspowner
    WHERE NOT has_schema_privilege(CAST(:role AS name), n.oid, 'USAGE') AND (
        n.oid IN (SELECT relnamespace FROM pg_class
                  WHERE oid IN (to_regclass('profiles'), to_regclass('match_suggestions')))
        OR n.oid IN (SELECT extnamespace FROM pg_extension WHERE extname = 'vector')
    )
    ORDER BY 1
"""
# Tables with row-level security against the role: the roles of our policy, null if there is none, and a name that no
# policy has. A policy of another program may have the same name and show less.
_SECURED = """
    WITH policy AS (
        SELECT *, polpermissive AND polcmd = '*' AND pg_get_expr(polqual, polrelid) = 'true'
            AND coalesce(pg_get_expr(polwithcheck, polrelid), 'true') = 'true' AS shows_all
        FROM pg_policy
    )
    SELECT n.nspname, c.relname, (
        SELECT array_agg(r.rolname::text ORDER BY r.rolname)
        FROM policy p JOIN pg_roles r ON r.oid = ANY (p.polroles)
        WHERE p.polrelid = c.oid AND p.polname = 'jv_all_rows' AND p.shows_all
    ), (
        SELECT free FROM (VALUES ('jv_all_rows'), ('jv_all_rows_2'), ('jv_all_rows_3')) AS names (free)
        WHERE free NOT IN (SELECT polname FROM policy WHERE polrelid = c.oid) LIMIT 1
    )
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, pg_roles me
    WHERE (c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions'))
            OR n.nspname = 'jv' AND c.relkind IN ('r', 'p') AND NOT c.relispartition)
        AND me.rolname = :role AND c.relrowsecurity AND NOT me.rolbypassrls
        AND (c.relforcerowsecurity OR NOT pg_has_role(me.oid, c.relowner, 'USAGE'))
        AND NOT EXISTS (SELECT FROM policy p WHERE p.polrelid = c.oid AND p.shows_all AND me.oid = ANY (p.polroles))
    ORDER BY n.nspname <> 'jv' DESC, c.relname DESC
"""
_RELATIONS = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'jv' AND c.relkind IN ('r', 'p', 'v') ORDER BY c.relname
"""


def grant(database: Database, role: str) -> list[str]:
    """Grant the role its privileges in one transaction; return the statements. Idempotent.

    If row-level security is on, a policy shows the role all rows and lets it update them.

    Run by the owner of the tables, who must be a superuser or a member of the role to hand over the schema. UserError
    for an unknown role, a database that is not migrated, and privileges that the owner lacks.
    """
    with database.transaction() as connection:
        refuse_read_only(connection.execute(text(READ_ONLY)).one(), database.place)
        _refuse_unfit(connection, role)
        _refuse_powerless(connection, role)
        statements = _statements(connection, role)
        cursor: Cursor[tuple[object, ...]] = connection.connection.cursor()  # type: ignore[assignment]
        for statement in statements:
            cursor.execute(statement)
        return [statement.as_string(cursor) for statement in statements]


def _refuse_unfit(connection: Connection, role: str) -> None:
    if other := connection.execute(text(_NOT_OWNED)).first():
        raise UserError(
            f"{other.names} belong to {other.owner}, and not to {other.me}: connect as {other.owner} in "
            f"JV_DATABASE_URL, then again: jv grant {role}"
        )
    if not is_current(connection):
        raise UserError("schema jv is missing or behind; type: jv migrate")
    known_role = connection.execute(text(_ROLE), {"role": role}).first()
    if known_role is None:
        raise UserError(f"there is no role {role}: let an administrator type: CREATE ROLE … LOGIN PASSWORD …")
    if known_role.rolsuper:
        raise UserError(f"role {role} is a superuser, who may do anything: give the pipeline a role of its own")


def _refuse_powerless(connection: Connection, role: str) -> None:
    """Raise UserError with the statement that gives the current user the power to run all the others."""
    powers = connection.execute(text(_POWERS), {"role": role}).one()
    again = f"then again: jv grant {role}"
    if not powers.may_hand_over:
        who = "type" if powers.may_grant_role else "let an administrator type"
        raise UserError(
            f"{powers.me} is no member of role {powers.role}, so that it cannot hand schema jv over to it; {who}: "
            f"GRANT {powers.role} TO {powers.me}{powers.inherits}; {again}"
        )
    lacking = "" if powers.may_create else f"GRANT CREATE ON DATABASE {powers.database} TO {powers.me}"
    if not (powers.has_temp or powers.may_grant_temp):
        lacking = "; ".join(filter(None, [lacking, f"GRANT TEMP ON DATABASE {powers.database} TO {powers.role}"]))
    if lacking:
        raise UserError(
            f"{powers.me} may too little in database {powers.database}; let {powers.database_owner} type: "
            f"{lacking}; {again}"
        )
    for schema in connection.execute(text(_CLOSED_SCHEMAS), {"role": role}):
        if not schema.may_grant:
            raise UserError(
                f"role {powers.role} may not use schema {schema.quoted}; let {schema.owner} type: GRANT USAGE ON "
                f"SCHEMA {schema.quoted} TO {powers.role}; {again}"
            )


def _statements(connection: Connection, role: str) -> list[sql.Composed]:
    """Names are quoted as identifiers; nothing is built from plain text."""
    name, database = sql.Identifier(role), sql.Identifier(str(connection.scalar(text("SELECT current_database()"))))
    statements = [sql.SQL("GRANT TEMP ON DATABASE {} TO {}").format(database, name)]
    if not connection.execute(text(_POWERS), {"role": role}).one().may_grant_temp:
        statements.clear()  # The role has it already.
    for schema in connection.execute(text(_CLOSED_SCHEMAS), {"role": role}):
        statements.append(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema.name), name))
    for table, columns in WRITTEN.items():
        ours = sql.SQL(", ").join(map(sql.Identifier, columns))
        statements.append(sql.SQL("GRANT SELECT, UPDATE ({}) ON {} TO {}").format(ours, sql.Identifier(table), name))
    statements.append(sql.SQL("ALTER SCHEMA jv OWNER TO {}").format(name))
    for relation in connection.scalars(text(_RELATIONS)):
        statements.append(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier("jv", relation), name))
    return statements + _policies(connection, role)


def _policies(connection: Connection, role: str) -> list[sql.Composed]:
    """Yield the statements that let the role see and update all rows, if row-level security is on and they are
    missing.
    """
    statements = []
    for schema, table, other_roles, free in connection.execute(text(_SECURED), {"role": role}):
        roles = sql.SQL(", ").join(map(sql.Identifier, [*(other_roles or ()), role]))
        # Also to roles that have it already, because the policy may have been made for another role.
        words = "CREATE POLICY {} ON {} TO {} USING (true) WITH CHECK (true)"
        if other_roles is not None:
            words = words.replace("CREATE", "ALTER")
        name = sql.Identifier(POLICY if other_roles else free)
        secured = sql.Identifier(schema, table) if schema == "jv" else sql.Identifier(table)
        statements.append(sql.SQL(words).format(name, secured, roles))
    return statements
