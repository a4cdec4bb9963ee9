"""The program `jv`: do in a terminal what the Dagster UI does."""

import logging
import sys

import psycopg
import typer

# In the order of the help.
# isort: off
from jv_assets.cli import setup, runs, answers, discovery, ratings, calibration, trial, start, embedded  # noqa: F401

# isort: on
from jv_assets.cli.common import AS_JSON, app, load_without_collector
from jv_assets.cli.json_answer import called, write_answer
from jv_assets.cli.streams import keep_for_document, lasting
from jv_assets.errors import CallError, UserError


def main() -> None:
    """Run the program. Exit code 1: a partition failed. 2: a wrong call, or a database that cannot be used."""
    load_without_collector()
    sys.stdout, sys.stderr = lasting(1, sys.stdout.encoding), lasting(2, sys.stderr.encoding)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    as_json = AS_JSON in sys.argv
    if as_json:
        keep_for_document()
    code, error = _called()
    if error:
        typer.echo(f"jv: {error}", err=True)
    if as_json:
        write_answer(code, error)
    sys.exit(code)


def _called() -> tuple[int, str | None]:
    """Run the command; return the exit code, and the line to print about what prevented it."""
    try:
        code = app(standalone_mode=False) or 0
    except CallError as error:
        return 2, f"{error}; see: {_help()}"
    except UserError as error:
        return 2, str(error)
    except psycopg.Error as error:  # A command that writes outside of a run, such as load.
        return 2, f"the database refused it: {error}"
    except typer.TyperException as error:  # A wrong call. Without a command, the help has been printed already.
        message = " ".join(error.format_message().split())
        return error.exit_code, f"{message.rstrip('.')}; see: {_help()}" if message else None
    if code == _INTERRUPTED:
        return code, "stopped; what was done is kept. To continue: jv retry, or the same command again"
    return code, None


def _help() -> str:
    """Return the command line that shows the help of what was called."""
    return f"jv {called()} --help" if called() else "jv --help"


_INTERRUPTED = 130
"""The exit code that typer gives a KeyboardInterrupt."""
