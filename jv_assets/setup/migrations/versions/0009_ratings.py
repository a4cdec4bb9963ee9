"""Pairs of rating sheets, and what people thought of them"""

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0008"

_OWNER = "SELECT quote_ident(rolname) FROM pg_namespace JOIN pg_roles r ON r.oid = nspowner WHERE nspname = 'jv'"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE jv.rating_pairs (
            sheet text,
            pair integer,
            source text NOT NULL CHECK (source IN ('published', 'discovery', 'random')),
            match_id uuid,
            profile_id uuid NOT NULL,
            candidate_id uuid NOT NULL,
            policy text NOT NULL,
            tenth integer,
            tenth_matches integer,
            ranks jsonb NOT NULL,
            drawn_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (sheet, pair)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE jv.ratings (
            sheet text,
            pair integer,
            rater text,
            rating integer NOT NULL CHECK (rating BETWEEN 1 AND 5),
            note text NOT NULL,
            rated_at timestamptz NOT NULL,
            PRIMARY KEY (sheet, pair, rater),
            FOREIGN KEY (sheet, pair) REFERENCES jv.rating_pairs
        )
        """
    )
    # Of a database that `jv grant` has handed over before: what is new in the schema belongs to its owner too.
    owner = op.get_bind().scalar(text(_OWNER))
    for table in ("rating_pairs", "ratings"):
        op.execute(f"ALTER TABLE jv.{table} OWNER TO {owner}")
