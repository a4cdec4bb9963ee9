"""Transactions on real servers: kept or undone, done again where the connection is lost, and what errors say."""

import contextlib
import logging
import secrets
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import tenacity
from sqlalchemy import Connection, make_url, text

from jv_assets.assets.published_scores import AT_ONCE
from jv_assets.errors import UserError
from jv_assets.platform import postgres
from jv_assets.resources import database_errors
from jv_assets.resources.database import ATTEMPTS, PATIENCE, Database
from tests.support.servers import free_port, pgbouncer
from tests.support.waiting import wait_until

CANARY = "canary-9Zq7"


@pytest.fixture
def database(database_url: str) -> Database:
    """A database with one table, `kept`, whose column `number` is its key."""
    database = Database(url=database_url)
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE kept (number int PRIMARY KEY, name text)"))
    return database


@pytest.fixture(params=["direct", "pooled"])
def either(request: pytest.FixtureRequest, database: Database) -> Iterator[Database]:
    """The database itself, and through a transaction pooler."""
    if request.param == "direct":
        yield database
    else:
        with pgbouncer(database.url) as url:
            yield Database(url=url)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts."""
    monkeypatch.setattr(tenacity, "wait_exponential_jitter", lambda **_: tenacity.wait_none())


class Attempts:
    """Work that counts how often it is begun; `happens` does harm to the connection of the first attempts."""

    def __init__(self, happens: Callable[[Connection], object], attempts: int = 1) -> None:
        self.happens, self.attempts = happens, attempts
        self.begun = 0

    def __call__(self, connection: Connection) -> int:
        self.begun += 1
        connection.execute(text("INSERT INTO kept VALUES (:number)"), {"number": self.begun})
        if self.begun <= self.attempts:
            self.happens(connection)
        return self.begun


def changed(url: str, **parts: object) -> str:
    return make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


def connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True)


def kept(database: Database) -> list[int]:
    with database.transaction() as connection:
        return list(connection.scalars(text("SELECT number FROM kept ORDER BY number")))


def ask(database: Database, sql: str) -> Any:
    with database.transaction() as connection:
        return connection.scalar(text(sql))


def refusal(database: Database, work: Callable[[Connection], object] = lambda _: None) -> str:
    """The one line that says why the work cannot be done. Neither it nor the traceback has the password."""
    with pytest.raises(UserError) as caught, database.transaction() as connection:
        work(connection)
    assert "\n" not in str(caught.value)
    assert str(make_url(database.url).password) not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


def end(database: Database, connection: Connection) -> None:
    """End the server's process of a connection, and return when it is gone."""
    pid = connection.scalar(text("SELECT pg_backend_pid()"))
    with connect(database.url) as other:
        other.execute("SELECT pg_terminate_backend(%s, 30000)", [pid])


# Transactions


def test_a_transaction_is_committed_at_its_end(either: Database) -> None:
    with either.transaction() as connection:
        connection.execute(text("INSERT INTO kept VALUES (1)"))
        assert kept(either) == []
    assert kept(either) == [1]


def test_a_transaction_is_undone_by_any_exception(either: Database) -> None:
    work = Attempts(lambda _: {}["mine"])
    with pytest.raises(KeyError, match="mine"), either.transaction() as connection:
        work(connection)
    assert work.begun == 1
    assert kept(either) == []


def test_connections_are_kept_for_the_threads_that_publish_and_nothing_is_held(database: Database) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: ask(database, "SELECT pg_advisory_xact_lock(1)"), range(9)))
    own = "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with connect(database.url) as other:
        wait_until(lambda: len(other.execute(own).fetchall()) <= AT_ONCE)
        assert set(other.execute(own).fetchall()) <= {("idle",)}


def test_a_kept_connection_that_is_lost_meanwhile(either: Database, database: Database) -> None:
    ask(either, "SELECT 1")
    with connect(database.url) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert either.run(Attempts(lambda _: None)) == 1


def test_the_settings_of_a_transaction(either: Database) -> None:
    with either.transaction() as connection:
        shown = {
            name: connection.scalar(text(f"SHOW {name}"))
            for name in ("statement_timeout", "lock_timeout", "timezone", "datestyle", "application_name")
        }
    assert shown == {
        "statement_timeout": "2min",
        "lock_timeout": "1min",
        "timezone": "UTC",
        "datestyle": "ISO, MDY",
        "application_name": "jv",
    }


@pytest.mark.parametrize("fails", [False, True])
def test_settings_do_not_reach_another_client_of_the_pooler(database: Database, fails: bool) -> None:
    seen = "SELECT current_setting('statement_timeout'), current_setting('lock_timeout'), pg_backend_pid()"
    with pgbouncer(database.url, default_pool_size=1, server_reset_query="") as url:
        with connect(url) as other:
            before = other.execute(seen).fetchone()
        with contextlib.suppress(KeyError), Database(url=url).transaction() as connection:
            connection.execute(text("SET LOCAL statement_timeout = '7s'"))
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
            if fails:
                raise KeyError
        with connect(url) as other:
            assert other.execute(seen).fetchone() == before == ("0", "0", pid)


