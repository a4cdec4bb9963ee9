"""The asset `momentum_bottleneck`: what each dimension costs, which has the lowest number, and what Momentum lacks."""

import dagster as dg

from jv_assets.assets.columns import Column
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.profiles import profiles
from jv_assets.assets.tallies import Tallied, TallyConfig, keep_each, known_numbers, tally_metadata
from jv_assets.names import MATCH_SCORES, PROFILES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, one_line_failure
from jv_assets.reports.numbers import record
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import scored, tallied
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import momentum_bottleneck as analysis
from jv_scoring.analysis.rows import BOTH

_OF_PROFILES = Column(
    "profiles",
    "text",
    "JSON: the same counts over the partition's profiles",
    {PROFILES: analysis.FIELDS},
    "counted",
)


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python", "parquet"},
    description="""
Why are scores low? Sums the points that each dimension and factor costs (the waterfall of `jv explain`, over all
directions). Counts which dimension has the lowest number, and which data Momentum lacks there.

Reads the dimensions and factors of `match_scores`, and from `profiles` how many profiles have data at all. Writes one
row of JSON per partition under JV_HOME: sums of lost points, histograms, and counts of lowest dimensions and missing
fields. Changes no score.

Runs after every night and in `jv report`. Takes about 30 microseconds per match.
""",
    deps=[match_scores, profiles],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=tally_metadata({MATCH_SCORES: analysis.COLUMNS}, _OF_PROFILES),
)
def momentum_bottleneck(
    context: dg.AssetExecutionContext, config: TallyConfig, files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        sample = sample_of(files, config.sample)

    def tally(key: str) -> Tallied:
        found, rows = tallied(scored(files, key, analysis.COLUMNS, sample), analysis.tally)
        features = files.chunks(PROFILES, key, list(analysis.FIELDS))
        coverage, profiles_there = tallied(features, analysis.tally_profiles)
        shown = analysis.report(found, coverage)
        numbers = {
            "momentum_mean": record(shown["dimensions"], dimension="momentum", direction=BOTH)["mean"],
            "momentum_bottleneck_share": record(shown["weakest"], dimension="momentum", direction=BOTH)["share"],
            **{f"lost_{each['dimension']}": each["lost"] for each in shown["waterfall"]["dimensions"]},
            "floor_share": shown["floor"][f"share_{BOTH}"],
        }
        shown_numbers = {"profiles": profiles_there, **known_numbers(numbers)}
        return Tallied(found, rows, shown_numbers, {"profiles": coverage})

    keep_each(context, files, tally, sample)
