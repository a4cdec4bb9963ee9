"""Measure reading, publishing and a whole rescore, each beside its limit in the same run."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

import numpy as np
import pandas as pd
import psycopg
from pgvector.psycopg import register_vector
from sqlalchemy import text

from benchmarks.figures import Row, figure, jv, timed
from jv_assets import settings
from jv_assets.assets.published_scores import AT_ONCE
from jv_assets.demo.population import MATCHES, PROFILES, make_population
from jv_assets.names import MATCH_SCORES, PUBLISHED_SCORES
from jv_assets.names import PROFILES as PROFILES_ASSET
from jv_assets.partition_cut import equal_width
from jv_assets.partitions import ID_RANGES, side_by_side
from jv_assets.pipeline.changes import STORED_COLUMNS
from jv_assets.pipeline.publishing import NEEDED, PublishOptions, publish_range
from jv_assets.pipeline.reading import read_matches, read_profiles, read_vectors
from jv_assets.pipeline.scoring import features_of, profiles_of_files, score_range
from jv_assets.pipeline.vector_cache import VectorCache
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate

MODEL, DIMENSION = settings.PRODUCTION_MODEL, 1024
REPEATS = 3
_FILLED_AT_ONCE = 5_000
KEYS = list(ID_RANGES.get_partition_keys())
BOUNDS = equal_width(len(KEYS)).bounds


def run() -> list[Row]:
    """Return rows of name, value, unit, target (or None) and whether it was met."""
    with TemporaryDirectory() as folder, _population(Path(folder)) as (database, files):
        return [*_vectors(database), *_publishing(database, files), *_rescore(Path(folder) / "whole")]


@contextmanager
def _population(folder: Path) -> Iterator[tuple[Database, RangeFiles]]:
    """The demo population with random vectors of the production model's length, and the file of every partition."""
    server = postgres.start(folder / "postgres")
    database, files = Database(server.url()), RangeFiles(str(folder), len(KEYS))
    migrate(database, dimension=DIMENSION)
    population = make_population()
    load_frames(database, population.profiles, population.matches)
    fill_vectors(database)
    for key in KEYS:
        features = features_of(read_profiles(database, *BOUNDS(key)))
        files.write(PROFILES_ASSET, key, features.reset_index(), {"rows": len(features)})
    profiles = profiles_of_files(database, files, MODEL)
    for key in KEYS:
        scored = score_range(profiles, read_matches(database, *BOUNDS(key)), "harmonic/impute")
        files.write(MATCH_SCORES, key, scored.rows, {"rows": len(scored.rows), "skipped": dict(scored.skipped)})
    try:
        yield database, files
    finally:
        postgres.stop(folder / "postgres")