def test_many_statements_of_several_clients_through_a_small_pool(database: Database) -> None:
    with pgbouncer(database.url, default_pool_size=2) as url:

        def work(number: int) -> int:
            with Database(url=url).transaction() as connection:
                statement = text("SELECT CAST(:number AS int) + CAST(:step AS int)")
                return sum(connection.scalar(statement, {"number": number, "step": step}) or 0 for step in range(50))

        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(work, range(12))) == [50 * number + sum(range(50)) for number in range(12)]


# What is done again


def test_work_is_done_once_where_all_is_well(either: Database) -> None:
    work = Attempts(lambda _: None)
    assert either.run(work) == 1
    assert kept(either) == [1]


def test_a_connection_lost_before_a_statement(either: Database, database: Database) -> None:
    def harm(connection: Connection) -> None:
        end(database, connection)
        connection.execute(text("SELECT 1"))

    assert either.run(Attempts(harm, attempts=2)) == 3
    assert kept(database) == [3]


def test_a_connection_lost_within_a_copy(either: Database, database: Database) -> None:
    def harm(connection: Connection) -> None:
        with connection.connection.cursor().copy("COPY kept (number) FROM STDIN") as copy:  # type: ignore[attr-defined]
            copy.write_row([100])
            with connect(database.url) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid, 30000) FROM pg_stat_activity WHERE query LIKE 'COPY kept%%'"
                )

    assert either.run(Attempts(harm)) == 2
    assert kept(database) == [2]


def test_a_connection_lost_before_the_commit(either: Database, database: Database) -> None:
    assert either.run(Attempts(lambda connection: end(database, connection))) == 2
    assert kept(database) == [2]


def test_a_connection_that_was_idle_for_too_long(either: Database, database: Database) -> None:
    def harm(connection: Connection) -> None:
        pid = connection.scalar(text("SELECT pg_backend_pid()"))
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = '1ms'"))
        with connect(database.url) as other:
            query = "SELECT FROM pg_stat_activity WHERE pid = %s"
            wait_until(lambda: other.execute(query, [pid]).fetchone() is None)
        connection.execute(text("SELECT 1"))

    assert either.run(Attempts(harm)) == 2
    assert kept(database) == [2]


def test_a_transaction_that_took_too_long(either: Database, database: Database) -> None:
    def harm(connection: Connection) -> None:
        connection.execute(text("SET LOCAL transaction_timeout = '1ms'"))
        connection.execute(text("SELECT pg_sleep(60)"))

    assert either.run(Attempts(harm)) == 2
    assert kept(database) == [2]


def test_the_servers_own_limit_of_a_transaction(database: Database) -> None:
    with connect(database.url) as owner:
        owner.execute(f"ALTER DATABASE {make_url(database.url).database} SET transaction_timeout = '100ms'")
    work = Attempts(lambda connection: connection.execute(text("SELECT pg_sleep(0.3)")))
    assert Database(url=database.url).run(work) == 1


def test_a_session_that_was_idle_for_too_long(database: Database) -> None:
    with connect(database.url) as owner:
        owner.execute(f"ALTER DATABASE {make_url(database.url).database} SET idle_session_timeout = '200ms'")
        idle = Database(url=database.url)
        pid = ask(idle, "SELECT pg_backend_pid()")
        wait_until(lambda: owner.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone() is None)
    assert idle.run(Attempts(lambda _: None)) == 1
    assert kept(database) == [1]


def test_a_pooler_that_drops_everybody(database: Database) -> None:
    name = make_url(database.url).database
    with pgbouncer(database.url) as url:

        def harm(connection: Connection) -> None:
            with connect(changed(url, database="pgbouncer")) as admin:
                admin.execute(f"KILL {name}")
                admin.execute(f"RESUME {name}")
            connection.execute(text("SELECT 1"))

        assert Database(url=url).run(Attempts(harm)) == 2
    assert kept(database) == [2]


