"""Commands for the embedded Postgres: stop it, and look into it."""

import os
from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import AsJson, app
from jv_assets.cli.json_answer import answer
from jv_assets.errors import UserError


@app.command()
def stop(*, as_json: AsJson = False) -> None:
    """Stop the embedded Postgres, which outlives all commands. The next command starts it again."""
    from jv_assets.platform import postgres
    from jv_assets.ui.processes import alone

    server = postgres.status()
    if server is None:
        answer(stopped=False)
        typer.echo("No embedded Postgres is running.")
        return
    ui = settings.state_dir() / "dagster" / "ui"
    if ui.is_dir():
        with alone(ui, "first stop, with Ctrl-C, the Dagster UI at"):
            pass
    if users := postgres.clients(server):
        names = ", ".join(f"{name} ({count})" for name, count in users.items())
        raise UserError(f"the embedded Postgres has open connections: {names}; let these programs end first")
    postgres.stop()
    answer(stopped=True)
    typer.echo(f"Stopped. The data stay in {server.folder}; the next command starts the server again.")


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def psql(
    context: typer.Context,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[PSQL OPTIONS]", help="What psql takes, such as -c SQL.")
    ] = None,
) -> None:
    """Open psql on the embedded Postgres; -d dagster opens the database of Dagster."""
    from sqlalchemy import make_url

    from jv_assets.platform import cluster, postgres

    if settings.database_url():
        raise UserError("jv psql opens the embedded Postgres, and JV_DATABASE_URL names another one: use your psql")
    url = make_url(postgres.start().url())
    # In the environment, because the password on a command line can be seen by everybody.
    place = {
        "PGHOST": str(url.host),
        "PGPORT": str(url.port),
        "PGUSER": str(url.username),
        "PGPASSWORD": str(url.password),
        "PGDATABASE": str(url.database),
        "PGSSLMODE": "disable",
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    program = cluster.program("psql")
    os.execve(program, [str(program), *(arguments or []), *context.args], {**others, **place})
