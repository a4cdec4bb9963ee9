"""How many texts a run is to embed and how long that takes, told before it begins, so that nobody waits for days."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.pipeline.database.profile_spans import WITHIN, Span
from jv_assets.pipeline.texts.stored_vectors import model_of
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.tables import comparable
from jv_scoring.text import EMBEDDED_FIELDS, SHORTEST_EMBEDDED, text_to_embed

MEASURED = 32
"""How many texts are embedded to measure the speed."""
FEW = 10 * MEASURED
"""Up to so many texts, measuring is not worth it."""
# Edited texts have a vector, so they are not counted: that would read every text and every vector.
_WITHOUT_VECTOR = f"""
    FROM profiles p CROSS JOIN LATERAL (VALUES {
    ", ".join(f"({comparable(f'p.{name}')}, p.embedding_{name} IS NULL)" for name in EMBEDDED_FIELDS)
}) AS f (stored, is_missing)
    WHERE p.id {WITHIN.format(id="p.id")} AND length(f.stored) >= {SHORTEST_EMBEDDED}
        AND (f.is_missing OR {model_of("p.embeddings_model")} IS DISTINCT FROM :model)
"""


@dataclass(frozen=True)
class Estimate:
    """How many texts have no vector of the model, and how many seconds each takes; None for a `FEW` texts."""

    texts: int
    seconds_each: float | None = None

    @property
    def hours(self) -> float:
        return self.texts * (self.seconds_each or 0.0) / 3600

    def __str__(self) -> str:
        if self.seconds_each is None:
            return f"{self.texts:,} texts have no vector"
        speed = 1 / self.seconds_each
        return f"{self.texts:,} texts have no vector: about {_in_words(self.hours)} at {speed:,.1f} texts a second"


def estimate(database: Database, embedder: Embedder, spans: Sequence[Span]) -> Estimate:
    """Count the texts of these spans that have no vector, and measure how long the model takes for some of them."""
    texts = count_texts(database, embedder.model, spans)
    if texts <= FEW:
        return Estimate(texts)
    some: list[str] = []
    for span in spans:
        if len(some) < MEASURED:
            some += _texts_without_vector(database, embedder.model, span, MEASURED - len(some))
    embedder.embed(some[:1])  # Loading the model does not count.
    started = time.perf_counter()
    embedder.embed(some)
    return Estimate(texts, (time.perf_counter() - started) / max(len(some), 1))


def count_texts(database: Database, model: str, spans: Iterable[Span]) -> int:
    """Return how many texts of these spans have no vector of the model."""
    count = text(f"SELECT count(*) {_WITHOUT_VECTOR}")

    def work(connection: Connection, span: Span) -> int:
        return int(connection.scalar(count, {**span._asdict(), "model": model}) or 0)

    return sum(database.run(partial(work, span=span)) for span in spans)


def _texts_without_vector(database: Database, model: str, span: Span, most: int) -> list[str]:
    select = text(f"SELECT f.stored {_WITHOUT_VECTOR} LIMIT :most")
    asked = {**span._asdict(), "model": model, "most": most}
    stored = database.run(lambda connection: connection.scalars(select, asked).all())
    return [usable for text_ in stored if (usable := text_to_embed(text_))]


def refuse_too_long(whole: Estimate, matched: int) -> None:
    """Raise UserError if embedding takes over `JV_EMBED_HOURS`; `matched`: how many texts a match's profiles have."""
    limit = settings.embed_hours()
    if whole.hours <= limit:
        return
    way = f"set JV_PROFILES=matched to embed only the profiles that a match names ({matched:,} texts)"
    if settings.matched_only():
        way = "name more devices in JV_EMBEDDING_DEVICE"
    raise UserError(f"{whole}, and JV_EMBED_HOURS allows {limit:g} hours; {way}, or raise JV_EMBED_HOURS")


def _in_words(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:,.1f} days"
    return f"{hours:,.1f} hours" if hours >= 1 else f"{max(hours * 60, 1):.0f} min"
