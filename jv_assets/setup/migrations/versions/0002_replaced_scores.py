"""What each publishing run replaced, so that it can be put back"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # Numbers without a limit: a table that was there before us may hold more digits than numeric(5,2).
    op.execute("CREATE TABLE jv.publish_runs (run_id text PRIMARY KEY, started_at timestamptz NOT NULL DEFAULT now())")
    op.execute(
        """
        CREATE TABLE jv.replaced_scores (
            match_id uuid,
            run_id text,
            replaced_at timestamptz NOT NULL DEFAULT now(),
            score_ab numeric,
            score_ba numeric,
            harmonic_mean numeric,
            match_context jsonb,
            PRIMARY KEY (match_id, run_id)
        )
        """
    )
