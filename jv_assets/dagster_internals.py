"""The names of Dagster that are not public, and why each is needed.

Dagster may change a name that begins with `_` in any release. Only this module imports them; ruff refuses them
elsewhere (`banned-api` in pyproject.toml). Before you add a name, look for the public way: `dir(dagster)`, the API
reference and the GraphQL API. `pyproject.toml` bounds the version of Dagster by what was tried.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Why a run failed. An event says so only in `event_specific_data`, which is of these types; the public DagsterEvent has
# no other field for it.
from dagster._core.events import JobFailureData, RunFailureReason

# What the methods of a run launcher take and return. `DefaultRunLauncher`, their public base class, exports none of it.
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus

# Where a run comes from: without it, the UI shows a run neither on its job's page nor on the timeline, and cannot
# re-execute it. `execute_in_process`, the public way to run a job, takes no origin.
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

# The tags that Dagster gives to a run. The documentation names `dagster/max_runtime` only; Dagster exports none.
from dagster._core.storage.tags import GRPC_INFO_TAG, MAX_RUNTIME_SECONDS_TAG, RETRY_NUMBER_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

# The first argument of each class that dagster.yaml names. It has no public name.
from dagster._serdes import ConfigurableClassData

# The ticks of a cron schedule. `TimeWindowPartitionsDefinition` has them too, but as the text of partition keys.
from dagster._utils.schedules import cron_string_iterator, reverse_cron_string_iterator

if TYPE_CHECKING:
    # Which backfills are in progress. `DagsterInstance.get_backfills` takes only this filter. The public way is the
    # GraphQL API, which needs a webserver.
    from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

    # The tables of events and of asset checks: which runs hold the latest of something, and the verdicts that
    # `delete_events` leaves. The public methods answer for one asset at a time, and none deletes a verdict.
    from dagster._core.storage.event_log import SqlEventLogStorage
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable

    # What runs print is kept beside the embedded server. dagster.yaml names such a class; Dagster exports none.
    from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

DAEMON = "dagster._daemon"
"""The module that `python -m` starts as the daemon. The program `dagster-daemon` is public, but may not be on PATH."""

__all__ = [
    "DAEMON",
    "GRPC_INFO_TAG",
    "MAX_RUNTIME_SECONDS_TAG",
    "RETRY_NUMBER_TAG",
    "AssetCheckExecutionsTable",
    "BulkActionStatus",
    "BulkActionsFilter",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "JobFailureData",
    "LaunchRunContext",
    "LoadableTargetOrigin",
    "LocalComputeLogManager",
    "ManagedGrpcPythonEnvCodeLocationOrigin",
    "PartitionBackfill",
    "RemoteJobOrigin",
    "RemoteRepositoryOrigin",
    "RunFailureReason",
    "SqlEventLogStorage",
    "SqlEventLogStorageTable",
    "WorkerStatus",
    "cron_string_iterator",
    "reverse_cron_string_iterator",
]

_WHEN_ASKED = {
    "AssetCheckExecutionsTable": "dagster._core.storage.event_log.schema",
    "BulkActionStatus": "dagster._core.execution.backfill",
    "BulkActionsFilter": "dagster._core.execution.backfill",
    "PartitionBackfill": "dagster._core.execution.backfill",
    "LocalComputeLogManager": "dagster._core.storage.local_compute_log_manager",
    "SqlEventLogStorage": "dagster._core.storage.event_log",
    "SqlEventLogStorageTable": "dagster._core.storage.event_log.schema",
}
"""The modules that take up to a second to import: not every command needs them."""


def __getattr__(name: str) -> Any:
    if module := _WHEN_ASKED.get(name):
        return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
