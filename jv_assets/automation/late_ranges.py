"""Which partitions were not published since the last tick of the nightly schedule, and the sensor that says so.

A freshness policy looks at the last materialization of any partition, so one partition that a sensor published hides a
failed night.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import dagster as dg

from jv_assets import settings
from jv_assets.automation.attempts import last_made
from jv_assets.automation.schedules import A_RUN
from jv_assets.dagster_internals import reverse_cron_string_iterator
from jv_assets.names import PUBLISHED_SCORES, Job
from jv_assets.partition_cut import listed
from jv_assets.partitions import ID_RANGES
from jv_assets.platform.own_runs import is_ours

EVERY_RANGE_PUBLISHED = "every_range_published"
"""The name of the check. Each run that publishes evaluates it, and the sensor between them."""
_ASSET = dg.AssetKey(PUBLISHED_SCORES)


@dataclass(frozen=True)
class Late:
    """The tick since which each partition should have been published, and the partitions that were not."""

    tick: datetime
    ranges: Sequence[str]
    of: int

    @property
    def problem(self) -> str | None:
        """Say which partitions are late and what to type; None if none is."""
        if not self.ranges:
            return None
        return (
            f"{len(self.ranges)} of {self.of} ranges were not published since the tick of "
            f"{self.tick:%Y-%m-%d %H:%M %Z}: {listed(self.ranges)}. Fix the causes that jv status names, then type: "
            "jv nightly"
        )

    @property
    def metadata(self) -> dict[str, dg.MetadataValue]:
        shown: dict[str, dg.MetadataValue] = {
            "since": dg.MetadataValue.timestamp(self.tick),
            "late_ranges": dg.MetadataValue.int(len(self.ranges)),
        }
        if self.ranges:
            shown["which"] = dg.MetadataValue.table([dg.TableRecord({"range": key}) for key in self.ranges])
        return shown


def late_at(instance: dg.DagsterInstance, now: float, asking: str | None = None) -> Late:
    """Return the partitions that are late at a time, in seconds since 1970.

    `asking`: the run that asks, which has published what it will.
    """
    tick = _tick(instance, now, asking)
    since = dg.AssetRecordsFilter(_ASSET, after_timestamp=tick.timestamp())
    first = instance.fetch_materializations(since, limit=1, ascending=True).records
    made = last_made(instance, _ASSET) if first else {}
    keys = ID_RANGES.get_partition_keys()
    return Late(tick, [key for key in keys if made.get(key, -1) < (first[0].storage_id if first else 0)], len(keys))


def _tick(instance: dg.DagsterInstance, now: float, asking: str | None) -> datetime:
    """Return the last tick whose night has ended: its runs have ended, or its time is over."""
    ticks = reverse_cron_string_iterator(now, settings.nightly_cron(), settings.nightly_timezone())
    last, before = islice(ticks, 2)
    if now - last.timestamp() > A_RUN.total_seconds():
        return last
    runs = instance.get_runs(dg.RunsFilter(job_name=Job.NIGHTLY, created_after=last))
    ended = [run.is_finished or run.run_id == asking for run in runs if is_ours(instance, run)]
    return last if ended and all(ended) else before


@dg.sensor(
    name="late_ranges",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks every minute whether each partition of published_scores was published since the last tick of "
    "JV_NIGHTLY_CRON, and reports the check every_range_published when its result changes. Starts no run.",
)
def late_ranges(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    if not last_made(context.instance, _ASSET):
        return dg.SkipReason("nothing was published yet")
    late = late_at(context.instance, time.time())
    cursor = f"{late.tick.isoformat()} {','.join(late.ranges)}"
    if cursor == context.cursor:
        return dg.SkipReason(late.problem or "every range was published")
    result = dg.AssetCheckEvaluation(
        _ASSET, EVERY_RANGE_PUBLISHED, late.problem is None, late.metadata, description=late.problem, blocking=False
    )
    return dg.SensorResult(asset_events=[result], cursor=cursor)
