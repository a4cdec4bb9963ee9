"""The asset `diagnostic_report`: merges the tallies into one page that says what the scores mean."""

import json
from dataclasses import asdict

import dagster as dg

from jv_assets.assets.tallies import known_numbers
from jv_assets.automation.schedules import every_night_anew
from jv_assets.names import EVALUATION, MOMENTUM_OPTIONS, PROFILES, TEXT_ROBUSTNESS, TRIAL_SCORES, Group
from jv_assets.partitions import one_line_failure
from jv_assets.reports.beside import beside
from jv_assets.reports.evaluation import evaluated, headline
from jv_assets.reports.evaluation import write as write_evaluation
from jv_assets.reports.exporting import reports_folder, write_whole
from jv_assets.reports.nights import of_nights
from jv_assets.reports.numbers import report_of
from jv_assets.reports.stages import of_last_runs
from jv_assets.reports.tallies import TALLIED, merge
from jv_assets.reports.trial_scores import read as read_trials
from jv_assets.resources import report_address
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles


class ReportConfig(dg.Config):
    """`old_sample`: also show the means over the 50 best by `match_score`, the biased sample of older figures."""

    old_sample: bool = False


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python", "altair"},
    description="""
One page that says what the scores mean. Its questions: Do the scores predict what people do? Did embeddings help? Why
are scores low? How much of a score is about the pair? What would another policy do? How could Momentum improve? Where
do fallbacks come from? Is everybody sent to the same few? What did the older matcher miss? What does a cosine mean?
Is the policy on trial as good as the one in production?

Merges the report assets of all partitions, the last `momentum_options`, `text_robustness`, `candidate_allocation` and
`similarity_calibration`, people's ratings, the trials that go on, and what the last runs took.
The page names partitions that are missing or stale: those that were never tallied, or rescored since. Refuses
partitions that were scored under several policies.

Writes report.html, report.txt, report.json and evaluation.json into the folder reports of JV_HOME, or of .jv if JV_HOME
is a bucket. report.html loads nothing and runs nothing, so it can be mailed.

Runs after every night and in `jv report`. Takes some seconds.
""",
    deps=[
        *(dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in (*TALLIED, EVALUATION, PROFILES)),
        MOMENTUM_OPTIONS,
        TEXT_ROBUSTNESS,
    ],
    freshness_policy=every_night_anew(),
)
def diagnostic_report(
    context: dg.AssetExecutionContext,
    config: ReportConfig,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
) -> dg.MaterializeResult[None]:
    from jv_assets.reports.answers import answers
    from jv_assets.reports.page import to_html
    from jv_assets.reports.pictures import pictures
    from jv_assets.reports.sections import sections, warnings
    from jv_assets.reports.text import to_text

    with one_line_failure():
        report = report_of(merge(files), old_sample=config.old_sample)
        folder, outcomes = reports_folder(), evaluated(database, files)
        report |= beside(files, folder, report) | {EVALUATION: outcomes, TRIAL_SCORES: read_trials(database)}
        headlines = known_numbers(report["headline"] | (headline(outcomes) if outcomes else {}))
        report["nights"] = of_nights(context.instance, report["made_at"], headlines)
        report["answers"] = [asdict(each) for each in answers(report)]
        contents = {"html": to_html(report), "txt": to_text(report), "json": json.dumps(report, allow_nan=False)}
        for kind, content in contents.items():
            write_whole(folder / f"report.{kind}", content)
        if outcomes:
            write_evaluation(outcomes, folder)
    for warning in warnings(report):
        context.log.warning(warning)
    paths = {kind: dg.MetadataValue.path(str(folder / f"report.{kind}")) for kind in contents}
    shown = {question: dg.MetadataValue.md(picture) for question, picture in pictures(sections(report)).items()}
    numbers = headlines | of_last_runs(context.instance)
    return dg.MaterializeResult(
        metadata={"page": dg.MetadataValue.url(report_address.report_url()), **paths, **numbers, **shown}
    )
