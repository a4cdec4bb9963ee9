"""Dagster's storage of runs, events and schedules in Postgres, with nothing to set up.

`dagster.yaml` names these classes without settings. So what Dagster passes between processes holds neither an address
nor a password: each process finds the server again, whatever its port, and starts it if necessary.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any, Self

import click
import psycopg
import tenacity
from dagster import DagsterEventType, EventLogEntry, Field
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import DagsterPostgresException, create_pg_engine
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.engine import URL, ExceptionContext
from sqlalchemy.exc import DBAPIError

from jv_assets import settings
from jv_assets.addresses import address_of, connect_words
from jv_assets.dagster_internals import ConfigurableClassData, LocalComputeLogManager, SqlEventLogStorageTable
from jv_assets.errors import UserError
from jv_assets.platform import postgres
from jv_assets.platform.dagster_encoding import refuse_encoding
from jv_assets.resources.database import ATTEMPTS, retrying
from jv_assets.resources.database_errors import BusyError, cure_of_busy, is_passing

TABLES_LOCK = 4_210_117
"""Key of the advisory lock for creating Dagster's tables; any number that nobody else uses."""

EVENTS_AT_ONCE = 500
"""How many events of one kind, such as the materializations of a step's partitions, Dagster writes in one statement."""


def dagster_home() -> Path:
    """
    Return the folder to name in `DAGSTER_HOME`: `dagster` beside the embedded server.

    It gets a copy of the package's `workspace.yaml`, and of its `dagster.yaml`, or of `dagster_celery.yaml` if runs go
    to workers. A copy is renewed when the original has changed.
    """
    folder = settings.state_dir() / "dagster"
    kind = "dagster_celery.yaml" if settings.celery_broker() else "dagster.yaml"
    for original, name in ((kind, "dagster.yaml"), ("workspace.yaml", "workspace.yaml")):
        text, copy = packaged(original), folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not copy.exists() or copy.read_text() != text:
                whole = folder / f"{name}.new"
                whole.write_text(text)
                whole.replace(copy)
        except OSError as error:
            raise UserError(f"cannot write {copy}: {error.strerror}; set JV_HOME to a folder of your own") from None
    return folder


def packaged(name: str) -> str:
    """Return the text of one of the settings of Dagster's that this package brings."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


class Storage(DagsterPostgresStorage):
    """Dagster's own storage in the database of `JV_DAGSTER_URL`, or in `dagster` on the embedded server."""

    @classmethod
    def config_type(cls) -> dict[str, Field]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        # Here, because every process that has an instance comes by. Dagster's default is 0: one event after the other,
        # and a run over 64 ranges of three assets has 192 materializations.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_AT_ONCE))
        try:
            return retrying(ATTEMPTS, tenacity.retry_if_exception_type(BusyError))(cls._opened, _url(), inst_data)
        except _StorageError:
            raise
        except UserError as error:
            raise _StorageError(str(error)) from None

    @classmethod
    def _opened(cls, url: URL, inst_data: ConfigurableClassData | None) -> Self:
        # psycopg 2, because Dagster's event log does not work over psycopg 3.
        over_psycopg2 = url.set(drivername="postgresql+psycopg2")
        for_dagster = over_psycopg2.render_as_string(hide_password=False)
        try:
            with psycopg.connect(**_words(url)) as connection:
                refuse_encoding(connection, address_of(url).place)
                # Otherwise the first processes, which open it at once, would all create the tables.
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [TABLES_LOCK])
                storage = cls(postgres_url=for_dagster, inst_data=inst_data)
                storage._event_log_storage = _EventLog(for_dagster, should_autocreate_tables=False)
        except (psycopg.Error, DBAPIError, DagsterPostgresException) as error:
            raise _unreachable(url, error) from None
        for part in (storage._run_storage, storage._event_log_storage, storage._schedule_storage):
            part._engine = _engine(over_psycopg2)
        return storage


class _EventLog(PostgresEventLogStorage):
    """Dagster's event storage, which also writes the planned materializations of an asset in one statement.

    Dagster writes only completed materializations in one statement. It would write the planned ones one by one, in five
    statements each, before a run begins.
    """

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        planned = [event for event in events if event.dagster_event_type == _PLANNED]
        for _, of_asset in groupby(planned, lambda event: event.get_dagster_event().asset_key):
            self._store_planned(list(of_asset))
        super().store_event_batch([event for event in events if event.dagster_event_type != _PLANNED])

    def _store_planned(self, events: Sequence[EventLogEntry]) -> None:
        """Write the events like `super().store_event_batch`. These events have no tags."""
        with self.index_transaction() as connection:
            insert = self.prepare_insert_event_batch(events).returning(SqlEventLogStorageTable.c.id)
            ids = connection.execute(insert).scalars().all()
            self._store_asset_event(connection, events[-1], ids[-1])


