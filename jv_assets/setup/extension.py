"""Whether pgvector exists, in whichever schema, and whether the role may use it.

`Database` adds that schema to the end of the search path, which helps only a role that may use the schema.
"""

from sqlalchemy import Connection, text

from jv_assets.errors import UserError

_EXTENSION = """
    SELECT extversion AS version, quote_ident(nspname) AS schema, has_schema_privilege(n.oid, 'USAGE') AS may_use,
        to_regtype('vector') IS NOT NULL AS is_found, quote_ident(current_user) AS role
    FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'vector'
"""
_AVAILABLE = "SELECT default_version FROM pg_available_extensions WHERE name = 'vector'"
NOT_INSTALLED = "the database server has no pgvector: install it there (the package postgresql-NN-pgvector)"


def require_vector(connection: Connection) -> str:
    """Return the version of pgvector; UserError if the database has none, or if the role may not use it."""
    if version := usable_vector(connection):
        return version
    if available := connection.scalar(text(_AVAILABLE)):
        raise UserError(f"pgvector {available} is not yet in this database; type: jv migrate")
    raise UserError(NOT_INSTALLED)


def usable_vector(connection: Connection) -> str | None:
    """Return the version of pgvector, None if the database has none; UserError if the role may not use it."""
    extension = connection.execute(text(_EXTENSION)).first()
    if extension is None:
        return None
    if not extension.may_use:
        raise UserError(
            f"role {extension.role} may not use schema {extension.schema}, where pgvector is; let that schema's owner "
            f"type: GRANT USAGE ON SCHEMA {extension.schema} TO {extension.role}"
        )
    if not extension.is_found:
        raise UserError(
            f"role {extension.role} looks in no schema that is there; let an administrator type: ALTER ROLE "
            f"{extension.role} SET search_path = public, {extension.schema}"
        )
    return str(extension.version)
