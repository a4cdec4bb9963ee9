"""The report after each nightly run: a run of its own, so that it can neither keep anything from being published nor
make a run fail that published all."""

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
    description="When a nightly run of the schedule went well, makes the reports of all ranges in a run of "
    "their own, but for the options for Momentum.",
)
def report_after_nightly(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    run = context.dagster_run
    if started_by_jv(run):
        yield dg.SkipReason("it was started by jv: jv report makes the reports")
        return
    assets = [dg.AssetKey(name) for name in NIGHTLY_REPORTS]
    yield dg.RunRequest(run_key=f"{run.run_id} report", tags=all_ranges_tags(), asset_selection=assets)
