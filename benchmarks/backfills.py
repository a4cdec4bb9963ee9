"""Measure where the time of a backfill goes, as somebody waits for it who launched it in the Dagster UI.

    .venv/bin/python -m benchmarks.backfills [TIMES]

loads a small population, starts `jv ui`, and launches two backfills so many times (3): three partitions of `profiles`,
and all partitions of all assets. Prints the medians.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.figures import figure, jv, show
from jv_assets.names import ASSETS, PROFILES
from jv_assets.platform import postgres
from tests.support.serving import ENDED, SECONDS, SERVE, Running, running
from tests.support.waiting import wait_until

POPULATION = ("--profiles", "200", "--matches", "1000")
LAUNCH = """mutation ($of: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $of) {
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
STATE = """query ($id: String!, $tags: [ExecutionTag!]) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status timestamp endTimestamp } }
  runsOrError(filter: {tags: $tags}) { ... on Runs { results { status creationTime startTime endTime } } } }"""


def main(times: int) -> None:
    with TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        stack.callback(postgres.stop, home / "postgres")
        jv(home, "load", "demo", *POPULATION)
        ui = stack.enter_context(running(SERVE, home))
        stack.callback(ui.process.wait, SECONDS)
        stack.callback(ui.process.terminate)
        for name, what in (
            ("three ranges of profiles", {"assetSelection": _keys([PROFILES]), "partitionNames": ["04", "80", "fc"]}),
            ("all ranges of all assets", {"assetSelection": _keys(ASSETS), "allPartitions": True}),
        ):
            took = [backfill(ui, what) for _ in range(times)]
            show(figure(f"{name}: {step}", median(each[step] for each in took), "s") for step in took[0])


def _keys(names: Sequence[str]) -> list[dict[str, list[str]]]:
    return [{"path": [name]} for name in names]


def backfill(ui: Running, what: dict[str, Any]) -> dict[str, float]:
    """Launch a backfill, and return seconds since then by what had happened, and how long its runs worked."""
    backfill_id = ui.ask(LAUNCH, of=what)["launchPartitionBackfill"]["backfillId"]
    tags = [{"key": "dagster/backfill", "value": backfill_id}]

    def ended() -> Any:
        state = ui.ask(STATE, id=backfill_id, tags=tags)
        return state if state["partitionBackfillOrError"]["endTimestamp"] else None

    state = wait_until(ended)
    whole, runs = state["partitionBackfillOrError"], state["runsOrError"]["results"]
    if whole["status"] != "COMPLETED_SUCCESS" or {run["status"] for run in runs} - set(ENDED[:1]):
        raise RuntimeError(f"backfill {backfill_id} is {whole['status']}")
    launched = whole["timestamp"]
    return {
        "until its first run waits in the queue": min(run["creationTime"] for run in runs) - launched,
        "until its first run works": min(run["startTime"] for run in runs) - launched,
        "until its last run has ended": max(run["endTime"] for run in runs) - launched,
        "until it says that it succeeded": whole["endTimestamp"] - launched,
        "of it, its runs worked": sum(run["endTime"] - run["startTime"] for run in runs),
        "how many runs": len(runs),
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 3)
