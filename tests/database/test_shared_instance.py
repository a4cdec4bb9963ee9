"""In a Dagster instance that another code location shares, its runs are neither deleted, ended nor waited for."""

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from test_retention import age, run_ids

from jv_assets.automation.execution import under_way
from jv_assets.automation.retention import purge_old_runs
from jv_assets.automation.schedules import every_night
from jv_assets.definitions import defs
from jv_assets.names import JOBS
from jv_assets.platform.launcher import fail_runs_without_process
from jv_assets.platform.own_runs import LOCATION, MODULE, STARTED_BY_JV, STEPS
from tests.support.dagster_internals import (
    InProcessCodeLocationOrigin,
    LoadableTargetOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    create_run_for_test,
)

DONE, GOES_ON = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED
NO_PROCESS = 2**22 + 1
"""A number that no process has."""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def origin(location: str, job: str) -> RemoteJobOrigin:
    target = LoadableTargetOrigin(module_name=f"{location}_module")
    return RemoteJobOrigin(
        RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target, location_name=location), "__repository__"), job
    )


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
