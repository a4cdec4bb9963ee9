"""The hash of each vector as it was stored, by which another program's is told from ours"""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # Null until the next embed: of vectors that were stored before, it takes what is there.
    op.execute("ALTER TABLE jv.embedded_texts ADD COLUMN vector_hash bytea")
