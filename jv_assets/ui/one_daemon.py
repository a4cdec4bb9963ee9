"""Allow one daemon per Dagster database: two would share its runs, and do half of them with the wrong home."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.platform.storage import connect_for_good
from jv_assets.resources.home_access import shown

LOCK = 4_210_119
"""Key of the advisory lock that the daemon holds, or the `jv ui` around it; any number that nobody else uses."""
_HOLDER = "jv/daemon"
"""The name under which Dagster's database keeps who holds the lock."""


@contextmanager
def the_only_daemon() -> Iterator[None]:
    """Hold the daemon's place in the database of `DAGSTER_HOME`; UserError where another daemon holds it."""
    with connect_for_good() as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        with dg.DagsterInstance.get() as instance:
            if not (row and row[0]):
                raise UserError(_taken(instance))
            here = {"home": shown(settings.home()), "host": socket.gethostname()}
            instance.run_storage.set_cursor_values({_HOLDER: json.dumps(here)})
        yield


def _taken(instance: dg.DagsterInstance) -> str:
    known = json.loads(instance.run_storage.get_cursor_values({_HOLDER}).get(_HOLDER, "{}"))
    return (
        f"Dagster's database already has a daemon: the one on {known.get('host', 'an unknown host')} with "
        f"JV_HOME {known.get('home', 'unknown')}; end that one, or set JV_DAGSTER_URL to a database of its own"
    )
