"""The jobs, and the schedules every_night and every_week."""

import time
from datetime import timedelta
from itertools import islice, pairwise

import dagster as dg

from jv_assets import settings
from jv_assets.dagster_internals import cron_string_iterator
from jv_assets.names import (
    AGGREGATION_COMPARISON,
    CANDIDATE_ALLOCATION,
    DIAGNOSTIC_REPORT,
    EMBEDDING_ISOLATION,
    EVALUATION,
    MATCH_CANDIDATES,
    MATCH_SCORES,
    MOMENTUM_BOTTLENECK,
    MOMENTUM_OPTIONS,
    PRODUCTION_IMPACT,
    PROFILE_EMBEDDINGS,
    PROFILES,
    PUBLISHED_SCORES,
    SIMILARITY_CALIBRATION,
    TEXT_ROBUSTNESS,
    TOP_MATCHES,
    TRIAL_SCORES,
    Job,
)
from jv_assets.partitions import all_ranges_tags
from jv_assets.platform.own_runs import is_ours

OF_PROFILES = (PROFILES, PROFILE_EMBEDDINGS)
OF_MATCHES = (MATCH_SCORES, PUBLISHED_SCORES)
RESCORE = (PROFILES, *OF_MATCHES)
DISCOVER = (PROFILES, MATCH_CANDIDATES, CANDIDATE_ALLOCATION)
_WEEKLY_CRON = "0 5 * * 0"
NIGHTLY = (*OF_PROFILES, *OF_MATCHES)
WITH_TRIALS = (*NIGHTLY, TRIAL_SCORES)
"""A whole night. Whatever retries or finishes a part of one leaves the trials out: such a night does not count."""
NIGHTLY_REPORTS = (
    *(TOP_MATCHES, EMBEDDING_ISOLATION, MOMENTUM_BOTTLENECK, AGGREGATION_COMPARISON),
    *(PRODUCTION_IMPACT, EVALUATION, DIAGNOSTIC_REPORT),
)
REPORTS = (MOMENTUM_OPTIONS, TEXT_ROBUSTNESS, *NIGHTLY_REPORTS)
"""The first two take longer than all other reports together, and their results hardly change over night."""

A_RUN = timedelta(hours=2)
"""How long a nightly run and its reports may take before they are late."""


def every_night_anew() -> dg.FreshnessPolicy:
    """Return the freshness policy of nightly assets: warn after one missed tick, fail after two."""
    ticks = cron_string_iterator(time.time(), settings.nightly_cron(), settings.nightly_timezone())
    # Fifteen ticks, so that a weekend is among them.
    longest = max(after - before for before, after in pairwise(islice(ticks, 15)))
    return dg.FreshnessPolicy.time_window(warn_window=longest + A_RUN, fail_window=2 * longest + A_RUN)


rescore = dg.define_asset_job(
    Job.RESCORE,
    dg.AssetSelection.assets(*RESCORE),
    description="Read the profiles, score every match, and publish the scores that differ. Embeds nothing.",
)
embed = dg.define_asset_job(
    Job.EMBED,
    dg.AssetSelection.assets(PROFILE_EMBEDDINGS),
    description="Embed the texts that are new or were edited.",
)
refresh = dg.define_asset_job(
    Job.REFRESH,
    dg.AssetSelection.assets(*OF_PROFILES),
    description="Read the profiles, and embed the texts that are new or were edited. Scores nothing.",
)
nightly = dg.define_asset_job(
    Job.NIGHTLY,
    dg.AssetSelection.assets(*WITH_TRIALS),
    description="The whole pipeline: read the profiles, embed changed texts, score every match, publish the scores "
    "that differ, and look at the trials.",
)
report = dg.define_asset_job(
    Job.REPORT,
    dg.AssetSelection.assets(*REPORTS),
    description="Make the reports: the diagnostics of all partitions, the simulated options for Momentum, the best "
    "matches, and one page that shows them. Changes no score.",
)

discover = dg.define_asset_job(
    Job.DISCOVER,
    dg.AssetSelection.assets(*DISCOVER),
    description="Find the best pairs that no match joins yet, and spread them over the profiles. Writes nothing to the "
    "platform's tables.",
)
calibrate = dg.define_asset_job(
    Job.CALIBRATE,
    dg.AssetSelection.assets(SIMILARITY_CALIBRATION),
    description="Measure what the model's cosines mean, and propose steps. Changes no score.",
)


@dg.schedule(
    job=discover,
    cron_schedule=_WEEKLY_CRON,
    execution_timezone=settings.nightly_timezone(),
    description="Runs discover over all partitions, on Sundays at 5:00. Off until you switch it on.",
)
def every_week(_: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(tags=all_ranges_tags())


@dg.schedule(
    job=nightly,
    cron_schedule=settings.nightly_cron(),
    execution_timezone=settings.nightly_timezone(),
    description="Runs nightly over all partitions, at the time of JV_NIGHTLY_CRON and JV_NIGHTLY_TIMEZONE. Skips a "
    "tick while the last nightly run is still in progress. Off until you switch it on.",
)
def every_night(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    # A second run would only repeat the first one's work.
    runs = context.instance.get_runs(dg.RunsFilter(job_name=nightly.name, statuses=NOT_ENDED))
    if going := [run for run in runs if is_ours(context.instance, run)]:
        return dg.SkipReason(f"the nightly run {going[0].run_id} is still running")
    return dg.RunRequest(tags=all_ranges_tags())


NOT_ENDED = [
    *(dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING),
    *(dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.SUSPENDED, dg.DagsterRunStatus.CANCELING),
]
