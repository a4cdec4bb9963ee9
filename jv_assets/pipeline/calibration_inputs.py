"""Read what a calibration is measured by: profiles drawn by a seed, with their texts, vectors and suggested pairs."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from heapq import nsmallest

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.id_spans import id_spans, some_at_once
from jv_assets.pipeline.reading import read_all_vectors
from jv_assets.pipeline.texts.stored_vectors import model_of
from jv_assets.resources.database import Database
from jv_assets.tables import selected
from jv_scoring.analysis.calibration_pairs import Texts
from jv_scoring.analysis.languages import language_of
from jv_scoring.analysis.tallies import Ints
from jv_scoring.synergy import offering_text
from jv_scoring.text import EMBEDDED_FIELDS

MOST_PROFILES = 5_000
"""How many profiles are drawn at most: memory holds their vectors, about 60 MB with 1,024 numbers per text."""
_IDS = f"""
    SELECT id::text FROM profiles WHERE id BETWEEN :low AND :high AND {model_of("embeddings_model")} = :model
"""  # noqa: S608 - of our own constants
_TEXTS = f"""
    SELECT id::text, {selected("profiles", EMBEDDED_FIELDS)} FROM profiles WHERE id = ANY(CAST(:ids AS uuid[]))
"""  # noqa: S608 - of our own constants
_MATCHED = """
    SELECT profile_id::text, suggested_profile_id::text FROM match_suggestions
    WHERE profile_id = ANY(CAST(:ids AS uuid[])) AND suggested_profile_id = ANY(CAST(:every AS uuid[]))
"""
_ROWS_AT_ONCE = 100_000


@dataclass(frozen=True)
class CalibrationInputs:
    """Drawn profiles: their three compared `texts` by name, and by position the pairs that a match joins.

    `of`: how many profiles have vectors of the model.
    """

    texts: dict[str, Texts]
    suggested: Ints
    of: int


def read_inputs(database: Database, model: str, seed: int, most: int = MOST_PROFILES) -> CalibrationInputs:
    """Return at most so many profiles with vectors of the model, drawn by a hash of the seed and the id.

    UserError if rows may be hidden, because a hidden match would count as a random pair.
    """
    every = _all_ids(database, model)
    ids = sorted(nsmallest(most, every, key=partial(_place, seed)))
    index = pd.Index(ids, dtype=object)
    texts = _texts(database, ids)
    matched = [row for some in some_at_once(ids) for row in database.run(seeing_all(partial(_matched, some, ids)))]
    columns = list(zip(*matched, strict=True)) or [(), ()]
    pairs = np.stack([index.get_indexer(pd.Index(list(each), dtype=object)) for each in columns], axis=1)
    compared = {
        name: Texts(
            vectors,
            np.array([_hash(texts[each].get(name)) for each in ids], np.int64),
            np.array([language_of(texts[each].get(name)) for each in ids], object),
        )
        for name, vectors in read_all_vectors(database, model, index).items()
    }
    return CalibrationInputs(compared, pairs.astype(np.int64), len(every))


def _place(seed: int, profile: str) -> bytes:
    return blake2b(f"{seed} {profile}".encode(), digest_size=8, person=b"calibrate").digest()


def _hash(value: object) -> int:
    """Return a number that texts share which differ in case and blanks alone; 0 without a text."""
    if not isinstance(value, str):
        return 0
    digest = blake2b(" ".join(value.lower().split()).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _all_ids(database: Database, model: str) -> list[str]:
    def work(connection: Connection, low: str, high: str) -> list[str]:
        values = {"low": low, "high": high, "model": model}
        return [str(each) for each in connection.scalars(text(_IDS), values)]

    spans = id_spans(database, "profiles", rows=_ROWS_AT_ONCE)
    return [each for low, high in spans for each in database.run(seeing_all(partial(work, low=low, high=high)))]


def _texts(database: Database, ids: Sequence[str]) -> dict[str, dict[str, object]]:
    """Return by profile its compared texts; a profile that was deleted meanwhile has none."""

    def work(connection: Connection, some: Sequence[str]) -> list[dict[str, object]]:
        return [dict(row) for row in connection.execute(text(_TEXTS), {"ids": list(some)}).mappings()]

    found: dict[str, dict[str, object]] = {each: {} for each in ids}
    for some in some_at_once(ids):
        for row in database.run(partial(work, some=some)):
            found[str(row["id"])] = {**row, "offering": offering_text(row)}
    return found


def _matched(some: Sequence[str], every: Sequence[str], connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute(text(_MATCHED), {"ids": list(some), "every": list(every)})
    return [(str(a), str(b)) for a, b in rows]
