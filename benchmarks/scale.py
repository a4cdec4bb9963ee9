"""Measure a rescore of one and of two million matches, beside one of the demo: cost per match, and memory.

`make bench-large` (an hour, 20 GB of disk): 100,000 profiles with random vectors of 1,024 numbers. Each rescore is its
own `jv` process: one that writes every row, one that has nothing to write, and one after a hundredth of the profiles
were edited. One size alone, here in ten minutes, by profiles, matches and partitions:

    .venv/bin/python -m benchmarks.scale 30000 300000 64
"""

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg import sql
from sqlalchemy import text

from benchmarks.database import DIMENSION, MODEL, fill_vectors
from benchmarks.figures import Row, Took, environment, figure, jv, show
from benchmarks.score_log import log_size
from jv_assets.demo.population import MATCHES, PROFILES, make_population
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate


@dataclass(frozen=True)
class Size:
    """How many profiles and matches, and how many ranges they are in."""

    profiles: int
    matches: int
    ranges: int


EDIT = """
    UPDATE profiles SET list_size = coalesce(list_size, 0) + 1, embedding_seeking = embedding_what_you_do
    WHERE hashtext(id::text) % 100 = 0
"""
"""Edit features and a text of a hundredth of the profiles, whose vectors change too."""
DEMO, ONE, TWO = Size(PROFILES, MATCHES, 64), Size(100_000, 1_000_000, 64), Size(100_000, 2_000_000, 128)


_READ_PROFILES = """
import pathlib, time
from jv_assets.partitions import ID_RANGES
from jv_assets.resources.range_files import RangeFiles
memory = lambda: int(pathlib.Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])
files, before, started = RangeFiles(), memory(), time.perf_counter()
features = files.read_all("profiles", ID_RANGES.get_partition_keys())
print(time.perf_counter() - started, memory() - before)
"""


@dataclass(frozen=True)
class Measured:
    """A rescore that writes every row, one after it that finds nothing to write, and one after the edit.

    `profiles`: seconds and KB that it takes to read all profiles from their files, as each run does. `log`: the entries
    of the log of published scores after the second, their bytes and those of their index.
    """

    first: Took
    again: Took
    night: Took
    profiles: tuple[float, float]
    log: tuple[int, int, int]

    def rows(self, size: Size) -> list[Row]:
        """Rows of name, value, unit, target (or None) and whether it was met."""
        large = size is not DEMO  # of the demo's, starting the process is half
        matches, (seconds, kb), (entries, table, index) = size.matches, self.profiles, self.log
        share = self.night.seconds / self.first.seconds
        return [
            figure(f"{matches:,} matches of {size.profiles:,} profiles in {size.ranges} ranges: rescore, every row "
                   "written", self.first.seconds, "s"),
            figure("… a match", 1e6 * self.first.seconds / matches, "µs"),
            figure("… CPU time of the process, a match", 1e6 * self.first.cpu / matches, "µs"),
            figure("… peak memory of the process", self.first.peak_kb / (1 << 20), "GB", at_most=2.0),
            figure("… again, nothing written", self.again.seconds, "s"),
            figure("… peak memory of that", self.again.peak_kb / (1 << 20), "GB", at_most=2.0),
            figure("… 1 % of the profiles edited", self.night.seconds, "s"),
            figure("… CPU time of that, a match", 1e6 * self.night.cpu / matches, "µs"),
            figure("… 1 % edited ÷ every row written", share, "", at_most=0.15 if large else None),
            figure("… rows written ÷ all", _written(self.night) / matches, "", at_most=0.05),
            figure("… reading all profiles from their files, a profile", 1e6 * seconds / size.profiles, "µs"),
            figure("… memory of that, a profile", kb / size.profiles, "KB"),
            figure("… log of published scores with its index, an entry", (table + index) / entries, "bytes"),
        ]  # fmt: skip


SHARED_BUFFERS = "4GB"
"""What the server keeps of its tables in its own memory: a quarter of 16 GB, as Postgres advises (128 MB is set)."""


def run() -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met. Each size is shown when it is done."""
    demo, one, two = (_shown(size) for size in (DEMO, ONE, TWO))
    cost = (one.first.seconds / ONE.matches) / (demo.first.seconds / DEMO.matches)
    more = two.first.peak_kb / one.first.peak_kb
    return [
        *(row for size, found in ((DEMO, demo), (ONE, one), (TWO, two)) for row in found.rows(size)),
        figure("a match of a million ÷ one of the demo, wall time", cost, "x", at_most=1.5),
        figure("peak memory of two millions ÷ one", more, "x", at_most=1.1),
    ]


def _shown(size: Size) -> Measured:
    measured = _measured(size)
    show(measured.rows(size))
    return measured


def _measured(size: Size) -> Measured:
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        try:
            _fill(home, size)
            first, again = _rescore(home, size), _rescore(home, size)
            database = Database(postgres.start(home / "postgres").url("jv"))
            log = log_size(database)
            with database.transaction() as connection:
                connection.execute(text(EDIT))
            night, settings = _rescore(home, size), environment(JV_HOME=str(home), JV_ID_RANGES=str(size.ranges))
            told = subprocess.run(
                [sys.executable, "-c", _READ_PROFILES], env=settings, capture_output=True, text=True, check=True
            )
            seconds, kb = map(float, told.stdout.split())
            return Measured(first, again, night, (seconds, kb), log)
        finally:
            postgres.stop(home / "postgres")


def _written(rescore: Took) -> int:
    (count,) = re.findall(r"│ published_scores +│.*?│ ([\d,]+) written", rescore.out)
    return int(count.replace(",", ""))


def _fill(home: Path, size: Size) -> None:
    url = postgres.start(home / "postgres").url("postgres").replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER SYSTEM SET shared_buffers = {}").format(SHARED_BUFFERS))
    postgres.stop(home / "postgres")
    server = postgres.start(home / "postgres")
    server.ensure_database("jv")
    database = Database(server.url("jv"))
    migrate(database, dimension=DIMENSION)
    population = make_population(size.profiles, size.matches)
    load_frames(database, population.profiles, population.matches)
    fill_vectors(database)


def _rescore(home: Path, size: Size) -> Took:
    return jv(home, "rescore", JV_EMBEDDING_MODEL=MODEL, JV_ID_RANGES=str(size.ranges))


if __name__ == "__main__":
    _shown(Size(*map(int, sys.argv[1:])))