_PLANNED = DagsterEventType.ASSET_MATERIALIZATION_PLANNED


class _StorageError(UserError, click.ClickException):
    """A UserError that Dagster's own programs also print in one line."""


class _BusyStorageError(_StorageError, BusyError):
    """The server or the pooler answers, but has no connection to give at this moment."""


@functools.cache
def _engine(url: URL) -> Engine:
    """One engine per process, which keeps one connection.

    dagster-postgres opens a connection for every statement, about a hundred per run, at 4 ms each, so that they do not
    add up over a process's instances. Here all instances share this engine. Extra connections are opened on demand and
    closed again.
    """
    engine = create_pg_engine(
        url.render_as_string(hide_password=False),
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=-1,
        pool_pre_ping=True,  # The server may have been restarted meanwhile.
    )
    event.listen(engine, "do_connect", functools.partial(_connect, url))
    event.listen(engine, "handle_error", functools.partial(_explain_loss, url))
    # A forked process must neither use nor close its parent's connection.
    os.register_at_fork(after_in_child=functools.partial(engine.dispose, close=False))
    return engine


def _connect(url: URL, dialect: Dialect, _: object, args: Sequence[Any], words: Mapping[str, Any]) -> Any:
    """Connect, and retry with backoff if the server or a pooler has no connection to give at this moment."""

    def connect() -> Any:
        try:
            connection = dialect.loaded_dbapi.connect(*args, **words)
            with connection.cursor() as cursor:  # Supavisor accepts the client, and may refuse its first statement.
                cursor.execute("SELECT 1")
            connection.rollback()
        except dialect.loaded_dbapi.Error as error:
            raise _unreachable(url, _last_words(url) or error) from None
        return connection

    return retrying(ATTEMPTS, tenacity.retry_if_exception(is_passing))(connect)


def _last_words(url: URL) -> psycopg.Error | None:
    """Return why there is no connection. psycopg 2 loses what a server says before it closes the connection."""
    try:
        with psycopg.connect(**_words(url)) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return error
    return None


def _explain_loss(url: URL, context: ExceptionContext) -> None:
    """Raise one line instead of the driver's error if a connection is lost."""
    # Before use, the pool itself replaces a lost connection.
    if context.is_disconnect and not context.is_pre_ping:
        raise _unreachable(url, context.original_exception)


class ComputeLogs(LocalComputeLogManager):
    """The output of runs, kept beside the embedded server: `dagster dev` without a DAGSTER_HOME would delete it."""

    @classmethod
    def config_type(cls) -> dict[str, Field]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]) -> Self:
        try:
            return cls(base_dir=str(settings.state_dir() / "dagster" / "logs"), inst_data=inst_data)
        except UserError as error:
            raise _StorageError(str(error)) from None


def connect_for_good() -> psycopg.Connection[tuple[Any, ...]]:
    """Open a connection to Dagster's database that stays open as long as the process lives."""
    url = _url()

    def connect() -> psycopg.Connection[tuple[Any, ...]]:
        try:
            return psycopg.connect(**_words(url), autocommit=True, keepalives_idle=20, keepalives_interval=10)
        except psycopg.Error as error:
            raise _unreachable(url, error) from None

    return retrying(ATTEMPTS, tenacity.retry_if_exception_type(BusyError))(connect)


def _words(url: URL) -> dict[str, Any]:
    return {"connect_timeout": 10, **connect_words(url)}


def _unreachable(url: URL, error: BaseException) -> "_StorageError":
    while isinstance(error, (DBAPIError, DagsterPostgresException)) and error.__cause__:
        error = error.__cause__
    # An error of psycopg 2.
    cause = error if isinstance(error, psycopg.Error) else psycopg.OperationalError(str(error))
    reason, busy = " ".join(str(cause).split("\n\n")[0].split()), cure_of_busy(cause)
    kind = _BusyStorageError if busy else _StorageError
    return kind(
        f"no connection to Dagster's database {address_of(url).place}: {reason}; {busy or 'check JV_DAGSTER_URL'}",
        is_passing=is_passing(cause),
    )


def _url() -> URL:
    return settings.postgres_url(settings.dagster_url() or postgres.start().url("dagster"), "JV_DAGSTER_URL")
