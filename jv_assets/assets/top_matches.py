"""The asset `top_matches`: writes the best matches as a CSV file."""

import dagster as dg

from jv_assets.assets.published_scores import published_scores
from jv_assets.partitions import one_line_failure
from jv_assets.pipeline.database.identity import require_home
from jv_assets.reports.exporting import reports_folder, write_csv
from jv_assets.reports.exporting import top_matches as best_matches
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles

_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("id, profile_id, suggested_profile_id", "uuid", "the match, A and B"),
        dg.TableColumn("match_score", "numeric(5,2)", "the published harmonic_mean, under the name its consumers know"),
        dg.TableColumn("score_ab, score_ba", "numeric(5,2)", "what B is worth to A, and A to B, 0-100"),
        dg.TableColumn("tier", "text", "Excellent, Good, Fair or Poor"),
        dg.TableColumn("policy, scoring_version", "text", "what made the score"),
        dg.TableColumn("other_id", "text", "other matches of the same two profiles, with a space between"),
    ]
)


class TopConfig(dg.Config):
    """`top`: how many matches, the best first."""

    top: int = 1000


@dg.asset(
    group_name="reports",
    kinds={"python", "csv"},
    description="""
The best matches as a CSV file, in the form that its consumers read: `harmonic_mean` has the name `match_score` there.

Reads the published scores in one statement. Leaves out matches without a score and matches whose profile is gone, and
counts them. Exports each pair of profiles once; `other_id` has the ids of further matches of the same pair. Writes
top_matches.csv with `top` rows beside the report, and nothing to the database. `jv export` writes the same file for any
number of matches, or for one profile. Takes under a second for 30,000 matches.
""",
    deps=[dg.AssetDep(published_scores, partition_mapping=dg.AllPartitionMapping())],
    metadata={"dagster/column_schema": _COLUMNS},
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
