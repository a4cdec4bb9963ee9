"""Runs that take days: nothing ends a run that makes progress, and what ended one from outside is named."""

import logging
import socket
import time
from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest

from jv_assets.automation.alerts import message_of
from jv_assets.automation.causes import run_causes
from jv_assets.automation.execution import at_work, execute, left_over, parts, under_way
from jv_assets.partitions import ID_RANGES, range_tags
from jv_assets.pipeline.matches.undo_units import UNIT, unit_of
from jv_assets.platform import postgres
from jv_assets.platform.instance import open_instance
from jv_assets.platform.launcher import LAUNCHED_ON, SILENT_HOURS, this_process
from jv_assets.platform.own_runs import LOCATION, STARTED_BY_JV, started_by_jv
from jv_assets.platform.storage import dagster_home
from jv_assets.resources.range_files import RangeFiles
from tests.support.dagster_internals import (
    EmptyWorkspaceTarget,
    InProcessCodeLocationOrigin,
    JobFailureData,
    LoadableTargetOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
    RunFailureReason,
    WorkspaceProcessContext,
    create_run_for_test,
    execute_run_monitoring_iteration,
    mark_as_cancelled_by_force,
)

DAY = 86_400
FIRST, LAST = ID_RANGES.get_partition_keys()[0], ID_RANGES.get_partition_keys()[-1]
KEPT = "; what it had done is kept; type: jv retry"
ELSEWHERE = {STARTED_BY_JV: "another-host:4711"}


@pytest.fixture(scope="module")
def url(server: postgres.Server) -> str:
    server.ensure_database("long_runs")
    return server.url("long_runs")


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch, url: str) -> Iterator[dg.DagsterInstance]:
    """With the settings that `jv` and its daemon have, and without a run."""
    monkeypatch.setenv("JV_DAGSTER_URL", url)
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    with dg.DagsterInstance.get() as instance:
        instance.wipe()
        yield instance


def begun(instance: dg.DagsterInstance, tags: dict[str, str], job: str = "nightly", **more: Any) -> dg.DagsterRun:
    run = create_run_for_test(instance, job_name=job, tags={**range_tags(FIRST, LAST), **tags}, **more)
    for kind in (dg.DagsterEventType.RUN_STARTING, dg.DagsterEventType.RUN_START):
        instance.report_dagster_event(dg.DagsterEvent(kind.value, job_name=job), run.run_id)
    return reloaded(instance, run)


