"""`jv`: everything that can be done in the Dagster UI, from a terminal."""

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jv_assets import settings
from jv_assets.errors import UserError

if TYPE_CHECKING:
    from jv_assets.finishing import Part
    from jv_assets.resources.database import Database
    from jv_assets.running import Outcome

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Embeds, scores and publishes joint-venture matches. Every run shows up in the Dagster UI (jv ui).",
)
Ranges = Annotated[str | None, typer.Option(help="Only these id ranges, such as 00,3c.")]
OnlyMissing = Annotated[bool, typer.Option("--only-missing", help="Write only where harmonic_mean is NULL.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing to the database; say what would be written.")]
PolicyName = Annotated[str | None, typer.Option(help="Score under this policy; by default JV_POLICY.")]
SwitchPolicy = Annotated[
    bool, typer.Option("--switch-policy", help="Replace scores that are stored under another policy.")
]


@app.command()
def migrate() -> None:
    """Bring the database to what the pipeline needs: pgvector, missing tables or columns, the schema jv."""
    from jv_assets.migrations.run import migrate as apply
    from jv_assets.resources.database import Database

    applied = apply(Database())
    for doc in applied:
        typer.echo(f"applied: {doc}")
    if not applied:
        typer.echo("The database is up to date.")


@app.command()
def load(
    source: Annotated[str, typer.Argument(help="'demo', or a folder with profiles.csv and match_suggestions.csv.")],
    profiles: Annotated[int | None, typer.Option(help="Of the demo: how many profiles.")] = None,
    matches: Annotated[int | None, typer.Option(help="Of the demo: how many matches.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the demo: another seed makes other people.")] = None,
) -> None:
    """Fill an empty database with the demo population or with CSV files, wholly or not at all."""
    from jv_assets.console import waiting
    from jv_assets.demo.population import make_population
    from jv_assets.loading import CsvErrors, load_frames, read_csv_folder

    sizes = {"profiles": profiles, "matches": matches, "seed": seed}
    given = {name: value for name, value in sizes.items() if value is not None}
    if source != "demo" and given:
        raise UserError(f"--{next(iter(given))} goes with: jv load demo")
    database = _database()
    with waiting(f"loading {source}"):
        try:
            population = make_population(**given) if source == "demo" else read_csv_folder(Path(source))
        except CsvErrors as errors:
            for error in errors.errors:
                typer.echo(str(error), err=True)
            raise UserError(f"{errors.count:,} errors in {source}; nothing was loaded") from None
        load_frames(database, population.profiles, population.matches)
    typer.echo(
        f"Loaded {len(population.profiles):,} profiles and {len(population.matches):,} matches. Next: jv nightly"
    )


@app.command()
def embed(ranges: Ranges = None) -> None:
    """Embed the texts that are new or were edited."""
    from jv_assets.finishing import parts
    from jv_assets.running import chosen_keys

    _run("embed", parts(("profile_embeddings",), chosen_keys(ranges)))


@app.command()
def rescore(
    ranges: Ranges = None,
    only_missing: OnlyMissing = False,
    dry_run: DryRun = False,
    policy: PolicyName = None,
    switch_policy: SwitchPolicy = False,
) -> None:
    """Score every match and publish what differs. Embeds nothing."""
    from jv_assets.finishing import parts
    from jv_assets.running import chosen_keys
    from jv_assets.schedules import RESCORE

    keys = chosen_keys(ranges)
    if ranges is None:
        plan = parts(RESCORE, keys)
    else:  # a match may refer to profiles of any range
        plan = parts(("profiles",), chosen_keys(None)) + parts(("match_scores", "published_scores"), keys)
    publish = {"only_missing": only_missing, "dry_run": dry_run, "switch_policy": switch_policy}
    _run("rescore", plan, {"match_scores": {"policy": _policy(policy)}, "published_scores": publish})


@app.command()
def nightly() -> None:
    """Everything, as the schedule does it: embed what changed, score every match, publish what differs."""
    from jv_assets.finishing import parts
    from jv_assets.running import chosen_keys
    from jv_assets.schedules import NIGHTLY

    _policy(None)
    _run("nightly", parts(NIGHTLY, chosen_keys(None)))


@app.command()
def retry() -> None:
    """Do the ranges that failed, that were cut off or that were never done, and no others."""
    from jv_assets.running import open_instance, retry_plan

    _policy(None)
    _database()
    with open_instance() as instance:
        plan = retry_plan(instance)
    if not plan:
        typer.echo("No range has failed and none is left to do.")
        return
    _run("nightly", plan)


@app.command()
def status() -> None:
    """What is embedded, scored, skipped and NULL, by reason; which ranges failed."""
    from jv_assets.console import show_status
    from jv_assets.running import left_over, open_instance
    from jv_assets.status import read_status

    database, model = _database(), settings.embedding_model()
    with open_instance() as instance:
        show_status(read_status(database, model), model, left_over(instance))


