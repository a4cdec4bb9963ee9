"""The asset `trial_scores`: the scores of candidates on trial, beside production's."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

import dagster as dg

from jv_assets import progress, settings
from jv_assets.assets.markdown import markdown_table
from jv_assets.assets.published_scores import published_scores
from jv_assets.names import TRIAL_SCORES, Group
from jv_assets.partitions import one_line_failure
from jv_assets.pipeline.database.identity import require_home
from jv_assets.pipeline.matches.undo_units import unit_of
from jv_assets.reports.trial_night import look
from jv_assets.reports.trial_scores import CRITERIA_COLUMNS, criteria_rows
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.writability import require_writable
from jv_assets.trials.criteria import FAIL, NOT_ENOUGH, PASS, judge
from jv_assets.trials.store import keep_night, nights, trials


@dg.asset(
    group_name=Group.PUBLISH,
    kinds={"python", "postgres"},
    description="""
Is another policy, or another calibration, as good as the one in production? Computes the scores of each candidate on
trial (`jv trial start`) from the files of `match_scores`, which hold the numbers already. Rescores nothing.

Keeps the candidate's scores in jv.trial_scores, never in match_suggestions, and the figures of the night in
jv.trial_nights. `jv trial status` and the report judge them by the criteria that were written down at the start.
Without a trial, does nothing.

A night counts if production holds the scores of all files, and each of these matches has a score of the candidate. The
asset has no partitions, because ranks and best 10 are of all matches. Memory: about 30 bytes per match and trial.

Runs every night, after `published_scores` of all partitions. Takes a tenth of a full rescore, per trial.
""",
    deps=[dg.AssetDep(published_scores, partition_mapping=dg.AllPartitionMapping())],
    output_required=False,
    metadata={"dagster/table_name": "jv.trial_scores"},
)
def trial_scores(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.MaterializeResult[None]]:
    progress.doing.set(TRIAL_SCORES)
    with one_line_failure():
        going_on = trials(database, going_on=True)
        if not going_on:
            return
        require_home(database, files)
        require_writable(database, "dry run")
        today = datetime.now(ZoneInfo(settings.nightly_timezone())).date()
        found = look(database, files, embedder.model, going_on, run=unit_of(context.run), day=today)
        for trial, night in zip(going_on, found, strict=True):
            if night is None or not keep_night(database, trial, night):
                context.log.warning(f"trial {trial.name} ended while its night was computed: the night does not count")
            elif night.why_not_complete:
                context.log.warning(f"the night does not count for trial {trial.name}: {night.why_not_complete}")
        judged = {trial.name: judge(trial.criteria, nights(database, trial)) for trial in going_on}
    states = Counter(each.state for of in judged.values() for each in of)
    rows = [[name, *row] for name, of in judged.items() for row in criteria_rows(of)]
    yield dg.MaterializeResult(
        metadata={
            "trials": len(going_on),
            **{f"criteria_{state.replace(' ', '_')}": states[state] for state in (PASS, FAIL, NOT_ENOUGH)},
            "criteria": dg.MetadataValue.md(markdown_table(["trial", *CRITERIA_COLUMNS], rows)),
        }
    )
