"""The pairs that discovery proposes, for the platform to read"""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"

_OWNER = "SELECT quote_ident(rolname) FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner WHERE nspname = 'jv'"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE jv.match_candidates (
            profile_id uuid,
            candidate_id uuid,
            rank integer,
            harmonic_mean numeric(5, 2) NOT NULL,
            score_ab numeric(5, 2) NOT NULL,
            score_ba numeric(5, 2) NOT NULL,
            accepted boolean,
            policy text NOT NULL,
            scoring_version text NOT NULL,
            embedding_model text NOT NULL,
            inputs_hash text NOT NULL,
            as_of timestamptz NOT NULL,
            run text NOT NULL,
            PRIMARY KEY (profile_id, candidate_id)
        )
        """
    )
    # If `jv grant` has handed the schema over before, its owner gets the new table too.
    op.execute(f"ALTER TABLE jv.match_candidates OWNER TO {op.get_bind().scalar(text(_OWNER))}")
