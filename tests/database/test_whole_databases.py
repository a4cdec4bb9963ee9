"""Whatever a database holds that its columns admit: every score is the reference's, and nothing else changed."""

import shutil
from collections.abc import Iterator

import dagster as dg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import text

from jv_assets.automation.schedules import NIGHTLY
from jv_assets.platform import postgres
from jv_assets.setup.migrations.run import migrate
from tests.support.database_strategies import Whole, whole_databases
from tests.support.pipelines import Pipeline, assert_equal_to_reference, checksums, failure, versions

TOO_SLOW = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """An empty database of which the files of all profiles were made; a copy of them is beside those in use."""
    folder = tmp_path_factory.mktemp("whole")
    server = postgres.start(folder / "postgres")
    server.ensure_database("whole")
    with dg.DagsterInstance.ephemeral() as instance:
        pipeline = Pipeline(server.url("whole"), folder / "home", instance)
        migrate(pipeline.database, dimension=384)
        assert pipeline.run(assets=["profiles"]).success
        shutil.copytree(folder / "home" / "ranges", folder / "ranges")
        yield pipeline
    postgres.stop(folder / "postgres")


def load(pipeline: Pipeline, whole: Whole) -> None:
    """Put the rows in place of all others, and the files of an empty database in place of all files."""
    ranges = pipeline.home / "ranges"
    shutil.rmtree(ranges)
    shutil.copytree(pipeline.home.parent / "ranges", ranges)
    ours = "jv.embedded_texts, jv.replaced_scores, jv.publish_runs, jv.published_ranges"
    pipeline.sql(f"TRUNCATE profiles, match_suggestions, {ours}")
    with pipeline.database.transaction() as connection:
        for table, rows in (("profiles", whole.profiles), ("match_suggestions", whole.matches)):
            kinds = dict(connection.execute(text(_KINDS), {"table": table}).tuples().all())
            for row in rows:
                values = ", ".join(f"CAST(:{name} AS {kinds[name]})" for name in row)
                connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), row)


ON_PURPOSE = {"accept_shift": True, "accept_word_overlap": True, "switch_policy": True}
"""What was stored before may be of any policy and version, and as far away as you like."""


def assert_whole(pipeline: Pipeline, whole: Whole) -> None:
    load(pipeline, whole)
    before = checksums(pipeline)
    first, last = whole.ranges
    result = pipeline.run("nightly", NIGHTLY, first, last, published_scores=ON_PURPOSE)
    assert result.success, failure(result)
    assert_equal_to_reference(pipeline)
    assert checksums(pipeline) == before
    written = versions(pipeline)
    assert pipeline.run(assets=["match_scores", "published_scores"], first=first, last=last).success
    assert versions(pipeline) == written


# Without shrinking, which takes minutes: what fails here is made small by `make test-long`.
@settings(TOO_SLOW, max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(whole=whole_databases())
def test_the_pipeline_is_the_reference(empty: Pipeline, whole: Whole) -> None:
    assert_whole(empty, whole)


@pytest.mark.long
@settings(TOO_SLOW, max_examples=250)
@given(whole=whole_databases())
def test_the_pipeline_is_the_reference_for_long(empty: Pipeline, whole: Whole) -> None:
    assert_whole(empty, whole)


_KINDS = """
    SELECT attname AS name, format_type(atttypid, atttypmod) AS kind FROM pg_attribute
    WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped
"""
