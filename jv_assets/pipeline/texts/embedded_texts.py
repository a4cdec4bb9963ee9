"""The database's knowledge of each text that gets a vector: the text, the vector's state, and the hash of what it
embeds.

`jv.embedded_texts` has, per profile and field, the sha256 of the text, the model's name, and the sha256 of the stored
vector. So a vector that another program wrote under the same name is noticed.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, Row, text

from jv_assets.pipeline.database.profile_spans import WITHIN, Span
from jv_assets.pipeline.texts.stored_vectors import dimension_of, model_of
from jv_assets.tables import comparable
from jv_scoring.text import EMBEDDED_FIELDS

PROFILE_MODEL = model_of("p.embeddings_model")
"""SQL for the model that made the vectors of profile `p`."""

_EDITED_AT = ("profile_updated_at", "updated_at")
"""Columns of other programs that say when a profile was last written to. A database may lack them."""
# A domain has the category of its base type.
_TIMES = """
    SELECT attname FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
    WHERE attrelid = 'profiles'::regclass AND attname = ANY(:names) AND NOT attisdropped
        AND typcategory = 'D' AND atttypid NOT IN ('time'::regtype, 'timetz'::regtype)
        AND has_column_privilege(attrelid, attnum, 'SELECT')
    ORDER BY attnum
"""
_READ = f"""
    SELECT p.id::text, f.field, f.stored, f.dimension, {PROFILE_MODEL} AS profile_model, e.text_hash, e.model,
        e.vector_hash IS NOT NULL AS is_hashed,
        {PROFILE_MODEL} = e.model AND e.vector_hash <> {{vector_hash}} AS is_overwritten,
        e.profile_id IS NULL AND {{edited_since}} AS is_older
    FROM profiles p
    CROSS JOIN LATERAL (VALUES {{fields}}) AS f (field, stored, dimension, vector)
    LEFT JOIN jv.embedded_texts e ON e.profile_id = p.id AND e.field = f.field
    WHERE p.id {WITHIN.format(id="p.id")}
"""  # noqa: S608 - of our own constants
# True if there is nothing to do, so that most texts need not be read. It may be false although Python finds nothing to
# do, because Postgres strips fewer characters. A text with two printed characters and three between them is never
# stripped.
_CURRENT = f"""
    f.stored IS NULL AND f.dimension IS NULL OR f.dimension = :dimension AND {PROFILE_MODEL} = :model AND CASE
        WHEN e.profile_id IS NULL THEN f.stored ~ '[!-~].{{{{3,}}}}[!-~]' AND NOT {{edited_since}}
        ELSE e.model = :model AND e.text_hash = sha256(convert_to(btrim(f.stored, E' \\t\\r\\n'), 'UTF8'))
            AND (e.vector_hash IS NULL OR e.vector_hash = {{vector_hash}}) END
"""


def vector_hash(column: str) -> str:
    """Return SQL for the hash of a vector that `jv.embedded_texts` keeps."""
    return f"sha256(vector_send(CAST({column} AS vector)))"


def read_texts(connection: Connection, span: Span) -> Sequence[Row[tuple[object, ...]]]:
    """Return one row for each of the four fields of the profiles of a span.

    `is_overwritten`: the vector is not the stored one, although it has the same model's name. `is_older`: no hash of
    the vector is kept, and the profile was written to after the vector was made.
    """
    return connection.execute(text(_sql(connection, _READ)), span._asdict()).all()


def read_suspects(connection: Connection, span: Span, model: str, dimension: int) -> Sequence[Row[tuple[object, ...]]]:
    """Return those rows of `read_texts` that may need work."""
    asked = {**span._asdict(), "model": model, "dimension": dimension}
    statement = _sql(connection, f"{_READ} AND NOT coalesce({_CURRENT}, false)")
    return connection.execute(text(statement), asked).all()


def _sql(connection: Connection, statement: str) -> str:
    # A text may have been edited without an edit being noted; where one is noted, it may not have been of a text. To
    # make a vector once too often costs time; to take an old one for current makes wrong scores.
    times = connection.scalars(text(_TIMES), {"names": [*_EDITED_AT, "embeddings_updated_at"]}).all()
    edited = [f"p.{name}::timestamptz" for name in times if name in _EDITED_AT]
    since = f"greatest({', '.join(edited)}) > p.embeddings_updated_at::timestamptz"
    fields = ", ".join(
        f"('{f}', {comparable(f'p.{f}')}, {dimension_of(f, 'p')}, p.embedding_{f}::vector)" for f in EMBEDDED_FIELDS
    )
    return statement.format(
        fields=fields,
        vector_hash=vector_hash("f.vector"),
        edited_since=f"coalesce({since}, false)" if edited and "embeddings_updated_at" in times else "false",
    )