@app.command()
def explain(
    match_id: Annotated[str, typer.Argument(help="The id of a match.")],
    policy: Annotated[str | None, typer.Option(help="Under this policy; by default the stored score's.")] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COLUMN=VALUE", help="What if B had this value there (a.COLUMN: A); repeatable."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the same as a page to this file.")] = None,
) -> None:
    """Why a match has its score: dimensions, factors, methods, missing data, and what a change would do."""
    from jv_assets.explaining import explain as explain_match
    from jv_assets.explaining import parse_changes, show, to_html
    from jv_assets.exporting import write_whole
    from jv_assets.resources.embedder import Embedder

    model, wanted = settings.embedding_model(), parse_changes(changes or [])
    explanation = explain_match(_database(), model, match_id, policy, changes=wanted, embed=Embedder(model).embed)
    show(explanation)
    if html:
        write_whole(html, to_html(explanation))
        typer.echo(f"The page: {html}")


@app.command()
def export(
    top: Annotated[int, typer.Option(help="How many matches, the best first.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    profile: Annotated[str | None, typer.Option(help="Only matches of this profile, as A or B.")] = None,
) -> None:
    """Write the best matches as CSV; harmonic_mean goes out under the name match_score."""
    from jv_assets.exporting import top_matches, write_csv

    found = top_matches(_database(), top, profile)
    write_csv(found.rows, out)
    typer.echo(f"{len(found.rows):,} matches in {out}; {found.without_score:,} without a score were left out")


@app.command()
def report() -> None:
    """Make the page of what the scores mean: embeddings, Momentum, other policies, fallbacks, congestion."""
    from jv_assets.console import show_report
    from jv_assets.finishing import parts
    from jv_assets.resources.range_files import RangeFiles
    from jv_assets.running import chosen_keys
    from jv_assets.schedules import REPORTS

    keys, files, made = chosen_keys(None), RangeFiles(), settings.reports_dir() / "report.json"
    if not any(files.exists("match_scores", key) for key in keys):
        raise UserError("no match is scored yet; type: jv nightly")
    before = made.stat().st_mtime_ns if made.exists() else None
    outcome = _execute("report", parts(REPORTS, keys))
    if made.exists() and made.stat().st_mtime_ns != before:
        show_report(made.parent)
    if not outcome.well:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Examine connection, pooler, pgvector, tables, dimensions, privileges and model."""
    from jv_assets.console import show_findings
    from jv_assets.doctor import examine
    from jv_assets.resources.database import Database
    from jv_assets.resources.embedder import Embedder

    findings = examine(Database(), Embedder(settings.embedding_model()))
    show_findings(findings)
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(2)


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="3000, or the next that is free, by default.")] = None,
) -> None:
    """Start the Dagster UI with its daemon, on this machine alone; Ctrl-C ends it."""
    from jv_assets.ui import serve

    _database()
    raise typer.Exit(serve(host, port))


@app.command()
def demo() -> None:
    """Load the demo population, leave it as the interrupted script did, and finish the job through Dagster."""
    from jv_assets.demo.story import tell

    _policy(None)
    raise typer.Exit(tell(_database(), settings.embedding_model()))


def main() -> None:
    """The program: exit code 1 where a range failed, 2 for a wrong call or a database that cannot be used."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        typer.echo(f"jv: {error}", err=True)
        code = 2
    except typer.TyperException as error:  # a wrong call; where the command is missing its help has been printed
        if message := " ".join(error.format_message().split()):
            typer.echo(f"jv: {message.rstrip('.')}; see: jv --help", err=True)
        code = error.exit_code
    if code == _INTERRUPTED:
        typer.echo("jv: stopped; what was done is kept. To go on: jv retry, or the same again", err=True)
    sys.exit(code)


_INTERRUPTED = 130
"""What typer makes of a KeyboardInterrupt."""


def _database() -> "Database":
    """The database, ready to be used: the embedded one is migrated on the way, another one only by `jv migrate`."""
    from jv_assets.doctor import require_ready
    from jv_assets.migrations.run import migrate as apply
    from jv_assets.resources.database import Database

    database = Database()
    if settings.database_url() is None:
        apply(database)
    require_ready(database)
    return database


def _policy(name: str | None) -> str:
    from jv_scoring.policy import parse_policy

    try:
        return str(parse_policy(name or settings.policy()))
    except ValueError as error:
        raise UserError(f"{'--policy' if name else 'JV_POLICY'}: {error}") from None


def _run(job: str, plan: "Sequence[Part]", ops: Mapping[str, Mapping[str, object]] | None = None) -> None:
    if not _execute(job, plan, ops).well:
        raise typer.Exit(1)


def _execute(job: str, plan: "Sequence[Part]", ops: Mapping[str, Mapping[str, object]] | None = None) -> "Outcome":
    from jv_assets.console import progress_bars, show_outcome
    from jv_assets.running import execute, open_instance

    _database()
    with open_instance() as instance, progress_bars():
        outcome: Outcome = execute(instance, job, plan, ops)
    show_outcome(outcome, again="jv report" if job == "report" else "jv retry")
    return outcome
