"""Read the two production tables."""

import io
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
from pgvector import Vector
from sqlalchemy import Connection, Row, text

from jv_assets.errors import UserError
from jv_assets.pipeline.changes import STORED_COLUMNS, row_versions, unchanged, version_of
from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.id_spans import some_at_once
from jv_assets.pipeline.database.values import parse_column
from jv_assets.pipeline.matches.match_states import context_of, fits
from jv_assets.pipeline.texts.stored_vectors import dimension_of, model_of
from jv_assets.pipeline.vector_cache import VectorCache
from jv_assets.resources.database import Database
from jv_assets.tables import cast, frame, selected
from jv_scoring.analysis.stored import COMPARISONS, SIMILARITIES
from jv_scoring.factors import INPUT_COLUMNS
from jv_scoring.prepare import combine_offering
from jv_scoring.similarity import WORD_OVERLAP, calibration_of
from jv_scoring.text import EMBEDDED_FIELDS
from jv_scoring.vectors import MISSING, Vectors

_PROFILES = f"""
    SELECT id::text, {selected("profiles", INPUT_COLUMNS)} FROM profiles WHERE {{}} ORDER BY id
"""  # noqa: S608 - of our own constants
_METHODS = ", ".join(
    f"c.breakdown_{of} -> 'synergy' -> 'factors' -> {SIMILARITIES.index(factor)} ->> 'method'"
    for factor, of in COMPARISONS
)
"""SQL for the method of each of a match's comparisons of texts."""
_MATCHES = f"""
    SELECT id::text, profile_id::text, suggested_profile_id::text, {selected("match_suggestions", ["match_score"])},
        {cast("match_suggestions", "score_ab")} AS stored_score_ab,
        {cast("match_suggestions", "score_ba")} AS stored_score_ba,
        {cast("match_suggestions", "harmonic_mean")} AS stored_harmonic_mean,
        c.scoring_version AS stored_version, c.policy AS stored_policy, c.inputs_hash AS stored_inputs_hash,
        CASE WHEN harmonic_mean IS NOT NULL AND num_nonnulls({_METHODS}) = {len(COMPARISONS)}
            THEN cardinality(array_positions(ARRAY[{_METHODS}], '{WORD_OVERLAP}'))
        END AS stored_fallbacks,
        CASE WHEN harmonic_mean IS NOT NULL THEN {fits("match_suggestions")} END AS stored_fits,
        {version_of("match_suggestions")} AS stored_row,
        match_context IS NOT NULL AND ({cast("match_suggestions", "match_context")}) IS NULL AS is_unreadable
    FROM match_suggestions {context_of("match_suggestions")}
    WHERE {{}}
    ORDER BY id
"""  # noqa: S608 - of our own constants
_WITHIN, _AMONG = "id BETWEEN :low AND :high", "id = ANY(CAST(:ids AS uuid[]))"


def read_profiles(database: Database, low: str, high: str) -> pd.DataFrame:
    """Return the profiles whose id is in low..high (both included), by id: `id` and `INPUT_COLUMNS`, all dtype
    object.
    """
    return _objects(*database.run(partial(_profiles, where=_WITHIN, values={"low": low, "high": high})))


def read_profiles_of(database: Database, ids: Sequence[str]) -> pd.DataFrame:
    """Return `read_profiles` of these ids; missing ones are left out."""
    works = [partial(_profiles, where=_AMONG, values={"ids": some}) for some in some_at_once(ids)]
    return pd.concat([_objects(*database.run(work)) for work in works], ignore_index=True)


