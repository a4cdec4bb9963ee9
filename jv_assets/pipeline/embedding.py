"""Embed the texts of a partition of profiles and write the vectors (docs/ismc.md, Embedding a profile).

`jv.embedded_texts` keeps what a stored vector was made from: per profile and field the sha256 of the text and the
model's name.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pgvector import Vector
from sqlalchemy import Connection, text

from jv_assets.pipeline.database.counted_writes import (
    Update,
    copy_rows,
    require_all_seen,
    require_count,
    run_counted,
    seeing_all,
    update_rows,
)
from jv_assets.pipeline.database.id_locks import lock_ids
from jv_assets.pipeline.texts.embedded_texts import PROFILE_MODEL, vector_hash
from jv_assets.pipeline.texts.embedding_plan import Plan, Text
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder, by_length
from jv_scoring.text import EMBEDDED_FIELDS

TABLE, MEMORY = "profiles", "jv.embedded_texts"


NOT_FINITE = (
    "the model made no finite vector of {}; such texts are compared by word overlap, or by their last vector: set "
    "JV_EMBEDDING_DEVICE to another device, such as cpu, then type: jv nightly"
)


@dataclass
class Written:
    """How many vectors were written, and what was edited (texts) or deleted (profiles) meanwhile.

    `not_finite`: texts for which the model gave a NaN or an infinity. They keep their old vector.
    """

    texts: int = 0
    edited: int = 0
    deleted: set[str] = field(default_factory=set)
    distinct: int = 0
    truncated: int = 0
    not_finite: list[Text] = field(default_factory=list)


def adopt(database: Database, embedder: Embedder, plan: Plan) -> None:
    """Adopt the vectors of `plan.adopt`: record that this model made them from their current texts. Writes no vector.

    Adds the vector's hash for `plan.unhashed`.
    """
    rows = [(item.profile_id, item.field, item.hash) for item in (*plan.adopt, *plan.unhashed)]

    def work(connection: Connection) -> None:
        _copy_batch(connection, ("profile_id", "field", "text_hash"), rows)
        asked = int(connection.scalar(text(_ADOPTABLE)) or 0)
        connection.execute(text(_ADOPT), {"model": embedder.model, "low": plan.low, "high": plan.high})
        require_count(connection, MEMORY, "kept", asked, int(connection.scalar(text(_ADOPTED)) or 0))

    if rows:
        run_counted(database, work)


def clear(database: Database, embedder: Embedder, plan: Plan) -> Written:
    """Remove the vectors of `plan.clear`."""
    return _write(database, embedder, plan, [(item, None) for item in plan.clear])


def delete_orphans(database: Database, low: str, high: str) -> int:
    """Delete orphans, the rows of jv.embedded_texts whose profile is gone; return how many."""
    bounds = {"low": low, "high": high}
    # A hidden profile would look like a deleted one.
    return database.run(seeing_all(lambda connection: connection.execute(text(_DELETE_ORPHANS), bounds).rowcount))


def embed(
    database: Database, embedder: Embedder, plan: Plan, progress: Callable[[int, int], None] = lambda done, total: None
) -> Written:
    """Embed `plan.embed` and write it batch by batch; `progress` gets how many different texts of all are done.

    Equal texts are embedded once. A kill loses one batch at most.
    """
    whole = Written()
    items_of: defaultdict[str, list[Text]] = defaultdict(list)
    for item in plan.embed:
        if item.usable is not None:
            items_of[item.usable].append(item)
    for batch in _batches(embedder, list(items_of)):
        made = zip(batch, embedder.embed(batch), strict=True)
        vectors = {one: vector for one, vector in made if np.isfinite(vector).all()}
        whole.not_finite += [item for one in batch if one not in vectors for item in items_of[one]]
        part = _write(database, embedder, plan, [(item, v) for one, v in vectors.items() for item in items_of[one]])
        whole.texts += part.texts
        whole.edited += part.edited
        whole.deleted |= part.deleted
        whole.distinct += len(batch)
        whole.truncated += int(embedder.truncated(batch).sum())
        progress(whole.distinct, len(items_of))
    return whole


def _batches(embedder: Embedder, texts: list[str]) -> Iterator[list[str]]:
    ordered = [texts[place] for place in by_length(embedder.token_counts(texts))] if texts else []
    for start in range(0, len(ordered), embedder.batch_size):
        yield ordered[start : start + embedder.batch_size]


def _write(
    database: Database,
    embedder: Embedder,
    plan: Plan,
    items: Sequence[tuple[Text, npt.NDArray[np.float32] | None]],
) -> Written:
    """Write the vector of each item, or NULL, in one short, idempotent transaction.

    If a profile has another model's name, or none, it gets this one and loses its old vectors, so that vectors of two
    models never share a name. A text that was edited meanwhile is left to the next run.
    """
    columns = ("profile_id", "field", "stored", "text_hash", "embedding")
    rows = [
        (item.profile_id, item.field, item.stored, item.hash, None if vector is None else Vector(vector).to_text())
        for item, vector in items
    ]
    profiles = {item.profile_id for item, _ in items}
    low, high = min(profiles, default=plan.low), max(profiles, default=plan.high)

    def work(connection: Connection) -> Written:
        _copy_batch(connection, columns, rows)
        deleted = profiles.difference(write_vectors(connection, low, high, embedder.model))
        if deleted:
            require_all_seen(connection)
        written = int(connection.scalar(text("SELECT count(*) FROM batch")) or 0)
        edited = len(items) - written - sum(item.profile_id in deleted for item, _ in items)
        return Written(written, edited, deleted)

    return run_counted(database, work) if items else Written()


def write_vectors(connection: Connection, low: str, high: str, model: str) -> Sequence[str]:
    """Write the temporary table `batch` to profiles in low..high, and upsert its texts in jv.

    Leaves in `batch` what was written, and returns the ids of the profiles that exist.
    """
    values = {"low": low, "high": high, "model": model}
    there = connection.scalars(text(_PROFILES_OF_BATCH), values).all()
    locked = connection.scalars(text(f"{_PROFILES_OF_BATCH} FOR NO KEY UPDATE"), values).all()
    require_count(connection, TABLE, "locked", len(there), len(locked))
    connection.execute(text(_DROP_EDITED), values)
    by_field = connection.execute(text("SELECT field, count(*) FROM batch GROUP BY field"))
    counts: dict[str, int] = {name: count for name, count in by_field}  # noqa: C416 - a Row is no tuple for the types
    updates = [Update(_SET_VECTOR[name], values, counts[name]) for name in EMBEDDED_FIELDS if name in counts]
    update_rows(connection, TABLE, locked, updates, _OTHERWISE, kept=_KEPT)
    connection.execute(text(_UPSERT_TEXTS), values)
    connection.execute(text(_DELETE_TEXTS))
    # A text whose vector was removed has no row in jv.embedded_texts.
    asked = int(connection.scalar(text("SELECT count(*) FROM batch WHERE embedding IS NOT NULL")) or 0)
    require_count(connection, MEMORY, "kept", asked, int(connection.scalar(text(_COUNT_UPSERTED)) or 0))
    return there


def _copy_batch(connection: Connection, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Put the rows, which begin with a profile's id, into the temporary table `batch`, after locking their ids."""
    profiles = [str(row[0]) for row in rows]
    lock_ids(connection, LOCKED, min(profiles), max(profiles))
    connection.execute(text(CREATE_BATCH))
    copy_rows(connection, TABLE, columns, rows)