def fill_vectors(database: Database) -> None:
    """Return random vectors of the production model's length, four per profile."""
    rng = np.random.default_rng(1)
    with database.transaction() as connection:
        ids = connection.execute(text("SELECT id::text FROM profiles WHERE seeking IS NOT NULL")).scalars().all()
    for start in range(0, len(ids), _FILLED_AT_ONCE):
        some = ids[start : start + _FILLED_AT_ONCE]
        with database.transaction() as connection:
            connection.execute(
                text("CREATE TEMP TABLE v (id uuid, a vector, b vector, c vector, d vector) ON COMMIT DROP")
            )
            raw = connection.connection.driver_connection
            assert isinstance(raw, psycopg.Connection)
            register_vector(raw)
            with raw.cursor().copy("COPY v FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["uuid", *["vector"] * 4])
                for profile_id in some:
                    copy.write_row([UUID(profile_id), *rng.standard_normal((4, DIMENSION)).astype(np.float32)])
            connection.execute(
                text(
                    "UPDATE profiles p SET embedding_seeking = a, embedding_offering = b, embedding_who_you_serve = c, "
                    "embedding_what_you_do = d, embeddings_model = :model FROM v WHERE v.id = p.id"
                ),
                {"model": MODEL},
            )


def _vectors(database: Database) -> list[Row]:
    with database.transaction() as connection:
        ids = connection.execute(text("SELECT id::text FROM profiles ORDER BY id")).scalars().all()
    profiles = pd.Index(ids)

    def read() -> None:
        fetch = lambda some: read_vectors(database, MODEL, DIMENSION, profiles[some])  # noqa: E731
        VectorCache(len(profiles), DIMENSION, fetch).hold(np.arange(len(profiles)))

    seconds = median(timed(read) for _ in range(REPEATS))
    return [figure("reading all vectors (1,024 numbers each)", seconds, "s", at_most=0.5)]


def _publishing(database: Database, files: RangeFiles) -> list[Row]:
    """Measure a publish of every row beside COPY of the same bytes into a temporary table, in turns."""
    whole, copies, unchanged, known = [], [], [], []
    for turn in range(REPEATS):
        run = f"benchmark {turn}"
        with database.transaction() as connection:
            connection.execute(
                text(
                    "UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, "
                    "match_context = NULL"
                )
            )
        _vacuum(database)
        copies.append(timed(lambda: _copy_alone(database, files)))
        written: list[int] = []
        whole.append(timed(lambda: written.append(_publish_all(database, files, run))))  # noqa: B023
        again: list[int] = []
        unchanged.append(timed(lambda: again.append(_publish_all(database, files, run))))  # noqa: B023
        _note_what_is_stored(database, files)
        known.append(timed(lambda: again.append(_publish_all(database, files, run))))  # noqa: B023
        if written[0] < 29_000 or any(again):
            raise RuntimeError(f"published {written[0]} rows, then {again}")
    ratios = [published / copied for published, copied in zip(whole, copies, strict=True)]
    return [
        figure("COPY of all scores with contexts into a temporary table", median(copies), "s"),
        figure("publishing all scores with contexts", median(whole), "s"),
        figure("publishing ÷ COPY of the same bytes", median(ratios), "x", at_most=2.0),
        figure("publishing again, nothing changed, 0 rows written", median(unchanged), "s", at_most=1.0),
        figure("… as a night does, which has read them since", median(known), "s"),
    ]


def _note_what_is_stored(database: Database, files: RangeFiles) -> None:
    """As a repeated materialization of match_scores does."""
    for key in KEYS:
        rows, metadata = files.read(MATCH_SCORES, key), files.metadata(MATCH_SCORES, key)
        now = read_matches(database, *BOUNDS(key)).set_index("id").loc[rows["id"], list(STORED_COLUMNS)]
        files.write(MATCH_SCORES, key, rows.assign(**{name: now[name].to_numpy() for name in now}), metadata)


def _publish_all(database: Database, files: RangeFiles, run: str) -> int:
    """As a run does it, which keeps what it replaces, and publishes some partitions at the same time."""

    def publish(key: str) -> int:
        scored = files.read(MATCH_SCORES, key, sorted({*NEEDED, *STORED_COLUMNS}))
        chunk = scored, partial(_contexts, files, key)
        return publish_range(database, BOUNDS(key), [chunk], PublishOptions(), run_id=run).written

    with side_by_side(publish, KEYS, AT_ONCE) as published:
        return sum(written for _, written in published)


def _contexts(files: RangeFiles, key: str) -> "pd.Series[str]":
    return files.read(MATCH_SCORES, key, ["match_context"])["match_context"]


def _copy_alone(database: Database, files: RangeFiles) -> None:
    columns = ["id", "score_ab", "score_ba", "harmonic_mean", "match_context"]
    with database.transaction() as connection:
        connection.execute(
            text(
                "CREATE TEMP TABLE t (id uuid, score_ab numeric(5,2), score_ba numeric(5,2), "
                "harmonic_mean numeric(5,2), match_context jsonb) ON COMMIT DROP"
            )
        )
        cursor = connection.connection.cursor()
        for key in KEYS:
            rows = files.read(MATCH_SCORES, key, columns)
            with cursor.copy(f"COPY t ({', '.join(columns)}) FROM STDIN") as copy:
                for row in zip(*(rows[name].tolist() for name in columns), strict=True):
                    copy.write_row(row)


def _vacuum(database: Database) -> None:
    with psycopg.connect(database.url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("VACUUM match_suggestions")
        connection.execute("CHECKPOINT")


def _rescore(home: Path) -> list[Row]:
    """Measure `jv rescore` of the demo in its own process, everything included. Without vectors, which do not change
    the cost.
    """
    try:
        jv(home, "load", "demo")
        rescore = jv(home, "rescore")
        again = jv(home, "rescore")
    finally:
        postgres.stop(home / "postgres")
    stages = {name: float(value) for name, value in re.findall(r"│ (\w+) +│.*│ +([\d.]+) │", rescore.out)}
    work = sum(stages.get(name, 0.0) for name in ("profiles", MATCH_SCORES, PUBLISHED_SCORES))
    return [
        figure(
            f"jv rescore, {PROFILES:,} profiles, {MATCHES:,} matches, all written", rescore.seconds, "s", at_most=30.0
        ),
        figure("of it the ranges' own work", work, "s"),
        figure("of it Dagster, process start and reading the profiles", rescore.seconds - work, "s"),
        figure("jv rescore again, nothing written", again.seconds, "s"),
        figure("peak memory of the process", rescore.peak_kb / (1 << 20), "GB", at_most=1.0),
    ]


if __name__ == "__main__":
    print(json.dumps(run(), indent=1, ensure_ascii=False))
