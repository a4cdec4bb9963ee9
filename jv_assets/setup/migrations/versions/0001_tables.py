"""pgvector, the two tables where they are missing, the columns that the pipeline writes, and the schema jv"""

from alembic import context, op
from sqlalchemy import text

from jv_assets.errors import UserError

revision = "0001"
down_revision = None

_MANDATORY = {"id": " PRIMARY KEY", "name": " NOT NULL", "profile_id": " NOT NULL", "suggested_profile_id": " NOT NULL"}
# As the tables were when this migration was written: later changes are later migrations.
_PROFILES = {
    "id": "uuid",
    "name": "text",
    "email": "text",
    "phone": "text",
    "company": "text",
    "website": "text",
    "linkedin": "text",
    "avatar_url": "text",
    "business_focus": "text",
    "status": "text",
    "service_provided": "text",
    "business_size": "text",
    "role": "text",
    "bio": "text",
    "notes": "text",
    "what_you_do": "text",
    "who_you_serve": "text",
    "seeking": "text",
    "offering": "text",
    "signature_programs": "text",
    "booking_link": "text",
    "current_projects": "text",
    "niche": "text",
    "audience_type": "text",
    "network_role": "text",
    "revenue_tier": "text",
    "tags": "text[]",
    "secondary_emails": "text[]",
    "list_size": "integer",
    "social_reach": "integer",
    "audience_engagement_score": "double precision",
    "profile_confidence": "double precision",
    "pagerank_score": "double precision",
    "degree_centrality": "double precision",
    "betweenness_centrality": "double precision",
    "jv_history": "jsonb",
    "content_platforms": "jsonb",
    "enrichment_metadata": "jsonb",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "profile_updated_at": "timestamptz",
    "last_active_at": "timestamptz",
    "last_enriched_at": "timestamptz",
}
_MATCHES = {
    "id": "uuid",
    "profile_id": "uuid",
    "suggested_profile_id": "uuid",
    "match_score": "numeric(5,2)",
    "match_reason": "text",
    "source": "text",
    "status": "text",
    "suggested_at": "timestamptz",
    "viewed_at": "timestamptz",
    "contacted_at": "timestamptz",
    "notes": "text",
    "rich_analysis": "text",
    "analysis_generated_at": "timestamptz",
    "email_sent_at": "timestamptz",
    "user_feedback": "text",
    "feedback_at": "timestamptz",
    "scale_symmetry_score": "numeric(5,2)",
    "trust_level": "text",
    "expires_at": "timestamptz",
    "draft_intro_clicked_at": "timestamptz",
}
_EMBEDDED = ("seeking", "offering", "who_you_serve", "what_you_do")
_SCORES = {
    "score_ab": "numeric(5,2)",
    "score_ba": "numeric(5,2)",
    "harmonic_mean": "numeric(5,2)",
    "match_context": "jsonb",
}


def upgrade() -> None:
    connection = op.get_bind()
    if connection.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")) == 0:
        if connection.scalar(text("SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")) == 0:
            raise UserError(
                "the database server has no pgvector: install it there (the package postgresql-NN-pgvector)"
            )
        op.execute("CREATE EXTENSION vector")
    vector = f"vector({context.config.attributes['dimension']})"
    profile_outputs = {f"embedding_{field}": vector for field in _EMBEDDED} | {
        "embeddings_model": "varchar(100)",
        "embeddings_updated_at": "timestamptz",
    }
    tables = {"profiles": (_PROFILES, profile_outputs), "match_suggestions": (_MATCHES, _SCORES)}
    missing = [name for name in tables if connection.scalar(text(f"SELECT to_regclass('{name}')")) is None]
    if len(missing) == 1:
        raise UserError(
            f"the database has one of the two tables but no {missing[0]}: check the database's name in "
            "JV_DATABASE_URL, and the role's search_path"
        )
    for name, (columns, outputs) in tables.items():
        if name in missing:
            lines = [f"{column} {kind}{_MANDATORY.get(column, '')}" for column, kind in (columns | outputs).items()]
            op.execute(f"CREATE TABLE {name} ({', '.join(lines)})")
        else:
            _add_columns(name, outputs)
    op.execute(
        """
        CREATE TABLE jv.embedded_texts (
            profile_id uuid,
            field text,
            text_hash bytea NOT NULL,
            model varchar(100) NOT NULL,
            embedded_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (profile_id, field)
        )
        """
    )


def _add_columns(table: str, columns: dict[str, str]) -> None:
    """Add those that are missing: without a default, so that no row is rewritten."""
    there = set(
        op.get_bind().scalars(
            text(
                "SELECT attname FROM pg_attribute "
                "WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped"
            ),
            {"table": table},
        )
    )
    added = [f"ADD COLUMN {name} {kind}" for name, kind in columns.items() if name not in there]
    if added:
        op.execute(f"ALTER TABLE {table} {', '.join(added)}")
