"""The Typer app, and the functions that commands share."""

import gc
from collections.abc import Mapping, Sequence
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Annotated

import typer

from jv_assets import settings
from jv_assets.cli.json_answer import answer
from jv_assets.errors import UserError
from jv_assets.names import Job

if TYPE_CHECKING:
    import dagster as dg

    from jv_assets.automation.finishing import Part
    from jv_assets.automation.outcome import Outcome
    from jv_assets.resources.database import Database
    from jv_assets.resources.range_files import RangeFiles
    from jv_assets.setup.writability import Use

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Embed profiles, score joint-venture matches, publish the scores. The Dagster UI (jv ui) shows every run.",
)


AS_JSON = "--json"
AsJson = Annotated[
    bool, typer.Option(AS_JSON, help="Print one JSON object for a program; all words go to standard error.")
]
"""The option of every command that ends by itself. `main` acts on it, so that a wrong call is an object too."""


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"jv {metadata.version('jv-assets')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Note which command is called."""
    answer(command=context.invoked_subcommand)


def production_database() -> "Database":
    """Return the database of JV_DATABASE_URL, or the embedded one. Does not connect yet."""
    from jv_assets.platform.postgres import production_url
    from jv_assets.resources.database import Database

    return Database(production_url)


def ready_database(use: "Use" = "write") -> "Database":
    """Return the database once it is known to be ready for `use`; UserError if it is not.

    Migrates the embedded database; only `jv migrate` migrates another one. If `use` is reading, hidden rows only warn.
    """
    from jv_assets.pipeline.database.identity import refuse_other_home
    from jv_assets.resources.home_access import require_bucket
    from jv_assets.resources.range_files import RangeFiles
    from jv_assets.setup.doctor import require_ready
    from jv_assets.setup.migrations.run import is_migrated
    from jv_assets.setup.migrations.run import migrate as apply

    require_bucket()
    require_calibration()
    database = production_database()
    if settings.database_url() is None and not is_migrated(database):
        apply(database)
    warnings = require_ready(database, use)
    refuse_other_home(database, RangeFiles())
    for warning in warnings:
        typer.echo(f"jv: warning: {warning}; what is hidden counts as deleted below", err=True)
    start_collector()
    return database


def require_calibration() -> None:
    """Raise UserError if JV_CALIBRATION names a calibration that cannot be used."""
    if settings.calibration() is not None:
        from jv_assets.pipeline.rules import in_force

        try:
            in_force(settings.embedding_model())
        except ValueError as error:
            raise UserError(f"JV_EMBEDDING_MODEL: {error}") from None


def range_files(database: "Database") -> "RangeFiles":
    """Return the files of all partitions, whose bounds the database keeps."""
    from jv_assets.pipeline.database.stored_cut import read_cut
    from jv_assets.resources.range_files import RangeFiles

    return RangeFiles(read_cut=partial(read_cut, database))


def chosen_policy(name: str | None) -> str:
    """Return the policy of `--policy`, or of JV_POLICY; UserError if it does not exist."""
    from jv_scoring.policy import parse_policy

    try:
        return str(parse_policy(name or settings.policy()))
    except ValueError as error:
        raise UserError(f"{'--policy' if name else 'JV_POLICY'}: {error}") from None


def definitions() -> "dg.Definitions":
    """Load the code location."""
    load_without_collector()
    try:
        from jv_assets.definitions import defs
    finally:
        start_collector()
    return defs


def load_without_collector() -> None:
    """Switch the garbage collector off while modules load: modules are no garbage, and looking for it takes a sixth of
    a short command's time.
    """
    gc.disable()


def start_collector() -> None:
    """Switch the garbage collector on if it is off, and keep it from looking at the modules that are loaded."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def run(
    job: str, plan: "Sequence[Part]", ops: Mapping[str, Mapping[str, object]] | None = None, use: "Use" = "write"
) -> None:
    """Run the parts as `execute` does, and exit with code 1 if anything failed."""
    if not execute(job, plan, ops, use).succeeded:
        raise typer.Exit(1)


def execute(
    job: str, plan: "Sequence[Part]", ops: Mapping[str, Mapping[str, object]] | None = None, use: "Use" = "write"
) -> "Outcome":
    """Run the parts of a job in this process, and print the outcome. `ops` is config by asset."""
    defs = definitions()
    from jv_assets.automation.execution import execute as execute_parts
    from jv_assets.cli.console import progress_bars, show_outcome
    from jv_assets.cli.json_answer import answer_outcome
    from jv_assets.platform.instance import open_instance

    ready_database(use)
    with open_instance() as instance, progress_bars():
        outcome: Outcome = execute_parts(instance, defs.resolve_job_def(job), plan, ops)
    again = _AGAIN.get(job, "jv retry")
    show_outcome(outcome, again)
    answer_outcome(outcome, again)
    return outcome


_AGAIN = {Job.REPORT: "jv report"}
"""By job, the command that finishes a failed one."""
