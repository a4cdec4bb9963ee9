"""A backfill whose runs go to two workers by way of a Redis: all of it real, and one of the workers is killed."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from faults import Production, held, waiting
from forked import ForkedProgram
from judging import assert_whole
from program import JV
from servers import free_port, redis
from serving import running, wait_until
from test_daemon import LOCK, SERVE

from jv_assets.definitions import defs
from jv_assets.partitions import ID_RANGES

KEYS = list(ID_RANGES.get_partition_keys())
FIRSTS = KEYS[::8]
BACKFILL = "backfill"
SECONDS = 600
"""How long anything here may take; on a free machine a minute, or two where a worker dies."""


@pytest.fixture
def scaled_out(production: Production, tmp_path: Path) -> Iterator[Production]:
    """`production` over 64 ranges, with a broker; all is scored that a backfill of runs of 8 ranges is to publish."""
    (tmp_path / "redis").mkdir()
    with redis(tmp_path / "redis") as broker:
        ours = {"JV_ID_RANGES": "64", "JV_RANGES_PER_RUN": "8", "JV_CELERY_BROKER": broker}
        jv = ForkedProgram(production.jv.home, {**production.jv.settings, **ours, "JV_REPORTS_PORT": str(free_port())})
        jv.well("rescore", "--dry-run")
        yield replace(production, jv=jv)


@contextmanager
def backfill(production: Production) -> Iterator["subprocess.Popen[str]"]:
    """It goes on, with `jv ui` and the two workers of `jv workers`, whose process this is."""
    with production.jv.instance() as instance:
        instance.add_backfill(
            PartitionBackfill.from_asset_partitions(
                backfill_id=BACKFILL,
                asset_graph=defs.resolve_asset_graph(),
                partition_names=KEYS,
                asset_selection=[dg.AssetKey("match_scores"), dg.AssetKey("published_scores")],
                backfill_timestamp=time.time(),
                tags={},
                dynamic_partitions_store=instance,
                all_partitions=False,
                title=None,
                description=None,
                run_config=None,
            )
        )
    workers = subprocess.Popen(
        [JV, "workers", "2"],
        env=production.jv.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    family = []
    try:
        with running([*SERVE, str(free_port())], production.jv.home, **production.jv.settings):
            family = psutil.Process(workers.pid).children(recursive=True)
            yield workers
            workers.terminate()
            assert workers.wait(SECONDS) == 0
            wait_until(lambda: not any(process.is_running() for process in family))
    finally:
        workers.kill()


def runs(production: Production) -> dict[str, list[dg.DagsterRun]]:
    """By their first range, the oldest first."""
    found: dict[str, list[dg.DagsterRun]] = {}
    with production.jv.instance() as instance:
        for run in reversed(instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": BACKFILL}))):
            found.setdefault(run.tags["dagster/asset_partition_range_start"], []).append(run)
    return found


def statuses(production: Production) -> dict[str, list[str]]:
    return {first: [run.status.value for run in several] for first, several in runs(production).items()}


def is_done(production: Production) -> bool:
    with production.jv.instance() as instance:
        found = instance.get_backfill(BACKFILL)
    assert found
    assert found.status not in (BulkActionStatus.COMPLETED_FAILED, BulkActionStatus.FAILED, BulkActionStatus.CANCELED)
    return found.status == BulkActionStatus.COMPLETED_SUCCESS


def test_a_backfill_of_two_workers(scaled_out: Production) -> None:
    once = {first: ["SUCCESS"] for first in FIRSTS}
    with backfill(scaled_out):
        wait_until(lambda: statuses(scaled_out) == once, SECONDS)
        logs = sorted((scaled_out.jv.home / "dagster" / "workers").glob("worker-*.log"))
        taken = [log.read_text().count("Task execute_job[") for log in logs]
    assert_whole(scaled_out)
    assert len(taken) == 2
    assert all(taken), "one worker did everything"
    assert "Next:" not in scaled_out.jv.well("status").out


@pytest.mark.long
def test_a_worker_killed_while_a_backfill_goes_on(scaled_out: Production) -> None:
    once = {first: ["SUCCESS"] for first in FIRSTS}
    with backfill(scaled_out) as workers, ExitStack() as lock:
        lock.enter_context(held(scaled_out, LOCK.format("90")))
        wait_until(lambda: waiting(scaled_out) and statuses(scaled_out) == {**once, "80": ["STARTED"]}, SECONDS)
        [before] = scaled_out.sql("SELECT count(*) FROM writes WHERE match_id::text >= '80' AND match_id::text < '90'")
        assert before["count"], "it has published nothing yet"
        run = process_of(scaled_out, "80")
        worker = run.parent()
        assert worker
        worker.kill()
        wait_until(lambda: not run.is_running() or run.status() == psutil.STATUS_ZOMBIE)
        lock.close()
        wait_until(lambda: is_done(scaled_out), SECONDS)
        assert workers.poll() is None
    assert statuses(scaled_out) == {**once, "80": ["FAILURE", "SUCCESS"]}
    assert_whole(scaled_out)
    assert "Next:" not in scaled_out.jv.well("status").out


def process_of(production: Production, first: str) -> psutil.Process:
    """The process of a run, by what it has said itself."""
    [run] = runs(production)[first]
    with production.jv.instance() as instance:
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            assert entry.dagster_event
            if pid := entry.dagster_event.engine_event_data.metadata.get("pid"):
                return psutil.Process(int(str(pid.value)))
    raise AssertionError("it has not said so")
