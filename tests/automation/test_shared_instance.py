"""In a Dagster instance that another code location shares, its runs are neither deleted, ended nor waited for."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from test_retention import age, run_ids

from jv_assets.automation.attempts import last_attempts, last_made
from jv_assets.automation.execution import left_over, under_way
from jv_assets.automation.retention import purge_old_runs
from jv_assets.automation.schedules import every_night
from jv_assets.definitions import defs
from jv_assets.names import JOBS
from jv_assets.partitions import ID_RANGES, range_tags
from jv_assets.platform.launcher import fail_runs_without_process
from jv_assets.platform.own_runs import LOCATION, MODULE, STARTED_BY_JV, STEPS
from jv_assets.reports.stages import of_last_runs
from jv_assets.resources.range_files import RangeFiles
from tests.support.dagster_internals import (
    AssetMaterializationPlannedData,
    BulkActionStatus,
    PartitionBackfill,
    RemotePartitionSetOrigin,
    StepMaterializationData,
    create_run_for_test,
    origin,
)

DONE, GOES_ON = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED
KEYS = list(ID_RANGES.get_partition_keys())
NO_PROCESS = 2**22 + 1
"""A number that no process has."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def a_run(
    instance: dg.DagsterInstance,
    job: str,
    location: str | None,
    status: dg.DagsterRunStatus = DONE,
    tags: Mapping[str, str] | None = None,
) -> str:
    remote = origin(location, job) if location else None
    run: Any = create_run_for_test(instance, job_name=job, status=status, tags=tags, remote_job_origin=remote)
    return str(run.run_id)


def in_process(instance: dg.DagsterInstance, job: str) -> str:
    """A run of another project's job, whose code no location serves."""

    @dg.asset
    def other() -> None: ...

    definitions = dg.Definitions([other], jobs=[dg.define_asset_job(job, [other])])
    return definitions.resolve_job_def(job).execute_in_process(instance=instance).run_id


