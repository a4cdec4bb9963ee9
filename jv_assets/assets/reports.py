"""The assets that say what the scores mean: a tally a range for each of three questions, and the report of them all."""

import json
from collections.abc import Mapping
from typing import Any

import dagster as dg

from jv_assets import settings
from jv_assets.assets.profiles import profiles
from jv_assets.assets.scores import match_scores
from jv_assets.exporting import reports_folder, write_whole
from jv_assets.partitions import ID_RANGES, each_range, one_line_failure
from jv_assets.reporting.beside import beside
from jv_assets.reporting.evaluation import evaluated, headline
from jv_assets.reporting.evaluation import write as write_evaluation
from jv_assets.reporting.numbers import record, report_of
from jv_assets.reporting.sampling import sample_of
from jv_assets.reporting.tallies import TALLIED, keep, merge, scored, tallied
from jv_assets.resources.range_files import RangeFiles
from jv_assets.schedules import every_night_anew
from jv_assets.stages import of_last_runs
from jv_scoring.analysis import aggregation, isolation, momentum
from jv_scoring.analysis.rows import BOTH
from jv_scoring.policy import POLICIES

_BACKFILL = dg.BackfillPolicy.multi_run(settings.ranges_per_run())
TALLY = dg.TableSchema([dg.TableColumn("tally", "text", "JSON: exact counts that add up with those of other ranges")])
_TALLIES = dg.TableSchema([*TALLY.columns, dg.TableColumn("profiles", "text", "the same of the range's profiles")])


class TallyConfig(dg.Config):
    """`sample`: of about so many of all matches, drawn by a hash of their ids; all of them by default."""

    sample: int | None = None


