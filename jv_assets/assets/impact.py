"""The asset that compares what production held a while ago with what is computed now."""

from collections.abc import Mapping

import dagster as dg

from jv_assets import settings
from jv_assets.assets import production
from jv_assets.assets.reports import TALLY
from jv_assets.assets.scores import match_scores
from jv_assets.errors import UserError
from jv_assets.former_rows import KEPT_DAYS
from jv_assets.impact import hours_ago, rows_of
from jv_assets.partitions import ID_RANGES, each_range, one_line_failure
from jv_assets.reporting.sampling import sample_of
from jv_assets.reporting.tallies import keep
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import impact, impact_report


class ImpactConfig(dg.Config):
    """`hours`: how far to look back. `sample`: of about so many of all matches; all of them by default."""

    hours: float = 24
    sample: int | None = None


@dg.asset(
    group_name="reports",
    kinds={"python", "postgres", "parquet"},
    description="""
What changed in production, for whom? Every match as it was published `hours` ago, against what is computed now.

Reads the range's file of `match_scores`, what production holds, and what publishing runs since then replaced there (so
it makes no difference whether these were resumed, retried or cut off). Before publishing it says what that would
change. Scores of the same policy and version are compared; of others it says how many there are. Writes one row of
JSON a range under JV_HOME, nothing to the database. Costs some 0.3 ms for each match whose inputs changed.
""",
    deps=[match_scores, production.MATCHES],
    partitions_def=ID_RANGES,
    backfill_policy=dg.BackfillPolicy.multi_run(settings.ranges_per_run()),
    metadata={"dagster/column_schema": TALLY},
)
def production_impact(
    context: dg.AssetExecutionContext,
    config: ImpactConfig,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    with one_line_failure():
        if not 0 < config.hours <= KEPT_DAYS * 24:
            raise UserError(f"hours: {config.hours:g}: more than 0, and at most {KEPT_DAYS * 24}")
        sample, since = sample_of(files, config.sample), hours_ago(config.hours)

    def work(key: str) -> Mapping[str, object]:
        tally = impact.tally(rows_of(database, files, key, since, sample))
        shown = impact_report.report(tally)
        size = keep(files, "production_impact", key, tally, shown["matches"], sample=sample, hours=config.hours)
        change = shown["means"][0]["change"]
        moved = {name: shown["moved"][name] for name in ("raised", "lowered", "tiers_up", "tiers_down", "rescued")}
        numbers = {} if change is None else {"change_of_mean": round(change, 4)}
        return {"rows": shown["matches"], **shown["states"], **moved, **numbers, "file_bytes": size}

    each_range(context, work, again="jv report")
