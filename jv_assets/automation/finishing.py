"""Finish the partitions that did not fail, when a run failed in some partitions.

Dagster does not start a step if its upstream step failed. One bad partition must not keep the others from being
published, so another run finishes the others. `jv` starts it at once; for runs of the daemon, a sensor starts it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import dagster as dg

from jv_assets.automation.schedules import NIGHTLY, RESCORE, nightly, rescore
from jv_assets.names import MATCH_SCORES, TRIAL_SCORES, Job
from jv_assets.partitions import FAILED_RANGES, ID_RANGES, keys_of_run, range_tags
from jv_assets.pipeline.matches.undo_units import UNIT, unit_of
from jv_assets.platform.own_runs import started_by_jv


@dataclass(frozen=True)
class Part:
    """Assets, in the order of the pipeline, and the partitions from `first` to `last`."""

    assets: tuple[str, ...]
    first: str
    last: str


def parts(assets: Sequence[str], keys: Sequence[str]) -> list[Part]:
    """Return one part per unbroken series of partitions, because a run covers one series. Skip unknown partitions."""
    every = list(ID_RANGES.get_partition_keys())
    places = sorted(every.index(key) for key in keys if key in every)
    series = [[place for _, place in group] for _, group in groupby(enumerate(places), lambda at: at[1] - at[0])]
    return [Part(tuple(assets), every[group[0]], every[group[-1]]) for group in series]


def failed_ranges(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each asset that failed in some partitions, with the causes. Yield nothing if the run failed otherwise."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        failure = event.step_failure_data.user_failure_data if event else None
        if event and failure and FAILED_RANGES in failure.metadata:
            causes = failure.metadata[FAILED_RANGES].value
            assert isinstance(causes, dict)
            yield str(event.step_key), causes


def rest_of(instance: dg.DagsterInstance, run: dg.DagsterRun, assets: Sequence[str]) -> list[Part]:
    """Return the parts that a failed run over `assets` can still do.

    A partition of matches that was not scored is not published. Profiles concern all matches: if some of their
    partitions failed, the later assets use what those partitions held before. Trials are left out: they count whole
    nights only.
    """
    failed = next(failed_ranges(instance, run.run_id), None)
    if failed is None:
        return []
    asset, causes = failed
    keys = keys_of_run(run)
    good = [key for key in keys if key not in causes]
    later = [each for each in assets[assets.index(asset) + 1 :] if each != TRIAL_SCORES]
    if not good or not later:
        return []
    return parts(later, good if asset == MATCH_SCORES else keys)


@dg.run_failure_sensor(
    name="finish_the_other_ranges",
    monitored_jobs=[rescore, nightly],
    request_job=nightly,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="When some partitions of a rescore or nightly run fail, scores and publishes the others in another "
    "run.",
)
def finish_the_other_ranges(context: dg.RunFailureSensorContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    run = context.dagster_run
    if started_by_jv(run):
        yield dg.SkipReason("jv finishes its own runs")
        return
    selected = {key.to_user_string() for key in run.asset_selection or ()} or set(_ASSETS_OF[run.job_name])
    for part in rest_of(context.instance, run, [name for name in NIGHTLY if name in selected]):
        yield request_after(run, part, config_for(part.assets, run.run_config.get("ops", {})))


def request_after(run: dg.DagsterRun, part: Part, config: Mapping[str, Any] | None = None) -> dg.RunRequest:
    """Return the request to run a part once after `run`."""
    return dg.RunRequest(
        run_key=f"{run.run_id} {part.first}",
        asset_selection=[dg.AssetKey(name) for name in part.assets],
        run_config=config,
        tags={**range_tags(part.first, part.last), UNIT: unit_of(run)},
    )


def config_for(assets: Sequence[str], ops: Any) -> dict[str, Any]:
    """Return the run config of `assets`: their entries of `ops`."""
    return {"ops": {name: ops[name] for name in assets if name in ops}}


_ASSETS_OF = {Job.RESCORE: RESCORE, Job.NIGHTLY: NIGHTLY}
