"""Dagster's instance of this home."""

import os

import dagster as dg

from jv_assets.platform.launcher import (
    fail_runs_without_process,
)
from jv_assets.platform.storage import dagster_home


def open_instance() -> dg.DagsterInstance:
    """Open Dagster's instance of this `JV_HOME`. Marks runs whose process was killed as failed."""
    os.environ["DAGSTER_HOME"] = str(dagster_home())
    instance = dg.DagsterInstance.get()
    fail_runs_without_process(instance)
    return instance
