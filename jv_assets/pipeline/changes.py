"""What is unchanged since last time: by this a run skips what would come out the same.

Each value answers another question; docs/architecture.md says what each costs.

row version: did a transaction write to this row since it was read?
vectors digest: are these the vectors that the score was made of?
inputs hash: would this match be scored from the same inputs? It includes the vectors digests of both profiles.
code version: did the same code make this row?
fingerprint: was this tally made of these scores?

Row versions hold within one history of the database only: `Origin.may_reuse` says whether the file and the database
share it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, PROFILES
from jv_assets.partition_cut import every_range
from jv_assets.pipeline.database.id_spans import some_at_once
from jv_assets.pipeline.database.profile_spans import WITHIN, profile_spans
from jv_assets.pipeline.texts.stored_vectors import model_of
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.inputs import vectors_digest
from jv_scoring.policy import CODE_VERSION
from jv_scoring.prepare import COMPARED as TEXTS
from jv_scoring.stored_rules import fitting

STORED_COLUMNS = (
    "match_score",
    "stored_score_ab",
    "stored_score_ba",
    "stored_harmonic_mean",
    "stored_version",
    "stored_policy",
    "stored_inputs_hash",
    "stored_fallbacks",
    "stored_fits",
    "stored_row",
)
"""What is read of a match before it is scored: the older matcher's score; what was published last (null if nothing
was); how many of its three text comparisons were by word overlap (null if unknown); the policies that give the stored
scores from the stored breakdown (`match_states.fits`); and the version of that row (`version_of`).
"""

COMPARED = ("score_ab", "score_ba", "harmonic_mean", "scoring_version", "policy", "inputs_hash")
"""The columns by which a score differs from what is stored."""
CONTEXT = "match_context"
_ROW = np.dtype([("id", "S36"), ("version", ">i8")])
# The same as `jv_scoring.inputs.vectors_digest` of what `read_vectors` reads: 32 bytes per profile instead of 12 KB.
_DIGESTS = f"""
    SELECT id::text, {model_of("embeddings_model")} AS model, sha256(
        'v' || coalesce(vector_send(embedding_seeking::vector), '')
        || 'v' || coalesce(vector_send(coalesce(embedding_offering::vector, embedding_what_you_do::vector)), '')
        || 'v' || coalesce(vector_send(embedding_who_you_serve::vector), ''))
    FROM profiles WHERE id = ANY(CAST(:ids AS uuid[]))
