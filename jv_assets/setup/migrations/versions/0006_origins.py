"""What tells this database and its history from others, and newer published scores from older ones"""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("CREATE TABLE jv.identity (id uuid PRIMARY KEY DEFAULT gen_random_uuid())")
    op.execute("INSERT INTO jv.identity DEFAULT VALUES")
    # A mark is sealed by a step that has read all: `sealed_by` is the first transaction id that was free then.
    op.execute(
        """
        CREATE TABLE jv.read_marks (
            mark uuid PRIMARY KEY,
            made_at timestamptz NOT NULL DEFAULT now(),
            sealed_by bigint
        )
        """
    )
    # How old the data were that the scores of the matches from low to high were last published from.
    op.execute(
        """
        CREATE TABLE jv.published_ranges (
            low uuid,
            high uuid,
            as_of timestamptz NOT NULL,
            PRIMARY KEY (low, high)
        )
        """
    )
