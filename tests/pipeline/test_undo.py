"""What a publish replaced comes back, exactly: twice, after cuts, and never over what came later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from jv_assets.automation.schedules import RESCORE
from jv_assets.errors import UserError
from jv_assets.names import PUT_BACK
from jv_assets.partitions import ID_RANGES, range_tags
from jv_assets.pipeline import publishing
from jv_assets.pipeline.matches.undo_units import UNIT, Unit, describe
from jv_assets.pipeline.undo import count_kept, find_run, kept_runs, preview_undo
from tests.support.cuts import bounds
from tests.support.pipelines import Pipeline, assert_equal_to_reference, nightly_done, versions

KEYS = list(ID_RANGES.get_partition_keys())[:3]
"""The ranges that are published here; the others stay as they are."""
SWITCH = {
    "match_scores": {"policy": "geometric/impute"},
    "published_scores": {"switch_policy": True, "accept_shift": True},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("undo")) as pipeline:
        yield pipeline


@pytest.fixture(autouse=True)
def published(whole: Pipeline) -> None:
    """Every test begins with all scores published, and nothing kept but by that run."""
    assert publish(whole, published_scores={"switch_policy": True, "accept_shift": True}).success
    whole.sql("DELETE FROM jv.replaced_scores")
    whole.sql("DELETE FROM jv.publish_runs")


def publish(pipeline: Pipeline, **more: Any) -> dg.ExecuteInProcessResult:
    return pipeline.run(first=KEYS[0], last=KEYS[-1], **more)


def content(pipeline: Pipeline) -> str:
    """Every column of every match."""
    return str(pipeline.sql("SELECT md5(string_agg(m::text, '|' ORDER BY id)) FROM match_suggestions m"))


def scored(pipeline: Pipeline) -> int:
    """How many matches of the ranges that are published here have a score."""
    (row,) = pipeline.sql(
        "SELECT count(*) FROM match_suggestions WHERE harmonic_mean IS NOT NULL AND id <= :last",
        last=bounds(KEYS[-1])[1],
    )
    return int(row["count"])


def undo(pipeline: Pipeline, run: str) -> dg.ExecuteInProcessResult:
    return pipeline.defs.resolve_job_def("undo").execute_in_process(
        instance=pipeline.instance, run_config={"ops": {PUT_BACK: {"config": {"run": run}}}}, raise_on_error=False
    )


def switch(pipeline: Pipeline, policy: str = "geometric/impute") -> str:
    """All scores under another policy; returns the run's id."""
    result = publish(
        pipeline, match_scores={"policy": policy}, published_scores={"switch_policy": True, "accept_shift": True}
    )
    assert result.success
    return str(result.run_id)


def test_an_undo_puts_everything_back_and_can_be_undone(whole: Pipeline) -> None:
    before = content(whole)
    run = switch(whole)
    after = content(whole)
    assert after != before
    result = undo(whole, run[:8])
    assert result.success
    assert content(whole) == before
    assert_equal_to_reference(whole)
    assert whole.total("published_scores", result.run_id, "restored") == scored(whole)
    assert undo(whole, result.run_id).success
    assert content(whole) == after


def test_a_second_undo_writes_nothing(whole: Pipeline) -> None:
    run = switch(whole)
    assert undo(whole, run).success
    before = versions(whole)
    result = undo(whole, run)
    assert result.success
    assert versions(whole) == before
    assert whole.total("published_scores", result.run_id, "restored") == 0
    assert whole.total("published_scores", result.run_id, "unchanged") == scored(whole)


def test_a_preview_says_what_an_undo_would_do_and_writes_nothing(whole: Pipeline) -> None:
    low = "10000000-0000-0000-0000-000000000000"
    whole.sql(
        "UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, match_context = NULL "
        "WHERE id < :low",
        low=low,
    )
    run = switch(whole)
    (empty,) = whole.sql("SELECT count(harmonic_mean) FROM match_suggestions WHERE id < :low", low=low)
    before = versions(whole)
    preview = preview_undo(whole.database, run)
    assert preview.restored == {None: empty["count"], "harmonic/impute": scored(whole) - empty["count"]}
    assert preview.left == {}
    assert versions(whole) == before
    later = switch(whole, "arithmetic/impute")
    assert preview_undo(whole.database, run).left == {"replaced_since": scored(whole)}
    assert undo(whole, later).success
    assert undo(whole, run).success
    assert preview_undo(whole.database, run).left == {"unchanged": scored(whole) + empty["count"]}