def reloaded(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun:
    found = instance.get_run_by_id(run.run_id)
    assert found
    return found


def age(url: str, days: float, *, log_too: bool = False) -> None:
    """Have all runs begun so many days earlier; with `log_too`, nothing was heard of them since."""
    with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        connection.execute("UPDATE runs SET start_time = start_time - %s", [days * DAY])
        if log_too:
            connection.execute("UPDATE event_logs SET event = regexp_replace(event, '\"timestamp\": [0-9.]+', "
                               "'\"timestamp\": ' || %s)", [time.time() - days * DAY])  # fmt: skip


def monitor(instance: dg.DagsterInstance) -> None:
    """What the daemon does every ten seconds."""
    with WorkspaceProcessContext(instance, EmptyWorkspaceTarget()) as workspace:
        assert [error for error in execute_run_monitoring_iteration(workspace, logging.getLogger()) if error] == []


def test_what_makes_progress_has_no_maximum(instance: dg.DagsterInstance, url: str) -> None:
    """In a process of `jv` here or elsewhere, or of the daemon's."""
    here = begun(instance, this_process())
    elsewhere = begun(instance, ELSEWHERE)
    launched = begun(instance, {LAUNCHED_ON: "another-host"})
    age(url, 30)
    monitor(instance)
    assert {run.run_id: run.status.name for run in instance.get_runs()} == dict.fromkeys(
        [here.run_id, elsewhere.run_id, launched.run_id], "STARTED"
    )
    assert all(line.endswith(" is still running") for line in under_way(instance))


def test_a_run_elsewhere_that_says_nothing_is_ended(instance: dg.DagsterInstance, url: str) -> None:
    """Else the schedule would wait for it for ever; the one whose process lives here is left alone."""
    here, elsewhere, unknown = (begun(instance, tags) for tags in (this_process(), ELSEWHERE, {}))
    age(url, 2, log_too=True)
    monitor(instance)
    assert reloaded(instance, here).status == dg.DagsterRunStatus.STARTED
    silent = f"has said nothing for {SILENT_HOURS} hours{KEPT}"
    assert run_causes(instance, reloaded(instance, elsewhere)) == [f"its process on another-host {silent}"]
    assert run_causes(instance, reloaded(instance, unknown)) == [f"its process {silent}"]


def by_tag(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    monitor(instance)


def by_request(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    instance.report_run_canceling(run)
    instance.report_run_canceled(run)


def by_force(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    mark_as_cancelled_by_force(instance, run.run_id)


def by_timeout(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    message = "Run timed out due to taking longer than 180 seconds to start."
    instance.report_run_failed(run, message, JobFailureData(None, RunFailureReason.START_TIMEOUT))


MARKED = {
    "its tag": (by_tag, f"it was ended because it took longer than 5 s, which its tag dagster/max_runtime sets{KEPT}"),
    "a request": (by_request, f"somebody terminated it, in the Dagster UI{KEPT}"),
    "force": (by_force, f"somebody marked it as cancelled by force, in the Dagster UI{KEPT}"),
    "the start's timeout": (by_timeout, "Run timed out due to taking longer than 180 seconds to start."),
    "a reason": (lambda instance, run: instance.report_run_failed(run, "the node is drained"), "the node is drained"),
    "no reason": (
        lambda instance, run: instance.report_run_failed(run),
        f"somebody marked it as failed from outside, without a reason{KEPT}",
    ),
    "no reason to cancel": (
        lambda instance, run: instance.report_run_canceled(run),
        f"somebody marked it as cancelled from outside, without a reason{KEPT}",
    ),
}


@pytest.mark.parametrize("mark", MARKED)
def test_what_ended_a_run_from_outside_is_named(instance: dg.DagsterInstance, url: str, mark: str) -> None:
    """Also where the process says what it does; and as long as that lives, the run goes on."""
    end, cause = MARKED[mark]
    run = begun(instance, {**this_process(), "dagster/max_runtime": "5"})
    instance.report_engine_event("Executing steps in process (pid: 4711)", run)
    age(url, 1)
    end(instance, run)
    ended = reloaded(instance, run)
    assert ended.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    assert run_causes(instance, ended) == [cause]
    assert message_of(instance, ended)["causes"] == [cause]
    assert [one.run_id for one in at_work(instance)] == [run.run_id]
    [line] = under_way(instance)
    assert line == f"run {run.run_id[:8]} of nightly, ranges {FIRST} to {LAST}, is still running, although {cause}"

    gone = begun(instance, {STARTED_BY_JV: f"{socket.gethostname()}:{2**22 + 1}"})
    instance.report_run_failed(gone)
    assert [one.run_id for one in at_work(instance)] == [run.run_id]


def test_a_run_that_was_marked_as_failed_meanwhile_ends_well(instance: dg.DagsterInstance) -> None:
    """While it goes on, none of its partitions is left for `jv retry`; at its end it has succeeded."""
    seen: list[object] = []

    @dg.asset(partitions_def=ID_RANGES, backfill_policy=dg.BackfillPolicy.single_run(), name="profiles")
    def slow(context: dg.AssetExecutionContext) -> None:
        context.instance.report_run_failed(context.run)
        seen.append(left_over(context.instance, RangeFiles())["profiles"])
        seen.append([run.run_id for run in at_work(context.instance)] == [context.run.run_id])

    definitions = dg.Definitions([slow], jobs=[dg.define_asset_job("nightly", [slow])], executor=dg.in_process_executor)
    outcome = execute(
        instance, definitions.resolve_job_def("nightly"), parts(("profiles",), list(ID_RANGES.get_partition_keys()))
    )
    assert seen == [{}, True]
    assert (outcome.succeeded, outcome.broken) == (True, [])


def test_a_signal_is_told_after_somebody_marked_the_run(instance: dg.DagsterInstance) -> None:
    @dg.asset(partitions_def=ID_RANGES, backfill_policy=dg.BackfillPolicy.single_run(), name="profiles")
    def stopped(context: dg.AssetExecutionContext) -> None:
        context.instance.report_run_failed(context.run)
        raise KeyboardInterrupt

    definitions = dg.Definitions([stopped], jobs=[dg.define_asset_job("nightly", [stopped])])
    with pytest.raises(KeyboardInterrupt):
        execute(instance, definitions.resolve_job_def("nightly"), parts(("profiles",), [FIRST]))
    [run] = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.CANCELED
    assert run_causes(instance, run) == ["jv was stopped; to continue, type: jv retry"]


def test_a_step_that_a_signal_ended_says_so(instance: dg.DagsterInstance) -> None:
    """Where nobody has asked Dagster to end the run."""

    @dg.op
    def stopped() -> None:
        raise dg.DagsterExecutionInterruptedError

    @dg.job(name="nightly", executor_def=dg.in_process_executor)
    def interrupted() -> None:
        stopped()

    result = interrupted.execute_in_process(instance=instance, raise_on_error=False)
    [run] = instance.get_runs()
    assert not result.success
    assert run_causes(instance, run) == [
        f"its process was told to end, as when jv ui or the machine is shut down{KEPT}"
    ]


def test_a_run_of_jv_that_is_executed_again_in_the_ui_is_the_daemons(instance: dg.DagsterInstance) -> None:
    """It has the tags of the old run, whose process is gone, and whose undo is not its own."""
    target = LoadableTargetOrigin(module_name="jv_assets.definitions")
    location = InProcessCodeLocationOrigin(target, location_name=LOCATION)
    origin: Any = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), "nightly")
    tags = {STARTED_BY_JV: f"{socket.gethostname()}:{2**22 + 1}", UNIT: "the-old-unit"}
    old = begun(instance, tags)
    again = begun(instance, tags, remote_job_origin=origin, parent_run_id=old.run_id, root_run_id=old.run_id)
    open_instance().dispose()
    assert reloaded(instance, old).status == dg.DagsterRunStatus.FAILURE
    assert reloaded(instance, again).status == dg.DagsterRunStatus.STARTED
    assert (started_by_jv(old), started_by_jv(again)) == (True, False)
    assert (unit_of(old), unit_of(again)) == ("the-old-unit", again.run_id)
