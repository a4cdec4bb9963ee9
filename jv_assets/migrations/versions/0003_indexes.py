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
_LEADS = """
    SELECT count(*) FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indrelid = to_regclass(:table) AND attname = :column AND indisvalid AND indpred IS NULL
"""


def upgrade() -> None:
    for table, column in _INDEXED:
        asked = {"table": table, "column": column}
        if not op.get_bind().scalar(text(_LEADS), asked):
            op.create_index(f"jv_{column}", table, [column])
