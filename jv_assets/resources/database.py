"""Every connection to the production database: short transactions, each retried with backoff if its connection
is lost.
"""

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
"""How many attempts a transaction gets before its partition fails: five waits, about twenty seconds together."""
PATIENCE = 6
"""After this many consecutive exhausted transactions, stop retrying, so that the remaining partitions do not each wait
out the backoff. That is about two minutes.
"""
_OLDEST_CONNECTION = 1
"""Age in seconds above which a connection is not used for another transaction."""
STATEMENT_TIMEOUT, LOCK_TIMEOUT = "120s", "60s"

_log = logging.getLogger(__name__)
# It logs what it cannot end on a lost connection, on a line of its own beside ours.
logging.getLogger("psycopg").setLevel(logging.ERROR)
_CONNECT = {
    # Read texts as text: a database with SQL_ASCII would send bytes.
    "client_encoding": "utf8",
    # With psycopg's default, prepared statements of one client would meet the server connection of another behind a
    # pooler.
    "prepare_threshold": None,
    "connect_timeout": 10,
    "application_name": "jv",
    # Notice a silently dropped connection after about a minute, not after two hours.
    "keepalives": 1,
    "keepalives_idle": 20,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
# Behind a transaction pooler, a session's SET would be lost, or leak to another client.
_LOCAL_SETTINGS = text(
    "SELECT set_config('statement_timeout', :statement, true), set_config('lock_timeout', :lock, true), "
    "set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true), "
    "set_config('extra_float_digits', '1', true), "
    # From PostgreSQL 17 on. A timeout of the role would end every attempt of a long batch.
    "CASE WHEN current_setting('transaction_timeout', true) <> '0' "
    "THEN set_config('transaction_timeout', '0', true) END, "
    # pgvector may be in a schema outside of the role's search path. It comes last, so that it hides nothing.
    "(SELECT set_config('search_path', current_setting('search_path') || ', ' || quote_ident(nspname), true) "
    "FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace "
    "WHERE extname = 'vector' AND nspname <> ALL (current_schemas(true)) AND current_schema() IS NOT NULL)"
)


class Database:
    """The database at `url`, which may be a function that is called when a connection is made.

    PgBouncer is the pool. One idle connection is kept for the next transaction, but only for a second: connecting costs
    more than publishing a partition, and poolers cut connections that wait longer.
    """

    def __init__(self, url: str | Callable[[], str]) -> None:
        self._url = url
        self._given_up = 0

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open one transaction on its own connection: commit at the end, roll back on any exception.

        If the server or the pooler has no connection left, retry with backoff. UserError, with cause and cure and
        without the password, if the database cannot be reached or refuses. No error shows the statement, its parameters
        or what a row holds.
        """
        with self._opened(retrying(ATTEMPTS, tenacity.retry_if_exception_type(BusyError))) as connection:
            yield connection

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, and return its result.

        If the connection is lost, `work` is run again from its start on a new connection, also at COMMIT, when it is
        unknown whether it took effect. So `work` must be idempotent.
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
            error.__context__ = None  # The driver's own error, which quotes rows.
            raise

    @contextmanager
    def _opened(self, retrying: tenacity.Retrying) -> Iterator[Connection]:
        """Open `transaction`, and retry its beginning as `retrying` says."""
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
    # The cure is for a reader who has seen all attempts fail.
    cause = str(error).rpartition("; ")[0] if isinstance(error, UserError) else str(error)
    work = progress.doing.get()
    what = f"{work}: " if work else ""
    wait = state.next_action.sleep if state.next_action else 0.0
    _log.warning("%s%s; attempt %d of %d in %.1f s", what, cause, state.attempt_number + 1, ATTEMPTS, wait)
