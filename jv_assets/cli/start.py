"""Commands that start the UI, workers or the demo."""

from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import AsJson, app, chosen_policy, ready_database


@app.command()
def ui(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="The port; by default 3000, or the next free one.")] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="For viewers: starts no daemon, and nobody can change anything.")
    ] = False,
) -> None:
    """Start the Dagster UI and its daemon, reachable from this machine only. Ctrl-C stops them."""
    from jv_assets.ui.serving import serve

    ready_database("read")
    raise typer.Exit(serve(host, port, read_only=read_only))


@app.command()
def workers(count: Annotated[int, typer.Argument(metavar="[N]", help="How many workers.", min=1)] = 2) -> None:
    """Start workers that take runs from the Dagster UIs with the same JV_CELERY_BROKER. Ctrl-C stops them."""
    from jv_assets.platform.broker import require_broker
    from jv_assets.ui.workers import serve

    require_broker()
    ready_database("read")
    raise typer.Exit(serve(count))


@app.command()
def demo(*, as_json: AsJson = False) -> None:
    """Load the demo population, interrupt a rescore of it, and resume the rescore through Dagster."""
    from jv_assets.cli.demo import tell

    chosen_policy(None)
    raise typer.Exit(tell(ready_database(), settings.embedding_model()))
