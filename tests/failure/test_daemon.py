"""A backfill of the UI's, of which a run's process and then the daemon are killed: it takes minutes, because the daemon
looks after backfills every 30 s.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack

import dagster as dg
import psutil
import pytest

from tests.support.dagster_internals import BulkActionsFilter, BulkActionStatus
from tests.support.faults import KEYS, Production, held, lock_of, waiting
from tests.support.judging import assert_whole
from tests.support.servers import free_port
from tests.support.serving import Running, running
from tests.support.telling import assert_no_trace
from tests.support.waiting import wait_until

pytestmark = pytest.mark.long
SECONDS = 600
"""How long anything here may take; on a free machine all together takes two minutes."""
BACKFILL = """mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  ... on PartitionKeysNotFoundError { partitionKeys } } }"""
SERVE = [
    sys.executable,
    "-c",
    "import sys; from jv_assets.ui.serving import serve; sys.exit(serve(port=int(sys.argv[1])))",
]
STOPPED = "its process was told to end, as when jv ui or the machine is shut down"


def test_a_run_and_the_daemon_killed_while_a_backfill_goes_on(production: Production) -> None:
    jv = production.jv
    jv.succeeds("rescore", "--dry-run")  # makes all that publishing needs
    settings = {**jv.settings, "JV_RANGES_PER_RUN": "2", "JV_REPORTS_PORT": str(free_port())}
    with ExitStack() as stack:
        for key in ("8", "c"):
            stack.enter_context(held(production, lock_of(key)))
        with running([*SERVE, str(free_port())], jv.home, **settings) as pages:
            launch_backfill(pages)
            others = {"0": "SUCCESS", "4": "SUCCESS"}
            wait_until(lambda: statuses(production) == {**others, "8": "STARTED", "c": "STARTED"}, SECONDS)
            wait_until(lambda: waiting(production, 2), SECONDS)
            worker_of(production, "8").kill()
            wait_until(lambda: statuses(production) == {**others, "8": "FAILURE", "c": "STARTED"}, SECONDS)
            [daemon] = [process for process in pages.family if "dagster._daemon" in process.cmdline()]
            daemon.kill()
            output, _ = pages.process.communicate(timeout=SECONDS)
            assert pages.process.returncode == 1
            assert "jv: the daemon has ended by itself (code -9)" in output
            assert "Traceback" not in output

    status = jv.succeeds("status").out
    kept = "what it had done is kept; type: jv retry\n"
    assert (
        f"published_scores: failed in 2 ranges (8, a): its process was terminated by signal 9 (SIGKILL); {kept}"
        in status
    )
    assert f"published_scores: failed in 2 ranges (c, e): {STOPPED}; {kept}" in status
    assert " continues while the daemon runs (jv ui)\n" in status
    assert status.endswith("Next: jv retry\n")
    assert statuses(production) == {**others, "8": "FAILURE", "c": "FAILURE"}
    log = production.log()
    assert [line for line in log if " was terminated by signal 9 (SIGKILL)." in line]
    # Of a step that was told to stop, Dagster keeps where it was.
    assert_no_trace([line for line in log if "DagsterExecutionInterruptedError" not in line])

    retried = jv.succeeds("retry")
    assert retried.cells["published_scores"][:2] == ["4", "0"]
    with running([*SERVE, str(free_port())], jv.home, **settings):
        wait_until(lambda: not has_more_to_come(production), SECONDS)
    assert len(statuses(production)) == 4
    assert_whole(production)
    assert "Next:" not in jv.succeeds("status").out


def launch_backfill(pages: Running, keys: Sequence[str] = KEYS, assets: Sequence[str] = ("published_scores",)) -> None:
    params = {"assetSelection": [{"path": [name]} for name in assets], "partitionNames": list(keys)}
    launched = pages.ask(BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched


def statuses(production: Production) -> dict[str, str]:
    """By the first range of each run of the backfill: how it stands."""
    with production.jv.instance() as instance:
        runs = [run for run in instance.get_runs() if "dagster/backfill" in run.tags]
    return {run.tags["dagster/asset_partition_range_start"]: run.status.value for run in runs}


def worker_of(production: Production, first: str) -> psutil.Process:
    """The process of the run over the ranges from `first` on, by what it has said itself."""
    with production.jv.instance() as instance:
        [run] = instance.get_runs(dg.RunsFilter(tags={"dagster/asset_partition_range_start": first}))
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
            assert entry.dagster_event
            if pid := entry.dagster_event.engine_event_data.metadata.get("pid"):
                return psutil.Process(int(str(pid.value)))
    raise AssertionError("it has not said so")


def has_more_to_come(production: Production) -> bool:
    with production.jv.instance() as instance:
        return bool(instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])))
