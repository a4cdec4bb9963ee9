"""Every connection to the production database: short transactions, repeated on a fresh connection when one is lost."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar

import psycopg
import tenacity
from sqlalchemy import Connection, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError

from jv_assets import local, settings
from jv_assets.errors import UserError

T = TypeVar("T")

ATTEMPTS = 6
"""How often a transaction is tried before its range fails: five waits, about half a minute together."""
STATEMENT_TIMEOUT, LOCK_TIMEOUT = "120s", "60s"

_log = logging.getLogger(__name__)
_CONNECT = {
    # With psycopg's default, prepared statements of one client meet another's server connection behind a pooler.
    "prepare_threshold": None,
    "connect_timeout": 10,
    "application_name": "jv",
    # A connection that was dropped without a word is noticed after about a minute, not after two hours.
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# A session's SET would be lost, or leak to another client, behind a transaction pooler.
_LOCAL_SETTINGS = text(
    "SELECT set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true), "
    "set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true)"
)
# Beside lost connections, whose class is 08 or missing: what the next attempt may not meet again.
_PASSING = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # a lock was not had in time
    "57014",  # statement timeout
    "57P01",  # terminated by an administrator
    "57P02",  # crash of another server process
    "57P03",  # starting or stopping
    "53300",  # too many connections
}


class Database:
    """The database of `JV_DATABASE_URL`, else the embedded one, which is started for the first connection.

    There is no pool: PgBouncer is the pool, and nothing is held between transactions.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction on a connection of its own: committed at the end, undone by any exception.

        UserError, with cause and cure and without the password, where the database cannot be reached or refuses.
        """
        try:
            with self._engine.begin() as connection:
                connection.execute(_LOCAL_SETTINGS, {"statement": STATEMENT_TIMEOUT, "lock": LOCK_TIMEOUT})
                yield connection
        except (DBAPIError, psycopg.Error) as error:
            cause = _driver_error(error)
            if explained := explain(cause, self.place):
                raise explained from cause
            raise cause from None

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, done in one transaction.

        `work` is done again from its start on a fresh connection where the connection is lost, also at COMMIT, when
        nobody knows whether it took effect: it must bear being done twice.
        """
        for attempt in tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_passing),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=12, jitter=1),
            before_sleep=_say_retry,
            reraise=True,
        ):
            with attempt, self.transaction() as connection:
                return work(connection)
        raise AssertionError("unreachable")

    @property
    def place(self) -> str:
        """Host, port and database, for messages."""
        url = self._parsed
        return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database or url.username}"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL, for psycopg 3, with the password."""
        return self._parsed.render_as_string(hide_password=False)

    @cached_property
    def _engine(self) -> Engine:
        # an IPv6 or socket host has no use for tcp settings, and libpq ignores them there
        return create_engine(self._parsed, poolclass=NullPool, connect_args=_CONNECT)

    @property
    def _parsed(self) -> URL:
        given = self._url or settings.database_url() or local.start().url()
        try:
            url = make_url(given)
        except ArgumentError:
            raise UserError(
                "JV_DATABASE_URL is no URL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from None
        if url.get_backend_name() not in ("postgresql", "postgres"):
            raise UserError(f"JV_DATABASE_URL is for {url.get_backend_name()}: write a postgresql:// URL")
        return url.set(drivername="postgresql+psycopg")


def is_passing(error: BaseException) -> bool:
    """Whether the next attempt may go well: a lost connection, a lock, a restart of the server."""
    cause = error.__cause__ if isinstance(error, UserError) else error
    if isinstance(cause, DBAPIError):
        cause = _driver_error(cause)
    if not isinstance(cause, psycopg.Error):
        return False
    state = cause.sqlstate
    if state is None:
        return isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError)) and not _is_refusal(cause)
    return state.startswith("08") or state in _PASSING


def explain(error: psycopg.Error, place: str) -> UserError | None:
    """The one line for an error that is the operator's to mend, None for one that is ours."""
    first = " ".join(str(error).split())
    state = error.sqlstate or ""
    if isinstance(error, psycopg.errors.UndefinedTable):
        return UserError(f"database {place}: {_headline(error)}; type: jv migrate")
    if isinstance(error, psycopg.errors.UndefinedColumn):
        return UserError(f"database {place}: {_headline(error)}; type: jv migrate (or jv doctor, to see what is missing)")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return UserError(f"database {place}: {_headline(error)}; let its owner grant it, or see: jv doctor")
    if state in ("53100", "53200"):
        return UserError(f"database {place}: {_headline(error)}; make room on the server, then type: jv retry")
    if state.startswith(("08", "28", "3D")) or state in _PASSING:
        return UserError(f"database {place}: {_headline(error)}; {_cure(state)}")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)) and not state:
        return UserError(f"no connection to the database {place}: {first}; check JV_DATABASE_URL and that it runs")
    return None


def _cure(state: str) -> str:
    if state.startswith("28"):
        return "check user and password in JV_DATABASE_URL"
    if state.startswith("3D"):
        return "check the database's name in JV_DATABASE_URL"
    if state in ("55P03", "40P01", "57014"):
        return "somebody else holds what is needed, or the server is slow: type jv retry later"
    return "once the server is well, type: jv retry"


def _headline(error: psycopg.Error) -> str:
    """The server's message without the statement and the position that may follow it."""
    return (error.diag.message_primary or str(error).splitlines()[0]).strip()


def _driver_error(error: DBAPIError | psycopg.Error) -> psycopg.Error:
    if isinstance(error, psycopg.Error):
        return error
    original = error.orig
    return original if isinstance(original, psycopg.Error) else psycopg.OperationalError(str(original))


def _is_refusal(error: psycopg.Error) -> bool:
    """A connection refused for good: libpq gives these no SQLSTATE."""
    message = str(error)
    return any(
        words in message
        for words in ("authentication failed", "no pg_hba.conf entry", "does not exist", "could not translate host name",
                      "password authentication", "no password supplied", "no such user", "no such database")
    )  # fmt: skip


def _say_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    wait = state.next_action.sleep if state.next_action else 0.0
    _log.warning("%s; attempt %d of %d in %.1f s", error, state.attempt_number + 1, ATTEMPTS, wait)
