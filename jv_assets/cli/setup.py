"""Commands that set up a database and check it."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import AsJson, app, production_database, ready_database
from jv_assets.cli.json_answer import answer
from jv_assets.errors import UserError


@app.command()
def migrate(*, as_json: AsJson = False) -> None:
    """Add what the pipeline needs to the database: pgvector, missing tables and columns, the schema jv."""
    from jv_assets.setup.migrations.run import migrate as apply

    applied = apply(production_database())
    for doc in applied:
        typer.echo(f"applied: {doc}")
    answer(applied=applied)
    if not applied:
        typer.echo("The database is up to date.")


@app.command()
def grant(
    role: Annotated[str, typer.Argument(help="The role that the pipeline connects as.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Grant a role the privileges that the pipeline needs. Run it as the owner of the tables."""
    from jv_assets.setup.grant import grant as give

    statements = list(give(production_database(), role))
    answer(statements=statements)
    for statement in statements:
        typer.echo(statement)


@app.command()
def load(
    source: Annotated[str, typer.Argument(help="'demo', or a folder with profiles.csv and match_suggestions.csv.")],
    profiles: Annotated[int | None, typer.Option(help="How many profiles the demo has.")] = None,
    matches: Annotated[int | None, typer.Option(help="How many matches the demo has.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the demo; another seed makes other people.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Fill an empty database with the demo population or with CSV files, in one transaction."""
    from jv_assets.cli.console import waiting
    from jv_assets.demo.population import make_population
    from jv_assets.setup.loading import CsvErrors, load_frames, read_csv_folder

    sizes = {"profiles": profiles, "matches": matches, "seed": seed}
    given = {name: value for name, value in sizes.items() if value is not None}
    if source != "demo" and given:
        raise UserError(f"--{next(iter(given))} goes with: jv load demo")
    database = ready_database()
    with waiting(f"loading {source}"):
        try:
            population = make_population(**given) if source == "demo" else read_csv_folder(Path(source))
        except CsvErrors as errors:
            for error in errors.errors:
                typer.echo(str(error), err=True)
            raise UserError(f"{errors.count:,} errors in {source}; nothing was loaded") from None
        load_frames(database, population.profiles, population.matches)
    answer(profiles=len(population.profiles), matches=len(population.matches))
    typer.echo(
        f"Loaded {len(population.profiles):,} profiles and {len(population.matches):,} matches. Next: jv nightly"
    )


@app.command()
def repartition(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the new bounds, and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Cut the partitions anew, so that all hold the same number of rows. Needed if ids are not random."""
    from jv_assets.automation.execution import runs_under_way
    from jv_assets.cli.console import show_proposal, waiting
    from jv_assets.pipeline.database.stored_cut import store_cut
    from jv_assets.platform.instance import open_instance
    from jv_assets.setup.repartition import propose

    database, ranges = ready_database(), settings.id_ranges()
    with open_instance() as instance:
        going_on = runs_under_way(instance)
    if going_on and not dry_run:
        raise UserError(f"{going_on[0]}: let it end, or end it in jv ui; then type: jv repartition")
    with waiting("counting the rows of each range"):
        proposal = propose(database, ranges)
    show_proposal(proposal, ranges)
    is_other = proposal.now != proposal.then
    answer(
        ranges=ranges,
        changed=is_other and not dry_run,
        would_change=is_other,
        tables={name: asdict(of) for name, of in proposal.sizes.items()},
    )
    if not is_other:
        typer.echo("The ranges are even: they stay as they are.")
    elif dry_run:
        typer.echo("Nothing was changed. To change the partitions: jv repartition")
    else:
        store_cut(database, proposal.then)
        typer.echo("The ranges have new bounds, and no files yet. To make them: jv nightly")


@app.command()
def doctor(*, as_json: AsJson = False) -> None:
    """Check connection, pooler, pgvector, tables, dimensions, privileges and model, one line each."""
    from jv_assets.cli.console import show_findings
    from jv_assets.resources.embedder import Embedder
    from jv_assets.setup.doctor import examine

    findings = examine(production_database(), Embedder(settings.embedding_model()))
    show_findings(findings)
    answer(findings=[asdict(finding) for finding in findings])
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(2)
