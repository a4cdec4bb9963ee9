"""Check whether logical replication lets the pipeline update and delete rows.

Postgres refuses an UPDATE or DELETE of a published table without a replica identity, by default its primary key.
EXPLAIN makes Postgres say so without a write, also for partitions, row filters and column lists.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from jv_assets.errors import UserError
from jv_assets.resources.database_errors import driver_error
from jv_assets.resources.redaction import headline
from jv_assets.tables import WRITTEN

_STATEMENTS = {
    "match_suggestions": ("UPDATE match_suggestions SET score_ab = score_ab",),
    "profiles": ("UPDATE profiles SET embeddings_model = embeddings_model",),
    "jv.embedded_texts": ("UPDATE jv.embedded_texts SET model = model", "DELETE FROM jv.embedded_texts"),
    "jv.publish_runs": ("DELETE FROM jv.publish_runs",),
    "jv.replaced_scores": ("DELETE FROM jv.replaced_scores",),
    "jv.partition_cuts": ("DELETE FROM jv.partition_cuts",),
    "jv.score_log_sources": (
        "UPDATE jv.score_log_sources SET last_at = last_at",
        "DELETE FROM jv.score_log_sources",
    ),
    "jv.score_log_base": ("UPDATE jv.score_log_base SET at = at", "DELETE FROM jv.score_log_base"),
    "jv.read_marks": ("UPDATE jv.read_marks SET sealed_by = sealed_by", "DELETE FROM jv.read_marks"),
    "jv.ratings": ("DELETE FROM jv.ratings",),
    "jv.match_candidates": ("UPDATE jv.match_candidates SET rank = rank", "DELETE FROM jv.match_candidates"),
    "jv.trials": ("UPDATE jv.trials SET ended_by = ended_by",),
    "jv.trial_scores": ("UPDATE jv.trial_scores SET score_ab = score_ab", "DELETE FROM jv.trial_scores"),
    "jv.trial_nights": ("UPDATE jv.trial_nights SET figures = figures",),
    "jv.published_ranges": ("UPDATE jv.published_ranges SET as_of = as_of",),
}
"""By table, one statement of each kind that the pipeline runs there, except INSERT, which needs no replica identity."""
_NO_IDENTITY, _NOT_COVERED = "55000", "42P10"
_LACKING = """
    WITH RECURSIVE tree AS (
        SELECT to_regclass(:table)::oid AS relation
        UNION SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = relation
    )
    SELECT c.oid::regclass::text AS name, EXISTS (
            SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary
        ) AS has_key
    FROM tree JOIN pg_class c ON c.oid = relation
    WHERE c.relkind = 'r' AND (
        relreplident = 'n'
        OR relreplident = 'd' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)
        OR relreplident = 'i' AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisreplident)
    )
    ORDER BY 1
"""
_PUBLICATIONS = """
    SELECT quote_ident(pubname) FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid
    WHERE prrelid = to_regclass(:table) ORDER BY 1
"""


def refuse_unpublishable(connection: Connection) -> None:
    """Raise UserError, with cause and cure, if a publication makes Postgres refuse what the pipeline writes."""
    if not connection.scalar(text("SELECT EXISTS (SELECT FROM pg_publication)")):
        return
    for table, statements in _STATEMENTS.items():
        for statement in statements:
            _try(connection, table, statement)


def _try(connection: Connection, table: str, statement: str) -> None:
    try:
        with connection.begin_nested():
            connection.execute(text(f"EXPLAIN {statement}"))
        return
    except DBAPIError as error:
        cause = driver_error(error)
    if cause.sqlstate == _NO_IDENTITY:
        cures = [_identified(table, row.name, row.has_key) for row in _rows(connection, _LACKING, table)]
    elif cause.sqlstate == _NOT_COVERED:
        cures = [
            f"ALTER PUBLICATION {name} DROP TABLE {table}; ALTER PUBLICATION {name} ADD TABLE {table}"
            for (name,) in _rows(connection, _PUBLICATIONS, table)
        ]
    else:
        raise cause
    raise UserError(f"a publication keeps {table} from being written: {headline(cause)}; {_cure(cures)}")


def _rows(connection: Connection, sql: str, table: str) -> Sequence[Row[Any]]:
    return connection.execute(text(sql), {"table": table}).all()


def _cure(statements: list[str]) -> str:
    return f"let the owner type: {'; '.join(statements)}" if statements else "let its owner take the table out"


def _identified(table: str, name: str, has_key: bool) -> str:
    if has_key:
        return f"ALTER TABLE {name} REPLICA IDENTITY DEFAULT"
    if table in WRITTEN:
        return f"ALTER TABLE {name} ADD PRIMARY KEY (id), REPLICA IDENTITY DEFAULT"
    return f"ALTER TABLE {name} REPLICA IDENTITY FULL"
