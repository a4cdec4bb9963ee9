"""Which texts of a partition of profiles need a vector."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.profile_spans import Span
from jv_assets.pipeline.texts.embedded_texts import read_suspects, read_texts
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_scoring.text import text_to_embed


@dataclass(frozen=True)
class Text:
    """A field of a profile, as read. `usable` is the text to embed, or None if it must not have a vector."""

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
    `embed`: the vector is missing, or made from another text, by another model or of another dimension. Also in it:
    `older`, vectors that were there before we ever came, made before the profile was last written to; `overwritten`,
    vectors that another program wrote over ours under the same model's name.
    `clear`: the text is gone, but its vector is still there.
    `unhashed`: current ones of which the vector's hash is not kept yet.
    `rows` are profiles, `skipped` those of them that have no usable text; `current` are texts.
    """

    low: str
    high: str
    rows: int = 0
    skipped: int = 0
    current: int = 0
    adopt: list[Text] = field(default_factory=list)
    older: list[Text] = field(default_factory=list)
    overwritten: list[Text] = field(default_factory=list)
    unhashed: list[Text] = field(default_factory=list)
    embed: list[Text] = field(default_factory=list)
    clear: list[Text] = field(default_factory=list)


def plan_range(database: Database, embedder: Embedder, low: str, high: str, ids: Sequence[str] | None = None) -> Plan:
    """Read the texts of a `Span` and decide on each."""
    span = Span(low, high, ids)
    rows = database.run(seeing_all(lambda connection: read_texts(connection, span)))
    return _plan(embedder.model, embedder.dimension, span, rows)


def stale_texts(database: Database, embedder: Embedder, low: str, high: str, ids: Sequence[str] | None = None) -> int:
    """Return how many texts of a `Span` lack their own vector, or have a vector and nothing to embed."""
    span, model, dimension = Span(low, high, ids), embedder.model, embedder.dimension
    plan = database.run(seeing_all(lambda connection: stale_plan(connection, span, model, dimension)))
    return len(plan.embed) + len(plan.clear)


def stale_plan(connection: Connection, span: Span, model: str, dimension: int) -> Plan:
    """Plan what to embed and clear. The plan may leave out texts that are current."""
    return _plan(model, dimension, span, read_suspects(connection, span, model, dimension))


def _plan(model: str, dimension: int, span: Span, rows: Sequence[Any]) -> Plan:
    plan = Plan(span.low, span.high)
    profiles, profiles_with_text = set(), set()
    for row in rows:
        item = Text(row.id, row.field, row.stored, text_to_embed(row.stored))
        has_our_vector = row.dimension is not None and row.profile_model == model
        profiles.add(row.id)
        if item.usable is None:
            if has_our_vector:
                plan.clear.append(item)
            continue
        profiles_with_text.add(row.id)
        if not has_our_vector or row.dimension != dimension:
            plan.embed.append(item)
        elif row.text_hash is None:
            (plan.older if row.is_older else plan.adopt).append(item)
        elif (row.text_hash, row.model) != (item.hash, model):
            plan.embed.append(item)
        elif row.is_overwritten:
            plan.overwritten.append(item)
        else:
            plan.current += 1
            if not row.is_hashed:
                plan.unhashed.append(item)
    plan.embed += plan.older + plan.overwritten
    plan.rows, plan.skipped = len(profiles), len(profiles - profiles_with_text)
    return plan
