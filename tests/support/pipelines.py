"""The assets over a real database, run in this process, and what must be true of it afterwards."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import pytest
from sqlalchemy import text

from jv_assets.automation.schedules import NIGHTLY, RESCORE
from jv_assets.automation.sensors import CONCERNED
from jv_assets.definitions import build
from jv_assets.demo.population import make_population
from jv_assets.partitions import ID_RANGES, range_tags
from jv_assets.pipeline.database.stored_cut import read_cut
from jv_assets.pipeline.reading import read_profiles
from jv_assets.platform import postgres
from jv_assets.platform.storage import EVENTS_AT_ONCE, dagster_home
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS
from jv_scoring.reference import PairScore, score_pair
from jv_scoring.similarity import calibration_of
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.cuts import bounds
from tests.support.dagster_internals import SensorExecutionData
from tests.support.models import MINILM, minilm
from tests.support.sharing import fill

KEYS = list(ID_RANGES.get_partition_keys())


class Pipeline:
    """A database, the files beside it and an instance of Dagster's."""

    def __init__(self, url: str, home: Path, instance: dg.DagsterInstance) -> None:
        self.home, self.instance = home, instance
        self.database = Database(url=url)
        self.files = RangeFiles(str(home), read_cut=lambda ranges: read_cut(self.database, ranges))
        self.embedder = minilm()
        self.defs = self.rebuilt()

    def rebuilt(self) -> dg.Definitions:
        """The definitions over the database as it is reached now."""
        return build(self.database, self.embedder, self.files)

    def run(
        self,
        job: str = "rescore",
        assets: Sequence[str] = RESCORE,
        first: str = KEYS[0],
        last: str = KEYS[-1],
        **ops: Any,
    ) -> dg.ExecuteInProcessResult:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("JV_HOME", str(self.home))
            patch.setenv("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_AT_ONCE))
            return self.defs.resolve_job_def(job).execute_in_process(
                instance=self.instance,
                asset_selection=[dg.AssetKey(name) for name in assets],
                run_config={"ops": {name: {"config": config} for name, config in ops.items()}},
                tags=range_tags(first, last),
                raise_on_error=False,
            )

    def sql(self, statement: str, **values: object) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            result = connection.execute(text(statement), values)
            return [dict(row) for row in result.mappings().all()] if result.returns_rows else []

    def metadata(self, asset: str, run_id: str) -> dict[str | None, dict[str, Any]]:
        """By range, of one run; every range is there once. None for an asset without ranges."""
        kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
        entries = self.instance.all_logs(run_id, of_type=kinds)
        events = [entry.asset_materialization or entry.asset_observation for entry in entries]
        mine = [event for event in events if event and event.asset_key == dg.AssetKey(asset)]
        assert len(mine) == len({event.partition for event in mine})
        return {event.partition: {k: v.value for k, v in event.metadata.items()} for event in mine}

    def total(self, asset: str, run_id: str, name: str) -> int:
        return sum(int(values.get(name, 0)) for values in self.metadata(asset, run_id).values())


Some = TypeVar("Some", bound=Pipeline)


@contextmanager
def nightly_done(folder: Path, kind: type[Some] = Pipeline) -> Iterator[Some]:
    """A nightly run was made over 150 profiles and 900 matches, in a database of a server of its own."""
    fill(folder, "nightly", _make_nightly)
    with _running(folder, kind) as pipeline:
        yield pipeline


def _make_nightly(folder: Path) -> None:
    """The server's data, the range files, Dagster's storage."""
    with _running(folder, Pipeline) as pipeline:
        migrate(pipeline.database, dimension=384)
        population = make_population(150, 900)
        load_frames(pipeline.database, population.profiles, population.matches)
        assert pipeline.run("nightly", NIGHTLY).success


@contextmanager
def vectors_drawn(folder: Path) -> Iterator[Pipeline]:
    """150 profiles with random vectors, and 900 matches; nothing was run, and no text was embedded."""
    with _running(folder, Pipeline) as pipeline:
        migrate(pipeline.database, dimension=384)
        population = make_population(150, 900)
        load_frames(pipeline.database, population.profiles, population.matches)
        drawn = (
            "(SELECT array_agg(0.5 + random() * :spread) FROM generate_series(1, 384) WHERE p.id IS NOT NULL)::vector"
        )
        columns = ", ".join(
            f"embedding_{name} = CASE WHEN {name} IS NOT NULL THEN {drawn} END" for name in EMBEDDED_FIELDS
        )
        pipeline.sql(f"UPDATE profiles p SET embeddings_model = :model, {columns}", model=MINILM, spread=2)
        yield pipeline


@contextmanager
def _running(folder: Path, kind: type[Some]) -> Iterator[Some]:
    """Over the server of `folder`, which has Dagster's storage too, as `jv` makes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JV_HOME", str(folder))
        server = postgres.start()
        server.ensure_database("nightly")
        patch.setenv("DAGSTER_HOME", str(dagster_home()))
        try:
            with dg.DagsterInstance.get() as instance:
                yield kind(server.url("nightly"), folder, instance)
        finally:
            postgres.stop(folder / "postgres")


def profiles_by_id(pipeline: Pipeline) -> dict[str, dict[str, Any]]:
    rows = read_profiles(pipeline.database, bounds(KEYS[0])[0], bounds(KEYS[-1])[1]).to_dict("records")
    profiles = {str(row["id"]): row for row in rows}
    vectors = ", ".join(f"embedding_{name}::text" for name in EMBEDDED_FIELDS)
    for row in pipeline.sql(f"SELECT id::text, {vectors} FROM profiles WHERE embeddings_model = :model", model=MINILM):
        found = {f"embedding_{name}": row[f"embedding_{name}"] for name in EMBEDDED_FIELDS}
        profiles[row["id"]] |= {name: json.loads(value) if value else None for name, value in found.items()}
    return profiles


def matches(pipeline: Pipeline) -> list[dict[str, Any]]:
    return pipeline.sql(
        "SELECT id::text, profile_id::text AS a, suggested_profile_id::text AS b, score_ab::float8, score_ba::float8, "
        "harmonic_mean::float8, match_context, xmin::text FROM match_suggestions ORDER BY id"
    )


def versions(pipeline: Pipeline) -> list[str]:
    return [row["xmin"] for row in matches(pipeline)]


def assert_equal_to_reference(pipeline: Pipeline, policy: str = "harmonic/impute") -> int:
    """Every scorable match has the reference's scores and breakdowns, every other none; returns how many have."""
    profiles = profiles_by_id(pipeline)
    scored = 0
    for row in matches(pipeline):
        a, b = profiles.get(row["a"]), profiles.get(row["b"])
        if a is None or b is None or row["a"] == row["b"]:
            assert (row["score_ab"], row["score_ba"], row["harmonic_mean"], row["match_context"]) == (None,) * 4
            continue
        scored += 1
        assert_scored(row, score_pair(a, b, policy, calibration_of(MINILM)), policy)
    return scored


def assert_scored(row: Mapping[str, Any], expected: PairScore, policy: str) -> None:
    """A match, as `matches` reads it, has these scores and breakdowns, and says what made them."""
    found = (row["score_ab"], row["score_ba"], row["harmonic_mean"])
    assert found == (expected.score_ab, expected.score_ba, expected.harmonic_mean)
    context = row["match_context"]
    assert context["breakdown_ab"] == expected.breakdown_ab
    assert context["breakdown_ba"] == expected.breakdown_ba
    assert (context["policy"], context["embedding_model"]) == (policy, MINILM)
    assert context["scoring_version"] == "ismc_v2_embeddings"


def checksums(pipeline: Pipeline) -> dict[str, object]:
    """By table: of every column that is not ours, of all its rows."""
    tables = {"profiles": PROFILE_COLUMNS, "match_suggestions": MATCH_COLUMNS}
    md5 = "SELECT md5(string_agg(t::text, '|' ORDER BY t.id)) FROM (SELECT {} FROM {}) AS t"
    return {table: pipeline.sql(md5.format(", ".join(columns), table)) for table, columns in tables.items()}


def failure(result: dg.ExecuteInProcessResult) -> str:
    (event,) = [event for event in result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data
    return str(data.description)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def tick(pipeline: Pipeline, sensor: dg.SensorDefinition, cursor: str | None) -> tuple[SensorExecutionData, str]:
    """What a tick comes to, and the cursor after it."""
    repository = pipeline.defs.get_repository_def()
    with dg.build_sensor_context(
        pipeline.instance, cursor=cursor, sensor_name=sensor.name, repository_def=repository,
        resources={"database": pipeline.database},
    ) as context:  # fmt: skip
        data = sensor.evaluate_tick(context)
    return data, str(data.cursor)


def concerned(data: SensorExecutionData) -> list[str]:
    (request,) = data.run_requests or []
    assert request.job_name in (None, "refresh")
    return str(request.tags[CONCERNED]).split(",")
