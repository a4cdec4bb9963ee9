"""Which runs of a Dagster instance are ours: another code location may share it, with jobs of the same names."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from jv_assets.names import ASSETS, JOBS, PUT_BACK

if TYPE_CHECKING:
    import dagster as dg

    from jv_assets.dagster_internals import PartitionBackfill, RemoteJobOrigin

MODULE, LOCATION = "jv_assets.definitions", "jv"
"""Our code, and the name of the code location in each workspace.yaml; `dagster dev -m` uses the module's name."""
STARTED_BY_JV = ".dagster/jv_process"
"""Tag of runs in a process of `jv`, which finishes its own runs; its value is `host:pid`. Re-executing such a run in
the UI copies the tag: see `started_by_jv`. The UI hides tags that begin with `.dagster/`.
"""
BACKFILL_TAG = "dagster/backfill"
"""Tag that Dagster gives to each run of a backfill; its value is the backfill's id."""
REPOSITORY_TAG = ".dagster/repository"
"""Tag that Dagster gives each run of a code location; its value is `repository@location`."""
STEPS = frozenset(
    [
        *ASSETS,
        *(
            "audit",
            "verify",
            "health_of_embeddings",
            "health_of_profiles",
            "health_of_scores",
            "candidates_right",
            "allocation_right",
            "trials_judged",
            "published_scores_every_range_published",
        ),
        *(PUT_BACK, "delete_old_runs", "drop_old_months"),
    ]
)
"""The names of our assets, checks and ops."""
_OF_ASSETS = "__ASSET_JOB"
"""The job of assets that somebody materializes in the UI."""


def started_by_jv(run: "dg.DagsterRun") -> bool:
    """Return whether a run is in a process of `jv`, not in one that the daemon launched.

    Only a re-executed run has a parent: `jv` starts each of its runs anew.
    """
    return STARTED_BY_JV in run.tags and run.parent_run_id is None


@contextmanager
def from_our_location(instance: "dg.DagsterInstance", job: str) -> Iterator[None]:
    """Give the runs that are created meanwhile the origin that a run from the UI has."""
    create = instance.create_run_for_job
    instance.create_run_for_job = partial(create, remote_job_origin=_our_origin(job))  # type: ignore[method-assign]
    try:
        yield
    finally:
        del instance.create_run_for_job


def _our_origin(job: str) -> "RemoteJobOrigin":
    """Return the origin of a run of our job: the code location that workspace.yaml names."""
    from jv_assets.dagster_internals import (
        LoadableTargetOrigin,
        ManagedGrpcPythonEnvCodeLocationOrigin,
        RemoteJobOrigin,
        RemoteRepositoryOrigin,
    )

    module = LoadableTargetOrigin(executable_path=sys.executable, module_name=MODULE)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(loadable_target_origin=module, location_name=LOCATION)
    repository = RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY)
    return RemoteJobOrigin(repository, job)


SINGLETON_REPOSITORY = "__repository__"
"""The name that Dagster gives to the repository of a `Definitions` object."""


def config_of(run: "dg.DagsterRun", step: str) -> Mapping[str, Any]:
    """Return the config that a run has for one of its assets or ops; {} if it has none."""
    run_config: Any = run.run_config
    config: Mapping[str, Any] = run_config.get("ops", {}).get(step, {}).get("config", {})
    return config


def is_ours(instance: "dg.DagsterInstance", run: "dg.DagsterRun") -> bool:
    """Return whether a run is of one of our jobs, in our code location or in a process of ours."""
    if run.job_name not in JOBS and not run.job_name.startswith(_OF_ASSETS):
        return False
    if run.remote_job_origin:
        return is_our_location(run.remote_job_origin.repository_origin.code_location_origin.location_name)
    return started_by_jv(run) or _has_our_steps(instance, run)


def is_our_backfill(instance: "dg.DagsterInstance", backfill: "PartitionBackfill") -> bool:
    """Return whether a backfill is of our jobs or assets. Where only the assets' names tell, its first run decides."""
    if origin := backfill.partition_set_origin:
        return is_our_location(origin.repository_origin.code_location_origin.location_name)
    names = {key.to_user_string() for key in backfill.asset_selection or ()}
    import dagster as dg

    begun = instance.get_runs(dg.RunsFilter(tags={BACKFILL_TAG: backfill.backfill_id}), limit=1)
    return names <= set(ASSETS) and all(is_ours(instance, run) for run in begun)


def is_our_location(name: str) -> bool:
    """Return whether a code location of this name is this pipeline."""
    return name in (LOCATION, MODULE)


def _has_our_steps(instance: "dg.DagsterInstance", run: "dg.DagsterRun") -> bool:
    """Return whether the job of a run without a code location consists of our assets and ops only."""
    if run.job_snapshot_id is None:
        return run.job_name in JOBS
    return set(instance.get_job_snapshot(run.job_snapshot_id).node_names) <= STEPS
