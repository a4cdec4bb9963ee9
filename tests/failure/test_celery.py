"""A backfill whose runs go to two workers by way of a Redis, all of it real: runs stopped, and a worker killed."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import dagster as dg
import psutil
import pytest
from redis import Redis
from sqlalchemy import make_url
from test_daemon import SERVE, launch_backfill

from jv_assets.automation.causes import run_causes
from jv_assets.partitions import range_keys
from tests.support.dagster_internals import BulkActionStatus
from tests.support.faults import Production, connect, held, lock_of, waiting
from tests.support.forked import ForkedProgram
from tests.support.judging import assert_whole
from tests.support.program import JV
from tests.support.servers import free_port, redis
from tests.support.serving import Running, running
from tests.support.waiting import wait_until

RANGES = 16
KEYS = range_keys(RANGES)
FIRSTS = KEYS[::4]
SECONDS = 600
"""How long anything here may take; on a free machine a minute, or two where a worker dies: the daemon
looks after backfills every 30 s.
"""


@pytest.fixture
def scaled_out(production: Production, tmp_path: Path) -> Iterator[Production]:
    """`production` over 16 ranges, with a broker; all is scored that a backfill of four runs is to publish."""
    (tmp_path / "redis").mkdir()
    with redis(tmp_path / "redis") as broker:
        ours = {"JV_ID_RANGES": str(RANGES), "JV_RANGES_PER_RUN": "4", "JV_CELERY_BROKER": broker}
        jv = ForkedProgram(production.jv.home, {**production.jv.settings, **ours, "JV_REPORTS_PORT": str(free_port())})
        jv.succeeds("rescore", "--dry-run")
        yield replace(production, jv=jv)


@contextmanager
def backfill(production: Production) -> Iterator[tuple["subprocess.Popen[str]", Running]]:
    """It goes on, with the two workers of `jv workers` and with `jv ui`, of which nothing is left in the end."""
    workers = subprocess.Popen(
        [JV, "workers", "2"],
        env=production.jv.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with running([*SERVE, str(free_port())], production.jv.home, **production.jv.settings) as pages:
            launch_backfill(pages, KEYS, ("match_scores", "published_scores"))
            yield workers, pages
            family = psutil.Process(workers.pid).children(recursive=True)
            workers.terminate()
            assert workers.wait(SECONDS) == 0
            wait_until(lambda: not any(process.is_running() for process in family))
    finally:
        workers.kill()


@pytest.fixture
def instance(scaled_out: Production) -> Iterator[dg.DagsterInstance]:
    """Dagster's records, opened once: that is much work for what is asked all the time."""
    with scaled_out.jv.instance() as instance:
        yield instance


def runs(instance: dg.DagsterInstance) -> dict[str, list[dg.DagsterRun]]:
    """By their first range, the oldest first."""
    found: dict[str, list[dg.DagsterRun]] = {}
    for run in reversed(instance.get_runs()):
        if "dagster/backfill" in run.tags:
            found.setdefault(run.tags["dagster/asset_partition_range_start"], []).append(run)
    return found


def statuses(instance: dg.DagsterInstance) -> dict[str, list[str]]:
    return {first: [run.status.value for run in several] for first, several in runs(instance).items()}


def is_done(instance: dg.DagsterInstance) -> bool:
    [found] = instance.get_backfills()
    assert found.status not in (BulkActionStatus.COMPLETED_FAILED, BulkActionStatus.FAILED, BulkActionStatus.CANCELED)
    return found.status == BulkActionStatus.COMPLETED_SUCCESS


def test_a_run_of_two_workers_told_to_stop(scaled_out: Production, instance: dg.DagsterInstance) -> None:
    """The others are done meanwhile; and the broker's password is nowhere but in the environment."""
    others = {first: ["SUCCESS"] for first in FIRSTS if first != "c"}
    with backfill(scaled_out) as (workers, pages), held(scaled_out, lock_of("f", RANGES)):
        wait_until(lambda: waiting(scaled_out) and statuses(instance) == {**others, "c": ["STARTED"]}, SECONDS)
        taken = [len(re.findall("Task execute_job.+ received", log)) for log in logs(scaled_out)]
        assert places_with_password(scaled_out, [psutil.Process(workers.pid), *pages.family]) == []
        [run] = runs(instance)["c"]
        pages.ask("mutation ($id: String!) { terminateRun(runId: $id) { __typename } }", id=run.run_id)
        wait_until(lambda: statuses(instance) == {**others, "c": ["CANCELED"]}, SECONDS)
    assert workers.returncode == 0
    assert len(taken) == 2
    assert all(taken), "one worker did everything"
    assert scaled_out.jv.succeeds("status").out.endswith("Next: jv retry\n")
    assert scaled_out.jv.succeeds("retry").cells["published_scores"][:2] == ["4", "0"]
    assert_whole(scaled_out)


