"""`jv`: everything that can be done in the Dagster UI, from a terminal."""

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
    """The program: exit code 1 where a range failed, 2 for a wrong call or a database that cannot be used."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        code = app(standalone_mode=False)
    except UserError as error:
        typer.echo(f"jv: {error}", err=True)
        code = 2
    except psycopg.Error as error:  # of a command that writes in no run, such as load
        typer.echo(f"jv: the database refused it: {error}", err=True)
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
