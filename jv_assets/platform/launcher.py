"""Detect whether the process of a run still exists, because a killed process cannot report its failure."""

import json
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg
import psutil

from jv_assets.dagster_internals import (
    GRPC_INFO_TAG,
    CheckRunHealthResult,
    JobFailureData,
    LaunchRunContext,
    RunFailureReason,
    WorkerStatus,
)
from jv_assets.names import PUT_BACK, Job
from jv_assets.platform.own_runs import STARTED_BY_JV, config_of, is_ours, started_by_jv

LAUNCHED_ON = ".dagster/jv_host"
"""Hidden tag of runs that the daemon launched: the host of their process."""
UNDER_WAY = (
    *(dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING),
    *(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING),
)
"""The statuses of a run that has a process, or is about to have one."""
ENDED_BADLY = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
SILENT_HOURS = 24
"""How many hours without a line in its log make a run on another host count as lost. A run in progress writes one at
least every ten minutes, and after each partition.
"""


def this_process() -> dict[str, str]:
    """Return the tag of a run in this process."""
    return {STARTED_BY_JV: f"{socket.gethostname()}:{os.getpid()}"}


def fail_runs_without_process(instance: dg.DagsterInstance) -> None:
    """Mark as failed our runs of this host whose process was killed."""
    for run in instance.get_runs(dg.RunsFilter(statuses=list(UNDER_WAY))):
        if is_ours(instance, run) and (gone := process_gone(instance, run)):
            instance.report_run_failed(run, message=gone)


def process_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Return what became of the process of a run, and what to do; None while the run may make progress.

    There is no maximum duration of a run: embedding all texts may take days.
    """
    process = _process(instance, run)
    if process is None or process.host != socket.gethostname():
        where = f" on {process.host}" if process else ""
        cause = f"its process{where} has said nothing for {SILENT_HOURS} hours" if _is_silent(instance, run) else None
    else:
        cause = (
            None if process.lives else f"its process (number {process.pid} on {process.host}) was killed or has crashed"
        )
    if cause is None or not is_ours(instance, run):
        return cause
    return f"{cause}; what it had done is kept; type: {again(run)}"


def is_at_work(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a process works on the run, even if somebody has marked the run as failed or cancelled."""
    if run.status not in ENDED_BADLY:
        return run.status in UNDER_WAY
    process = _process(instance, run)
    if process is None or process.host != socket.gethostname() or not process.lives:
        return False
    ends = instance.all_logs(run.run_id, of_type={dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED})
    return all(marked_from_outside(entry) for entry in ends)


def marked_from_outside(entry: dg.EventLogEntry) -> bool:
    """Return whether another process than the run's own wrote the end of the run in this event."""
    data = entry.dagster_event.event_specific_data if entry.dagster_event else None
    return data is None or (isinstance(data, JobFailureData) and data.failure_reason == RunFailureReason.START_TIMEOUT)


def again(run: dg.DagsterRun) -> str:
    """Return what to type to have the rest of a run done, for runs whose partitions do not say so."""
    if run.job_name == Job.UNDO:
        return f"jv undo {config_of(run, PUT_BACK)['run'][:8]}"
    return "jv report" if run.job_name == Job.REPORT else "jv retry"


class Launcher(dg.DefaultRunLauncher):
    """The default launcher, except that it notices the death of a run's process within seconds, not after a day."""

    def launch_run(self, context: LaunchRunContext) -> None:
        # Before the process exists, because it may be killed at any time.
        self._instance.add_run_tags(context.dagster_run.run_id, {LAUNCHED_ON: socket.gethostname()})
        super().launch_run(context)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        gone = process_gone(self._instance, run)
        return CheckRunHealthResult(WorkerStatus.FAILED if gone else WorkerStatus.RUNNING, gone)


@dataclass(frozen=True)
class _Process:
    """The process of a run, and a moment at which it existed."""

    host: str
    pid: int
    since: float

    @property
    def lives(self) -> bool:
        """Return whether the process with this number on this host is still the same process."""
        try:
            process = psutil.Process(self.pid)
            return process.create_time() <= self.since + 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def _process(instance: dg.DagsterInstance, run: dg.DagsterRun) -> _Process | None:
    """Return the process of a run; None if it has not reported its number, or if it is a worker's."""
    return _by_jv(instance, run) or _by_daemon(instance, run)


def _by_jv(instance: dg.DagsterInstance, run: dg.DagsterRun) -> _Process | None:
    if not started_by_jv(run):
        return None
    host, _, pid = run.tags[STARTED_BY_JV].rpartition(":")
    record = instance.get_run_record_by_id(run.run_id)
    return _Process(host, int(pid), record.create_timestamp.timestamp()) if record else None


def _by_daemon(instance: dg.DagsterInstance, run: dg.DagsterRun) -> _Process | None:
    host = run.tags.get(LAUNCHED_ON)
    if host is None or json.loads(run.tags.get(GRPC_INFO_TAG, "{}")).get("host") != "localhost":
        return None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata: Mapping[str, dg.MetadataValue] = (
            entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        )
        if pid := metadata.get("pid"):  # The first message of a run's process.
            return _Process(host, int(str(pid.value)), entry.timestamp)
    return None


def _is_silent(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether a run that began has written nothing into its log for too long."""
    if run.status != dg.DagsterRunStatus.STARTED:
        return False
    if newest := instance.get_records_for_run(run.run_id, limit=1, ascending=False).records:
        last = newest[0].event_log_entry.timestamp
    elif record := instance.get_run_record_by_id(run.run_id):
        last = record.update_timestamp.timestamp()
    else:  # The run was deleted meanwhile.
        return False
    return time.time() - last > SILENT_HOURS * 3600
