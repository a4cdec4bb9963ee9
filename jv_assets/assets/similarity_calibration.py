"""The asset `similarity_calibration`: measures what the model's cosines mean, and proposes steps."""

from collections.abc import Iterator

import dagster as dg

from jv_assets import settings
from jv_assets.assets import production
from jv_assets.assets.markdown import markdown_table
from jv_assets.assets.tallies import known_numbers
from jv_assets.errors import UserError
from jv_assets.names import EVALUATION, MATCH_SCORES, PROFILE_EMBEDDINGS, Group
from jv_assets.partitions import one_line_failure
from jv_assets.pipeline.calibration import PAIRS, Wanted, measure, write_file
from jv_assets.pipeline.database.identity import require_home
from jv_assets.pipeline.rules import in_force
from jv_assets.reports.calibration_labels import of_labels
from jv_assets.reports.calibration_moves import moved
from jv_assets.reports.similarity_calibration import proposal_rows
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.tallies import Json


class CalibrationConfig(dg.Config):
    """`pairs`: how many random pairs each factor gets. `seed`: another seed draws other profiles and pairs."""

    pairs: int = PAIRS
    seed: int = 0


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python"},
    description="""
What does a cosine of the model mean? Measures for each similarity factor how many random pairs of profiles reach each
step (the false positive rate), and how many paraphrases and near misses do. Proposes steps that have given false
positive rates (JV_CALIBRATION_FPR), or says that there is not enough data.

Draws at most 5,000 profiles with vectors of the configured model and 40,000 pairs a factor, by a seed. Leaves out
suggested pairs, pairs of equal texts, and a profile with itself. The paraphrases and near misses are 240 text pairs of
the package, written by hand. Embeds them the first time. With 200 labels of `evaluation`, also says whether people's
actions follow the cosine better than the steps do.

Writes one JSON file a model under JV_HOME, with the histograms. Has no partition a model, because the profiles hold the
vectors of one model at a time. Changes no score: a proposal is used only as a named calibration (`jv calibration
save`).

Runs in `jv calibration measure` only, not every night. Takes about 20 seconds.
""",
    deps=[
        *(production.PROFILES, production.MATCHES),
        *(
            dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
            for name in (PROFILE_EMBEDDINGS, MATCH_SCORES, EVALUATION)
        ),
    ],
)
def similarity_calibration(
    context: dg.AssetExecutionContext,
    config: CalibrationConfig,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> dg.MaterializeResult[None]:
    with one_line_failure():
        if config.pairs < 1 or config.seed < 0:
            raise UserError(f"pairs {config.pairs}, seed {config.seed}: give 1 pair or more, and a seed of 0 or more")
        require_home(database, files)
        wanted = Wanted(config.pairs, config.seed, settings.calibration_rates())
        calibration = in_force(embedder.model).calibration
        report = measure(database, files, embedder, calibration, wanted)
        report["labels"] = of_labels(files, calibration)
        report["moves"] = moved(files, report)
        path = write_file(files, report)
    for factor in report["factors"]:
        if why := factor["proposal"]["why"]:
            context.log.warning(f"{factor['factor']}: not enough data for a proposal: {why}")
    labels = {f"{each['factor']}_labels": each["labels"] for each in report["labels"]}
    numbers = labels | {name: value for factor in report["factors"] for name, value in _numbers(factor)}
    return dg.MaterializeResult(
        metadata={
            "json": dg.MetadataValue.path(str(path)),
            "steps": dg.MetadataValue.md(markdown_table(*proposal_rows(report))),
            "embedding_model": report["model"],
            "profiles": report["profiles"],
            **known_numbers(numbers),
        }
    )


def _numbers(factor: Json) -> Iterator[tuple[str, float | None]]:
    """Yield the numbers of a factor that Dagster plots over the measurements."""
    name, drift = factor["factor"], factor["drift"]
    yield f"{name}_pairs", factor["pairs"]
    yield f"{name}_mean", factor["mean"]
    yield f"{name}_first_step_rate", factor["steps"][-1]["random"]
    yield f"{name}_drift", drift["distance"] if drift else None
    for auc in factor["auc"]:
        yield f"{name}_auc_{str(auc['against']).replace(' ', '_')}", auc["value"]