LOCKED = "profile_embeddings"
"""The name of the locks on ids."""


CREATE_BATCH = """
    CREATE TEMP TABLE batch (profile_id uuid, field text, stored text, text_hash bytea, embedding vector)
    ON COMMIT DROP
"""


# The bounds, here and below, keep the planner, which has no statistics of `batch`, from reading the whole table. The
# order prevents deadlocks with others who lock several profiles.
_PROFILES_OF_BATCH = """
    SELECT id::text FROM profiles
    WHERE id IN (SELECT profile_id FROM batch) AND id BETWEEN :low AND :high
    ORDER BY id
"""


_DROP_EDITED = f"""
    DELETE FROM batch b WHERE NOT EXISTS (
        SELECT FROM profiles p
        WHERE p.id = b.profile_id AND p.id BETWEEN :low AND :high
        AND (CASE b.field {" ".join(f"WHEN '{f}' THEN p.{f}::text" for f in EMBEDDED_FIELDS)} END) COLLATE "C"
            IS NOT DISTINCT FROM b.stored
        AND (b.embedding IS NOT NULL OR {PROFILE_MODEL} = :model)
    )
"""  # noqa: S608 - of EMBEDDED_FIELDS


def _set_vector(name: str) -> str:
    others = " ".join(
        f"embedding_{other} = CASE WHEN {PROFILE_MODEL} = :model THEN p.embedding_{other} END,"
        for other in EMBEDDED_FIELDS
        if other != name
    )
    return f"""
        UPDATE profiles p
        SET embedding_{name} = b.embedding, {others} embeddings_model = :model, embeddings_updated_at = now()
        FROM batch b
        WHERE p.id = b.profile_id AND b.field = '{name}' AND p.id BETWEEN :low AND :high
    """  # noqa: S608 - of EMBEDDED_FIELDS


