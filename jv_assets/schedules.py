"""The jobs, and the nightly schedule."""

import dagster as dg

from jv_assets import settings
from jv_assets.partitions import all_ranges_tags

RESCORE = ("profiles", "match_scores", "published_scores")
NIGHTLY = ("profiles", "profile_embeddings", "match_scores", "published_scores")
REPORTS = ("embedding_isolation", "momentum_bottleneck", "aggregation_comparison", "diagnostic_report")


rescore = dg.define_asset_job(
    "rescore",
    dg.AssetSelection.assets(*RESCORE),
    description="Read the profiles, score every match, publish what differs. Embeds nothing.",
)
embed = dg.define_asset_job(
    "embed",
    dg.AssetSelection.assets("profile_embeddings"),
    description="Embed the texts that are new or were edited.",
)
nightly = dg.define_asset_job(
    "nightly",
    dg.AssetSelection.assets(*NIGHTLY),
    description="Everything: read, embed what changed, score, publish what differs.",
)
report = dg.define_asset_job(
    "report",
    dg.AssetSelection.assets(*REPORTS),
    description="What the scores mean: the diagnostics of all ranges, and one page of them. Changes nothing else.",
)


@dg.schedule(
    job=nightly,
    cron_schedule=settings.nightly_cron(),
    execution_timezone=settings.nightly_timezone(),
    description="One run over all ranges. JV_NIGHTLY_CRON and JV_NIGHTLY_TIMEZONE say when. Off until switched on.",
)
def every_night(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(tags=all_ranges_tags())
