"""The program `jv`: do in a terminal what the Dagster UI does."""

import logging
import sys

import psycopg
import typer

# In the order of the help.
# isort: off
from jv_assets.cli import setup, runs, answers, discovery, ratings, start  # noqa: F401

# isort: on
from jv_assets.cli.common import app
from jv_assets.errors import UserError


def main() -> None:
    """Run the program. Exit code 1: a partition failed. 2: a wrong call, or a database that cannot be used."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        typer.echo(f"jv: {error}", err=True)
        code = 2
    except psycopg.Error as error:  # A command that writes outside of a run, such as load.
        typer.echo(f"jv: the database refused it: {error}", err=True)
        code = 2
    except typer.TyperException as error:  # A wrong call. Without a command, the help has been printed already.
        if message := " ".join(error.format_message().split()):
            typer.echo(f"jv: {message.rstrip('.')}; see: jv --help", err=True)
        code = error.exit_code
    if code == _INTERRUPTED:
        typer.echo("jv: stopped; what was done is kept. To go on: jv retry, or the same again", err=True)
    sys.exit(code)


_INTERRUPTED = 130
"""The exit code that typer gives a KeyboardInterrupt."""
