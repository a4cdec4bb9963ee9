"""Every connection to the production database: short transactions, each retried with backoff if its connection
is lost.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
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
KEPT_CONNECTIONS = 2
"""How many idle connections are kept, and so how many threads work at the same time without connecting anew."""
_LONGEST_TURN = 60.0
"""After so many seconds, a transaction no longer waits for another thread's connection, but retries with backoff."""
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


@dataclass(eq=False)
class _Transaction:
    """A transaction that is open or about to be, of a thread; its connection, once it has one."""

    thread: int
    connection: psycopg.Connection | None = None


class Database:
    """The database at `url`, which may be a function that is called when a connection is made.

    PgBouncer is the pool. An idle connection is kept for the next transaction, but only for a second: connecting costs
    more than publishing a partition, and poolers cut connections that wait longer. Threads may use it at the same time,
    each with a connection of its own; if the server has no more, they take turns.
    """

    def __init__(self, url: str | Callable[[], str]) -> None:
        self._url = url
        self._given_up = 0
        self._transactions: list[_Transaction] = []
        self._one_ended = threading.Condition()
        self._stopped = threading.Event()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Open one transaction on its own connection: commit at the end, roll back on any exception.

        If the server or the pooler has no connection left, retry with backoff. UserError, with cause and cure and
        without the password, if the database cannot be reached or refuses. No error shows the statement, its parameters
        or what a row holds.
        """
        with self._opened(ATTEMPTS) as connection:
            yield connection

    def stop(self) -> None:
        """Cancel the statement of every open transaction, whatever its thread, and let no other transaction begin."""
        self._stopped.set()
        for transaction in tuple(self._transactions):
            if transaction.connection:
                with suppress(psycopg.Error):
                    transaction.connection.cancel_safe()

    def run(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in one transaction, and return its result.

        If the connection is lost, `work` is run again from its start on a new connection, also at COMMIT, when it is
        unknown whether it took effect. So `work` must be idempotent.
        """
        attempts = ATTEMPTS if self._given_up < PATIENCE else 1
        try:
            result: T = self._retrying(attempts, tenacity.retry_if_exception(is_passing))(self._once, work)
        except Exception as error:
            self._given_up += is_passing(error)
            raise
        self._given_up = 0
        return result

    def _once(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._opened(attempts=1) as connection:
                return work(connection)
        except (UserError, psycopg.Error) as error:
            error.__context__ = None  # The driver's own error, which quotes rows.
            raise

    @contextmanager
    def _opened(self, attempts: int) -> Iterator[Connection]:
        """Open `transaction`, with so many attempts to begin it."""
        with self._explained(), ExitStack() as stack:
            busy = tenacity.retry_if_exception_type(BusyError)
            connection: Connection = self._retrying(attempts, busy)(self._begin, stack)
            yield connection

    def _begin(self, stack: ExitStack) -> Connection:
        """Begin a transaction, which ends with `stack`, as soon as there is a connection for it."""
        while not self._stopped.is_set():
            try:
                return self._begin_now(stack)
            except BusyError:
                if not self._has_another_ended():
                    raise
        raise UserError("interrupted; type: jv retry")

    def _begin_now(self, stack: ExitStack) -> Connection:
        with self._explained(), ExitStack() as begun:
            transaction = begun.enter_context(self._noted())
            connection = begun.enter_context(self._engine.begin())
            raw = connection.connection.driver_connection
            assert isinstance(raw, psycopg.Connection)
            transaction.connection = raw
            connection.execute(_LOCAL_SETTINGS, {"statement": STATEMENT_TIMEOUT, "lock": LOCK_TIMEOUT})
            stack.enter_context(begun.pop_all())
            return connection

    @contextmanager
    def _noted(self) -> Iterator["_Transaction"]:
        """Note a transaction from before it has a connection until it has given that back."""
        transaction = _Transaction(threading.get_ident())
        self._transactions.append(transaction)
        try:
            yield transaction
        finally:
            with self._one_ended:
                self._transactions.remove(transaction)
                self._one_ended.notify_all()

    def _has_another_ended(self) -> bool:
        """Wait for the end of a transaction of another thread, which leaves its connection; False if there is none."""
        with self._one_ended:
            others = [other for other in self._transactions if other.thread != threading.get_ident()]
            return bool(others) and self._one_ended.wait_for(
                lambda: any(other not in self._transactions for other in others), timeout=_LONGEST_TURN
            )

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
            pool_size=KEPT_CONNECTIONS,
            max_overflow=-1,
            pool_recycle=_OLDEST_CONNECTION,
        )

    def _retrying(self, attempts: int, which: tenacity.retry_base) -> tenacity.Retrying:
        """Return `retrying` that `stop` ends."""
        ends = tenacity.stop_after_attempt(attempts) | tenacity.stop_when_event_set(self._stopped)
        return retrying(attempts, which).copy(stop=ends, sleep=tenacity.sleep_using_event(self._stopped))

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
