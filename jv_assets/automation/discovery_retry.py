"""Find the run of discovery that failed or was killed, so that `jv retry` does it again with the same config."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from jv_assets.automation.finishing import Part, parts
from jv_assets.automation.schedules import DISCOVER
from jv_assets.names import Job
from jv_assets.partitions import keys_of_run
from jv_assets.platform.launcher import ENDED_BADLY, is_at_work
from jv_assets.platform.own_runs import config_of, is_ours

_LATEST = 20
"""How many runs are looked through for our last one: others may share the instance."""


@dataclass(frozen=True)
class Rest:
    """The parts of a run to do again, and the config of its assets."""

    plan: list[Part]
    ops: Mapping[str, Mapping[str, Any]]


def rest_of_discovery(instance: dg.DagsterInstance) -> Rest | None:
    """Return what our last run of discovery was to do, if it ended badly; None otherwise."""
    runs = instance.get_runs(dg.RunsFilter(job_name=Job.DISCOVER), limit=_LATEST)
    run = next((run for run in runs if is_ours(instance, run)), None)
    if run is None or run.status not in ENDED_BADLY or is_at_work(instance, run):
        return None
    selected = {key.to_user_string() for key in run.asset_selection or ()} or set(DISCOVER)
    ops = {name: config for name in selected if (config := config_of(run, name))}
    return Rest(parts([name for name in DISCOVER if name in selected], keys_of_run(run)), ops)
