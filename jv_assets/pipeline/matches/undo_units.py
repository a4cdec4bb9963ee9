"""Which runs `jv undo` undoes together, and what each of them was.

A command may need several runs: one per unbroken series of partitions, and one for the rest if some failed. So may a
backfill. What they replace is kept under one id, that of the first run or of the backfill.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from jv_assets.dagster_internals import RETRY_NUMBER_TAG
from jv_assets.names import MATCH_SCORES, PUBLISHED_SCORES, PUT_BACK, Job
from jv_assets.partition_cut import listed
from jv_assets.partitions import ID_RANGES, keys_of_run
from jv_assets.platform.own_runs import BACKFILL_TAG, config_of

UNIT = "jv/undo_unit"
"""Tag of a run that continues another one: the id under which both keep what they replace."""
_UNKNOWN = "–"


@dataclass(frozen=True)
class Unit:
    """What a unit did, for people: the job, the id ranges that it published, the policy of its scores."""

    job: str = _UNKNOWN
    ranges: str = _UNKNOWN
    policy: str = _UNKNOWN


def unit_of(run: dg.DagsterRun) -> str:
    """Return the id under which this run keeps what it replaces.

    A re-executed run has its own id: it has the tags of the old run, which may have been undone since.
    """
    if run.parent_run_id and RETRY_NUMBER_TAG not in run.tags:
        return run.run_id
    return run.tags.get(UNIT) or run.tags.get(BACKFILL_TAG) or run.run_id


def parts_of(instance: dg.DagsterInstance, units: Sequence[str]) -> dict[str, str]:
    """Return the units by the ids of their runs, as far as Dagster still knows those runs."""
    return {run.run_id: unit for unit in units for run in _runs(instance, unit)}


def describe(instance: dg.DagsterInstance, unit: str) -> Unit:
    """Return what the unit did, as far as Dagster still knows its runs."""
    runs = _runs(instance, unit)
    if not runs:
        return Unit()
    first = runs[0]
    if first.job_name == Job.UNDO:
        return Unit(f"undo of {config_of(first, PUT_BACK)['run'][:8]}")
    policies = [policy for run in runs if (policy := _policy(instance, run))]
    return Unit(first.job_name, _ranges(runs), next(iter(policies), _UNKNOWN))


def _runs(instance: dg.DagsterInstance, unit: str) -> list[dg.DagsterRun]:
    """The oldest first."""
    filters = (
        dg.RunsFilter(run_ids=[unit]),
        dg.RunsFilter(tags={UNIT: unit}),
        dg.RunsFilter(tags={BACKFILL_TAG: unit}),
    )
    return [run for wanted in filters for run in instance.get_runs(wanted)[::-1]]


def _ranges(runs: Sequence[dg.DagsterRun]) -> str:
    every = list(ID_RANGES.get_partition_keys())
    published = dg.AssetKey(PUBLISHED_SCORES)
    keys = {key for run in runs if published in (run.asset_selection or {published}) for key in _keys(run)}
    return "all" if len(keys) == len(every) else listed(sorted(keys, key=every.index)) or _UNKNOWN


def _keys(run: dg.DagsterRun) -> list[str]:
    """None if the run's partitions were cut in another way."""
    try:
        return keys_of_run(run)
    except ValueError:
        return []


def _policy(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    """The policy of its scores, from its config or from its first partition."""
    if policy := config_of(run, MATCH_SCORES).get("policy"):
        return str(policy)
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        made = entry.asset_materialization
        if made and "policy" in made.metadata:
            return str(made.metadata["policy"].value)
    return None
