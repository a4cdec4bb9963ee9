"""Several threads on one `Database`: a server with one connection left, and an interrupt while all of them wait."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text

from jv_assets.errors import UserError
from jv_assets.partitions import side_by_side
from jv_assets.resources.database import Database
from tests.support.waiting import wait_until

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (number int)")
        yield connection


@pytest.fixture
def limited(owner: psycopg.Connection, database_url: str) -> Iterator[Database]:
    """The database for a role that may have one connection."""
    owner.execute("CREATE ROLE limited LOGIN PASSWORD 'secret' CONNECTION LIMIT 1")
    owner.execute("GRANT INSERT ON kept TO limited")
    url = make_url(database_url).set(username="limited", password="secret")
    database = Database(url.render_as_string(hide_password=False))
    yield database
    database._engine.dispose()
    owner.execute("DROP OWNED BY limited")
    owner.execute("DROP ROLE limited")


def test_threads_take_turns_if_the_server_gives_one_connection(limited: Database, owner: psycopg.Connection) -> None:
    numbers = list(range(40))

    def insert(number: int) -> None:
        limited.run(lambda connection: connection.execute(text("INSERT INTO kept VALUES (:n)"), {"n": number}))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(insert, numbers))
    assert [row[0] for row in owner.execute("SELECT number FROM kept ORDER BY number")] == numbers


def test_an_interrupt_ends_what_all_threads_wait_for(owner: psycopg.Connection, database_url: str) -> None:
    database, begun = Database(database_url), []

    def insert(connection: Connection) -> None:
        connection.execute(text("INSERT INTO kept VALUES (1)"))

    def work(key: str) -> None:
        begun.append(key)
        database.run(insert)

    def interrupted() -> None:
        with side_by_side(work, ["a", "b", "c", "d"], 2, database.stop):
            wait_until(lambda: owner.execute(WAITING).fetchone() == (2,))
            raise KeyboardInterrupt

    with psycopg.connect(owner.info.dsn, password=owner.info.password) as other:
        other.execute("LOCK TABLE kept")
        with pytest.raises(KeyboardInterrupt):
            interrupted()
        # The lock is held to here.
        assert owner.execute(WAITING).fetchone() == (0,)
    assert begun == ["a", "b"]
    assert owner.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    with pytest.raises(UserError, match="interrupted; type: jv retry"):
        database.run(insert)
