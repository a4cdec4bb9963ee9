"""The check of `published_scores` that a failed night cannot hide behind one partition that a sensor published."""

import time

import dagster as dg

from jv_assets.automation.late_ranges import EVERY_RANGE_PUBLISHED, late_at
from jv_assets.checks.audit import check_result
from jv_assets.names import PUBLISHED_SCORES


@dg.asset_check(
    asset=PUBLISHED_SCORES,
    name=EVERY_RANGE_PUBLISHED,
    blocking=False,
    description="Every partition was published since the last tick of JV_NIGHTLY_CRON whose night has ended: its runs "
    "have ended, or two hours have passed. Names the partitions that were not. The sensor late_ranges looks every "
    "minute. A failure stops nothing.",
)
def every_range_published(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    late = late_at(context.instance, time.time(), context.run.run_id)
    return check_result(PUBLISHED_SCORES, EVERY_RANGE_PUBLISHED, late.problem, late.metadata)
