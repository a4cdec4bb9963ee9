"""The rows of the files of `profiles`. Unchanged rows are reused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_assets.pipeline.changes import (
    FormerRows,
    MayReuse,
    former_profiles,
    read_vector_digests,
    row_versions,
    unchanged,
)
from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.profile_spans import Span, profile_spans
from jv_assets.pipeline.reading import read_profiles_of
from jv_assets.pipeline.scoring import features_of
from jv_assets.pipeline.texts.profile_columns import irregular_values, validate
from jv_assets.pipeline.texts.text_lengths import text_lengths
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.policy import CODE_VERSION


def profile_chunks(
    database: Database,
    files: RangeFiles,
    key: str,
    may_reuse: MayReuse = lambda metadata: True,
) -> Iterator[pd.DataFrame]:
    """Yield the profiles of a partition, as `JV_PROFILES` says, in order of id, some thousands at a time.

    The columns: `id`, `features_of`, `text_lengths`, `irregular_values`, the row's version, `read_vector_digests`.
    `may_reuse` decides by the metadata of the partition's file. UserError if a value is not what its column must hold,
    or if rows may be hidden, because they would be missed.
    """
    former = former_profiles(files, key, may_reuse)
    for span in profile_spans(database, *files.cut.profiles.bounds(key)):
        yield _rows_within(database, span, former)


def _rows_within(database: Database, span: Span, rows_before: FormerRows) -> pd.DataFrame:
    # Read the versions first: a write during the read is then noticed next time.
    versions = database.run(seeing_all(lambda connection: row_versions(connection, "profiles", *span)))
    former = rows_before.until(span.high)
    place = unchanged(former, "row_version", versions)
    kept, ids = former.iloc[place[place >= 0]], versions.index[place < 0].tolist()
    if len(kept) and not ids:
        return kept.reset_index(drop=True)
    profiles = read_profiles_of(database, ids)
    validate(profiles)
    made = features_of(profiles).reset_index().assign(**text_lengths(profiles), **irregular_values(profiles))
    made = made.assign(row_version=versions.reindex(made["id"]).to_numpy(), **_vectors(database, made["id"].tolist()))
    return pd.concat([kept, made]).sort_values("id", ignore_index=True) if len(kept) else made


def file_metadata(rows: int) -> dict[str, Any]:
    """Return the metadata of a file, so that code of another version does not reuse its rows."""
    return {"rows": rows, "code_version": CODE_VERSION}


def _vectors(database: Database, ids: list[str]) -> dict[str, npt.NDArray[np.object_]]:
    """Return the columns of `read_vector_digests`; null for a profile that was deleted meanwhile."""
    digests = read_vector_digests(database, ids)
    columns = zip(*(digests.get(profile, (None, None)) for profile in ids), strict=True) if ids else ((), ())
    return dict(zip(("vectors_model", "vectors_digest"), (np.array(column, object) for column in columns), strict=True))
