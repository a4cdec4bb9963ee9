"""The last run of each partition, which `jv retry` and the retention of runs depend on."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import dagster as dg
from sqlalchemy import func, select

from jv_assets.names import PUBLISHED_SCORES
from jv_assets.platform.own_runs import config_of, is_ours

if TYPE_CHECKING:
    from jv_assets.dagster_internals import SqlEventLogStorage


def last_attempts(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, dg.DagsterRun]:
    """Return by partition our last run that should have made it, unless we made it since. A dry run does not count."""
    made = last_made(instance, asset)
    planned = _latest(instance, asset, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, is_dry)
    since = {key: run_id for key, (event, run_id) in planned.items() if event > made.get(key, 0)}
    runs = _runs(instance, since.values())
    return {key: runs[run_id] for key, run_id in since.items() if run_id in runs}


def last_made(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, int]:
    """Return by partition the event of our last materialization. Skip those of other code locations with this name."""
    latest = _latest(instance, asset, dg.DagsterEventType.ASSET_MATERIALIZATION, lambda run: False)
    return {key: event for key, (event, _) in latest.items()}


def foreign_runs(
    instance: dg.DagsterInstance, run_ids: Iterable[str], also: Callable[[dg.DagsterRun], bool] = lambda run: False
) -> set[str]:
    """Return the runs that belong to another code location, or that are left out by `also`."""
    return {run_id for run_id, run in _runs(instance, run_ids).items() if also(run) or not is_ours(instance, run)}


def _latest(
    instance: dg.DagsterInstance,
    asset: dg.AssetKey,
    kind: dg.DagsterEventType,
    left_out: Callable[[dg.DagsterRun], bool],
) -> dict[str, tuple[int, str]]:
    """Return by partition the last event of this kind and its run, without foreign runs and those that are
    `left_out`.
    """
    # Imported here: it loads alembic, and every process that lists the assets loads this module.
    from jv_assets.dagster_internals import SqlEventLogStorageTable

    events = SqlEventLogStorageTable.c
    of_asset = (
        events.asset_key == asset.to_string(),
        events.dagster_event_type == kind.value,
        events.partition.is_not(None),
    )

    def without(run_ids: Iterable[str]) -> dict[str, tuple[int, str]]:
        last = select(func.max(events.id)).where(*of_asset, events.run_id.not_in(list(run_ids)))
        events_of_last = select(events.partition, events.id, events.run_id).where(
            events.id.in_(last.group_by(events.partition))
        )
        with sql_storage(instance).index_connection() as connection:
            return {key: (event, run_id) for key, event, run_id in connection.execute(events_of_last).all()}

    latest = without(())
    if not foreign_runs(instance, {run_id for _, run_id in latest.values()}, left_out):
        return latest
    with sql_storage(instance).index_connection() as connection:
        every = connection.scalars(select(events.run_id).where(*of_asset).distinct()).all()
    return without(foreign_runs(instance, every, left_out))


def _runs(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> dict[str, dg.DagsterRun]:
    wanted = sorted(set(run_ids))
    return {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=wanted))} if wanted else {}


def sql_storage(instance: dg.DagsterInstance) -> "SqlEventLogStorage":
    """Return Dagster's event storage, which is always a SQL storage."""
    from jv_assets.dagster_internals import SqlEventLogStorage

    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    return storage


def by_id(runs: Iterable[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """Return each run once."""
    return list({run.run_id: run for run in runs}.values())


def is_dry(run: dg.DagsterRun) -> bool:
    """Return whether the run is a dry run."""
    return bool(config_of(run, PUBLISHED_SCORES).get("dry_run"))