"""  # noqa: S608 - of our own constants
SCORE_COLUMNS = ("id", "harmonic_mean", "policy", "scoring_version")
_MADE_OF = ["profile_id", "suggested_profile_id", "policy", "scoring_version", "inputs_hash", "code_version"]
MayReuse = Callable[[Mapping[str, Any]], bool]
"""Decides whether rows of a file with this metadata may be reused: `Origin.may_reuse`."""


def version_of(table: str) -> str:
    """Return SQL for the version of a row of `table`: a bigint that differs after each change of the row."""
    # The transaction that wrote the row. A restored backup uses the same ids again for other transactions, so versions
    # are only compared where `pipeline.database.origins` says that they are of one history.
    return f"{table}.xmin::text::bigint"


def read_row_versions(
    database: Database, table: str, low: str, high: str, ids: Sequence[str] | None = None
) -> pd.Series:
    """Return `row_versions`, read in a transaction of its own."""
    return _decoded(database.run(partial(_versions, table=table, low=low, high=high, ids=ids)))


def row_versions(
    connection: Connection, table: str, low: str, high: str, ids: Sequence[str] | None = None
) -> pd.Series:
    """Return by id (uuid as text), in order, `version_of` the rows of `table` from low to high (both included),
    int64; only of those among `ids`, if they are given.
    """
    return _decoded(_versions(connection, table, low, high, ids))


def _versions(connection: Connection, table: str, low: str, high: str, ids: Sequence[str] | None) -> bytes:
    # One value holds them all, because fetching rows one by one costs ten times as much as finding them.
    select = f"""
        SELECT string_agg(convert_to(id::text, 'UTF8') || int8send({version_of(table)}), '' ORDER BY id)
        FROM {table} WHERE id {WITHIN.format(id="id")}
    """  # noqa: S608 - ours
    return connection.scalar(text(select), {"low": low, "high": high, "ids": ids}) or b""


def _decoded(versions: bytes) -> pd.Series:
    rows = np.frombuffer(versions, _ROW)
    return pd.Series(rows["version"].astype(np.int64), pd.Index(rows["id"].astype("U36").tolist(), dtype=object))


def unchanged(known: pd.DataFrame, version: str, versions: pd.Series) -> npt.NDArray[np.intp]:
    """Return, for each of `versions`, the place in `known` (by its columns `id` and `version`) of the same row,
    or -1.
    """
    if version not in known:  # The file is older than row versions.
        return np.full(len(versions), -1)
    place = pd.Index(known["id"].astype(object)).get_indexer(versions.index)
    known_versions = known[version].to_numpy(np.int64)[place] if len(known) else place
    return np.where((place >= 0) & (known_versions == versions.to_numpy()), place, -1)


def read_vector_digests(database: Database, ids: Sequence[str]) -> dict[str, tuple[str | None, bytes]]:
    """Return, by profile, the model that its vectors name, and their `vectors_digest`."""

    def work(connection: Connection) -> dict[str, tuple[str | None, bytes]]:
        rows = (row for some in some_at_once(ids) for row in connection.execute(text(_DIGESTS), {"ids": some}))
        return {profile: (model, bytes(digest)) for profile, model, digest in rows}

    return database.run(work)


def vector_digests(database: Database, features: pd.DataFrame, model: str) -> list[bytes]:
    """Return `vectors_digest` of each profile's vectors of `model`; read from the database if no file has it for the
    row.
    """
    versions = pd.concat([read_row_versions(database, "profiles", *span) for span in profile_spans(database)])
    place = unchanged(features.filter(items=["row_version"]).reset_index(names="id"), "row_version", versions)
    digests = read_vector_digests(database, versions.index[place < 0].tolist())
    if (known := features.iloc[place[place >= 0]]).size:
        made = zip(known["vectors_model"], known["vectors_digest"], strict=True)
        digests |= dict(zip(known.index, made, strict=True))
    none, gone = vectors_digest([None] * len(TEXTS)), (model, b"gone")
    of_each = (digests.get(profile, gone) for profile in features.index)
    return [digest if made_by == model else none for made_by, digest in of_each]


class FormerRows:
    """The rows of a partition's file, handed out in order of id.

    none: an empty frame, for a file that is missing or cannot be read: this run replaces it.
    """

    def __init__(self, chunks: Iterator[pd.DataFrame], none: pd.DataFrame) -> None:
        self._chunks, self._held = chunks, none
        self._last = ""
        """The last id that was read."""

    def until(self, high: str) -> pd.DataFrame:
        """Return the rows up to and including this id that were not handed out before."""
        parts = [self._held]
        while self._last <= high and (chunk := self._next()) is not None:
            parts.append(chunk)
        full = [part for part in parts if len(part)]
        held = pd.concat(full, ignore_index=True) if len(full) > 1 else (full or parts[-1:])[0]
        handed = int(np.searchsorted(held["id"].to_numpy(object), high, side="right"))
        self._held = held.iloc[handed:]
        return held.iloc[:handed].reset_index(drop=True)

    def _next(self) -> pd.DataFrame | None:
        try:
            chunk = next(self._chunks, None)
        except UserError:
            return None
        if chunk is not None and len(chunk):
            self._last = str(chunk["id"].iloc[-1])
        return chunk


def former_matches(files: RangeFiles, key: str, may_reuse: MayReuse = lambda _: True) -> FormerRows:
    """Return the rows of a partition's file of `match_scores`, without their contexts.

    They say what their matches held only if `may_reuse` allows it.
    """

    def chunks() -> Iterator[pd.DataFrame]:
        with files.opened(MATCH_SCORES, key) as file:
            but = [CONTEXT] if may_reuse(file.metadata) else [CONTEXT, "stored_row"]
            for groups in file.groups():
                yield file.read(but=but, groups=groups)

    return FormerRows(chunks(), pd.DataFrame(columns=list(SCORE_COLUMNS), dtype=object))


def former_profiles(files: RangeFiles, key: str, may_reuse: MayReuse = lambda _: True) -> FormerRows:
    """Return the rows of a partition's file of `profiles`; none if another version of the code made it."""

    def chunks() -> Iterator[pd.DataFrame]:
        with files.opened(PROFILES, key) as file:
            if file.metadata.get("code_version") == CODE_VERSION and may_reuse(file.metadata):
                for groups in file.groups():
                    yield file.read(groups=groups)

    return FormerRows(chunks(), pd.DataFrame(columns=["id"], dtype=object))