@dg.asset(
    group_name="reports",
    kinds={"python", "parquet"},
    description="""
Did embeddings help? Every match as it is, against the same match scored by word overlap only, all else equal.

Reads scores, dimensions and Synergy's factors of the range's file of `match_scores`, in both directions. Writes one
row of JSON a range under JV_HOME: histograms of both scores, of two factors and of their changes, how often each method
was used, and the most changed matches. Costs some 50 microseconds a match.
""",
    deps=[match_scores],
    partitions_def=ID_RANGES,
    backfill_policy=_BACKFILL,
    metadata={"dagster/column_schema": TALLY},
)
def embedding_isolation(
    context: dg.AssetExecutionContext, config: TallyConfig, files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        sample = sample_of(files, config.sample)

    def work(key: str) -> Mapping[str, object]:
        tally, rows = tallied(scored(files, key, isolation.COLUMNS, sample), isolation.tally)
        size = keep(files, "embedding_isolation", key, tally, rows, sample=sample)
        shown = isolation.report(tally)
        numbers = {
            "mean": record(shown["measures"], measure="harmonic_mean", side="embeddings")["mean"],
            "mean_gain_by_embeddings": record(shown["measures"], measure="harmonic_mean", side="change")["mean"],
            "fallback_share": record(shown["evaluations"], direction=BOTH, factor=BOTH)["word_overlap_share"],
        }
        return {"rows": rows, **_known(numbers), "file_bytes": size}

    each_range(context, work, again="jv report")


@dg.asset(
    group_name="reports",
    kinds={"python", "parquet"},
    description="""
Why are scores low? Which dimension is the weakest of each direction, and what Momentum is made of where it is that one.

Reads dimensions and Momentum's factors of the range's file of `match_scores`, and the range's file of `profiles` for
how many of them have data at all. Writes one row of JSON a range under JV_HOME: histograms of dimensions and factors,
and counts of the weakest, of fields with data and of directions without any. Costs some 20 microseconds a match.
""",
    deps=[match_scores, profiles],
    partitions_def=ID_RANGES,
    backfill_policy=_BACKFILL,
    metadata={"dagster/column_schema": _TALLIES},
)
def momentum_bottleneck(
    context: dg.AssetExecutionContext, config: TallyConfig, files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        sample = sample_of(files, config.sample)

    def work(key: str) -> Mapping[str, object]:
        tally, rows = tallied(scored(files, key, momentum.COLUMNS, sample), momentum.tally)
        facts = files.chunks("profiles", key, list(momentum.FIELDS))
        coverage, profiles_there = tallied(facts, momentum.tally_profiles)
        size = keep(files, "momentum_bottleneck", key, tally, rows, profiles=coverage, sample=sample)
        shown = momentum.report(tally, coverage)
        numbers = {
            "momentum_mean": record(shown["dimensions"], dimension="momentum", direction=BOTH)["mean"],
            "momentum_bottleneck_share": record(shown["weakest"], dimension="momentum", direction=BOTH)["share"],
            "floor_share": shown["floor"][f"share_{BOTH}"],
        }
        return {"rows": rows, "profiles": profiles_there, **_known(numbers), "file_bytes": size}

    each_range(context, work, again="jv report")


@dg.asset(
    group_name="reports",
    kinds={"python", "parquet"},
    description="""
What would another aggregation do? Every match under all six policies, against the one that scored it.

Reads the dimensions of both null treatments of the range's file of `match_scores`. Writes one row of JSON a range under
JV_HOME: histograms of the scores under each policy, how often each pair of scores occurs, and each profile's best
matches under any of them. Changes neither scores nor policy. Costs some 30 microseconds a match.
""",
    deps=[match_scores],
    partitions_def=ID_RANGES,
    backfill_policy=_BACKFILL,
    metadata={"dagster/column_schema": TALLY},
)
def aggregation_comparison(
    context: dg.AssetExecutionContext, config: TallyConfig, files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        sample = sample_of(files, config.sample)

    def work(key: str) -> Mapping[str, object]:
        tally, rows = tallied(scored(files, key, aggregation.COLUMNS, sample), aggregation.tally)
        size = keep(files, "aggregation_comparison", key, tally, rows, sample=sample)
        numbers = {
            f"mean_{policy.replace('/', '_')}": tally.histograms[f"{policy} harmonic_mean"].mean for policy in POLICIES
        }
        return {"rows": rows, **_known(numbers), "file_bytes": size}

    each_range(context, work, again="jv report")


class ReportConfig(dg.Config):
    """`old_sample`: show also the means over the 50 best by `match_score`, a biased sample of older figures."""

    old_sample: bool = False


@dg.asset(
    group_name="reports",
    kinds={"python", "altair"},
    description="""
One page of what the scores mean: do they predict what people do, did embeddings help, why are scores low, what would
another aggregation do, what should be done about Momentum, where do fallbacks come from, and is everybody sent to the
same few.

Reads the tallies of all ranges, what `momentum_options` found when it was last made, from the files of `profiles` how
long some texts are, and from Dagster what the last runs took and wrote. A range that was never tallied, or was scored
anew since, is named in the report. Refuses ranges scored under several policies. Writes report.html (it loads nothing
and runs nothing, so it can be sent), report.txt, report.json and evaluation.json into the folder reports of JV_HOME, or
of .jv where JV_HOME is a bucket. Costs some seconds.
""",
    deps=[
        *(
            dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
            for name in (*TALLIED, "evaluation", "profiles")
        ),
        "momentum_options",
    ],
    freshness_policy=every_night_anew(),
)
def diagnostic_report(
    context: dg.AssetExecutionContext, config: ReportConfig, files: dg.ResourceParam[RangeFiles]
) -> dg.MaterializeResult[None]:
    from jv_assets.reporting.page import to_html
    from jv_assets.reporting.pictures import pictures
    from jv_assets.reporting.sections import sections, warnings
    from jv_assets.reporting.text import to_text

    with one_line_failure():
        report = report_of(merge(files), old_sample=config.old_sample)
        folder, found = reports_folder(), evaluated(files)
        report |= beside(files, folder, report) | {"evaluation": found}
        contents = {"html": to_html(report), "txt": to_text(report), "json": json.dumps(report, allow_nan=False)}
        for kind, content in contents.items():
            write_whole(folder / f"report.{kind}", content)
        if found:
            write_evaluation(found, folder)
    for warning in warnings(report):
        context.log.warning(warning)
    paths = {kind: dg.MetadataValue.path(str(folder / f"report.{kind}")) for kind in contents}
    shown = {question: dg.MetadataValue.md(picture) for question, picture in pictures(sections(report)).items()}
    numbers = _known(report["headline"] | (headline(found) if found else {})) | of_last_runs(context.instance)
    return dg.MaterializeResult(
        metadata={"page": dg.MetadataValue.url(settings.report_url()), **paths, **numbers, **shown}
    )


def _known(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in numbers.items() if value is not None}
