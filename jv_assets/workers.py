"""Whether the process that does a run is still there: one that was killed cannot say that its run has failed."""

import json
import os
import socket
from collections.abc import Mapping
from typing import Any

import dagster as dg
import psutil
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, LaunchRunContext, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from jv_assets.automation.own_runs import STARTED_BY_JV, is_ours

LAUNCHED_ON = "jv/host"
"""Tag of runs that the daemon launched: the host that their process is on."""
UNDER_WAY = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED)
"""The statuses of a run that has a process, or is about to have one."""


def this_process() -> dict[str, str]:
    """The tag of a run in this process."""
    return {STARTED_BY_JV: f"{socket.gethostname()}:{os.getpid()}"}


def fail_runs_without_process(instance: dg.DagsterInstance) -> None:
    """Mark as failed our runs of this host whose process was killed."""
    for run in instance.get_runs(dg.RunsFilter(statuses=list(UNDER_WAY))):
        if is_ours(instance, run) and (gone := process_gone(instance, run)):
            instance.report_run_failed(run, message=gone)


def process_gone(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """What became of the process of a run under way, and what to do; None where it lives or is on another host."""
    found = _by_jv(instance, run) or _by_daemon(instance, run)
    if found is None:
        return None
    host, pid, since = found
    if host != socket.gethostname() or _lives(pid, since):
        return None
    cause = f"its process (number {pid} on {host}) was killed or has crashed"
    if not is_ours(instance, run):
        return cause
    return f"{cause}; what it had done is kept; type: {again(run)}"


def again(run: dg.DagsterRun) -> str:
    """What to type to have the rest of a run done, where no range of it says so."""
    if run.job_name == "undo":
        config: Any = run.run_config
        [op] = config["ops"].values()
        return f"jv undo {op['config']['run'][:8]}"
    return "jv report" if run.job_name == "report" else "jv retry"


class Launcher(DefaultRunLauncher):
    """The default launcher, whose runs are missed as soon as their process is gone, and not after a day."""

    def launch_run(self, context: LaunchRunContext) -> None:
        # before the process is there: it may be killed at any time
        self._instance.add_run_tags(context.dagster_run.run_id, {LAUNCHED_ON: socket.gethostname()})
        super().launch_run(context)

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        gone = process_gone(self._instance, run)
        return CheckRunHealthResult(WorkerStatus.FAILED if gone else WorkerStatus.RUNNING, gone)


def _by_jv(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, int, float] | None:
    """Host and number of the process, and a time at which it was there."""
    host, _, pid = run.tags.get(STARTED_BY_JV, "").rpartition(":")
    record = instance.get_run_record_by_id(run.run_id) if host else None
    return (host, int(pid), record.create_timestamp.timestamp()) if record else None


def _by_daemon(instance: dg.DagsterInstance, run: dg.DagsterRun) -> tuple[str, int, float] | None:
    host = run.tags.get(LAUNCHED_ON)
    if host is None or json.loads(run.tags.get(GRPC_INFO_TAG, "{}")).get("host") != "localhost":
        return None
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata: Mapping[str, dg.MetadataValue] = (
            entry.dagster_event.engine_event_data.metadata if entry.dagster_event else {}
        )
        if pid := metadata.get("pid"):  # the first thing that a run's process says
            return host, int(str(pid.value)), entry.timestamp
    return None


def _lives(pid: int, since: float) -> bool:
    """Whether the process that had this number then has it still."""
    try:
        process = psutil.Process(pid)
        return process.create_time() <= since + 1 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
