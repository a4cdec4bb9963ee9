"""What a run that failed in some of its ranges can still do for the others.

Dagster does not start a step whose upstream step failed. So that one bad range does not keep the others from being
published, the rest of such a run goes on in another run: `jv` does it at once, for runs of the daemon a sensor does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import dagster as dg

from jv_assets.automation.schedules import NIGHTLY, RESCORE, nightly, rescore
from jv_assets.names import MATCH_SCORES, Job
from jv_assets.partitions import FAILED_RANGES, ID_RANGES, keys_of_run, range_tags
from jv_assets.pipeline.undo_units import UNIT, unit_of
from jv_assets.platform.own_runs import started_by_jv


@dataclass(frozen=True)
class Part:
    """Assets, in the order of the pipeline, over the ranges from `first` to `last`."""

    assets: tuple[str, ...]
    first: str
    last: str


def parts(assets: Sequence[str], keys: Sequence[str]) -> list[Part]:
    """A part for each unbroken series of ranges: a run cannot be over others. Ranges that do not exist are left out."""
    every = list(ID_RANGES.get_partition_keys())
    places = sorted(every.index(key) for key in keys if key in every)
    series = [[place for _, place in group] for _, group in groupby(enumerate(places), lambda at: at[1] - at[0])]
    return [Part(tuple(assets), every[group[0]], every[group[-1]]) for group in series]


def failed_ranges(instance: dg.DagsterInstance, run_id: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The assets of a run that failed in some ranges, and the cause for each; none where it failed in another way."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE):
        event = entry.dagster_event
        failure = event.step_failure_data.user_failure_data if event else None
        if event and failure and FAILED_RANGES in failure.metadata:
            causes = failure.metadata[FAILED_RANGES].value
            assert isinstance(causes, dict)
            yield str(event.step_key), causes


def rest_of(instance: dg.DagsterInstance, run: dg.DagsterRun, assets: Sequence[str]) -> list[Part]:
    """What a failed run over `assets` can still do.

    A match's range that was not scored is left out of what follows. Ranges of profiles concern all matches, so what
    follows goes on with what was last known of those that failed.
    """
    failed = next(failed_ranges(instance, run.run_id), None)
    if failed is None:
        return []
    asset, causes = failed
    keys = keys_of_run(run)
    good = [key for key in keys if key not in causes]
    later = assets[assets.index(asset) + 1 :]
    if not good or not later:
        return []
    return parts(later, good if asset == MATCH_SCORES else keys)


@dg.run_failure_sensor(
    name="finish_the_other_ranges",
    monitored_jobs=[rescore, nightly],
    request_job=nightly,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="When some ranges of a rescore or nightly run fail, publishes the others in a run of their own.",
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
    """What a sensor yields to have a part run after `run`, once."""
    return dg.RunRequest(
        run_key=f"{run.run_id} {part.first}",
        asset_selection=[dg.AssetKey(name) for name in part.assets],
        run_config=config,
        tags={**range_tags(part.first, part.last), UNIT: unit_of(run)},
    )


def config_for(assets: Sequence[str], ops: Any) -> dict[str, Any]:
    """The run config of a run over `assets`: what of `ops` concerns them."""
    return {"ops": {name: ops[name] for name in assets if name in ops}}


_ASSETS_OF = {Job.RESCORE: RESCORE, Job.NIGHTLY: NIGHTLY}
