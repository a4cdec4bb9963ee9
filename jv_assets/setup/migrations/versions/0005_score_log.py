"""The log of published scores, which tells what stood in production at any moment"""

from alembic import op
from sqlalchemy import text

revision = "0005"
down_revision = "0004"

_TABLES = ("score_log_sources", "score_log_rows", "score_log_base", "score_log_seeded", "score_log")
_OWNER = "SELECT quote_ident(rolname) FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner WHERE nspname = 'jv'"


def upgrade() -> None:
    # Run, policy, version and model are the same for thousands of rows: a row of the log names one row of this table.
    op.execute(
        """
        CREATE TABLE jv.score_log_sources (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            run_id text,
            policy text,
            scoring_version text,
            embedding_model text,
            seeded boolean NOT NULL DEFAULT false,
            last_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            UNIQUE NULLS NOT DISTINCT (run_id, policy, scoring_version, embedding_model, seeded)
        )
        """
    )
    # 64 bytes a row, in this order of the columns. A real holds a score of two decimals to the last digit.
    columns = "source_id integer NOT NULL, score_ab real, score_ba real, harmonic_mean real"
    op.execute(
        f"""
        CREATE TABLE jv.score_log_rows (at timestamptz NOT NULL, match_id uuid NOT NULL, {columns})
        PARTITION BY RANGE (at)
        """
    )
    op.execute("CREATE INDEX ON jv.score_log_rows (match_id, at)")
    op.execute(f"CREATE TABLE jv.score_log_base (match_id uuid PRIMARY KEY, at timestamptz NOT NULL, {columns})")
    op.execute(
        """
        CREATE TABLE jv.score_log_seeded (
            low uuid, high uuid, at timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (low, high)
        )
        """
    )
    op.execute(
        """
        CREATE VIEW jv.score_log AS
        SELECT match_id, at, run_id, score_ab::numeric, score_ba::numeric, harmonic_mean::numeric,
            policy, scoring_version, embedding_model, seeded
        FROM (
            SELECT match_id, at, source_id, score_ab, score_ba, harmonic_mean FROM jv.score_log_base
            UNION ALL
            SELECT match_id, at, source_id, score_ab, score_ba, harmonic_mean FROM jv.score_log_rows
        ) AS logged
        JOIN jv.score_log_sources s ON s.id = source_id
        """
    )
    # Of a database that `jv grant` has handed over before: what is new in the schema belongs to its owner too.
    owner = op.get_bind().scalar(text(_OWNER))
    for name in _TABLES:
        op.execute(f"ALTER TABLE jv.{name} OWNER TO {owner}")