def test_a_server_that_is_started_again(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    database = Database(url=postgres.start(folder).url())
    with database.transaction() as connection:
        connection.execute(text("CREATE TABLE kept (number int PRIMARY KEY)"))

    def harm(connection: Connection) -> None:
        postgres.stop(folder)
        postgres.start(folder)
        connection.execute(text("SELECT 1"))

    try:
        assert database.run(Attempts(harm)) == 2
        assert kept(database) == [2]
    finally:
        postgres.stop(folder)


def raising(state: str) -> Attempts:
    return Attempts(lambda connection: connection.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")))


@pytest.mark.parametrize("state", [*sorted(database_errors._PASSING), "08006"])
def test_an_error_that_passes(database: Database, state: str) -> None:
    assert database.run(raising(state)) == 2
    assert kept(database) == [2]


@pytest.mark.parametrize("state", ["23505", "22P02", "25006", "28P01", "42501", "42P01", "53100", "57P04", "XX000"])
def test_an_error_that_would_come_again(database: Database, state: str) -> None:
    work = raising(state)
    with pytest.raises((UserError, psycopg.Error)):
        database.run(work)
    assert work.begun == 1
    assert kept(database) == []


def test_a_lock_that_was_not_had_in_time(database: Database) -> None:
    with connect(database.url) as other:
        other.execute("SELECT pg_advisory_lock(1)")

        def harm(connection: Connection) -> None:
            connection.execute(text("SET LOCAL lock_timeout = '1ms'"))
            try:
                connection.execute(text("SELECT pg_advisory_xact_lock(1)"))
            finally:
                other.execute("SELECT pg_advisory_unlock(1)")

        assert database.run(Attempts(harm)) == 2


def test_a_duplicate_key_is_the_callers_affair(either: Database) -> None:
    work = Attempts(lambda connection: connection.execute(text("INSERT INTO kept VALUES (1)")))
    with pytest.raises(psycopg.errors.UniqueViolation):
        either.run(work)
    assert work.begun == 1


def test_giving_up_on_a_server_that_stays_away(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    url = make_url(database_url).set(port=port, password=CANARY)
    with pytest.raises(UserError) as caught:
        Database(url=url.render_as_string(hide_password=False)).run(lambda _: None)
    assert str(caught.value).startswith(f"no connection to the database 127.0.0.1:{port}/{url.database}: ")
    assert str(caught.value).endswith("; check JV_DATABASE_URL and that it runs")
    assert "\n" not in str(caught.value)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * (ATTEMPTS - 1)
    assert caplog.messages[0].endswith(f"; attempt 2 of {ATTEMPTS} in 0.0 s")
    assert CANARY not in caplog.text + "".join(traceback.format_exception(caught.value))


def test_giving_up_on_a_connection_that_is_lost_each_time(either: Database, database: Database) -> None:
    work = Attempts(lambda connection: end(database, connection), attempts=ATTEMPTS)
    with pytest.raises(UserError, match=r"^[^\n]*$"):
        either.run(work)
    assert work.begun == ATTEMPTS
    assert kept(database) == []


def test_patience_ends_when_all_give_up_and_comes_back(either: Database, database: Database) -> None:
    for _ in range(PATIENCE):
        work = Attempts(lambda connection: end(database, connection), attempts=ATTEMPTS)
        with pytest.raises(UserError):
            either.run(work)
        assert work.begun == ATTEMPTS
    once = Attempts(lambda connection: end(database, connection), attempts=ATTEMPTS)
    with pytest.raises(UserError):
        either.run(once)
    assert once.begun == 1
    assert either.run(lambda _: "well") == "well"
    again = Attempts(lambda connection: end(database, connection))
    assert either.run(again) == 2


@pytest.mark.parametrize(
    ("parts", "cure"),
    [
        ({"password": CANARY}, "check user and password in JV_DATABASE_URL"),
        ({"username": "nobody"}, "check user and password in JV_DATABASE_URL"),
        ({"database": "elsewhere"}, "check the names in JV_DATABASE_URL"),
        ({"host": "no-such-host.invalid"}, "check the host in JV_DATABASE_URL"),
        ({"port": 99_999}, "correct it in JV_DATABASE_URL"),
        ({"query": {"sslmode": "require"}}, "check sslmode in JV_DATABASE_URL"),
        ({"query": {"sslmode": "perhaps"}}, "correct it in JV_DATABASE_URL"),
        ({"query": {"search_path": "jv"}}, "take it out of JV_DATABASE_URL"),
    ],
)
def test_a_connection_that_is_refused_for_good_is_not_tried_again(
    database_url: str, parts: dict[str, object], cure: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Database(url=changed(database_url, **parts))
    with pytest.raises(UserError, match=rf"; {cure}$") as caught:
        database.run(lambda _: None)
    assert refusal(database) == str(caught.value)
    assert not caplog.records


@pytest.mark.parametrize(
    ("parts", "cure"),
    [
        ({"password": CANARY}, "check user and password in JV_DATABASE_URL"),
        ({"username": "nobody"}, "check user and password in JV_DATABASE_URL"),
        ({"database": "elsewhere"}, "check the names in JV_DATABASE_URL"),
        (
            {"query": {"options": "-c statement_timeout=5"}},
            "take it out of JV_DATABASE_URL, the pooler does not know it",
        ),
    ],
)
def test_a_pooler_that_refuses_for_good_is_not_tried_again(
    database_url: str, parts: dict[str, object], cure: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with pgbouncer(database_url) as url, pytest.raises(UserError, match=rf"; {cure}$"):
        Database(url=changed(url, **parts)).run(lambda _: None)
    assert not caplog.records


def test_a_statement_pooler_is_not_tried_again(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    refused = pytest.raises(UserError, match=r"; set the pooler's pool_mode to transaction$")
    with pgbouncer(database_url, pool_mode="statement") as url, refused:
        Database(url=url).run(lambda _: None)
    assert not caplog.records


# What errors say


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT FROM absent", 'relation "absent" does not exist; type: jv migrate'),
        ("SELECT absent FROM kept", 'column "absent" does not exist; type: jv migrate (or jv doctor'),
        ("SET LOCAL ROLE pg_monitor; SELECT * FROM kept", "permission denied for table kept; let its owner grant it"),
        ("SET TRANSACTION READ ONLY; DELETE FROM kept", "in a read-only transaction; it takes no writes"),
        ("SET LOCAL statement_timeout = 1; SELECT pg_sleep(9)", "statement timeout; somebody else holds"),
    ],
)
def test_what_is_the_operators_to_mend_is_one_line_with_its_cure(either: Database, sql: str, said: str) -> None:
    def work(connection: Connection) -> None:
        for statement in sql.split("; "):
            connection.execute(text(statement))

    line = refusal(either, work)
    assert line.startswith(f"database {either.place}: ")
    assert said in line


@pytest.mark.parametrize(
    "sql", ["INSERT INTO kept VALUES (1, :name)", "SELECT absent, :name", "SELECT :name FROM absent", "SELEC :name"]
)
def test_no_parameter_gets_into_an_error(either: Database, sql: str) -> None:
    with either.transaction() as connection:
        connection.execute(text("INSERT INTO kept VALUES (1)"))
    with pytest.raises((UserError, psycopg.Error)) as caught, either.transaction() as connection:
        connection.execute(text(sql), {"name": CANARY})
    assert CANARY not in "".join(traceback.format_exception(caught.value))


# URLs


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_form_of_url_leads_to_psycopg_3(database_url: str, scheme: str) -> None:
    given = database_url.replace("postgresql+psycopg", scheme, 1)
    database = Database(url=given)
    assert ask(database, "SELECT current_database()") == make_url(database_url).database
    assert database.url == database_url
    assert database.place == "{0.host}:{0.port}/{0.database}".format(make_url(database_url))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"host=db password={CANARY}", "is no URL: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE"),
        (f"postgresql:/user:{CANARY}@db", "is no URL"),
        (f"postgresql://user:{CANARY}@db:port/jv", "is no URL"),
        (f"mysql://user:{CANARY}@db/jv", "is for mysql: write a postgresql:// URL"),
        (f"mysql+pymysql://user:{CANARY}@db/jv", "is for mysql: write a postgresql:// URL"),
        (f"postgresql://user:a@{CANARY}@db/jv", "has an @ too many: write the one in the password as %40"),
        (f"postgresql://user:a@b/{CANARY}@db/jv", "has an @ too many: write the one in the password as %40"),
        (f"postgresql://user:a@b:{CANARY}@db/jv", "has an @ too many: write the one in the password as %40"),
    ],
)
def test_a_url_that_cannot_be_used(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_DATABASE_URL", url)
    database = Database(postgres.production_url)
    for use in (lambda: database.place, lambda: database.run(lambda _: None), lambda: ask(database, "SELECT 1")):
        with pytest.raises(UserError) as caught:
            use()
        assert str(caught.value).startswith(f"JV_DATABASE_URL {said}")
        assert "\n" not in str(caught.value)
        assert CANARY not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("password", "is_pooled"), [("p@s/s:w?ö#r%d&=+ \\'\"", False), ("p@s/s:w?#r%d&=+'", True)])
def test_special_characters_in_a_password(database: Database, password: str, is_pooled: bool) -> None:
    name, quoted = f"role_{secrets.token_hex(4)}", password.replace("'", "''")
    with connect(database.url) as owner:
        owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{quoted}'")
        try:
            special = Database(url=changed(database.url, username=name, password=password))
            with pgbouncer(special.url) if is_pooled else contextlib.nullcontext(special.url) as url:
                assert ask(Database(url=url), "SELECT current_user") == name
        finally:
            owner.execute(f"DROP ROLE {name}")


def test_the_url_comes_from_the_environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_DATABASE_URL", database_url)
    assert Database(postgres.production_url).url == database_url


def test_without_a_url_the_embedded_server_is_started(home: Path) -> None:
    database = Database(postgres.production_url)
    assert not home.exists()
    assert ask(database, "SELECT current_database()") == "jv"
    server = postgres.status(home / "postgres")
    assert server is not None
    assert database.url == server.url()
