"""Commands that start something to look at."""

from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import app, chosen_policy, ready_database


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="3000, or the next that is free, by default.")] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="For viewers: no daemon, and nothing can be changed.")
    ] = False,
) -> None:
    """Start the Dagster UI with its daemon, on this machine alone; Ctrl-C ends it."""
    from jv_assets.ui.serving import serve

    ready_database("read")
    raise typer.Exit(serve(host, port, read_only=read_only))


@app.command()
def workers(count: Annotated[int, typer.Argument(metavar="[N]", help="How many.", min=1)] = 2) -> None:
    """Start workers on this machine, for the runs of a Dagster UI with the same JV_CELERY_BROKER; Ctrl-C ends them."""
    from jv_assets.platform.broker import require_broker
    from jv_assets.ui.workers import serve

    require_broker()
    ready_database("read")
    raise typer.Exit(serve(count))


@app.command()
def demo() -> None:
    """Load the demo population, leave it as the interrupted script did, and finish the job through Dagster."""
    from jv_assets.cli.demo import tell

    chosen_policy(None)
    raise typer.Exit(tell(ready_database(), settings.embedding_model()))
