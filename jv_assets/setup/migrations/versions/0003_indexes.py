"""Indexes by which the sensors find new matches, edited profiles and the matches that refer to them"""

from alembic import op
from sqlalchemy import text

revision = "0003"
down_revision = "0002"

# Of columns that publishing never writes, so that its updates stay within a page (HOT).
_INDEXED = (
    ("profiles", "updated_at"),
    ("match_suggestions", "suggested_at"),
    ("match_suggestions", "profile_id"),
    ("match_suggestions", "suggested_profile_id"),
)
# Without them the sensors read whole tables: slower, and no reason to refuse an owner who may not create in the schema.
_CAN_HAVE_ONE = """
    SELECT count(*) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
    WHERE attrelid = to_regclass(:table) AND attname = :column AND NOT attisdropped
    AND has_schema_privilege(relnamespace, 'CREATE') AND NOT EXISTS (
        SELECT FROM pg_index WHERE indrelid = attrelid AND indkey[0] = attnum AND indisvalid AND indpred IS NULL
    )
"""


def upgrade() -> None:
    for table, column in _INDEXED:
        asked = {"table": table, "column": column}
        if op.get_bind().scalar(text(_CAN_HAVE_ONE), asked):
            op.create_index(f"jv_{column}", table, [column])
