"""Trials of a policy or a calibration: what is tried, its scores, and the figures of each night"""

from alembic import op
from sqlalchemy import text

revision = "0011"
down_revision = "0010"

_OWNER = "SELECT quote_ident(rolname) FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner WHERE nspname = 'jv'"
_TABLES = {
    "trials": """
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text NOT NULL UNIQUE,
        policy text NOT NULL,
        calibration text,
        scoring_version text NOT NULL,
        embedding_model text NOT NULL,
        criteria jsonb NOT NULL,
        criteria_sha256 text NOT NULL,
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        started_by text NOT NULL,
        ended_at timestamptz,
        ended_by text
    """,
    "trial_scores": """
        trial_id integer,
        match_id uuid,
        score_ab numeric(5, 2) NOT NULL,
        score_ba numeric(5, 2) NOT NULL,
        harmonic_mean numeric(5, 2) NOT NULL,
        PRIMARY KEY (trial_id, match_id)
    """,
    "trial_nights": """
        trial_id integer REFERENCES jv.trials,
        run text,
        night date NOT NULL,
        noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        production_policy text,
        production_version text,
        why_not_complete text,
        figures jsonb NOT NULL,
        PRIMARY KEY (trial_id, run)
    """,
}


def upgrade() -> None:
    # If `jv grant` has handed the schema over before, its owner gets the new tables too.
    owner = op.get_bind().scalar(text(_OWNER))
    for name, columns in _TABLES.items():
        op.execute(f"CREATE TABLE jv.{name} ({columns})")
        op.execute(f"ALTER TABLE jv.{name} OWNER TO {owner}")
