"""Every connection to the production database: short transactions, repeated on a fresh connection when one is lost."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TypeVar

import psycopg
import tenacity
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from jv_assets import progress, settings
from jv_assets.addresses import address_of
from jv_assets.errors import UserError
from jv_assets.resources.database_errors import BusyError, driver_error, explain, is_passing
from jv_assets.resources.redaction import redacted

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
    # Texts come as text whatever the server holds: of a database that says SQL_ASCII they would come as bytes.
    "client_encoding": "utf8",
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
    "set_config('extra_float_digits', '1', true), "
    # From PostgreSQL 17 on. A role's own would end a batch that takes longer, however often it is tried.
    "CASE WHEN current_setting('transaction_timeout', true) <> '0' "
    "THEN set_config('transaction_timeout', '0', true) END, "
    # pgvector may be in a schema where the role does not look. Last, so that it hides nothing.
    "(SELECT set_config('search_path', current_setting('search_path') || ', ' || quote_ident(nspname), true) "
    "FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
    "WHERE extname = 'vector' AND nspname <> ALL (current_schemas(true)) AND current_schema() IS NOT NULL)"
)


class Database:
    """The database at `url`, which may be a function: it is then asked for the URL when a connection is made.

    PgBouncer is the pool. One idle connection is kept for the next transaction, but only if that begins within a
    second of its making: to connect costs more than to publish a range, and one that waits longer, while something is
    scored, is what poolers cut off.
    """

    def __init__(self, url: str | Callable[[], str]) -> None:
        self._url = url
        self._given_up = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction on a connection of its own: committed at the end, undone by any exception.

        Where the server or the pooler has no connection left, it is asked again with backoff. UserError, with cause and
        cure and without the password, where the database cannot be reached or refuses. No error has the statement, its
        parameters or what a row holds.
        """
        with self._opened(retrying(ATTEMPTS, tenacity.retry_if_exception_type(BusyError))) as connection:
            yield connection

    def run(self, work: Callable[[Connection], T]) -> T:
        """What `work` returns, done in one transaction.

        `work` is done again from its start on a fresh connection where the connection is lost, also at COMMIT, when
        nobody knows whether it took effect: it must bear being done twice.
        """
        attempts = ATTEMPTS if self._given_up < PATIENCE else 1
        try:
            result: T = retrying(attempts, tenacity.retry_if_exception(is_passing))(self._once, work)
        except Exception as error:
            self._given_up += is_passing(error)
            raise
        self._given_up = 0
        return result

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._opened(retrying(1, tenacity.retry_never)) as connection:
                return work(connection)
        except (UserError, psycopg.Error) as error:
            error.__context__ = None  # the driver's own error, which quotes rows
            raise

    @contextmanager
    def _opened(self, retrying: tenacity.Retrying) -> Iterator[Connection]:
        """`transaction`, whose beginning is tried as `retrying` says."""
        with self._explained(), ExitStack() as stack:
            connection: Connection = retrying(self._begin, stack)
            yield connection

    def _begin(self, stack: ExitStack) -> Connection:
        """Begin a transaction, which ends with `stack`."""
        with self._explained(), ExitStack() as begun:
            connection = begun.enter_context(self._engine.begin())
            connection.execute(_LOCAL_SETTINGS, {"statement": STATEMENT_TIMEOUT, "lock": LOCK_TIMEOUT})
            stack.enter_context(begun.pop_all())
            return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            cause = driver_error(error)
            raise (explain(cause, self.place) or redacted(cause)) from None

    @property
    def place(self) -> str:
        """Host, port and database, for messages."""
        return address_of(self._parsed).place

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
        given = self._url() if callable(self._url) else self._url
        return settings.postgres_url(given, "JV_DATABASE_URL").set(drivername="postgresql+psycopg")


def retrying(attempts: int, which: tenacity.retry_base) -> tenacity.Retrying:
    return tenacity.Retrying(
        retry=which,
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=12, jitter=1),
        before_sleep=_say_retry,
        reraise=True,
    )


def _say_retry(state: tenacity.RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    # The cure is for whoever has seen all attempts fail.
    cause = str(error).rpartition("; ")[0] if isinstance(error, UserError) else str(error)
    work = progress.doing.get()
    what = f"{work}: " if work else ""
    wait = state.next_action.sleep if state.next_action else 0.0
    _log.warning("%s%s; attempt %d of %d in %.1f s", what, cause, state.attempt_number + 1, ATTEMPTS, wait)
