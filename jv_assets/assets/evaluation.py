"""The asset `evaluation`: compares the scores with what became of the matches."""

import dagster as dg

from jv_assets import settings
from jv_assets.assets import production
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.score_columns import PAIRS
from jv_assets.assets.tallies import Tallied, keep_each, tally_metadata
from jv_assets.names import MATCH_SCORES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, one_line_failure
from jv_assets.pipeline.database.identity import require_home
from jv_assets.pipeline.outcomes import read_outcomes
from jv_assets.reports.tallies import scored
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.tables import OUTCOMES
from jv_scoring.analysis import evaluation as analysis


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python", "postgres", "parquet"},
    description="""
Do the scores predict what people do? Compares the scores with what became of the matches.

Reads `match_scores`, the outcome of each match (viewed, contacted, dismissed, feedback), and from the log of published
scores the score that stood when somebody saw the match. If the platform lacks an outcome column, the metadata names it,
and it counts as empty.

Writes one row of JSON per partition under JV_HOME: a short record of each match that somebody saw, and counts of all
others. `diagnostic_report` and `jv evaluate` merge the partitions into evaluation.json. Changes no score.

Runs after every night, in `jv report` and in `jv evaluate`. Takes a few seconds for 30,000 matches.
""",
    deps=[match_scores, production.MATCHES],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=tally_metadata({MATCH_SCORES: analysis.COLUMNS, PAIRS: list(OUTCOMES)}),
)
def evaluation(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database], files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        require_home(database, files)
        labels = settings.feedback_labels()

    def tally(key: str) -> Tallied:
        outcomes, stood = read_outcomes(database, *files.cut.matches.bounds(key))
        chunks = scored(files, key, analysis.COLUMNS)
        found = analysis.total(analysis.tally(rows, outcomes, stood, labels) for rows in chunks)
        kept = found.rows
        numbers = {name: int(kept[name].sum()) for name in ("exposed", "acted", "dismissed", "stood")}
        words = {
            "unknown_status": sum(found.unknown_status.values()),
            "unmapped_feedback": sum(found.unmapped_feedback.values()),
        }
        missing = ", ".join(found.missing) or "none"
        return Tallied(found, found.matches, {**numbers, **words, "missing_columns": missing})

    keep_each(context, files, tally)
