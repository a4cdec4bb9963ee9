"""Measure how long pages of the Dagster UI take with many partitions, in a real browser, until they can be used.

    .venv/bin/python -m benchmarks.pages [RANGES] [HOME]

loads a small population, runs the night once over all partitions (4,096 by default: minutes), starts `jv ui`, opens
each page in turns, and at last requests a backfill of all partitions, which it cancels. With an existing HOME the night
is not run again, and the folder stays.
"""

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.figures import jv
from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import range_keys
from jv_assets.platform import postgres
from jv_assets.settings import ranges_per_run
from tests.support.dialogs import dialog_of
from tests.support.serving import Running, running
from tests.support.waiting import wait_until

PROFILES, MATCHES, RANGES = 200, 1_000, 4_096
REPEATS = 3
SECONDS = 300
JV = [sys.executable, "-c", "from jv_assets.cli import main; main()"]
COUNT = "query ($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { ... on Runs { count } } }"
CANCEL = "mutation ($id: String!) { cancelPartitionBackfill(backfillId: $id) { __typename } }"
NIGHTS = """{ runsOrError(filter: {pipelineName: "nightly"}, limit: 1) { ... on Runs { results { runId } } } }"""


def main(ranges: int, home: Path | None) -> None:
    with ExitStack() as stack:
        folder = home or Path(stack.enter_context(TemporaryDirectory()))
        more = {"JV_ID_RANGES": str(ranges)}
        if not (folder / "postgres").exists():
            night = prepare(folder, more)
            print(f"jv nightly over {ranges:,} ranges, {PROFILES} profiles, {MATCHES:,} matches: {night:.0f} s")
        stack.callback(postgres.stop, folder / "postgres")
        ui = stack.enter_context(running([*JV, "ui"], folder, **more))
        stack.callback(ui.process.wait, SECONDS)
        stack.callback(ui.process.terminate)  # not hard, or a run of the backfill may outlive it for a moment
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(SECONDS * 1000)
        expect.set_options(timeout=SECONDS * 1000)
        for measured in (measure, backfill):
            for name, seconds in measured(page, ui, ranges).items():
                print(f"{name:<60}{seconds:>8.1f} s", flush=True)
        browser.close()


def prepare(home: Path, more: dict[str, str]) -> float:
    """A population, and a night over it; how long that took."""
    home.mkdir(exist_ok=True)
    jv(home, "load", "demo", "--profiles", str(PROFILES), "--matches", str(MATCHES), **more)
    return jv(home, "nightly", **more).seconds


def measure(page: Page, ui: Running, ranges: int) -> dict[str, float]:
    """Seconds by page: the median of some turns after a first one, in which the browser fetches the program."""
    address = f"http://127.0.0.1:{ui.port}"
    (night,) = ui.ask(NIGHTS)["runsOrError"]["results"]
    last = range_keys(ranges)[0]

    def graph() -> None:
        page.goto(f"{address}/asset-groups")
        expect(page.get_by_text("publish", exact=True).first).to_be_visible()

    def asset() -> None:
        page.goto(f"{address}/assets/match_scores?view=partitions")
        expect(page.get_by_text(re.compile(r"^Materialized \(\d+\)$"))).to_be_visible()
        expect(page.get_by_text(last, exact=True).first).to_be_visible()

    def one_range() -> None:
        page.goto(f"{address}/assets/match_scores?view=partitions&partition={last}")
        expect(page.get_by_role("row", name="policy harmonic/impute")).to_be_visible()

    def dialog() -> None:
        page.goto(f"{address}/assets/match_scores")
        materialize = page.get_by_role("button", name="Materialize").first
        expect(materialize).to_be_enabled()
        started.append(time.perf_counter())
        materialize.click()
        dialog_of(page, MATCH_SCORES)

    def run() -> None:
        page.goto(f"{address}/runs/{night['runId']}")
        expect(page.get_by_text("Success", exact=True).first).to_be_visible()

    def events() -> None:
        run()
        expect(page.get_by_text("RUN_SUCCESS").first).to_be_visible()

    pages: dict[str, Callable[[], None]] = {
        "the graph of all assets": graph,
        "match_scores, its ranges": asset,
        "match_scores, one range": one_range,
        "the dialog, until ranges can be chosen": dialog,
        "the nightly run, until it says how it ended": run,
        "the nightly run, until its last event": events,
    }
    seconds: dict[str, list[float]] = {name: [] for name in pages}
    for turn in range(REPEATS + 1):
        for name, show in pages.items():
            started = [time.perf_counter()]
            show()
            if turn:
                seconds[name].append(time.perf_counter() - started[-1])
    return {name: median(values) for name, values in seconds.items()}


def backfill(page: Page, ui: Running, ranges: int) -> dict[str, float]:
    """Of all ranges: until it is asked for, until all its runs are in the queue, and then its page."""
    page.goto(f"http://127.0.0.1:{ui.port}/assets/match_scores")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = dialog_of(page, MATCH_SCORES)
    dialog.get_by_role("button", name="All", exact=True).click()
    started = time.perf_counter()
    dialog.get_by_role("button", name=re.compile("^Launch")).click()
    created = page.get_by_role("listitem").filter(has_text="Created backfill")
    expect(created).to_be_visible()
    asked = time.perf_counter() - started
    created.get_by_role("link", name="View").click()
    page.wait_for_url(re.compile("/runs/b/"))
    where, backfill_id = page.url, page.url.partition("/runs/b/")[2].split("?")[0].strip("/")
    tags = [{"key": "dagster/backfill", "value": backfill_id}]
    wait_until(lambda: ui.ask(COUNT, tags=tags)["runsOrError"]["count"] * ranges_per_run() >= ranges, SECONDS)
    queued = time.perf_counter() - started
    seen = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        page.goto(where)
        expect(page.get_by_role("tab", name="Timeline")).to_be_visible()
        expect(page.get_by_text(MATCH_SCORES).first).to_be_visible()
        seen.append(time.perf_counter() - started)
    ui.ask(CANCEL, id=backfill_id)
    return {
        "a backfill of all ranges, until it is asked for": asked,
        "… until all its runs wait": queued,
        "… its page": median(seen),
    }


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # or the UI would go on
    given = sys.argv[1:]
    main(int(given[0]) if given else RANGES, Path(given[1]).absolute() if given[1:] else None)
