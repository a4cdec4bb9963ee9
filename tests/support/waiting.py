"""Waiting for a condition, never for a time."""

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from sqlalchemy import text

from jv_assets.resources.database import Database

T = TypeVar("T")
SECONDS = 300
"""How long anything may take; on a free machine it is a few seconds."""
_BLOCKED = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def wait_until(condition: Callable[[], T], seconds: float = SECONDS) -> T:
    """What the condition comes to, once it is true of it.

    To look costs what it costs, often a process or a connection: it is done every fiftieth of the time waited so far.
    """
    started = time.monotonic()
    while not (value := condition()):
        waited = time.monotonic() - started
        assert waited < seconds, "waited too long"
        time.sleep(min(max(waited / 50, 0.005), 0.5))
    return value


def wait_for_a_lock(database: Database, running: "Future[Any]") -> None:
    """Until what is running waits for a lock that someone else holds."""

    def is_waiting() -> bool:
        assert not running.done(), "it did not wait"
        return database.run(lambda connection: connection.execute(text(_BLOCKED)).first() is not None)

    wait_until(is_waiting)
