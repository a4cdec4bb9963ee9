"""Old runs are forgotten, but never what is known only by them: what was made, what failed, what can be undone."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import func, select, update

from jv_assets import settings
from jv_assets.automation.execution import left_over
from jv_assets.automation.retention import purge_old_runs
from jv_assets.automation.schedules import NIGHTLY
from jv_assets.errors import UserError
from jv_assets.names import PUT_BACK
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.undo import kept_runs
from tests.support.dagster_internals import AssetCheckExecutionsTable, RunsTable, create_run_for_test
from tests.support.pipelines import Pipeline, matches, nightly_done

KEYS = list(ID_RANGES.get_partition_keys())
SOME = {"first": KEYS[0], "last": KEYS[1]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("retention")) as pipeline:
        yield pipeline


def age(instance: dg.DagsterInstance, *run_ids: str, days: int = 31) -> None:
    """Make these runs, or all, older than they are."""
    with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
        of = select(RunsTable.c.run_id, RunsTable.c.create_timestamp)
        for run_id, at in connection.execute(of).all():
            if not run_ids or run_id in run_ids:
                older = update(RunsTable).where(RunsTable.c.run_id == run_id)
                connection.execute(older.values(create_timestamp=at - timedelta(days=days)))


def run_ids(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def scores(pipeline: Pipeline) -> list[object]:
    return [(row["id"], row["harmonic_mean"], row["match_context"]) for row in matches(pipeline)]


def verdicts(instance: dg.DagsterInstance, run_id: str) -> int:
    table = AssetCheckExecutionsTable
    with instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        return int(connection.scalar(select(func.count()).where(table.c.run_id == run_id)))


def test_what_is_superseded_goes_and_what_is_latest_stays(whole: Pipeline) -> None:
    instance = whole.instance
    [of_all] = run_ids(instance)
    first, again = (whole.run("nightly", NIGHTLY, **SOME).run_id for _ in range(2))
    assert verdicts(instance, first)
    age(instance)
    assert purge_old_runs(instance) == 1
    assert run_ids(instance) == {of_all, again}  # the other ranges are known by the first run of all
    assert not instance.all_logs(first)
    assert not verdicts(instance, first)
    for name in NIGHTLY:
        assert instance.get_materialized_partitions(dg.AssetKey(name)) == set(KEYS)
    assert not any(left_over(instance, whole.files).values())
    of_the_night = {
        check for check in whole.defs.resolve_asset_graph().asset_check_keys if check.asset_key.path[0] in NIGHTLY
    }
    for check in of_the_night:
        history = instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
        assert history, check


def test_a_run_that_is_young_or_not_over_stays(whole: Pipeline) -> None:
    instance = whole.instance
    young = create_run_for_test(instance, job_name="nightly", status=dg.DagsterRunStatus.SUCCESS).run_id
    going = create_run_for_test(instance, job_name="nightly", status=dg.DagsterRunStatus.STARTED).run_id
    age(instance, young, days=29)
    age(instance, going)
    purge_old_runs(instance)
    assert {young, going} <= run_ids(instance)
    age(instance, young, days=2)
    purge_old_runs(instance)
    assert young not in run_ids(instance)
    assert going in run_ids(instance)
    instance.delete_run(going)


def test_a_range_that_failed_is_still_to_be_retried(whole: Pipeline) -> None:
    instance = whole.instance
    refused = whole.run(match_scores={"policy": "best/impute"}, **SOME)
    dry = whole.run(published_scores={"dry_run": True}, **SOME)
    assert not refused.success
    assert dry.success
    before = left_over(instance, whole.files)
    assert set(before["published_scores"]) == set(KEYS[:2])
    age(instance)
    purge_old_runs(instance)
    assert refused.run_id in run_ids(instance)
    assert left_over(instance, whole.files) == before
    assert whole.run(**SOME).success
    assert not any(left_over(instance, whole.files).values())


def test_a_forgotten_run_can_still_be_undone(whole: Pipeline) -> None:
    before = scores(whole)
    whole.sql("UPDATE profiles SET booking_link = CASE WHEN booking_link IS NULL THEN 'a link' END")
    changed, same = whole.run(**SOME), whole.run(**SOME)
    assert changed.success
    assert same.success
    assert scores(whole) != before
    age(whole.instance)
    job = whole.defs.resolve_job_def("forget")
    assert job.execute_in_process(instance=whole.instance).success
    assert changed.run_id not in run_ids(whole.instance)
    assert kept_runs(whole.database)[0].run_id == changed.run_id
    undo = whole.defs.resolve_job_def("undo").execute_in_process(
        instance=whole.instance, run_config={"ops": {PUT_BACK: {"config": {"run": changed.run_id}}}}
    )
    assert undo.success
    assert scores(whole) == before


def test_the_logs_of_a_run_go_with_it(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run_id = create_run_for_test(instance, job_name="nightly", status=dg.DagsterRunStatus.FAILURE).run_id
        log = Path(instance.compute_log_manager.get_captured_local_path([run_id, "compute_logs", "x"], "out"))  # type: ignore[attr-defined]
        log.parent.mkdir(parents=True)
        log.write_text("said\n")
        assert purge_old_runs(instance) == 0
        age(instance)
        assert purge_old_runs(instance) == 1
        assert not list(log.parent.parent.parent.glob(f"{run_id}*"))


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "month"])
def test_days_that_are_none_are_one_line(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_KEPT_DAYS", given)
    with pytest.raises(UserError, match=f"JV_KEPT_DAYS={given}: set it to a whole number from 1 to 36500"):
        settings.kept_days()
