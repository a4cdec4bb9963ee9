"""Where the partitions of a table begin, where that was taken from its ids"""

from alembic import op
from sqlalchemy import text

revision = "0007"
down_revision = "0006"

_OWNER = "SELECT quote_ident(rolname) FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner WHERE nspname = 'jv'"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE jv.partition_cuts (
            ranges integer,
            table_name text,
            firsts uuid[] NOT NULL CHECK (cardinality(firsts) = ranges),
            cut_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (ranges, table_name)
        )
        """
    )
    # Of a database that `jv grant` has handed over before: what is new in the schema belongs to its owner too.
    op.execute(f"ALTER TABLE jv.partition_cuts OWNER TO {op.get_bind().scalar(text(_OWNER))}")
