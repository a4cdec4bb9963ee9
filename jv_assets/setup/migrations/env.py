"""Alembic's entry: the connection comes from `run.migrate`, which also holds the transaction."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
# Not "IF NOT EXISTS" alone: that asks for the right to create schemas even where ours is there.
if connection.scalar(text("SELECT to_regnamespace('jv')")) is None:
    connection.execute(text("CREATE SCHEMA jv"))
context.configure(connection=connection, version_table_schema="jv", transactional_ddl=True)
context.run_migrations()