def test_runs_that_belong_together_are_one_undo(whole: Pipeline) -> None:
    before = content(whole)
    first = whole.run(first=KEYS[0], last=KEYS[0], **SWITCH)
    assert first.success
    tags = {**range_tags(KEYS[2], KEYS[2]), UNIT: first.run_id}
    second = whole.defs.resolve_job_def("rescore").execute_in_process(
        instance=whole.instance,
        asset_selection=[dg.AssetKey(name) for name in RESCORE],
        run_config={"ops": {name: {"config": config} for name, config in SWITCH.items()}},
        tags=tags,
    )
    assert second.success
    assert [run.run_id for run in kept_runs(whole.database)] == [first.run_id]
    assert describe(whole.instance, first.run_id) == Unit("rescore", f"{KEYS[0]}, {KEYS[2]}", "geometric/impute")
    for given in (second.run_id, second.run_id[:8], first.run_id[:8]):
        assert find_run(whole.database, given, whole.instance) == first.run_id
    assert content(whole) != before
    result = undo(whole, second.run_id[:8])
    assert result.success
    assert content(whole) == before
    assert describe(whole.instance, result.run_id).job == f"undo of {second.run_id[:8]}"


def test_no_score_comes_back_as_no_score(whole: Pipeline) -> None:
    whole.sql(
        "UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, match_context = NULL "
        "WHERE id < '10000000-0000-0000-0000-000000000000'"
    )
    before = content(whole)
    result = publish(whole)
    assert result.success
    assert_equal_to_reference(whole)
    assert undo(whole, result.run_id).success
    assert content(whole) == before


def test_what_a_later_run_replaced_is_left_and_named(whole: Pipeline) -> None:
    before = content(whole)
    first = switch(whole)
    second = switch(whole, "arithmetic/impute")
    then = content(whole)
    result = undo(whole, first)
    assert result.success
    assert content(whole) == then
    observed = whole.metadata("published_scores", result.run_id)
    assert {run for of in observed.values() for run in of["replaced_by"]} == {second}
    assert whole.total("published_scores", result.run_id, "replaced_since") == scored(whole)
    assert undo(whole, second).success
    assert undo(whole, first).success
    assert content(whole) == before


def test_a_match_that_is_gone_is_counted(whole: Pipeline) -> None:
    run = switch(whole)
    whole.sql(
        "CREATE TABLE gone AS SELECT * FROM match_suggestions WHERE harmonic_mean IS NOT NULL ORDER BY id LIMIT 2"
    )
    whole.sql("DELETE FROM match_suggestions WHERE id IN (SELECT id FROM gone)")
    result = undo(whole, run)
    assert result.success
    assert whole.total("published_scores", result.run_id, "deleted") == 2
    whole.sql("INSERT INTO match_suggestions SELECT * FROM gone")
    whole.sql("DROP TABLE gone")


def test_only_the_last_runs_are_kept(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "KEPT_RUNS", 2)
    policies = ("geometric/impute", "arithmetic/impute", "harmonic/impute")
    runs = [switch(whole, policy) for policy in policies]
    assert [run.run_id for run in kept_runs(whole.database)] == runs[:0:-1]
    assert set(count_kept(whole.database)) == set(runs[1:])
    with pytest.raises(
        UserError, match=f"run {runs[0]} is none that can be undone; those that can be are {runs[2][:8]}"
    ):
        find_run(whole.database, runs[0])
    with pytest.raises(UserError, match="give at least 8 characters"):
        find_run(whole.database, runs[1][:4])


def test_a_dry_run_and_an_unchanged_publish_keep_nothing(whole: Pipeline) -> None:
    assert publish(whole, match_scores={"policy": "geometric/impute"}, published_scores={"dry_run": True}).success
    assert publish(whole).success
    assert kept_runs(whole.database) == []
    assert whole.sql("SELECT count(*) FROM jv.replaced_scores")[0]["count"] == 0


def test_a_batch_that_is_done_twice_keeps_what_was_there_first(whole: Pipeline) -> None:
    """As after an answer that was lost at COMMIT: here the range is published again, under the same run's id."""
    before = content(whole)
    run = switch(whole)
    assert publish(whole, assets=["match_scores"], match_scores={"policy": "arithmetic/impute"}).success
    for key in KEYS:
        rows = whole.files.read("match_scores", key)
        contexts = rows["match_context"]
        options = publishing.PublishOptions(switch_policy=True)
        publishing.publish_range(
            whole.database, bounds(key), [(rows, lambda contexts=contexts: contexts)], options, run_id=run
        )
    assert undo(whole, run).success
    assert content(whole) == before


def test_neither_undo_nor_pruning_reads_whole_tables(whole: Pipeline, tmp_path: Path) -> None:
    switch(whole)
    whole.sql("ANALYZE match_suggestions")
    whole.sql("ANALYZE jv.replaced_scores")
    low, high = "00000000-0000-0000-0000-000000000000", "03ffffff-ffff-ffff-ffff-ffffffffffff"
    with whole.database.transaction() as connection:
        for statement in (publishing._FORGET_ROWS,):
            plan = connection.exec_driver_sql(
                "EXPLAIN " + statement.replace(":low", f"'{low}'").replace(":high", f"'{high}'")
            ).all()
            assert not any("Seq Scan on replaced_scores" in line for (line,) in plan), plan
