"""The asset `top_matches`: writes the best matches as a CSV file."""

import dagster as dg

from jv_assets.assets.columns import Column, column_metadata, copied, several
from jv_assets.assets.published_scores import published_scores
from jv_assets.assets.score_columns import PAIRS
from jv_assets.names import PUBLISHED_SCORES, Group
from jv_assets.partitions import one_line_failure
from jv_assets.pipeline.database.identity import require_home
from jv_assets.reports.exporting import reports_folder, write_csv
from jv_assets.reports.exporting import top_matches as best_matches
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles

_COLUMNS = [
    Column("id", "uuid", "the match", {PUBLISHED_SCORES: ["id"]}),
    *copied(["profile_id", "suggested_profile_id"], "uuid", "A and B", PAIRS),
    Column("match_score", "numeric(5,2)", "the published harmonic_mean, under the name its consumers know",
           {PUBLISHED_SCORES: ["harmonic_mean"]}),
    *copied(["score_ab"], "numeric(5,2)", "what B is worth to A, 0-100", PUBLISHED_SCORES),
    *copied(["score_ba"], "numeric(5,2)", "what A is worth to B, 0-100", PUBLISHED_SCORES),
    Column("tier", "text", "Excellent, Good, Fair or Poor", {PUBLISHED_SCORES: ["harmonic_mean"]}, "by its bounds"),
    *several(["policy", "scoring_version"], "text", "what made the score", {PUBLISHED_SCORES: ["match_context"]}),
    Column("other_id", "text", "other matches of the same two profiles, with a space between",
           {PAIRS: ["id", "profile_id", "suggested_profile_id"]}, "grouped by pair"),
]  # fmt: skip


class TopConfig(dg.Config):
    """`top`: how many matches, the best first."""

    top: int = 1000


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python", "csv"},
    description="""
The best matches as a CSV file, in the form that its consumers read: `harmonic_mean` has the name `match_score` there.

Reads the published scores in one statement. Leaves out matches without a score and matches whose profile is gone, and
counts them. Exports each pair of profiles once; `other_id` has the ids of further matches of the same pair. Writes
top_matches.csv with `top` rows beside the report, and nothing to the database. `jv export` writes the same file for any
number of matches, or for one profile.

Runs after every night and in `jv report`. Takes under a second for 30,000 matches.
""",
    deps=[dg.AssetDep(published_scores, partition_mapping=dg.AllPartitionMapping())],
    metadata=column_metadata(_COLUMNS),
)
def top_matches(
    context: dg.AssetExecutionContext,
    config: TopConfig,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
) -> dg.MaterializeResult[None]:
    with one_line_failure():
        require_home(database, files)
        best = best_matches(database, config.top)
        path = reports_folder() / "top_matches.csv"
        write_csv(best.rows, path)
    numbers: dict[str, float] = {
        "rows": len(best.rows),
        "without_score": best.without_score,
        "not_scorable": best.not_scorable,
    }
    if len(best.rows):
        scores = best.rows["match_score"]
        numbers |= {"best_score": float(scores.max()), "least_score": float(scores.min())}
    return dg.MaterializeResult(metadata={"csv": dg.MetadataValue.path(str(path)), **numbers})
