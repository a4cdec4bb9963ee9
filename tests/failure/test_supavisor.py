"""Supavisor's FATAL where its pool is used up: tried again like a lost connection, and in the end one line."""

import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
import tenacity
from sqlalchemy import make_url, text

from jv_assets.errors import UserError
from jv_assets.platform.storage import dagster_home
from jv_assets.resources.database import ATTEMPTS, Database
from jv_assets.setup.doctor import require_ready
from tests.support.faults import KEYS, Production
from tests.support.forked import ForkedProgram, without_waits
from tests.support.judging import assert_whole
from tests.support.supavisor import ALWAYS, When, supavisor

CHECKOUT = (
    "(ECHECKOUTTIMEOUT) Pool checkout timeout. Request was dropped after 15000ms in Transaction mode.\n\n"
    "  1. Ensuring your database is available"
)
FULL = [
    CHECKOUT,
    "(ECHECKOUTTIMEOUT) unable to check out connection from the pool after 15000ms in Transaction mode",
    "(EMAXCONN) max client connections reached, limit: 200",
    "(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
    "(EMAXCLIENTCONN) max client connections reached, limit: 200",
    "(EMAXCLIENTSESSION) max clients reached in session mode - max clients are limited to pool_size: 15",
    "(EMAXPROXYCONN) max proxy connections reached, limit: 200",
    "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited to pool_size",
    "Max client connections reached",
    "Unable to check out process from the pool due to timeout",
]
LOST = [
    "(EDBHANDLEREXITED) connection to database closed. Check logs for more information",
    "(EDBHANDLEREXITED) DbHandler exited. Check logs for more information",
    "DbHandler exited",
    "{:shutdown, :db_termination}",
]
CURES = {
    **dict.fromkeys(FULL, "its connections are all taken: end other clients, or raise pool_size or max_connections"),
    **dict.fromkeys(LOST, "once the server is well, type: jv retry"),
}
UNKNOWN_PROJECT = "check user and host in JV_DATABASE_URL: the user is ROLE.PROJECT at this pooler"
FOR_GOOD = {
    "Tenant or user not found": UNKNOWN_PROJECT,
    "(ENOTFOUND) tenant/user postgres.nobody not found": UNKNOWN_PROJECT,
    "(ECIRCUITBREAKER) too many authentication failures, new connections are temporarily blocked": "wait some minutes",
}
WHENS: list[When] = ["login", "statement"]


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts."""
    monkeypatch.setattr(tenacity, "wait_exponential_jitter", lambda **_: tenacity.wait_none())


def refusal(url: str, *, is_run: bool) -> str:
    """The one line in the end, without the password."""
    database = Database(url=url)
    asked = partial(database.run, lambda connection: connection.scalar(text("SELECT 1")))
    with pytest.raises(UserError) as caught:
        (asked if is_run else partial(require_ready, database))()
    assert "\n" not in str(caught.value)
    assert str(make_url(url).password) not in "".join(traceback.format_exception(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("message", CURES)
def test_a_pool_that_is_used_up(database_url: str, caplog: pytest.LogCaptureFixture, when: When, message: str) -> None:
    with supavisor(database_url, when, message, times=2) as (url, between):
        with Database(url=url).transaction() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        assert Database(url=url).run(lambda connection: connection.scalar(text("SELECT 1"))) == 1
    assert between.refused == 2
    assert len([line for line in caplog.messages if "; attempt " in line]) == len(caplog.messages) == 2
    with supavisor(database_url, when, message, ALWAYS) as (url, between):
        for is_run in (False, True):
            line = refusal(url, is_run=is_run)
            assert message.split("\n", maxsplit=1)[0] in line
            assert CURES[message] in line
        assert between.refused == 2 * ATTEMPTS


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("message", FOR_GOOD)
def test_what_no_attempt_will_mend(database_url: str, when: When, message: str) -> None:
    with supavisor(database_url, when, message, ALWAYS) as (url, between):
        for is_run in (False, True):
            line = refusal(url, is_run=is_run)
            assert message in line
            assert FOR_GOOD[message] in line
        assert between.refused == 2


@pytest.mark.parametrize("message", [*CURES, *FOR_GOOD])
def test_an_internal_error_of_postgres_is_none_of_a_pooler(database_url: str, message: str) -> None:
    """Whatever its words are: they may quote a row."""
    begun = []
    raising = f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = '{message}'; END $$"
    raising = raising.replace(":", r"\:")  # which would be a parameter
    with pytest.raises(Exception, match=r"^a function of the database.* raised an error") as caught:
        Database(url=database_url).run(lambda connection: (begun.append(1), connection.execute(text(raising))))
    assert len(begun) == 1
    assert not isinstance(caught.value, UserError)


COMMANDS = [
    ["status"],
    ["doctor"],
    ["export", "--top", "3", "--out", "best.csv"],
    ["report"],
    ["embed"],
    ["retry"],
    ["undo"],
    ["migrate"],
    ["load", "demo"],
]


def behind(production: Production, url: str) -> ForkedProgram:
    return replace(production.jv, settings={**production.jv.settings, "JV_DATABASE_URL": url})


@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("production", ["published"], indirect=True)
def test_the_first_statement_of_each_command(production: Production, tmp_path: Path, when: When) -> None:
    for command in COMMANDS:
        with supavisor(production.url, when, CHECKOUT, ALWAYS) as (url, between):
            done = behind(production, url).run(*command, first=without_waits)
        told = [line for line in (done.out + done.err).splitlines() if "; attempt " not in line]
        assert (done.code, len(told)) == (2, 1), (command, done)
        assert "(ECHECKOUTTIMEOUT)" in told[0]
        assert CURES[CHECKOUT] in told[0]
        assert between.refused == ATTEMPTS, command


def test_a_pool_that_is_used_up_now_and_then(production: Production) -> None:
    with supavisor(production.pooler.url, "statement", CHECKOUT, times=2 * len(KEYS)) as (url, between):
        done = behind(production, url).run("rescore", first=without_waits)
    assert between.refused > len(KEYS)
    assert done.code == 0, done.err
    assert all("; attempt " in line for line in done.err.splitlines())
    assert_whole(production)


@pytest.mark.parametrize("when", WHENS)
def test_dagsters_database_behind_a_used_up_pool(
    database_url: str, monkeypatch: pytest.MonkeyPatch, home: Path, when: When
) -> None:
    def opened(url: str) -> int:
        monkeypatch.setenv("JV_DAGSTER_URL", url)
        with dg.DagsterInstance.get() as instance:
            return instance.get_runs_count()

    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    assert opened(database_url) == 0
    for message in (CHECKOUT, LOST[0]):
        with supavisor(database_url, when, message, times=4) as (url, between):
            assert opened(url) == 0
        assert between.refused >= 2, message
        with supavisor(database_url, when, message, ALWAYS) as (url, between), pytest.raises(UserError) as caught:
            opened(url)
        assert between.refused == ATTEMPTS
        told = str(caught.value)
        assert told.startswith("no connection to Dagster's database 127.0.0.1:")
        assert "\n" not in told
        assert CURES[message] in told
        assert str(make_url(url).password) not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("when", WHENS)
def test_dagsters_database_that_has_no_connection_any_more(
    database_url: str, monkeypatch: pytest.MonkeyPatch, home: Path, when: When
) -> None:
    """After Dagster's storage was opened: the connection that it needs next is refused."""
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    with supavisor(database_url, when, CHECKOUT, times=0) as (url, between):
        monkeypatch.setenv("JV_DAGSTER_URL", url)
        with dg.DagsterInstance.get() as instance:
            between.times, between.begun = ALWAYS, 0
            with pytest.raises(UserError) as caught:
                instance.get_runs_count()
            assert CURES[CHECKOUT] in str(caught.value)
            assert "\n" not in str(caught.value)
            assert between.refused >= ATTEMPTS
            between.times = 0
            assert instance.get_runs_count() == 0
