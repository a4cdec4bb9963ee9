"""Why a run failed, in the lines that an operator reads. The source is Dagster's event log."""

import re

import dagster as dg

from jv_assets.automation.finishing import failed_ranges
from jv_assets.dagster_internals import MAX_RUNTIME_SECONDS_TAG
from jv_assets.errors import UserError
from jv_assets.platform.launcher import again

NEVER_DONE = "never done"
INTERRUPTIONS = (dg.DagsterExecutionInterruptedError.__name__, KeyboardInterrupt.__name__)
"""The errors that Dagster raises for a signal."""
ENDS = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}
_NO_REASON = re.compile(r"This run has been marked as (failed|canceled) from outside")
"""What Dagster says if somebody marked a run as ended without a reason. An earlier event mostly has the reason."""
_TOO_LONG = re.compile(r"maximum runtime of (\d+) seconds")
_REQUESTED = {
    "forcibly marked as canceled": "somebody marked it as cancelled by force, in the Dagster UI",
    "Sending run termination request": "somebody terminated it, in the Dagster UI",
}
"""By Dagster's words about a run that somebody ended: our words. The more specific ones come first."""
_TOLD_TO_END = "its process was told to end, as when jv ui or the machine is shut down"

_CRASH = re.compile(r"Run execution process for \S+ (.+?)(\.|$)")
"""What the code server says about a run whose process is gone, before its advice on memory."""
_OURS = re.compile(rf"{UserError.__module__}\.{UserError.__name__}: (.+)")
"""A UserError, as Dagster stores it."""
_LOST = re.compile(r"Detected run worker status FAILED: '(.+)'\. Marking run \S+ as failed")
"""What the daemon says about a run whose launcher reported why its process is gone."""


class Causes:
    """Looks up the causes of failed runs, and reads each run once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._ranges: dict[str, dict[str, dict[str, str]]] = {}
        self._whole: dict[str, list[str]] = {}

    def of_range(self, run: dg.DagsterRun, asset: str, key: str) -> str:
        """Return why `run` did not make this partition: its own cause, or that of an earlier asset, or of the whole
        run.
        """
        if run.run_id not in self._ranges:
            self._ranges[run.run_id] = dict(failed_ranges(self._instance, run.run_id))
        by_asset = self._ranges[run.run_id]
        if key in by_asset.get(asset, {}):
            return by_asset[asset][key]
        if by_asset:
            return f"{' and '.join(by_asset)} failed before it"
        if run.run_id not in self._whole:
            self._whole[run.run_id] = run_causes(self._instance, run)
        return "; ".join(self._whole[run.run_id])


def run_causes(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    """Return why a run failed as a whole, one line each: its checks, its steps, or what became of its process."""
    if run.status == dg.DagsterRunStatus.CANCELED:
        return _end(instance, run)
    return _checks(instance, run) + _steps(instance, run) or _end(instance, run)


def _checks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    lines = []
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        check = entry.dagster_event.asset_check_evaluation_data if entry.dagster_event else None
        if check and not check.passed and check.severity == dg.AssetCheckSeverity.ERROR:
            lines.append(f"check {check.check_name} of {check.asset_key.to_user_string()} {check.description}")
    return lines


def _steps(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    said, unforeseen = [], []
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        data = entry.dagster_event.step_failure_data if entry.dagster_event else None
        if data and data.user_failure_data:
            said.append(str(data.user_failure_data.description))
        elif is_interruption(entry):
            unforeseen.append(_kept(_ended_by(instance, run) or _TOLD_TO_END, run))
        elif data and data.error:
            unforeseen.append(data.error.message.strip().splitlines()[-1])
    return said + unforeseen


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[str]:
    if who := _ended_by(instance, run):
        return [_kept(who, run)]
    kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.RUN_CANCELED}
    entries = instance.all_logs(run.run_id, of_type=kinds)
    lines = [_words(entry) for entry in entries]
    for line in lines:  # Events of the next attempt come after these.
        if ours := _OURS.fullmatch(line) or _LOST.search(line):
            return [ours[1]]
    for line in reversed(lines):
        if crash := _CRASH.search(line):
            return [_kept(f"its process {crash[1]}", run)]
    told = [line for line, entry in zip(lines, entries, strict=True) if _says_why(entry, line)]
    if told:
        return [" ".join(told[-1].split())]
    if unsaid := next(filter(None, map(_NO_REASON.search, lines)), None):
        ending = {"failed": "failed", "canceled": "cancelled"}[unsaid[1]]
        return [_kept(f"somebody marked it as {ending} from outside, without a reason", run)]
    return [f"run {run.run_id} failed: see it in the UI (jv ui)"]


def _kept(cause: str, run: dg.DagsterRun) -> str:
    return f"{cause}; what it had done is kept; type: {again(run)}"


def _ended_by(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """Return who or what ended the run although it could have continued; None if nobody did."""
    kinds = {dg.DagsterEventType.RUN_CANCELING, dg.DagsterEventType.RUN_CANCELED, dg.DagsterEventType.RUN_FAILURE}
    said = " ".join(entry.message for entry in instance.all_logs(run.run_id, of_type=kinds))
    if longer := _TOO_LONG.search(said):
        return f"it was ended because it took longer than {longer[1]} s, which its tag {MAX_RUNTIME_SECONDS_TAG} sets"
    return next((ours for theirs, ours in _REQUESTED.items() if theirs in said), None)


def _says_why(entry: dg.EventLogEntry, line: str) -> bool:
    """Return whether an event reports a failure, rather than progress or the end of the process."""
    event = entry.dagster_event
    if event and event.is_engine_event:
        return event.engine_event_data.error is not None
    return not _NO_REASON.search(line)


def is_interruption(entry: dg.EventLogEntry) -> bool:
    """Return whether a signal ended a step or run."""
    error = getattr(entry.dagster_event.event_specific_data, "error", None) if entry.dagster_event else None
    return error is not None and error.cls_name in INTERRUPTIONS


def _words(entry: dg.EventLogEntry) -> str:
    """Return what an event says; if the run could not start for a reason of ours, return that reason."""
    event = entry.dagster_event
    error = event.engine_event_data.error if event and event.is_engine_event else None
    ours = _OURS.fullmatch(error.message.strip()) if error else None
    return ours[0] if ours else entry.message or ""
