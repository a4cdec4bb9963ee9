"""Servers that fail while `jv` publishes: what is stored in the end, and what the operator is told."""

import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from jv_assets.platform import postgres
from tests.support.faults import Production, backends_terminated, connect, is_publishing
from tests.support.forked import enter, without_waits
from tests.support.judging import assert_whole
from tests.support.program import Done
from tests.support.telling import ALL, assert_failed, assert_no_trace, assert_passed, ended
from tests.support.waiting import wait_until

Fault = Callable[[Production], AbstractContextManager[None]]


def struck(production: Production, fault: Fault, first: Callable[[], None] | None = None) -> Done:
    """`jv rescore`, with a fault from the moment on when it first publishes."""
    process = production.jv.start("rescore", first=first)
    try:
        wait_until(lambda: is_publishing(production) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        with fault(production):
            return ended(process)
    finally:
        process.kill()


# --- faults that pass ------------------------------------------------------------------------------------------------


@contextmanager
def pooler_killed(production: Production) -> Iterator[None]:
    production.pooler.kill()
    production.pooler.start()
    yield


@contextmanager
def postgres_killed(production: Production) -> Iterator[None]:
    assert production.sql("SHOW fsync") == [{"fsync": "on"}]
    server = postgres.status(production.folder)
    assert server
    psutil.Process(server.pid).kill()
    wait_until(lambda: postgres.status(production.folder) is None)  # it is not gone at once
    assert postgres.start(production.folder).pid != server.pid
    yield


@contextmanager
def network_stalled(production: Production) -> Iterator[None]:
    """Nothing gets through for ten seconds, and no connection is closed; then the pooler notices how late it is."""
    production.pooler.send(signal.SIGSTOP)
    try:
        threading.Event().wait(10)
    finally:
        production.pooler.send(signal.SIGCONT)
    yield


@pytest.mark.parametrize("fault", [backends_terminated, pooler_killed, postgres_killed, network_stalled])
def test_a_fault_that_passes(production: Production, fault: Fault) -> None:
    production.tarry(0.4)
    done = struck(production, fault)
    retries = assert_passed(production, done)
    # A stall shorter than the pooler's patience with us is waited out: nothing is lost.
    assert retries or fault is network_stalled
    assert_whole(production)


# --- faults that stay ------------------------------------------------------------------------------------------------


@contextmanager
def pooler_away(production: Production) -> Iterator[None]:
    production.pooler.kill()
    yield
    production.pooler.start()


def test_a_pooler_that_stays_away(production: Production) -> None:
    production.tarry(5)  # on a busy machine the pooler is killed some time after the first UPDATE was seen
    done = struck(production, pooler_away, first=without_waits)
    production.tarry(0)
    assert_failed(production, done, ALL, "no connection to the database", "check JV_DATABASE_URL and that it runs")
    production.jv.succeeds("retry")
    assert_whole(production)


def test_the_roles_own_statement_timeout(production: Production) -> None:
    """It is shorter than one of our statements takes here; ours goes before it."""
    database = make_url(production.url).database
    production.sql(f"ALTER ROLE postgres IN DATABASE {database} SET statement_timeout = '2s'")
    production.pooler.kill()  # a server's process takes its role's settings when it starts
    production.pooler.start()
    with connect(production.pooler.url) as other, pytest.raises(psycopg.errors.QueryCanceled):
        other.execute("SELECT pg_sleep(5)")
    production.tarry(2.5)
    production.jv.succeeds("rescore", "--ranges", "0")
    production.sql("DROP TRIGGER tarry ON match_suggestions")
    production.jv.succeeds("rescore")
    assert production.retries() == []
    assert {run.status for run in production.jv.runs()} == {"SUCCESS"}
    assert "Next:" not in production.jv.succeeds("status").out
    assert_whole(production)


@contextmanager
def full_disk(production: Production) -> Iterator[None]:
    """Whatever the server adds to the table `writes`, which each update of a match does, meets a full disk.

    The table's file is /dev/full, of which the kernel itself says so, to root as to everybody, in any container.
    """
    [row] = production.sql("SELECT pg_relation_filepath('writes') AS path, pg_relation_size('writes') AS size")
    assert row["size"] == 0
    path = production.folder / "data" / row["path"]
    kept = path.with_name("kept")
    path.rename(kept)
    path.symlink_to("/dev/full")
    production.pooler.kill()  # no server's process has the file open
    production.pooler.start()
    try:
        yield
    finally:
        path.unlink()
        kept.rename(path)
        production.pooler.kill()
        production.pooler.start()


def test_a_full_disk_of_the_servers(production: Production) -> None:
    with full_disk(production):
        done = production.jv.run("rescore")
    cause, cure = "No space left on device", "make room on the server, then type: jv retry"
    assert_failed(production, done, ALL, cause, cure)
    assert production.sql("SELECT FROM match_suggestions WHERE match_context ? 'inputs_hash'") == []
    production.jv.succeeds("retry")
    assert_whole(production)


@contextmanager
def small_disk(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A tmpfs of 500 kB is there for processes that `enter` the namespaces of this one, which any user may have.

    It grows when a line is written to it.
    """
    script = """
        mount -t tmpfs -o size=500k tmpfs "$0" && echo mounted && read line &&
        mount -o remount,size=100m "$0" && echo grown && read line
    """
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline() == "mounted\n", "this test needs user and mount namespaces"
            yield holder
        finally:
            holder.kill()


def test_a_full_disk_of_ours(production: Production) -> None:
    ranges = production.jv.home / "ranges"
    ranges.mkdir(parents=True)
    with small_disk(ranges) as disk:
        inside = partial(enter, disk.pid)
        done = production.jv.run("rescore", first=inside)
        told = production.jv.succeeds("status").out
        assert disk.stdin
        assert disk.stdout
        disk.stdin.write("grow\n")
        assert disk.stdout.readline() == "grown\n"
        retried = production.jv.run("retry", first=inside)
    assert (retried.code, retried.err) == (0, "")
    assert done.code == 1
    *failed, last = done.err.splitlines()
    assert last == "Once fixed, the rest is done by: jv retry"
    causes = production.failed()["match_scores"]
    assert [f"match_scores failed in 1 range ({key}): {cause}" for key, cause in causes.items()] == failed
    no_room = re.compile(r"cannot write .+/match_scores/[0-9a-f]\.parquet\S*: No space left on device; see JV_HOME")
    assert [cause for cause in causes.values() if not no_room.fullmatch(cause)] == []
    log = production.log()
    assert {f"match_scores, range {key}: {cause}" for key, cause in causes.items()} <= set(log)
    assert_no_trace(log)
    assert production.jv.runs()[0].status == "FAILURE"
    for key, cause in causes.items():
        assert f"\nmatch_scores: failed in 1 range ({key}): {cause}\n" in told
    assert told.endswith("Next: jv retry\n")
    assert_whole(production)
