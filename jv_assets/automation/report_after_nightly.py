"""The sensor that makes the reports after each nightly run.

The reports are a separate run, so a failing report cannot stop or fail a publish.
"""

from collections.abc import Iterator

import dagster as dg

from jv_assets.automation.schedules import NIGHTLY_REPORTS, nightly, report
from jv_assets.partitions import all_ranges_tags
from jv_assets.platform.own_runs import started_by_jv


@dg.run_status_sensor(
    name="report_after_nightly",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[nightly],
    request_job=report,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes the reports of all partitions when a nightly run has succeeded, except momentum_options, which "
    "takes too long for every night.",
)
def report_after_nightly(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    run = context.dagster_run
    if started_by_jv(run):
        yield dg.SkipReason("it was started by jv: jv report makes the reports")
        return
    assets = [dg.AssetKey(name) for name in NIGHTLY_REPORTS]
    yield dg.RunRequest(run_key=f"{run.run_id} report", tags=all_ranges_tags(), asset_selection=assets)
