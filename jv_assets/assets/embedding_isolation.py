"""The asset `embedding_isolation`: compares each score with the score by word overlap alone."""

import dagster as dg

from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.tallies import TALLY, Tallied, TallyConfig, keep_each, known_numbers
from jv_assets.partitions import BACKFILL, ID_RANGES, one_line_failure
from jv_assets.reports.numbers import record
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import scored, tallied
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import embedding_isolation as analysis
from jv_scoring.analysis.rows import BOTH


@dg.asset(
    group_name="reports",
    kinds={"python", "parquet"},
    description="""
Did embeddings help? Compares the score of every match with the score that it would have by word overlap alone.

Reads the scores, dimensions and Synergy factors of `match_scores`. Writes one row of JSON per partition under JV_HOME:
histograms of both scores and of the change, how often each method was used, and the most changed matches. Changes no
score. Takes about 50 microseconds per match.
""",
    deps=[match_scores],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata={"dagster/column_schema": TALLY},
)
def embedding_isolation(
    context: dg.AssetExecutionContext, config: TallyConfig, files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        sample = sample_of(files, config.sample)

    def tally(key: str) -> Tallied:
        found, rows = tallied(scored(files, key, analysis.COLUMNS, sample), analysis.tally)
        shown = analysis.report(found)
        numbers = {
            "mean": record(shown["measures"], measure="harmonic_mean", side="embeddings")["mean"],
            "mean_gain_by_embeddings": record(shown["measures"], measure="harmonic_mean", side="change")["mean"],
            "fallback_share": record(shown["evaluations"], direction=BOTH, factor=BOTH)["word_overlap_share"],
        }
        return Tallied(found, rows, known_numbers(numbers))

    keep_each(context, files, tally, sample)
