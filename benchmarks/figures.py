"""What the benchmarks share: a figure as a row of the table, and `jv` as a process that reports its costs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""Name, value, unit, target (or None) and whether it was met."""

# Not ru_maxrss: Linux starts a child's value with its parent's.
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


def figure(name: str, value: float, unit: str, at_most: float | None = None, at_least: float | None = None) -> Row:
    """Return a figure; one without a target is only for information."""
    target: str | None = None
    met: bool | None = None
    if at_most is not None:
        target, met = f"≤ {at_most:,g}", value <= at_most
    elif at_least is not None:
        target, met = f"≥ {at_least:,g}", value >= at_least
    return {"name": name, "value": value, "unit": unit, "target": target, "met": met}


def show(rows: Iterable[Row]) -> None:
    """Print one line per figure, at once."""
    for row in rows:
        print(f"{row['name']:<95}{row['value']:>12,.4g} {row['unit']}", flush=True)


def environment(**settings: str) -> dict[str, str]:
    """Return our environment without settings of the product, plus these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JV_", "DAGSTER_"))}
    return kept | settings


def timed(work: Callable[[], object]) -> float:
    """Seconds by the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@dataclass(frozen=True)
class Took:
    """The output and costs of a `jv` process: seconds by the clock, CPU time and memory, of its own process only."""

    out: str
    seconds: float
    cpu: float
    peak_kb: int


def jv(home: Path, *words: str, **settings: str) -> Took:
    """Run it on a `JV_HOME`; RuntimeError with its output if it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _JV, *words],
        env=environment(JV_HOME=str(home), **settings),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"jv {' '.join(words)}: {done.stdout}{done.stderr}")
    return Took(done.stdout, seconds, **json.loads(done.stderr.splitlines()[-1]))
