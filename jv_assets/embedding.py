"""Which texts of a range of profiles need a vector, and the writing of it (docs/ismc.md, Embedding a profile).

What a stored vector was made from is kept in `jv.embedded_texts`: per profile and field the sha256 of the text and the
model's name.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from pgvector import Vector
from sqlalchemy import Connection, text

from jv_assets.reading import dimension_of
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder, by_length
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed


@dataclass(frozen=True)
class Text:
    """A field of a profile as it was read. `usable` is the text that is embedded, or None if it must have no vector."""

    profile_id: str
    field: str
    stored: str | None
    usable: str | None

    @property
    def hash(self) -> bytes | None:
        return None if self.usable is None else hashlib.sha256(self.usable.encode()).digest()


@dataclass
class Plan:
    """What is to be done with the texts of the profiles whose id is in low..high (both in it).

    `adopt`: a vector of the configured model was there before we ever came; it counts as made from today's text.
    `embed`: the vector is missing, or made from another text, by another model or of another dimension.
    `clear`: the text is gone, but its vector is still there.
    `rows` are profiles, `skipped` those of them that have no usable text; `current` are texts.
    """

    low: str
    high: str
    rows: int = 0
    skipped: int = 0
    current: int = 0
    adopt: list[Text] = field(default_factory=list)
    embed: list[Text] = field(default_factory=list)
    clear: list[Text] = field(default_factory=list)


@dataclass
class Written:
    """How many texts' vectors were written, and what could not be: edited (texts) or deleted (profiles) meanwhile."""

    texts: int = 0
    edited: int = 0
    deleted: set[str] = field(default_factory=set)
    distinct: int = 0
    truncated: int = 0


_READ = f"""
    SELECT p.id::text, f.field, f.stored, f.dimension, p.embeddings_model, e.text_hash, e.model
    FROM profiles p
    CROSS JOIN LATERAL (VALUES {", ".join(f"('{f}', p.{f}, {dimension_of(f, 'p')})" for f in EMBEDDED_FIELDS)})
        AS f (field, stored, dimension)
    LEFT JOIN jv.embedded_texts e ON e.profile_id = p.id AND e.field = f.field
    WHERE p.id BETWEEN :low AND :high
"""  # noqa: S608 - of EMBEDDED_FIELDS


# True where there is nothing to do, so that most texts need not be read. It may be false where Python finds nothing to
# do either, as Postgres strips fewer characters: of two printed ones and three between them nothing is ever stripped.
_CURRENT = """
    f.stored IS NULL AND f.dimension IS NULL OR f.dimension = :dimension AND p.embeddings_model = :model AND CASE
        WHEN e.profile_id IS NULL THEN f.stored ~ '[!-~].{3,}[!-~]'
        ELSE e.model = :model AND e.text_hash = sha256(convert_to(btrim(f.stored, E' \\t\\r\\n'), 'UTF8')) END
"""


def plan_range(database: Database, embedder: Embedder, low: str, high: str) -> Plan:
    """Read the range's texts and decide on each."""
    rows = database.run(lambda connection: connection.execute(text(_READ), {"low": low, "high": high}).all())
    return _plan(embedder, low, high, rows)


def stale_texts(database: Database, embedder: Embedder, low: str, high: str) -> int:
    """How many of the range's texts have no vector or another text's, or a vector and nothing to embed."""
    asked = {"low": low, "high": high, "model": embedder.model, "dimension": embedder.dimension}
    suspects = f"{_READ} AND NOT coalesce({_CURRENT}, false)"
    rows = database.run(lambda connection: connection.execute(text(suspects), asked).all())
    plan = _plan(embedder, low, high, rows)
    return len(plan.embed) + len(plan.clear)


def _plan(embedder: Embedder, low: str, high: str, rows: Sequence[Any]) -> Plan:
    plan = Plan(low, high)
    profiles, profiles_with_text = set(), set()
    for profile_id, name, stored, dimension, profile_model, known_hash, known_model in rows:
        item = Text(profile_id, name, stored, text_to_embed(stored))
        has_our_vector = dimension is not None and profile_model == embedder.model
        profiles.add(profile_id)
        if item.usable is None:
            if has_our_vector:
                plan.clear.append(item)
            continue
        profiles_with_text.add(profile_id)
        if not has_our_vector or dimension != embedder.dimension:
            plan.embed.append(item)
        elif known_hash is None:
            plan.adopt.append(item)
        elif (known_hash, known_model) == (item.hash, embedder.model):
            plan.current += 1
        else:
            plan.embed.append(item)
    plan.rows, plan.skipped = len(profiles), len(profiles - profiles_with_text)
    return plan


def adopt(database: Database, embedder: Embedder, plan: Plan) -> None:
    """Remember that the vectors of `plan.adopt` were made from their texts by this model. No vector is written."""
    rows = [(item.profile_id, item.field, item.hash) for item in plan.adopt]

    def work(connection: Connection) -> None:
        _copy_batch(connection, plan, ("profile_id", "field", "text_hash"), rows)
        connection.execute(text(_ADOPT), {"model": embedder.model})

    if rows:
        database.run(work)


def clear(database: Database, embedder: Embedder, plan: Plan) -> Written:
    """Take away the vectors of `plan.clear`."""
    return _write(database, embedder, plan, [(item, None) for item in plan.clear])


