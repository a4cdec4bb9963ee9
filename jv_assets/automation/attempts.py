"""Which run was the last to make a partition: what `jv retry` and the retention of runs go by."""

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from jv_assets.names import PUBLISHED_SCORES
from jv_assets.platform.own_runs import is_ours


def last_attempts(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, dg.DagsterRun]:
    """By range, our last run that was to make it, where it has not been made since. A dry run is not to make it."""
    storage = instance.event_log_storage
    latest = storage.get_latest_asset_partition_materialization_attempts_without_materializations(asset)
    attempts = [(key, run_id) for key, (run_id, _) in latest.items()]
    runs = _runs(instance, attempts)
    if not all(_counts(instance, run) for run in runs.values()):
        made = storage.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION)
        planned = storage.get_event_records(
            dg.EventRecordsFilter(
                dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
                asset,
                asset_partitions=list(latest),
                after_cursor=min(made.get(key, 0) for key in latest),
            )
        )
        since = [record for record in planned if record.storage_id > made.get(record.partition_key or "", 0)]
        attempts = [(record.partition_key or "", record.run_id) for record in since][::-1]
        runs = _runs(instance, attempts)
    return {key: runs[run_id] for key, run_id in attempts if run_id in runs and _counts(instance, runs[run_id])}


def _counts(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    return not is_dry(run) and is_ours(instance, run)


def _runs(instance: dg.DagsterInstance, attempts: Sequence[tuple[str, str]]) -> dict[str, dg.DagsterRun]:
    run_ids = sorted({run_id for _, run_id in attempts})
    return {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=run_ids))} if run_ids else {}


def by_id(runs: Iterable[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """Each run once."""
    return list({run.run_id: run for run in runs}.values())


def is_dry(run: dg.DagsterRun) -> bool:
    """Whether the run was to write nothing to production."""
    config: Any = run.run_config
    return bool(config.get("ops", {}).get(PUBLISHED_SCORES, {}).get("config", {}).get("dry_run"))
