"""Run jobs in this process through Dagster's instance, so that the UI shows the runs."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from jv_assets.automation.attempts import by_id, last_attempts, last_made
from jv_assets.automation.causes import ENDS, NEVER_DONE, Causes, is_interruption, run_causes
from jv_assets.automation.finishing import Part, config_for, parts, rest_of
from jv_assets.automation.outcome import Outcome, take_in
from jv_assets.automation.schedules import NIGHTLY, OF_MATCHES, RESCORE
from jv_assets.dagster_internals import BulkActionsFilter, BulkActionStatus
from jv_assets.errors import CallError
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PROFILES, PUBLISHED_SCORES, Job
from jv_assets.partitions import ID_RANGES, keys_of_run, range_tags
from jv_assets.pipeline.matches.undo_units import UNIT, unit_of
from jv_assets.platform.launcher import ENDED_BADLY, UNDER_WAY, again, is_at_work, this_process
from jv_assets.platform.own_runs import from_our_location, is_our_backfill, is_ours
from jv_assets.resources.range_files import RangeFiles

_HAVE_FILES = (PROFILES, MATCH_SCORES)


_SILENT = {"console": {"config": {"log_level": "CRITICAL"}}}
"""The terminal shows a progress bar; the UI has the log."""


def execute(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    plan: Sequence[Part],
    ops: Mapping[str, Mapping[str, object]] | None = None,
) -> Outcome:
    """Run the parts one after the other. If a part fails in some partitions, run its rest for the others.

    All runs share one undo unit, that of the first run that publishes, so that one undo restores everything. `ops` is
    config by asset. KeyboardInterrupt marks the run as cancelled and is raised again.
    """
    outcome, started = Outcome(), time.perf_counter()
    todo, unit = list(plan), dict[str, str]()
    while todo:
        part = todo.pop(0)
        run = _run(instance, job, part, ops or {}, unit)
        if PUBLISHED_SCORES in part.assets:
            unit = {UNIT: unit_of(run)}
        take_in(instance, run, outcome)
        if run.status != dg.DagsterRunStatus.SUCCESS:
            todo = rest_of(instance, run, part.assets) + todo
    outcome.seconds = time.perf_counter() - started
    return outcome


def chosen_keys(ranges: str | None) -> list[str]:
    """Return the partitions of `--ranges 00-3c,80`, in order; all for None. CallError for one that does not exist."""
    every = list(ID_RANGES.get_partition_keys())
    if ranges is None:
        return every
    chosen: set[str] = set()
    for part in ranges.split(","):
        first, dash, last = (word.strip().lower() for word in part.partition("-"))
        ends = [first, last] if dash else [first]
        if unknown := [key for key in ends if key not in every]:
            raise CallError(
                f"--ranges {ranges}: there is no range {unknown[0] or '(empty)'}; there are {len(every)}: {every[0]}, "
                f"{every[min(1, len(every) - 1)]}, … {every[-1]}, with commas or hyphens between"
            )
        start, end = every.index(ends[0]), every.index(ends[-1])
        if start > end:
            raise CallError(f"--ranges {ranges}: {last} comes before {first}; type: {last}-{first}")
        chosen.update(every[start : end + 1])
    return sorted(chosen, key=every.index)


def unfinished(
    instance: dg.DagsterInstance, asset: str, causes: Causes, files: RangeFiles, also_never_done: bool = True
) -> dict[str, str]:
    """Return the partitions of an asset that its last run failed or left, or that were never done, with the causes.

    Skips those that a run in progress will do. A partition without a file counts as never done, because an older
    materialization may be of another cut, whose partition of that name held other rows.
    """
    key = dg.AssetKey(asset)
    attempts, done = last_attempts(instance, key), set(last_made(instance, key))
    if also_never_done and asset in _HAVE_FILES:
        done = set(files.made(asset, sorted(done)))
    at_work = {run.run_id for run in by_id(attempts.values()) if is_at_work(instance, run)}
    left = {}
    for k in ID_RANGES.get_partition_keys():
        run = attempts.get(k)
        if run and run.run_id in at_work:
            continue
        if run and run.status in ENDED_BADLY:
            left[k] = causes.of_range(run, asset, k)
        elif also_never_done and k not in done:
            left[k] = NEVER_DONE
    return left


def left_over(instance: dg.DagsterInstance, files: RangeFiles) -> dict[str, dict[str, str]]:
    """Return by asset the partitions that `jv retry` does, and why. Embedding is only retried, because all of it may
    take hours.
    """
    causes = Causes(instance)
    return {name: unfinished(instance, name, causes, files, also_never_done=name in RESCORE) for name in NIGHTLY}


def under_way(instance: dg.DagsterInstance) -> list[str]:
    """Return one line for each run that waits or is in progress, unfinished backfill, and failed undo."""
    return runs_under_way(instance) + _undo_not_done(instance)


def runs_under_way(instance: dg.DagsterInstance) -> list[str]:
    """Return one line for each run that waits or is in progress, and each unfinished backfill."""
    waiting = _our_runs(instance, [dg.DagsterRunStatus.QUEUED])
    lines = [f"{_named(run)} waits for the daemon (jv ui)" for run in waiting]
    lines += [f"{_named(run)} is still running{_nevertheless(instance, run)}" for run in at_work(instance)]
    requested = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
    for backfill in instance.get_backfills(filters=requested):
        if is_our_backfill(instance, backfill):
            lines.append(f"backfill {backfill.backfill_id} continues while the daemon runs (jv ui)")
    return lines


def at_work(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Return our runs that a process works on, even if somebody marked them as ended."""
    marked = (run for run in _our_runs(instance, ENDED_BADLY, limit=_LATEST) if is_at_work(instance, run))
    return [*_our_runs(instance, UNDER_WAY), *marked]