def read_matches(database: Database, low: str, high: str, known: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the matches of an interval, in order of id: the ids, dtype object, and `STORED_COLUMNS`, numbers as
    float64.

    `known`: what was read before, of these or other matches. Unchanged rows are not read again. UserError if rows may
    be hidden, because they would count as deleted.
    """
    return database.run(seeing_all(lambda connection: matches_within(connection, low, high, known)))


def matches_within(connection: Connection, low: str, high: str, known: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return `read_matches`, read in the caller's transaction."""
    if known is None or not set(_MATCH) <= set(known):  # The file is of an older version of the program.
        return _matches(connection, _WITHIN, {"low": low, "high": high})
    versions = row_versions(connection, "match_suggestions", low, high)
    place = unchanged(known, "stored_row", versions)
    if (place < 0).all():
        return _matches(connection, _WITHIN, {"low": low, "high": high})
    same = _typed(dict(known[_MATCH].iloc[place[place >= 0]].items()))
    if len(same) == len(versions):
        return same
    others = some_at_once(versions.index[place < 0].tolist())
    parts = [same, *(_matches(connection, _AMONG, {"ids": some}) for some in others)]
    # A stable sort is fast on rows that are in order already.
    return pd.concat(parts).sort_values("id", ignore_index=True, kind="stable")


_MATCH = ["id", "profile_id", "suggested_profile_id", *STORED_COLUMNS]
_NO_SCORE = 1e10
"""From here on, the older matcher's score is none: reports count pairs of scores in 64 bits."""
_NUMBERS = [name for name in STORED_COLUMNS if "score" in name or name.endswith(("mean", "fallbacks"))]


def _matches(connection: Connection, where: str, values: Mapping[str, object]) -> pd.DataFrame:
    rows = connection.execute(text(_MATCHES.format(where)), values).all()
    for row in rows:
        if row.is_unreadable:
            raise UserError(
                f"match_suggestions.match_context of {row.id} does not hold JSON that can be read: it has \\u0000 or "
                "half a surrogate pair; correct it in the table"
            )
    columns = zip(*rows, strict=True) if rows else ((),) * len(_MATCH)
    return _typed(dict(zip(_MATCH, columns, strict=False)))


def _typed(matches: Mapping[Any, Any]) -> pd.DataFrame:
    """Return the columns of `_MATCH` with their types; null is None in texts, and NaN in numbers."""
    columns: dict[str, pd.Series] = {}
    for name in _MATCH:
        values = np.array(matches[name], dtype=object)
        if name in _NUMBERS:
            numbers = values.astype(np.float64)
            if name == "match_score":  # as with other numbers, an infinity is no data
                numbers[~(np.abs(numbers) < _NO_SCORE)] = np.nan
            columns[name] = pd.Series(numbers)
        elif name == "stored_row":
            columns[name] = pd.Series(values.astype(np.int64))
        else:
            values[pd.isna(values)] = None
            columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def _profiles(connection: Connection, where: str, values: Mapping[str, object]) -> tuple[list[str], Sequence[Row[Any]]]:
    result = connection.execute(text(_PROFILES.format(where)), values)
    return list(result.keys()), result.all()


def _objects(names: Sequence[str], rows: Sequence[Row[Any]]) -> pd.DataFrame:
    ids = [row[0] for row in rows]
    return frame(
        {name: parse_column("profiles", name, ids, [row[place] for row in rows]) for place, name in enumerate(names)}
    )


def read_vectors(database: Database, model: str, dimension: int, profiles: pd.Index) -> dict[str, Vectors]:
    """Return the vectors that `model` made of these profiles, by the names of the compared texts.

    `profiles` are ids, some thousands at most. Vectors under another model's name count as missing.
    """
    by_field = database.run(
        lambda connection: {
            name: _field_vectors(connection, name, model, dimension, profiles) for name in EMBEDDED_FIELDS
        }
    )
    return {
        "seeking": by_field["seeking"],
        "offering": combine_offering(by_field["offering"], by_field["what_you_do"]),
        "who_you_serve": by_field["who_you_serve"],
    }


def read_all_vectors(database: Database, model: str, profiles: pd.Index) -> dict[str, Vectors]:
    """Return `read_vectors` of any number of profiles, read in bounded parts. Memory holds them all."""
    dimension = calibration_of(model).dimension
    cache = VectorCache(
        len(profiles),
        dimension,
        lambda some: read_vectors(database, model, dimension, profiles[some]),
        capacity=max(len(profiles), 1),
    )
    cache.hold(np.arange(len(profiles)))
    return cache.vectors


def _field_vectors(connection: Connection, name: str, model: str, dimension: int, profiles: pd.Index) -> Vectors:
    """Rows of binary COPY have one size if no value is null and all vectors have one length, so nothing needs
    parsing.
    """
    select = f"""
        SELECT id, embedding_{name}::vector FROM profiles
        WHERE id = ANY(%s::uuid[]) AND {model_of("embeddings_model")} = %s AND {dimension_of(name, "profiles")}
    """  # noqa: S608 - of EMBEDDED_FIELDS
    asked = [profiles.tolist(), model, dimension]
    data = io.BytesIO()
    cursor = connection.connection.cursor()
    with cursor.copy(f"COPY ({select} = %s) TO STDOUT (FORMAT BINARY)", asked) as copy:
        for block in copy:
            data.write(block)
    ids, matrix = decode_vectors(data.getvalue(), dimension)
    row = np.full(len(profiles), MISSING, dtype=np.intp)
    row[profiles.get_indexer(pd.Index(ids, dtype=object))] = np.arange(len(ids))
    odd: dict[int, npt.NDArray[np.floating]] = {}
    for profile_id, vector in cursor.execute(f"{select} <> %s", asked).fetchall():
        (place,) = profiles.get_indexer(pd.Index([str(profile_id)])).tolist()
        odd[place] = Vector.from_text(vector).to_numpy()
    return Vectors.from_matrix(matrix, row, odd)


_HEADER, _TRAILER = 19, 2
"""Length in bytes of binary COPY's header (no flags, no extension), and of its end mark."""


def decode_vectors(data: bytes, dimension: int) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Return ids, and vectors of shape (rows, dimension), from binary COPY of (uuid, vector) without nulls."""
    row = np.dtype(
        [
            ("columns", ">i2"),
            ("id_bytes", ">i4"),
            ("id", "V16"),
            ("vector_bytes", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f4", (dimension,)),
        ]
    )
    rows = np.frombuffer(data, dtype=row, count=(len(data) - _HEADER - _TRAILER) // row.itemsize, offset=_HEADER)
    if len(rows) and not (rows["dimension"] == dimension).all():
        raise ValueError(f"a vector is not of {dimension} numbers")
    ids = [str(UUID(bytes=bytes(value))) for value in rows["id"].tolist()]
    return ids, rows["vector"].astype(np.float32)