def test_the_jobs_are_those_of_the_definitions() -> None:
    assert {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")} == set(JOBS)


def test_the_steps_are_those_of_the_definitions() -> None:
    jobs = defs.resolve_all_job_defs()
    assert {name for job in jobs for name in job.graph.node_dict} == STEPS


def test_only_our_old_runs_are_deleted(instance: dg.DagsterInstance) -> None:
    ours = {a_run(instance, job, place) for job in (*JOBS, "__ASSET_JOB") for place in (LOCATION, MODULE)}
    ours |= {a_run(instance, "nightly", None, tags={STARTED_BY_JV: "host:1"}), a_run(instance, "nightly", None)}
    others = {a_run(instance, job, "marketing") for job in (*JOBS, "__ASSET_JOB", "invoices")}
    others |= {a_run(instance, "invoices", None), in_process(instance, "nightly")}
    assert run_ids(instance) == ours | others
    age(instance)
    assert purge_old_runs(instance) == len(ours)
    assert run_ids(instance) == others
    assert all(instance.all_logs(run_id) is not None for run_id in others)


def test_a_run_of_another_location_is_neither_ended_nor_shown(instance: dg.DagsterInstance) -> None:
    gone = {STARTED_BY_JV: f"{socket.gethostname()}:{NO_PROCESS}"}
    ours = a_run(instance, "nightly", None, GOES_ON, gone)
    other = a_run(instance, "nightly", "marketing", GOES_ON, gone | {"dagster/partition": "2026-01-01"})
    fail_runs_without_process(instance)
    statuses = {run.run_id: run.status for run in instance.get_runs()}
    assert statuses == {ours: dg.DagsterRunStatus.FAILURE, other: GOES_ON}
    assert under_way(instance) == []


def test_the_schedule_does_not_wait_for_another_location(instance: dg.DagsterInstance) -> None:
    other = a_run(instance, "nightly", "marketing", GOES_ON)
    assert isinstance(tick(instance), dg.RunRequest)
    ours = a_run(instance, "nightly", LOCATION, GOES_ON)
    skipped = tick(instance)
    assert isinstance(skipped, dg.SkipReason)
    assert ours in str(skipped.skip_message)
    assert other not in str(skipped.skip_message)


def tick(instance: dg.DagsterInstance) -> object:
    return every_night(dg.build_schedule_context(instance))


def test_an_undo_of_another_location_is_none_of_ours(instance: dg.DagsterInstance) -> None:
    a_run(instance, "undo", "marketing", dg.DagsterRunStatus.FAILURE)
    assert under_way(instance) == []


def note(instance: dg.DagsterInstance, location: str, asset: str, *, is_made: bool) -> str:
    """A run of this location that was to make all ranges of an asset of this name: it has made them, or failed."""
    status = DONE if is_made else dg.DagsterRunStatus.FAILURE
    run_id = a_run(instance, "nightly", location, status, range_tags(KEYS[0], KEYS[-1]))
    for key in KEYS:
        planned = AssetMaterializationPlannedData(dg.AssetKey(asset), key)
        report(instance, run_id, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, planned)
    for key in KEYS if is_made else ():
        made = StepMaterializationData(dg.AssetMaterialization(asset, partition=key, metadata={"seconds": 1}))
        report(instance, run_id, dg.DagsterEventType.ASSET_MATERIALIZATION, made)
    return run_id


def report(instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType, data: Any) -> None:
    instance.report_dagster_event(dg.DagsterEvent(kind.value, "nightly", event_specific_data=data), run_id)


def left(instance: dg.DagsterInstance, home: Path) -> dict[str, int]:
    """By asset, how many ranges `jv retry` would do."""
    return {asset: len(causes) for asset, causes in left_over(instance, RangeFiles(str(home))).items() if causes}


def test_what_another_location_made_under_our_name_is_not_made(instance: dg.DagsterInstance, home: Path) -> None:
    note(instance, "marketing", "published_scores", is_made=True)
    assert left(instance, home)["published_scores"] == len(KEYS)
    assert last_made(instance, dg.AssetKey("published_scores")) == {}
    assert of_last_runs(instance) == {}
    note(instance, LOCATION, "published_scores", is_made=True)
    note(instance, "marketing", "published_scores", is_made=False)
    assert "published_scores" not in left(instance, home)
    assert of_last_runs(instance) == {"seconds_published_scores": len(KEYS), "rows_written": 0}


@pytest.mark.parametrize("asset", ["published_scores", "profile_embeddings"])
def test_what_another_location_made_hides_no_failure_of_ours(
    instance: dg.DagsterInstance, home: Path, asset: str
) -> None:
    note(instance, LOCATION, asset, is_made=True)
    failed = note(instance, LOCATION, asset, is_made=False)
    for is_made in (False, True, False):
        note(instance, "marketing", asset, is_made=is_made)
        assert left(instance, home)[asset] == len(KEYS)
        attempts = last_attempts(instance, dg.AssetKey(asset))
        assert {run.run_id for run in attempts.values()} == {failed}
    note(instance, LOCATION, asset, is_made=True)
    assert asset not in left(instance, home)


def test_what_another_location_made_has_none_of_our_runs_deleted(instance: dg.DagsterInstance, home: Path) -> None:
    ours = note(instance, LOCATION, "published_scores", is_made=True)
    theirs = note(instance, "marketing", "published_scores", is_made=True)
    age(instance)
    assert purge_old_runs(instance) == 0
    assert run_ids(instance) == {ours, theirs}
    assert "published_scores" not in left(instance, home)


def a_backfill(instance: dg.DagsterInstance, **more: Any) -> str:
    backfill_id = f"backfill{len(instance.get_backfills())}"
    asked = {"status": BulkActionStatus.REQUESTED, "from_failure": False, "tags": {}, "backfill_timestamp": 1.0}
    instance.add_backfill(PartitionBackfill(backfill_id=backfill_id, **asked, **more))
    return backfill_id


def test_a_backfill_of_another_location_is_not_shown(instance: dg.DagsterInstance) -> None:
    ours = [dg.AssetKey("profiles"), dg.AssetKey("match_scores")]
    a_backfill(instance, asset_selection=[*ours, dg.AssetKey("invoices")])
    theirs = a_backfill(instance, asset_selection=ours)
    a_run(instance, "__ASSET_JOB", "marketing", tags={"dagster/backfill": theirs})
    for location in ("marketing", LOCATION):
        repository = origin(location, "nightly").repository_origin
        asked = RemotePartitionSetOrigin(repository_origin=repository, partition_set_name="nightly_partition_set")
        a_backfill(instance, partition_set_origin=asked)
    mine = a_backfill(instance, asset_selection=ours)
    begun = a_backfill(instance, asset_selection=ours)
    a_run(instance, "__ASSET_JOB", LOCATION, tags={"dagster/backfill": begun})
    shown = {line.split()[1] for line in under_way(instance)}
    assert shown == {"backfill3", mine, begun}
