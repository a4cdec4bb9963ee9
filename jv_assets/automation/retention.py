"""Retention of runs: purge old runs with their events and logs, because Dagster has no setting for it.

Dagster knows that a partition exists only by the event of the run that made it. So a run is kept, however old, if it
holds the latest materialization, observation or attempt of a partition, or the latest result of a check. Runs of other
code locations may share the instance; they are never deleted.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
from sqlalchemy import func, select

from jv_assets import settings
from jv_assets.automation.attempts import foreign_runs, last_attempts, sql_storage
from jv_assets.automation.schedules import NIGHTLY
from jv_assets.dagster_internals import AssetCheckExecutionsTable, SqlEventLogStorageTable
from jv_assets.platform.own_runs import is_ours

_LATEST_OF = (
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_OBSERVATION,
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
)
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def purge_old_runs(instance: dg.DagsterInstance) -> int:
    """Delete our runs that are older than `JV_KEPT_DAYS` and not needed; return how many.

    The run itself is deleted last, so that an interrupted purge is resumed by the next one.
    """
    before = datetime.now(UTC) - timedelta(days=settings.kept_days())
    runs = (record.dagster_run for record in instance.get_run_records(_ended_before(before)))
    old = [run.run_id for run in runs if is_ours(instance, run)]
    needed = _needed(instance) if old else set()
    unneeded = [run_id for run_id in old if run_id not in needed]
    for run_id in unneeded:
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        _delete_verdicts(instance, run_id)
        instance.event_log_storage.delete_events(run_id)
        instance.delete_run(run_id)
    return len(unneeded)


def _ended_before(before: datetime) -> dg.RunsFilter:
    return dg.RunsFilter(statuses=_ENDED, created_before=before)


def _needed(instance: dg.DagsterInstance) -> set[str]:
    """Return the runs that hold the latest event of something, or that `jv retry` would repeat."""
    needed = _latest(instance, [])
    if foreign_runs(instance, needed):
        needed |= _latest(instance, [run.run_id for run in instance.get_runs() if not is_ours(instance, run)])
    for name in NIGHTLY:
        needed |= {run.run_id for run in last_attempts(instance, dg.AssetKey(name)).values()}
    return needed


def _latest(instance: dg.DagsterInstance, left_out: Sequence[str]) -> set[str]:
    """Return the runs that hold the latest event of something, as if the runs that are `left_out` had never been."""
    events, verdicts = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    latest_events = (
        select(func.max(events.id))
        .where(events.asset_key.is_not(None), events.dagster_event_type.in_([kind.value for kind in _LATEST_OF]))
        .where(events.run_id.not_in(left_out))
        .group_by(events.asset_key, events.partition, events.dagster_event_type)
    )
    latest_verdicts = (
        select(func.max(verdicts.id))
        .where(verdicts.run_id.not_in(left_out))
        .group_by(verdicts.asset_key, verdicts.check_name, verdicts.partition, verdicts.execution_status)
    )
    with sql_storage(instance).index_connection() as connection:
        return {
            *connection.scalars(select(events.run_id).where(events.id.in_(latest_events))),
            *connection.scalars(select(verdicts.run_id).where(verdicts.id.in_(latest_verdicts))),
        }


def _delete_verdicts(instance: dg.DagsterInstance, run_id: str) -> None:
    """Delete the check results, which Dagster leaves behind when it deletes a run."""
    with sql_storage(instance).index_connection() as connection:
        connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id == run_id))
