"""Servers that fail while `jv` publishes: what is stored in the end, and what the operator is told."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from faults import Production, assert_whole, connect, is_publishing, repeatedly
from program import JV, SECONDS, Done, wait_until

from jv_assets import local

pytestmark = pytest.mark.long
ALL = "8 ranges (0, 2, 4, 6, 8, a, c, e)"
Fault = Callable[[Production], AbstractContextManager[None]]


def struck(production: Production, fault: Fault) -> Done:
    """`jv rescore`, with a fault from the moment on when it first publishes."""
    process = production.jv.start("rescore")
    try:
        wait_until(lambda: is_publishing(production) or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        with fault(production):
            out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    return Done(process.returncode, out, err)


def assert_failed(production: Production, done: Done, where: str, cause: str, cure: str) -> None:
    """Exit code 1, and the cause, the ranges and what to do, on one line each: on the terminal, in the run's log and
    metadata, and in `jv status`; no stack trace anywhere.
    """
    assert done.code == 1
    asset = "published_scores"
    told = [line for line in done.err.splitlines() if "; attempt " not in line]
    assert told[0].startswith(f"{asset} failed in {where}: "), done.err
    assert cause in told[0]
    assert cure in told[0]
    assert told[-1] == "Once mended, the rest is done by: jv retry"
    causes = production.failed()[asset]
    assert all(cause in line and cure in line and "\n" not in line for line in causes.values())
    log = production.log()
    for key in causes:
        assert [line for line in log if line.startswith(f"{asset}, range {key}: ") and cause in line and cure in line]
    assert "Traceback" not in done.err
    assert_no_trace(log)
    status = production.jv.well("status").out
    assert f"{asset}: failed" in status
    assert where in status
    assert "Next: jv retry" in status


def assert_no_trace(log: list[str]) -> None:
    """None of the cause: Dagster keeps with a failed step only the place where the causes were summed up."""
    assert not [line for line in log if any(word in line for word in ("Traceback", "psycopg", "resources/", "OSError"))]


# --- faults that pass ------------------------------------------------------------------------------------------------


def terminate_all(production: Production) -> None:
    production.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


@contextmanager
def backends_terminated(production: Production) -> Iterator[None]:
    """All of them, every 0.8 s."""
    with repeatedly(0.8, lambda: terminate_all(production)):
        yield


@contextmanager
def pooler_killed(production: Production) -> Iterator[None]:
    production.pooler.kill()
    production.pooler.start()
    yield


@contextmanager
def postgres_killed(production: Production) -> Iterator[None]:
    assert production.sql("SHOW fsync") == [{"fsync": "on"}]
    server = local.status(production.folder)
    assert server
    psutil.Process(server.pid).kill()
    assert local.start(production.folder).pid != server.pid
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
    production.tarry(0.1 if fault is backends_terminated else 0.4)
    done = struck(production, fault)
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    retries = production.retries()
    # A stall shorter than the pooler's patience with us is waited out: nothing is lost.
    assert retries or fault is network_stalled
    assert all("published_scores, range " in line and "type: jv retry" not in line for line in retries)
    assert [run.status for run in production.jv.runs()] == ["SUCCESS"]
    assert "Next:" not in production.jv.well("status").out
    assert_whole(production)


# --- faults that stay ------------------------------------------------------------------------------------------------


def without_waits(production: Production, *words: str) -> "subprocess.Popen[str]":
    """`jv` that waits no time between two attempts."""
    code = (
        "import sys, tenacity; tenacity.wait_exponential_jitter = lambda **_: tenacity.wait_none(); "
        "from jv_assets.cli import main; main()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        env={**os.environ, **production.jv.settings, "JV_HOME": str(production.jv.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_pooler_that_stays_away(production: Production) -> None:
    production.tarry(0.4)
    process = without_waits(production, "rescore")
    try:
        wait_until(lambda: is_publishing(production) or process.poll() is not None)
        production.pooler.kill()
        out, err = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
    production.pooler.start()
    production.tarry(0)
    done = Done(process.returncode, out, err)
    cause, cure = "no connection to the database", "check JV_DATABASE_URL and that it runs"
    assert_failed(production, done, ALL, cause, cure)
    production.jv.well("retry")
    assert_whole(production)


def test_the_roles_own_statement_timeout(production: Production) -> None:
    """It is shorter than one of our statements takes here; ours goes before it."""
    production.sql(f"ALTER ROLE postgres IN DATABASE {production.name} SET statement_timeout = '2s'")
    production.pooler.kill()  # a server's process takes its role's settings when it starts
    production.pooler.start()
    with connect(production.pooler.url) as other, pytest.raises(psycopg.errors.QueryCanceled):
        other.execute("SELECT pg_sleep(5)")
    production.tarry(2.5)
    production.jv.well("rescore", "--ranges", "0")
    production.sql("DROP TRIGGER tarry ON match_suggestions")
    production.jv.well("rescore")
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
    production.jv.well("retry")
    assert_whole(production)


def test_a_full_disk_of_ours(production: Production, tmp_path: Path) -> None:
    """JV_HOME's files are on a small tmpfs of a mount namespace's own, which any user may have; then it grows."""
    ranges = production.jv.home / "ranges"
    ranges.mkdir(parents=True)
    script = """
        mount -t tmpfs -o size=500k tmpfs "$RANGES" || exit 99
        "$JV" rescore >out 2>err; echo $? >code
        "$JV" status >status
        mount -o remount,size=100m "$RANGES" || exit 99
        "$JV" retry
    """
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        env={**os.environ, **production.jv.settings, "JV_HOME": str(production.jv.home), "JV": str(JV)}
        | {"RANGES": str(ranges)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), f"this test needs user and mount namespaces: {done.stderr}"
    err = (tmp_path / "err").read_text()
    assert (tmp_path / "code").read_text() == "1\n", err
    assert "match_scores failed in " in err
    assert "cannot write " in err
    assert "No space left on device; see JV_HOME" in err
    assert "Once mended, the rest is done by: jv retry" in err
    assert "Traceback" not in err
    causes = production.failed()["match_scores"]
    assert 0 < len(causes) <= 8
    assert all("No space left on device" in cause for cause in causes.values())
    assert_no_trace(production.log())
    status = (tmp_path / "status").read_text()
    assert "match_scores: failed" in status
    assert "Next: jv retry" in status
    assert_whole(production)
