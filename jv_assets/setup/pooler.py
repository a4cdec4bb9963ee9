"""Part of the doctor: which kind of pooler is before the server, and whether it has a connection to give."""

import select
from contextlib import closing
from typing import Any, Literal

import psycopg
from sqlalchemy import make_url

from jv_assets.addresses import connect_words
from jv_assets.resources.database import Database

_POOLER_SECONDS = 5.0
"""How long a pooler may take to answer. A pooler without a server connection does not answer at all."""


def look_at_pooler(database: Database) -> tuple[Literal["ok", "warning"], str]:
    """Return the kind of the pooler, by whether two clients get the same server connection, or wait for each
    other's.
    """
    cause = (
        f"it gave no second connection within {_POOLER_SECONDS:g} s: its pool is used up, or has one, in session mode"
    )
    used_up = f"{cause}; raise default_pool_size, or set pool_mode to transaction"
    try:
        with closing(_client(database)) as first, closing(_client(database)) as second:
            # Repeated: other clients may come between, and a pool may rotate its connections.
            for _ in range(3):
                mine = {_backend(first), _backend(first)}
                other = _backend(second, "BEGIN")
                if other is None or None in mine:
                    return "warning", used_up
                if other not in mine:
                    mine.add(_backend(first))
                _backend(second, "ROLLBACK")
                if other in mine or len(mine) > 1:
                    return "ok", "transaction pooler: each transaction may get another server connection"
    except psycopg.OperationalError:
        return "warning", used_up
    return "ok", "session pooler: a server connection belongs to one client as long as it stays"


def _client(database: Database) -> psycopg.Connection[Any]:
    options = {"connect_timeout": 10, "application_name": "jv", **connect_words(make_url(database.url))}
    return psycopg.connect(**options, autocommit=True)


def _backend(client: psycopg.Connection[Any], before: str = "") -> int | None:
    """Return the number of the client's current server connection, None if it got none in time."""
    client.pgconn.send_query(f"{before}; SELECT pg_backend_pid()".encode())
    pid = None
    while select.select([client.pgconn.socket], [], [], _POOLER_SECONDS)[0]:
        client.pgconn.consume_input()
        while not client.pgconn.is_busy():
            result = client.pgconn.get_result()
            if result is None:
                return pid
            if result.ntuples:
                pid = int(result.get_value(0, 0) or 0)
    return None
