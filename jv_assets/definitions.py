"""The one Dagster Definitions object, which lists everything."""

import warnings
from collections.abc import Callable
from functools import partial

import dagster as dg

from jv_assets import settings
from jv_assets.assets import production
from jv_assets.assets.aggregation_comparison import aggregation_comparison
from jv_assets.assets.candidate_allocation import candidate_allocation
from jv_assets.assets.diagnostic_report import diagnostic_report
from jv_assets.assets.embedding_isolation import embedding_isolation
from jv_assets.assets.evaluation import evaluation
from jv_assets.assets.match_candidates import match_candidates
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.momentum_bottleneck import momentum_bottleneck
from jv_assets.assets.momentum_options import momentum_options
from jv_assets.assets.production_impact import production_impact
from jv_assets.assets.profile_embeddings import profile_embeddings
from jv_assets.assets.profiles import profiles
from jv_assets.assets.published_scores import published_scores
from jv_assets.assets.similarity_calibration import similarity_calibration
from jv_assets.assets.text_robustness import text_robustness
from jv_assets.assets.top_matches import top_matches
from jv_assets.assets.trial_scores import trial_scores
from jv_assets.automation import schedules
from jv_assets.automation.alerts import alert
from jv_assets.automation.finishing import finish_the_other_ranges
from jv_assets.automation.late_ranges import late_ranges
from jv_assets.automation.report_after_nightly import report_after_nightly
from jv_assets.automation.retention_job import every_day, purge_runs
from jv_assets.automation.sensors import edited_profiles, new_matches, score_concerned
from jv_assets.automation.undo_job import undo
from jv_assets.checks.audit import audit
from jv_assets.checks.candidates import allocation_right, candidates_right
from jv_assets.checks.health import health_of_embeddings, health_of_profiles, health_of_scores
from jv_assets.checks.late import every_range_published
from jv_assets.checks.trials import trials_judged
from jv_assets.checks.verify import verify
from jv_assets.pipeline.database.stored_cut import read_cut
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.policy import CODE_VERSION

# Set for every asset, at every start of every process.
warnings.filterwarnings("ignore", message=".*(source_code_ref|CodeRef)", category=dg.BetaWarning)

# What the page of a resource shows.
_DATABASE = "The production database: the one of `JV_DATABASE_URL`, or the embedded Postgres."
_EMBEDDER = "The model that embeds texts: `{model}`. Another one: `JV_EMBEDDING_MODEL`."
_FILES = "The files of all partitions, in the folder or bucket of `JV_HOME`."


def _resource(description: str, of_a_run: Callable[[], object]) -> dg.ResourceDefinition:
    """Return a resource without fields: whoever launches a run could set another database or model for it alone."""
    return dg.ResourceDefinition(lambda _: of_a_run(), config_schema={}, description=description)


def _ours(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Return the spec with an owner, and with the code version if the pipeline makes the asset."""
    if spec.owners:  # The platform's tables.
        return spec
    return spec.replace_attributes(owners=["team:matching"], code_version=CODE_VERSION)


def build(database: Database, embedder: Embedder, files: RangeFiles) -> dg.Definitions:
    """Return all definitions over these resources. No resource connects, loads or reads before an asset needs it."""
    assets = dg.map_asset_specs(
        _ours,
        [
            *(production.PROFILES, production.MATCHES),
            *(profiles, profile_embeddings, match_scores, published_scores, trial_scores),
            *(embedding_isolation, momentum_bottleneck, aggregation_comparison, momentum_options, text_robustness),
            *(match_candidates, candidate_allocation, similarity_calibration),
            *(production_impact, evaluation, diagnostic_report, top_matches),
        ],
    )
    return dg.Definitions(
        assets=dg.with_source_code_references(assets),
        asset_checks=[
            *(audit, verify, every_range_published, candidates_right, allocation_right),
            *(health_of_scores, health_of_embeddings, health_of_profiles, trials_judged),
        ],
        jobs=[
            *(schedules.rescore, schedules.embed, schedules.refresh, schedules.nightly, schedules.report),
            *(schedules.discover, schedules.calibrate),
            *(undo, purge_runs),
        ],
        schedules=[schedules.every_night, schedules.every_week, every_day],
        sensors=[
            *(finish_the_other_ranges, report_after_nightly, alert, late_ranges),
            *(new_matches, edited_profiles, score_concerned),
        ],
        resources={
            "database": _resource(_DATABASE, lambda: database),
            "embedder": _resource(_EMBEDDER.format(model=embedder.model), lambda: embedder),
            "files": _resource(_FILES, files.of_a_run),
        },
        # The executor runs in-process: a process per step would cost seconds each, and could not share the profiles.
        executor=dg.in_process_executor,
    )


_database = Database(postgres.production_url)
defs = build(_database, Embedder(settings.embedding_model()), RangeFiles(read_cut=partial(read_cut, _database)))
