"""The asset `aggregation_comparison`: compares the scores under all six policies."""

import dagster as dg

from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.tallies import Tallied, TallyConfig, keep_each, known_numbers, tally_metadata
from jv_assets.names import MATCH_SCORES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, one_line_failure
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import scored, tallied
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import aggregation_comparison as analysis
from jv_scoring.policy import POLICIES


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python", "parquet"},
    description="""
What would another policy do? Compares the score of every match under all six policies with the current one.

Reads the dimensions of `match_scores` under both null treatments. Writes one row of JSON per partition under JV_HOME:
histograms of the scores under each policy, the joint distribution of each pair of policies, and each profile's best
matches. Changes neither scores nor the policy.

Runs after every night and in `jv report`. Takes about 30 microseconds per match.
""",
    deps=[match_scores],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=tally_metadata({MATCH_SCORES: analysis.COLUMNS}),
)
def aggregation_comparison(
    context: dg.AssetExecutionContext, config: TallyConfig, files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        sample = sample_of(files, config.sample)

    def tally(key: str) -> Tallied:
        found, rows = tallied(scored(files, key, analysis.COLUMNS, sample), analysis.tally)
        numbers = {
            f"mean_{policy.replace('/', '_')}": found.histograms[f"{policy} harmonic_mean"].mean for policy in POLICIES
        }
        return Tallied(found, rows, known_numbers(numbers))

    keep_each(context, files, tally, sample)