def forget_deleted(database: Database, low: str, high: str) -> int:
    """Forget what the vectors of profiles that are gone were made from; returns of how many texts."""
    bounds = {"low": low, "high": high}
    return database.run(lambda connection: connection.execute(text(_FORGET_DELETED), bounds).rowcount)


def embed(
    database: Database, embedder: Embedder, plan: Plan, progress: Callable[[int, int], None] = lambda done, total: None
) -> Written:
    """Embed `plan.embed` and write it batch by batch; `progress` is told how many different texts of all are done.

    Equal texts are embedded once. Whoever kills this loses one batch at most.
    """
    whole = Written()
    items_of: defaultdict[str, list[Text]] = defaultdict(list)
    for item in plan.embed:
        if item.usable is not None:
            items_of[item.usable].append(item)
    for batch in _batches(embedder, list(items_of)):
        vectors = dict(zip(batch, embedder.embed(batch), strict=True))
        part = _write(database, embedder, plan, [(item, vectors[one]) for one in batch for item in items_of[one]])
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
    """Write the vector of each item, or NULL, in one short transaction, which may be repeated.

    A profile that was under another model's name, or none, comes under this one and loses the vectors it had, so that
    those of two models never stand under one name. A text that was edited meanwhile is left to the next run.
    """
    columns = ("profile_id", "field", "stored", "text_hash", "embedding")
    rows = [
        (item.profile_id, item.field, item.stored, item.hash, None if vector is None else Vector(vector).to_text())
        for item, vector in items
    ]
    fields = [name for name in EMBEDDED_FIELDS if any(item.field == name for item, _ in items)]
    profiles = {item.profile_id for item, _ in items}
    bounds = {"low": min(profiles, default=plan.low), "high": max(profiles, default=plan.high)}
    values = bounds | {"model": embedder.model}

    def work(connection: Connection) -> Written:
        _copy_batch(connection, plan, columns, rows)
        deleted = profiles.difference(connection.scalars(text(_LOCK_PROFILES), bounds))
        dropped = connection.execute(text(_DROP_EDITED), values).rowcount
        for name in fields:
            connection.execute(text(_SET_VECTOR[name]), values)
        connection.execute(text(_REMEMBER), {"model": embedder.model})
        connection.execute(text(_FORGET))
        edited = dropped - sum(item.profile_id in deleted for item, _ in items)
        return Written(len(items) - dropped, edited, deleted)

    return database.run(work) if items else Written()


def _copy_batch(connection: Connection, plan: Plan, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
    """Put the rows into the temporary table `batch`, once no other run writes the same range."""
    connection.execute(text(_LOCK_RANGE), {"low": plan.low})
    connection.execute(text(_CREATE_BATCH))
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY batch ({', '.join(columns)}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


_LOCK_RANGE = "SELECT pg_advisory_xact_lock(hashtextextended('profile_embeddings ' || :low, 0))"
_CREATE_BATCH = """
    CREATE TEMP TABLE batch (profile_id uuid, field text, stored text, text_hash bytea, embedding vector)
    ON COMMIT DROP
"""
# The bounds, here and below, keep the planner, which knows nothing of `batch`, from reading the whole table.
# In order, because whoever else locks more than one profile may deadlock with us otherwise.
_LOCK_PROFILES = """
    SELECT id::text FROM profiles
    WHERE id IN (SELECT profile_id FROM batch) AND id BETWEEN :low AND :high
    ORDER BY id FOR NO KEY UPDATE
"""
_DROP_EDITED = f"""
    DELETE FROM batch b WHERE NOT EXISTS (
        SELECT FROM profiles p
        WHERE p.id = b.profile_id AND p.id BETWEEN :low AND :high
        AND (CASE b.field {" ".join(f"WHEN '{f}' THEN p.{f}" for f in EMBEDDED_FIELDS)} END) COLLATE "C"
            IS NOT DISTINCT FROM b.stored
        AND (b.embedding IS NOT NULL OR p.embeddings_model = :model)
    )
"""  # noqa: S608 - of EMBEDDED_FIELDS


def _set_vector(name: str) -> str:
    others = " ".join(
        f"embedding_{other} = CASE WHEN p.embeddings_model = :model THEN p.embedding_{other} END,"
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
_REMEMBER = """
    INSERT INTO jv.embedded_texts (profile_id, field, text_hash, model)
    SELECT profile_id, field, text_hash, :model FROM batch WHERE embedding IS NOT NULL
    ON CONFLICT (profile_id, field)
    DO UPDATE SET text_hash = excluded.text_hash, model = excluded.model, embedded_at = now()
"""
_FORGET = """
    DELETE FROM jv.embedded_texts e USING batch b
    WHERE b.embedding IS NULL AND e.profile_id = b.profile_id AND e.field = b.field
"""
_FORGET_DELETED = """
    DELETE FROM jv.embedded_texts e
    WHERE e.profile_id BETWEEN :low AND :high
    AND NOT EXISTS (SELECT FROM profiles p WHERE p.id = e.profile_id AND p.id BETWEEN :low AND :high)
"""
_ADOPT = """
    INSERT INTO jv.embedded_texts (profile_id, field, text_hash, model)
    SELECT b.profile_id, b.field, b.text_hash, :model FROM batch b JOIN profiles p ON p.id = b.profile_id
    ON CONFLICT (profile_id, field) DO NOTHING
"""
