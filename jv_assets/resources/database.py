"""Every connection to the production database: short transactions, repeated on a fresh connection when one is lost."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TypeVar

import psycopg
import tenacity
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from jv_assets import local, progress, settings
from jv_assets.errors import UserError
from jv_assets.resources.redaction import headline, redacted

T = TypeVar("T")

ATTEMPTS = 6
"""How often a transaction is tried before its range fails: five waits, about twenty seconds together."""
PATIENCE = 6
"""After so many that were given up in a row, two minutes, each is tried once: of many ranges all would wait in turn."""
_OLDEST_CONNECTION = 1
"""Seconds since it was made after which a connection is not used for another transaction."""
STATEMENT_TIMEOUT, LOCK_TIMEOUT = "120s", "60s"

_log = logging.getLogger(__name__)
# It warns of what it cannot end on a connection that is lost, on a line of its own beside ours.
logging.getLogger("psycopg").setLevel(logging.ERROR)
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
    "set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true), "
    "set_config('extra_float_digits', '1', true)"
)
# Beside lost connections, whose class is 08 or missing: what the next attempt may not meet again.
_PASSING = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # a lock was not had in time
    "57014",  # statement timeout
    "25P03",  # idle in transaction for too long
    "57P01",  # terminated by an administrator
    "57P02",  # crash of another server process
    "57P03",  # starting or stopping
    "53300",  # too many connections
}
# A connection refused for good, and the cure. libpq and PgBouncer give no SQLSTATE, or that of a lost connection.
_REFUSALS = {
    "authentication failed": "check user and password in JV_DATABASE_URL",
    "no password supplied": "check user and password in JV_DATABASE_URL",
    "no such user": "check user and password in JV_DATABASE_URL",
    "no pg_hba.conf entry": "let the server's operator admit this host, user and database",
    "no such database": "check the database's name in JV_DATABASE_URL",
    "root certificate file": "check sslrootcert in JV_DATABASE_URL",
    "does not exist": "check the names in JV_DATABASE_URL",
    "Name or service not known": "check the host in JV_DATABASE_URL",
    "nodename nor servname": "check the host in JV_DATABASE_URL",
    "SSL was required": "check sslmode in JV_DATABASE_URL",
    "certificate verify failed": "check sslmode and sslrootcert in JV_DATABASE_URL",
    "does not match host name": "check the host in JV_DATABASE_URL",
    "connection is bad: invalid": "correct it in JV_DATABASE_URL",
    "invalid connection option": "take it out of JV_DATABASE_URL",
    "unsupported startup parameter": "take it out of JV_DATABASE_URL, the pooler does not know it",
    "statement pooling mode": "set the pooler's pool_mode to transaction",
}
_AGAIN = "once the server is well, type: jv retry"
_LATER = "somebody else holds what is needed, or the server is slow: try again later"
# By the beginning of the SQLSTATE.
_CURES = {
    "08": _AGAIN,
    "25006": "it takes no writes: give the primary server in JV_DATABASE_URL",
    "25P03": _AGAIN,
    "28": "check user and password in JV_DATABASE_URL",
    "3D": "check the database's name in JV_DATABASE_URL",
    "40001": _AGAIN,
    "40P01": _LATER,
    "42501": "let its owner grant it, or see: jv doctor",
    "42703": "type: jv migrate (or jv doctor, to see what is missing)",
    "42P01": "type: jv migrate",
    "53100": "make room on the server, then type: jv retry",
    "53200": "make room on the server, then type: jv retry",
    "53300": _AGAIN,
    "55P03": _LATER,
    "57014": _LATER,
    "57P01": _AGAIN,
    "57P02": _AGAIN,
    "57P03": _AGAIN,
}


class Database:
    """The database of `JV_DATABASE_URL`, else the embedded one, which is started for the first connection.

    PgBouncer is the pool. One idle connection is kept for the next transaction, but only if that begins within a
    second of its making: to connect costs more than to publish a range, and one that waits longer, while something is
    scored, is what poolers cut off.
    """

    def __init__(self, url: str | None = None) -> None:
        self._url = url
        self._given_up = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction on a connection of its own: committed at the end, undone by any exception.

        UserError, with cause and cure and without the password, where the database cannot be reached or refuses. No
        error has the statement, its parameters or what a row holds.
        """
        try:
            with self._engine.begin() as connection:
                connection.execute(_LOCAL_SETTINGS, {"statement": STATEMENT_TIMEOUT, "lock": LOCK_TIMEOUT})
                yield connection
        except (DBAPIError, psycopg.Error) as error:
            cause = driver_error(error)
            raise (explain(cause, self.place) or redacted(cause)) from None

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, done in one transaction.

        `work` is done again from its start on a fresh connection where the connection is lost, also at COMMIT, when
        nobody knows whether it took effect: it must bear being done twice.
        """
        attempts = ATTEMPTS if self._given_up < PATIENCE else 1
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_passing),
            stop=tenacity.stop_after_attempt(attempts),
            wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=12, jitter=1),
            before_sleep=_say_retry,
            reraise=True,
        )
        try:
            result: T = retrying(self._once, work)
        except Exception as error:
            self._given_up += is_passing(error)
            raise
        self._given_up = 0
        return result

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            with self.transaction() as connection:
                return work(connection)
        except (UserError, psycopg.Error) as error:
            error.__context__ = None  # the driver's own error, which quotes rows
            raise

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
        return create_engine(
            self._parsed,
            connect_args=_CONNECT,
            hide_parameters=True,
            pool_size=1,
            max_overflow=-1,
            pool_recycle=_OLDEST_CONNECTION,
        )

    @property
    def _parsed(self) -> URL:
        given = self._url or settings.database_url() or local.start().url()
        return settings.postgres_url(given, "JV_DATABASE_URL").set(drivername="postgresql+psycopg")


def is_passing(error: BaseException) -> bool:
    """Whether the next attempt may go well: a lost connection, a lock, a restart of the server."""
    if isinstance(error, UserError):
        return error.is_passing
    if not isinstance(error, (DBAPIError, psycopg.Error)):
        return False
    cause = driver_error(error)
    if cause.sqlstate in _PASSING:
        return True
    lost = cause.sqlstate is None and isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError))
    return (lost or (cause.sqlstate or "").startswith("08")) and _cure_of_refusal(cause) is None


def explain(error: psycopg.Error, place: str) -> UserError | None:
    """The one line for an error that is the operator's to mend, None for one that is ours."""
    state, refused = error.sqlstate, _cure_of_refusal(error)
    if state is None:
        if not (refused or isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))):
            return None
        first = " ".join(str(error).split())
        cure = refused or "check JV_DATABASE_URL and that it runs"
        line = f"no connection to the database {place}: {first}; {cure}"
        return UserError(line, is_passing=is_passing(error))
    known = next((cure for start, cure in _CURES.items() if state.startswith(start)), None)
    if known and refused and state.startswith("08"):
        known = refused
    if known is None:
        return None
    return UserError(f"database {place}: {headline(error)}; {known}", is_passing=is_passing(error))


def driver_error(error: DBAPIError | psycopg.Error) -> psycopg.Error:
    """The driver's own error, with all that it says of rows: to be looked at, never to be shown."""
    original = error if isinstance(error, psycopg.Error) else error.orig
    if not isinstance(original, psycopg.Error):
        return psycopg.OperationalError(str(original))
    if isinstance(original, psycopg.InternalError) and original.sqlstate is None:
        # Behind PgBouncer a COMMIT that is lost has two answers: the server's last words, and the pooler's.
        return psycopg.OperationalError(f"the connection was lost ({original})")
    return original


def _cure_of_refusal(error: psycopg.Error) -> str | None:
    message = str(error)
    return next((cure for words, cure in _REFUSALS.items() if words in message), None)


def _say_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    # The cure is for whoever has seen all attempts fail.
    cause = str(error).rpartition("; ")[0] if isinstance(error, UserError) else str(error)
    work = progress.doing.get()
    what = f"{work}: " if work else ""
    wait = state.next_action.sleep if state.next_action else 0.0
    _log.warning("%s%s; attempt %d of %d in %.1f s", what, cause, state.attempt_number + 1, ATTEMPTS, wait)
