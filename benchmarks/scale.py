"""A rescore of a million matches and of two, beside one of the demo: what a match costs, and how much memory it takes.

`make bench-large` (half an hour, 20 GB of disk): 100,000 profiles with random vectors of 1,024 numbers. Each
rescore is a `jv` of its own that writes every row, and then one that finds nothing to write.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.database import DIMENSION, MODEL, fill_vectors
from jv_assets import local
from jv_assets.demo.population import MATCHES, PROFILES, make_population
from jv_assets.loading import load_frames
from jv_assets.migrations.run import migrate
from jv_assets.resources.database import Database

Row = dict[str, Any]
_JV = """
import atexit, json, pathlib, resource, sys
def told():
    peak = pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    use = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"peak_kb": int(peak), "cpu": use.ru_utime + use.ru_stime}), file=sys.stderr)
atexit.register(told)
from jv_assets.cli import main
main()
"""


@dataclass(frozen=True)
class Size:
    """How many profiles and matches, and how many ranges they are in."""

    profiles: int
    matches: int
    ranges: int


DEMO, ONE, TWO = Size(PROFILES, MATCHES, 64), Size(100_000, 1_000_000, 64), Size(100_000, 2_000_000, 128)


def run() -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    demo, one, two = (_measured(size) for size in (DEMO, ONE, TWO))
    rows: list[Row] = []
    for size, found in ((DEMO, demo), (ONE, one), (TWO, two)):
        of = f"{size.matches:,} matches of {size.profiles:,} profiles in {size.ranges} ranges"
        rows += [
            _row(f"{of}: rescore, every row written", found["seconds"], "s"),
            _row("… a match", 1e6 * found["seconds"] / size.matches, "µs"),
            _row("… CPU time of the process, a match", 1e6 * found["cpu"] / size.matches, "µs"),
            _row("… peak memory of the process", found["peak_kb"] / (1 << 20), "GB", at_most=2.0),
            _row("… again, nothing written", found["again"]["seconds"], "s"),
            _row("… peak memory of that", found["again"]["peak_kb"] / (1 << 20), "GB", at_most=2.0),
        ]
    cost = (one["seconds"] / ONE.matches) / (demo["seconds"] / DEMO.matches)
    more = two["peak_kb"] / one["peak_kb"]
    return [
        *rows,
        _row("a match of a million ÷ one of the demo, wall time", cost, "x", at_most=1.5),
        _row("peak memory of two millions ÷ one", more, "x", at_most=1.1),
    ]


def _measured(size: Size) -> dict[str, Any]:
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        try:
            _fill(home, size)
            return _rescore(home, size) | {"again": _rescore(home, size)}
        finally:
            local.stop(home / "postgres")


def _fill(home: Path, size: Size) -> None:
    server = local.start(home / "postgres")
    server.ensure_database("jv")
    database = Database(server.url("jv"))
    migrate(database, dimension=DIMENSION)
    population = make_population(size.profiles, size.matches)
    load_frames(database, population.profiles, population.matches)
    fill_vectors(database)


def _rescore(home: Path, size: Size) -> dict[str, Any]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("JV_", "DAGSTER_"))}
    settings = {"JV_HOME": str(home), "JV_EMBEDDING_MODEL": MODEL, "JV_ID_RANGES": str(size.ranges)}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _JV, "rescore"], env=ours | settings, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"jv rescore: {done.stdout}{done.stderr}")
    print(done.stdout, file=sys.stderr)
    told: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return told | {"seconds": seconds}


def _row(name: str, value: float, unit: str, at_most: float | None = None) -> Row:
    target, met = (None, None) if at_most is None else (f"≤ {at_most:g}", value <= at_most)
    return {"name": name, "value": value, "unit": unit, "target": target, "met": met}