_SET_VECTOR = {name: _set_vector(name) for name in EMBEDDED_FIELDS}


_VECTOR = "CASE b.field " + " ".join(f"WHEN '{f}' THEN p.embedding_{f}::vector" for f in EMBEDDED_FIELDS) + " END"


# Vectors have length 1, so a column of halfvec rounds by less than this. A column of type date is off by up to a day.
_OTHERWISE = f"""
    SELECT count(*) FROM profiles p JOIN batch b ON b.profile_id = p.id
    WHERE p.id = ANY(CAST(:ids AS uuid[])) AND (p.embeddings_model IS DISTINCT FROM :model
        OR (p.embeddings_updated_at::timestamptz > now() - interval '2 days') IS NOT TRUE
        OR ({_VECTOR} IS NULL) <> (b.embedding IS NULL) OR {_VECTOR} <-> b.embedding > 0.001)
"""  # noqa: S608 - of EMBEDDED_FIELDS


# Vectors of texts that are not in the batch: they stay if the model is the same, and are removed otherwise.
_KEPT = {
    f"embedding_{f}": f"""
        CASE WHEN {PROFILE_MODEL} = :model
            AND NOT EXISTS (SELECT FROM batch b WHERE b.profile_id = p.id AND b.field = '{f}')
        THEN md5(p.embedding_{f}::text) END
    """
    for f in EMBEDDED_FIELDS
}


# The vector as the column holds it, which may differ in the last bits from what was sent.
_UPSERT_TEXTS = f"""
    INSERT INTO jv.embedded_texts (profile_id, field, text_hash, model, vector_hash)
    SELECT b.profile_id, b.field, b.text_hash, :model, {vector_hash(_VECTOR)}
    FROM batch b JOIN profiles p ON p.id = b.profile_id AND p.id BETWEEN :low AND :high WHERE b.embedding IS NOT NULL
    ON CONFLICT (profile_id, field) DO UPDATE
    SET text_hash = excluded.text_hash, model = excluded.model, vector_hash = excluded.vector_hash, embedded_at = now()
"""  # noqa: S608 - of EMBEDDED_FIELDS


_DELETE_TEXTS = """
    DELETE FROM jv.embedded_texts e USING batch b
    WHERE b.embedding IS NULL AND e.profile_id = b.profile_id AND e.field = b.field
"""


_DELETE_ORPHANS = """
    DELETE FROM jv.embedded_texts e
    WHERE e.profile_id BETWEEN :low AND :high
    AND NOT EXISTS (SELECT FROM profiles p WHERE p.id = e.profile_id AND p.id BETWEEN :low AND :high)
"""


# Counts a removed vector too if its row still exists, so that a swallowed DELETE is noticed.
_COUNT_UPSERTED = """
    SELECT count(*) FROM batch b JOIN jv.embedded_texts e ON e.profile_id = b.profile_id AND e.field = b.field
    WHERE b.text_hash IS NOT DISTINCT FROM e.text_hash OR b.embedding IS NULL
"""


_ADOPTABLE = "SELECT count(*) FROM batch b JOIN profiles p ON p.id = b.profile_id"


_ADOPTED = f"{_ADOPTABLE} JOIN jv.embedded_texts e ON e.profile_id = b.profile_id AND e.field = b.field"


_ADOPT = f"""
    INSERT INTO jv.embedded_texts AS e (profile_id, field, text_hash, model, vector_hash)
    SELECT b.profile_id, b.field, b.text_hash, :model, {vector_hash(_VECTOR)}
    FROM batch b JOIN profiles p ON p.id = b.profile_id AND p.id BETWEEN :low AND :high
    ON CONFLICT (profile_id, field) DO UPDATE SET vector_hash = excluded.vector_hash
    WHERE e.vector_hash IS NULL AND e.text_hash = excluded.text_hash AND e.model = excluded.model
"""  # noqa: S608 - of EMBEDDED_FIELDS
