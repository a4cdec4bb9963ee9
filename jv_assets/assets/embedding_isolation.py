"""The asset `embedding_isolation`: compares each score with the score by word overlap alone."""

import dagster as dg

from jv_assets.assets.columns import joined
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.profiles import profiles
from jv_assets.assets.score_columns import SCORED_FROM
from jv_assets.assets.tallies import Tallied, TallyConfig, keep_each, known_numbers, tally_metadata
from jv_assets.names import MATCH_SCORES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, one_line_failure
from jv_assets.pipeline.database.identity import require_home
from jv_assets.reports.numbers import record
from jv_assets.reports.random_pairs import RandomPairs
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import scored, tallied
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import embedding_isolation as analysis
from jv_scoring.analysis.rows import BOTH


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python", "parquet"},
    description="""
Did embeddings help? Compares the score of every match with the score that it would have by word overlap alone, and
does the same for pairs of profiles at random: only what suggested pairs change beyond them is due to the suggestions.

Reads the scores, dimensions and Synergy factors of `match_scores`, and for about 20,000 random pairs the features of
`profiles` and the vectors of the configured model. Writes one row of JSON per partition under JV_HOME: histograms of
both scores and of the change, sums by profile, how often each method was used, and the most changed matches. Changes no
score.

Runs after every night and in `jv report`. Takes about 50 microseconds per match, and 200 per random pair.
""",
    deps=[
        match_scores,
        dg.AssetDep(profiles, partition_mapping=dg.AllPartitionMapping()),
    ],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=tally_metadata(joined({MATCH_SCORES: analysis.COLUMNS}, SCORED_FROM)),
)
def embedding_isolation(
    context: dg.AssetExecutionContext,
    config: TallyConfig,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    with one_line_failure():
        require_home(database, files)
        sample = sample_of(files, config.sample)
        random_pairs = RandomPairs(database, files, embedder.model)

    def tally(key: str) -> Tallied:
        found, rows = tallied(scored(files, key, analysis.COLUMNS, sample), analysis.tally)
        random, pairs = tallied(random_pairs.scored(key), analysis.tally_random)
        shown = analysis.report(found, random=random)
        numbers = {
            "mean": record(shown["measures"], measure="harmonic_mean", side="embeddings")["mean"],
            "mean_change_by_embeddings": record(shown["measures"], measure="harmonic_mean", side="change")["mean"],
            "random_pairs": pairs,
            "mean_change_of_random_pairs": random.histograms["change_harmonic_mean"].mean,
            "fallback_share": record(shown["evaluations"], direction=BOTH, factor=BOTH)["word_overlap_share"],
        }
        return Tallied(found, rows, known_numbers(numbers), {"random": random})

    keep_each(context, files, tally, sample)
