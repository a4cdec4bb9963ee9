"""What a run over one range reads of large tables it finds by an index."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from jv_assets.automation.schedules import NIGHTLY
from tests.support.pipelines import Pipeline, nightly_done

LARGE = """
    INSERT INTO profiles (id, name) SELECT gen_random_uuid(), 'Kelsol' FROM generate_series(1, 20000);
    INSERT INTO match_suggestions (id, profile_id, suggested_profile_id)
        SELECT gen_random_uuid(), a.id, b.id FROM (SELECT id FROM profiles ORDER BY random() LIMIT 200) a,
            (SELECT id FROM profiles ORDER BY random() LIMIT 200) b;
    ANALYZE
"""
WHOLE_READS = "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN ('profiles', 'match_suggestions')"


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("large")) as pipeline:
        with pipeline.database.transaction() as connection:
            for statement in LARGE.split(";"):
                connection.execute(text(statement))
        yield pipeline


def whole_reads(pipeline: Pipeline) -> dict[str, int]:
    with pipeline.database.transaction() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    return {row["relname"]: row["seq_scan"] for row in pipeline.sql(WHOLE_READS)}


@pytest.mark.parametrize("asset", NIGHTLY)
def test_no_table_is_read_whole_for_a_range(large: Pipeline, asset: str) -> None:
    before = whole_reads(large)
    result = large.run("nightly", [asset], "4", "4")
    assert result.success
    assert whole_reads(large) == before


def test_the_count_sees_a_table_that_is_read_whole(large: Pipeline) -> None:
    before = whole_reads(large)
    large.sql("SELECT count(*) FROM profiles WHERE name = 'x'")
    assert whole_reads(large) != before
