"""Measure the fixed cost of starting processes, and of runs over partitions without work.

An empty database has its tables but no rows, so everything is fixed cost. A run over one partition shows what is paid
once; the cost of a partition is the difference between runs over 64 and over 1.

    .venv/bin/python -m benchmarks.operation 4096

measures a run over that many partitions instead of 64, once, which takes minutes.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.dagster_internals import DagsterGrpcClient, DagsterUserCodeUnreachableError
from benchmarks.figures import Row, environment, figure, jv, show
from jv_assets import settings
from jv_assets.platform import postgres
from jv_assets.platform.own_runs import LOCATION, MODULE

RANGES, REPEATS = 64, 3
PREPARE = "from jv_assets.automation.execution import open_instance; open_instance().dispose()"
RUNS = ("nightly", "report")
"""Together all assets but the two that are tables of production."""
SECONDS = 120
_DOCTOR, _STATUS = 1.5, 2.5
"""How long a command that only asks may take, in imports of Dagster, which take about a second on a quiet machine."""
OURS = ("-m", MODULE, "-d", str(settings.ROOT))
"""The code location, as Dagster's commands take it."""


def run() -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            return [*_starts(home), *_cost(home, RANGES, REPEATS)]
        finally:
            postgres.stop(home / "postgres")


def _python(home: Path, code: str, **more: str) -> None:
    subprocess.run([sys.executable, "-c", code], env=environment(JV_HOME=str(home), **more), check=True, cwd=home)


def _starts(home: Path) -> list[Row]:
    """How long each takes until it is there, in turns; after a first turn that is not counted."""
    jv(home, "migrate")
    _python(home, PREPARE)
    instance = {"DAGSTER_HOME": str(home / "dagster")}
    bare = home / "bare.py"
    bare.write_text("import dagster\n\ndefs = dagster.Definitions()\n")
    took = medians(
        REPEATS,
        {
            "nothing": lambda: _python(home, "pass"),
            "dagster": lambda: _python(home, "import dagster"),
            "definitions": lambda: _python(home, f"import {MODULE}", **instance),
            "bare": lambda: _serve(home, ["dagster", "api", "grpc"], instance, ["-f", str(bare)]),
            "api": lambda: _serve(home, ["dagster", "api", "grpc"], instance, OURS),
            "doctor": lambda: jv(home, "doctor"),
            "status": lambda: jv(home, "status"),
            "server": lambda: _serve(home, ["dagster", "code-server", "start"], instance, OURS),
        },
    )
    dagster, definitions, api = (took[name] for name in ("dagster", "definitions", "api"))
    return [
        figure("starting Python", took["nothing"].clock, "s"),
        figure("… and importing Dagster", dagster.clock, "s"),
        figure("… and the code location", definitions.clock, "s", at_most=3.0),
        figure("… its CPU time, beside that of Dagster alone", definitions.cpu / dagster.cpu, "x"),
        figure("jv doctor ÷ importing Dagster, CPU time", took["doctor"].cpu / dagster.cpu, "x", at_most=_DOCTOR),
        figure("jv status ÷ importing Dagster, CPU time", took["status"].cpu / dagster.cpu, "x", at_most=_STATUS),
        figure("a code server of no assets, until it answers", took["bare"].clock, "s"),
        figure("a code server, until it answers", api.clock, "s", at_most=3.0),
        figure("… its CPU time, beside that of importing Dagster alone", api.cpu / dagster.cpu, "x"),
        figure("… the one of jv ui, which can be reloaded: two processes", took["server"].clock, "s"),
    ]


def _serve(home: Path, command: Sequence[str], instance: Mapping[str, str], what: Sequence[str]) -> None:
    """Start a code server of a code location, and stop it when it has listed its contents."""
    with TemporaryDirectory() as folder:
        socket = f"{folder}/socket"
        place = ["--socket", socket, *what, "--location-name", LOCATION]
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *place, "--log-level", "error"],
            env=environment(JV_HOME=str(home), **instance),
        )
        try:
            client, deadline = DagsterGrpcClient(socket=socket), time.monotonic() + SECONDS
            while True:
                try:
                    client.list_repositories()
                    return
                except DagsterUserCodeUnreachableError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise
                    time.sleep(0.02)
        finally:
            process.terminate()
            process.wait()


def _cost(home: Path, ranges: int, repeats: int) -> list[Row]:
    """Measure runs over so many empty partitions and over one, in turns, each in its own process."""
    jv(home, "migrate")
    runs = [(name, count) for name in RUNS for count in (1, ranges)]
    runs.append(("status", ranges))
    works = {f"{name} {count}": partial(jv, home, name, JV_ID_RANGES=str(count)) for name, count in runs}
    took = medians(repeats, works | {"start": lambda: _python(home, f"import {MODULE}")})
    one, every = (sum((took[f"{name} {count}"] for name in RUNS), Seconds(0, 0)) for count in (1, ranges))
    more, target = every.clock - one.clock + took["start"].clock, 20.0 if ranges == RANGES else None
    return [
        figure("jv nightly and jv report over 1 empty range, process start to end", one.clock, "s"),
        *(figure(f"jv {name} over {ranges:,} empty ranges", took[f"{name} {ranges}"].clock, "s") for name in RUNS),
        figure(f"jv status over {ranges:,} ranges", took[f"status {ranges}"].clock, "s"),
        figure(f"what {ranges:,} ranges take longer than 1, and a process start", more, "s", at_most=target),
        figure("a range of all assets, by the clock", 1e3 * (every.clock - one.clock) / (ranges - 1), "ms"),
        figure("… of it CPU time beside the database's", 1e3 * (every.cpu - one.cpu) / (ranges - 1), "ms"),
    ]


@dataclass(frozen=True)
class Seconds:
    """By the clock, and of CPU time in the processes themselves: the embedded Postgres is not among them."""

    clock: float
    cpu: float

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.clock + other.clock, self.cpu + other.cpu)


def medians(repeats: int, works: Mapping[str, Callable[[], object]]) -> dict[str, Seconds]:
    """Of each work the medians over so many turns, of which each has all works, one after the other."""
    seconds: dict[str, list[Seconds]] = {name: [] for name in works}
    for turn in range(repeats + (repeats > 1)):
        for name, work in works.items():
            clock, cpu = time.perf_counter(), _cpu()
            work()
            if turn or repeats == 1:  # The first turn warms up.
                seconds[name].append(Seconds(time.perf_counter() - clock, _cpu() - cpu))
    return {name: Seconds(median(s.clock for s in all_), median(s.cpu for s in all_)) for name, all_ in seconds.items()}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(ranges: int) -> None:
    with TemporaryDirectory() as folder:
        try:
            show(_cost(Path(folder), ranges, 1))
        finally:
            postgres.stop(Path(folder) / "postgres")


if __name__ == "__main__":
    main(int(sys.argv[1]))
