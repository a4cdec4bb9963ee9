"""The names of Dagster that are not public, which tests need; jv_assets/dagster_internals.py says the rule."""

import dagster as dg

# What a sensor says to the daemon.
from dagster._core.definitions.sensor_definition import SensorExecutionData

# Backfills, what a run makes and why it failed, as Dagster's daemon and webserver write them.
from dagster._core.events import (
    AssetMaterializationPlannedData,
    JobFailureData,
    RunFailureReason,
    StepMaterializationData,
)
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

# What a run launcher answers to the daemon.
from dagster._core.launcher import WorkerStatus

# Where a run comes from. `create_run` takes no other form; no process here loads the location of somebody else.
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    InProcessCodeLocationOrigin,
    RemoteJobOrigin,
    RemotePartitionSetOrigin,
    RemoteRepositoryOrigin,
)

# The tables, to give a run another age and to see what is left of it.
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.runs.schema import RunsTable

# A run of any status, without executing anything. `DagsterInstance.create_run` needs 20 arguments.
from dagster._core.test_utils import create_run_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

# What the daemon reads of workspace.yaml.
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load import location_origins_from_yaml_paths
from dagster._core.workspace.load_target import EmptyWorkspaceTarget

# One look of the daemon at the runs, with no daemon.
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration

__all__ = [
    "AssetCheckExecutionsTable",
    "AssetMaterializationPlannedData",
    "BulkActionStatus",
    "BulkActionsFilter",
    "EmptyWorkspaceTarget",
    "GrpcServerCodeLocationOrigin",
    "InProcessCodeLocationOrigin",
    "JobFailureData",
    "LoadableTargetOrigin",
    "PartitionBackfill",
    "RemoteJobOrigin",
    "RemotePartitionSetOrigin",
    "RemoteRepositoryOrigin",
    "RunFailureReason",
    "RunsTable",
    "SensorExecutionData",
    "StepMaterializationData",
    "WorkerStatus",
    "WorkspaceProcessContext",
    "create_run_for_test",
    "execute_run_monitoring_iteration",
    "location_origins_from_yaml_paths",
    "mark_as_cancelled_by_force",
    "origin",
]


def mark_as_cancelled_by_force(instance: dg.DagsterInstance, run_id: str) -> None:
    """Do what the button of the UI does. The public way is the GraphQL API, which needs a webserver."""
    from dagster_graphql.implementation.execution import _force_mark_as_canceled  # here: it takes seconds

    _force_mark_as_canceled(instance, run_id)


def origin(location: str, job: str) -> RemoteJobOrigin:
    """The origin of a job of a code location that no process here loads."""
    target = LoadableTargetOrigin(module_name=f"{location}_module")
    return RemoteJobOrigin(
        RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target, location_name=location), "__repository__"), job
    )