@pytest.mark.long
def test_a_worker_and_a_run_of_another_one_killed(scaled_out: Production, instance: dg.DagsterInstance) -> None:
    """Another run takes up what each had: all is done, and nobody has typed anything."""
    once = {first: ["SUCCESS"] for first in FIRSTS}
    with backfill(scaled_out) as (workers, _), ExitStack() as locks:
        for key in ("9", "d"):
            locks.enter_context(held(scaled_out, lock_of(key, RANGES)))
        wait_until(lambda: waiting(scaled_out, 2), SECONDS)
        half = {"8": ["STARTED"], "c": ["STARTED"]}
        assert {first: found for first, found in statuses(instance).items() if found == ["STARTED"]} == half
        killed = [process_of(instance, first) for first in half]
        worker = killed[0].parent()
        assert worker
        for process in (worker, killed[1]):
            process.kill()
        wait_until(lambda: not any(process.is_running() for process in killed))  # the worker's run ends with it
        locks.close()
        wait_until(lambda: is_done(instance), SECONDS)
        assert workers.poll() is None
    assert re.search(
        r"^jv: the worker [12] has ended by itself \(code -9\): .+; the others keep running$", said(workers), re.M
    )
    assert statuses(instance) == {**once, "8": ["FAILURE", "SUCCESS"], "c": ["FAILURE", "SUCCESS"]}
    kept = "; what it had done is kept, and it is tried again; else type: jv retry"
    [of_worker, of_run] = [cause(instance, first) for first in half]
    assert re.fullmatch(rf"its worker jv-[12]-\d+@\S+ was killed or cannot be reached{kept}", of_worker)
    assert of_run == f"its process was killed or has crashed{kept}"
    assert_whole(scaled_out)
    assert "Next:" not in scaled_out.jv.succeeds("status").out


def logs(production: Production) -> list[str]:
    """What each worker has printed."""
    return [path.read_text() for path in (production.jv.home / "dagster" / "workers").glob("worker-*.log")]


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    return process.stdout.read()


def cause(instance: dg.DagsterInstance, first: str) -> str:
    """What the first run over some ranges failed of, as `jv status` tells it."""
    [line] = run_causes(instance, runs(instance)[first][0])
    return line


def process_of(instance: dg.DagsterInstance, first: str) -> psutil.Process:
    """The process of a run, by what it has said itself."""
    [run] = runs(instance)[first]
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        assert entry.dagster_event
        if pid := entry.dagster_event.engine_event_data.metadata.get("pid"):
            return psutil.Process(int(str(pid.value)))
    raise AssertionError("it has not said so")


def places_with_password(production: Production, processes: list[psutil.Process]) -> list[str]:
    """Files of JV_HOME, rows of Dagster's database, messages in Redis and command lines that hold the broker's."""
    broker = production.jv.settings["JV_CELERY_BROKER"]
    places = {str(path): path.read_bytes() for path in production.jv.home.rglob("*") if path.is_file()}
    for process in {one for each in processes for one in (each, *each.children(recursive=True))}:
        with suppress(psutil.NoSuchProcess):  # a run's may have ended meanwhile
            places[f"process {process.pid}"] = " ".join(process.cmdline()).encode()
    with Redis.from_url(broker) as client:
        for key in client.scan_iter():
            kept = client.get(key) if client.type(key) == b"string" else key
            places[f"key {key!r}"] = bytes(kept)
    with connect(production.jv.settings["JV_DAGSTER_URL"]) as dagster:
        tables = dagster.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for row in tables:
            found = dagster.execute(f"SELECT string_agg(t::text, ' ') AS rows FROM {row['tablename']} t").fetchone()
            places[f"table {row['tablename']}"] = str(found).encode()
    assert len(places) > 50
    password = str(make_url(broker).password).encode()
    return [place for place, content in places.items() if password in content]