def still_right(former: pd.DataFrame, matches: pd.DataFrame, made_of: pd.DataFrame) -> pd.DataFrame:
    """Return, in order of `matches`, the former rows that are unchanged: same inputs, and production holds this score.

    `matches` are as read now. `made_of` holds, row by row, their current inputs: the last four of `_MADE_OF`. The rows
    are marked as `reused`, and have no context, because nobody writes them.
    """
    if not set(_MADE_OF) <= set(former):
        return former.iloc[:0]
    place = pd.Index(former["id"]).get_indexer(pd.Index(matches["id"]))
    known = np.flatnonzero(place >= 0)
    rows, now = former[sorted({*_MADE_OF, *COMPARED})].iloc[place[known]], matches.iloc[known]
    same = is_stored(rows, now)
    for name in _MADE_OF:
        values = (now if name in now else made_of.iloc[known])[name]
        same &= rows[name].to_numpy(object) == values.to_numpy(object)
    now, kept = now[same], former.iloc[place[known[same]]]
    stored = {name: now[name].to_numpy() for name in STORED_COLUMNS}
    still: pd.DataFrame = kept.assign(**stored, **{CONTEXT: None, "reused": True})
    return still


def is_stored(scored: pd.DataFrame, matches: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return, row by row, whether the match held this score when it was read, with a breakdown that adds up to it."""
    same = fitting(scored["policy"], matches["stored_fits"])
    for name in COMPARED:
        same &= scored[name].to_numpy() == matches["stored_" + name.removeprefix("scoring_")].to_numpy()
    return same


class Fingerprint:
    """A hash of a partition's rows that changes with any match, profile, vector, policy or rule behind their scores."""

    def __init__(self) -> None:
        self._hash = sha256()

    def add(self, rows: pd.DataFrame) -> None:
        """Add the next rows. Chunks of any size give the same hash."""
        columns = (rows[name].tolist() for name in ("id", "policy", "scoring_version", "inputs_hash"))
        self._hash.update("".join(f"{row}\n" for row in zip(*columns, strict=True)).encode())

    @property
    def value(self) -> str:
        return self._hash.hexdigest()


def fingerprint(rows: pd.DataFrame) -> str:
    """Return the fingerprint of a whole frame of rows."""
    sums = Fingerprint()
    sums.add(rows)
    return sums.value


def fingerprint_of(files: RangeFiles, key: str) -> str | None:
    """Return the fingerprint of a partition's scores; None for a file that has none yet."""
    fingerprint: str | None = files.metadata(MATCH_SCORES, key).get("fingerprint")
    return fingerprint


def fingerprint_of_all(files: RangeFiles) -> str:
    """Return one fingerprint over all partitions."""
    keys = files.made(MATCH_SCORES, every_range())
    return sha256("\n".join(f"{key} {fingerprint_of(files, key)}" for key in keys).encode()).hexdigest()