_LATEST = 50
"""How many of the latest failed runs are checked for a process that still works."""


def _our_runs(
    instance: dg.DagsterInstance, statuses: Sequence[dg.DagsterRunStatus], limit: int | None = None
) -> list[dg.DagsterRun]:
    runs = instance.get_runs(dg.RunsFilter(statuses=list(statuses)), limit=limit)
    return [run for run in runs if is_ours(instance, run)]


def _named(run: dg.DagsterRun) -> str:
    keys = keys_of_run(run)
    return f"run {run.run_id[:8]} of {run.job_name}, ranges {keys[0]} to {keys[-1]},"


def _nevertheless(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    return f", although {run_causes(instance, run)[0]}" if run.status in ENDED_BADLY else ""


def _undo_not_done(instance: dg.DagsterInstance) -> list[str]:
    """Return the last undo if it failed and nothing was published since: no partition of an asset reports it."""
    records = instance.get_run_records(dg.RunsFilter(job_name=Job.UNDO))
    last = next((record for record in records if is_ours(instance, record.dagster_run)), None)
    if last is None or last.dagster_run.status not in ENDED_BADLY:
        return []
    since = instance.get_runs(dg.RunsFilter(created_after=last.create_timestamp))
    if any(run.job_name in (Job.RESCORE, Job.NIGHTLY) and is_ours(instance, run) for run in since):
        return []
    run = last.dagster_run
    return [f"run {run.run_id[:8]} of undo failed: {'; '.join(run_causes(instance, run))}"]


def retry_plan(instance: dg.DagsterInstance, files: RangeFiles) -> list[Part]:
    """Return the parts that do what is left over, and what depends on it.

    A partition that was not published is scored again first, because its file may be of another policy. Profiles
    concern all matches, so after a failed partition of profiles all matches are scored again.
    """
    left = left_over(instance, files)
    matches = sorted({*left[MATCH_SCORES], *left[PUBLISHED_SCORES]})
    if left[PROFILES] or left[PROFILE_EMBEDDINGS]:
        matches = list(ID_RANGES.get_partition_keys())
    return [
        *parts((PROFILES,), list(left[PROFILES])),
        *parts((PROFILE_EMBEDDINGS,), list(left[PROFILE_EMBEDDINGS])),
        *parts(OF_MATCHES, matches),
    ]


def execute_op(instance: dg.DagsterInstance, job: dg.JobDefinition, op: str, config: Mapping[str, object]) -> Outcome:
    """Run a job that is one op. KeyboardInterrupt marks the run as cancelled and is raised again."""
    outcome, started = Outcome(), time.perf_counter()
    take_in(instance, _in_process(instance, job, {"ops": {op: {"config": dict(config)}}}, {}), outcome)
    outcome.seconds = time.perf_counter() - started
    return outcome


def _run(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    part: Part,
    ops: Mapping[str, Mapping[str, object]],
    unit: Mapping[str, str],
) -> dg.DagsterRun:
    config = config_for(part.assets, {name: {"config": dict(values)} for name, values in ops.items()})
    return _in_process(instance, job, config, {**range_tags(part.first, part.last), **unit}, part.assets)


def _in_process(
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    config: Mapping[str, Any],
    tags: Mapping[str, str],
    assets: Sequence[str] = (),
) -> dg.DagsterRun:
    with from_our_location(instance, job.name):
        result = job.execute_in_process(
            instance=instance,
            run_config={**config, "loggers": _SILENT},
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            tags={**tags, **this_process()},
            raise_on_error=False,
        )
    run = instance.get_run_by_id(result.run_id)
    assert run
    if _was_interrupted(instance, run):
        instance.report_run_canceled(run, message=f"jv was stopped; to continue, type: {again(run)}")
        raise KeyboardInterrupt
    return run


def _was_interrupted(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Return whether Dagster turned a signal into a failure.

    If somebody marked the run as ended before, only the step says so.
    """
    return any(is_interruption(entry) for entry in instance.all_logs(run.run_id, of_type=ENDS))
