"""`make bench-workers`: measure what a second Celery worker is worth, for embedding and for publishing, on this
machine.

The same runs go to one worker and to two, in turns, over synthetic profiles. Everything is real: a Redis, `jv ui`, `jv
workers`. Each worker embeds with one thread, as if it had its own machine. There are many more matches per profile than
in the demo, so that publishing takes longer than starting a run.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import dagster as dg
import psutil
import psycopg

from jv_assets.demo.population import make_population
from jv_assets.names import PROFILE_EMBEDDINGS, PUBLISHED_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.platform import postgres as local
from jv_assets.platform.storage import dagster_home
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.servers import free_port, redis
from tests.support.serving import Running, running

JV = [sys.executable, "-c", "from jv_assets.cli import main; main()"]
KEYS = list(ID_RANGES.get_partition_keys())
PROFILES, MATCHES = 1_000, 50_000
TURNS, RUNS = 2, 4
SPAN = len(KEYS) // RUNS
EMBED, PUBLISH = ("embed", PROFILE_EMBEDDINGS), ("rescore", PUBLISHED_SCORES)
FORGET = {
    EMBED: "UPDATE profiles SET embedding_seeking = NULL, embedding_offering = NULL, embedding_who_you_serve = NULL, "
    "embedding_what_you_do = NULL, embeddings_model = NULL; TRUNCATE jv.embedded_texts",
    PUBLISH: "UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, "
    "match_context = NULL",
}
ACTIVE = """
    SELECT coalesce(wait_event_type || ' ' || wait_event, 'on the processor') FROM pg_stat_activity
    WHERE application_name = 'jv' AND state = 'active'
"""


@dataclass
class Measured:
    """What the runs took: from the first's begin to the last's end; the ranges' own seconds; and the processors'."""

    seconds: float
    ranges: float
    postgres: float
    workers: float
    waits: Counter[str] = field(default_factory=Counter)
    """What publishing connections were seen to wait for in Postgres."""

    def __str__(self) -> str:
        busy = (
            f"processors busy: workers {self.workers / self.seconds:.2f}, Postgres {self.postgres / self.seconds:.2f}"
        )
        seen = sum(self.waits.values())
        waits = ", ".join(f"{name} {count / seen:.0%}" for name, count in self.waits.most_common(4))
        return f"{self.seconds:.1f} s; of all ranges {self.ranges:.1f} s; {busy}; Postgres's connections: {waits}"


def main() -> None:
    """Print the ratios, and of each turn what it took."""
    with _platform() as platform:
        for job, asset in (EMBED, PUBLISH):
            ratios, slower = [], []
            for turn in range(1, TURNS + 1):
                taken = {}
                for count in (1, 2):
                    taken[count] = platform.measure(job, asset, count)
                    print(f"{asset}, turn {turn}, {count} worker{'s' * (count > 1)}: {taken[count]}", flush=True)
                ratios.append(taken[1].seconds / taken[2].seconds)
                slower.append(taken[2].ranges / taken[1].ranges)
            target = " (target: 1.6)" if asset == EMBED[1] else ""
            print(f"{asset}: two workers are {median(ratios):.2f} times as fast as one{target}", end="; ")
            print(f"a range takes {median(slower):.2f} times as long as with one", flush=True)
    print(f"{PROFILES:,} profiles, {MATCHES:,} matches, {os.cpu_count()} processors, load {os.getloadavg()[2]:.1f}")


@contextmanager
def _platform() -> Iterator["Platform"]:
    with TemporaryDirectory(prefix="workers-") as name:
        home, folder = Path(name) / "home", Path(name) / "redis"
        folder.mkdir()
        os.environ["JV_HOME"] = str(home)
        server = local.start()
        try:
            database = Database(server.url())
            migrate(database, dimension=384)
            population = make_population(PROFILES, MATCHES)
            load_frames(database, population.profiles, population.matches)
            subprocess.run([*JV, "rescore", "--dry-run"], check=True, stdout=subprocess.DEVNULL)
            with redis(folder) as broker:
                more = {"JV_CELERY_BROKER": broker, "JV_REPORTS_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
                with running([*JV, "ui", "--port", str(free_port())], home, **more) as pages:
                    yield Platform(server, pages, {**os.environ, **more})
        finally:
            local.stop()


@dataclass(frozen=True)
class Platform:
    """The embedded Postgres, the pages, and the environment of `jv`."""

    server: local.Server
    pages: Running
    environment: Mapping[str, str]

    def measure(self, job: str, asset: str, count: int) -> Measured:
        """Run all partitions of an asset, in some runs, by so many workers, from nothing."""
        self._forget(FORGET[job, asset])
        with self._workers(count) as workers, self._watched() as waits:
            postgres, ours = _spent(psutil.Process(self.server.pid)), _spent(workers)
            run_ids = [self.pages.launch(job, KEYS[at], KEYS[at + SPAN - 1], asset) for at in range(0, len(KEYS), SPAN)]
            while not (ended := {self.pages.status(run_id) for run_id in run_ids}) <= {"SUCCESS", "FAILURE"}:
                time.sleep(2)  # the pages cost processors, too
            assert ended == {"SUCCESS"}
            spent = _spent(psutil.Process(self.server.pid)) - postgres, _spent(workers) - ours
        return Measured(*_seconds(run_ids), *spent, waits)

    def _forget(self, statements: str) -> None:
        with psycopg.connect(self.server.url().replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute(statements)
            for statement in ("VACUUM", "CHECKPOINT"):
                connection.execute(statement)

    @contextmanager
    def _workers(self, count: int) -> Iterator[psutil.Process]:
        command = [*JV, "workers", str(count)]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout
            assert any("are there" in line for line in process.stdout)
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()

    @contextmanager
    def _watched(self) -> Iterator[Counter[str]]:
        """Fifty times a second: what the pipeline's connections wait for."""
        ended, waits = threading.Event(), Counter[str]()

        def look() -> None:
            with psycopg.connect(self.server.url().replace("+psycopg", "", 1), autocommit=True) as connection:
                while not ended.wait(0.02):
                    waits.update(row[0] for row in connection.execute(ACTIVE))

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            yield waits
        finally:
            ended.set()
            watcher.join()


def _spent(process: psutil.Process) -> float:
    """Seconds of processors that a process, its descendants, and those of them that have ended, have taken."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _seconds(run_ids: list[str]) -> tuple[float, float]:
    """From the first run's begin to the last one's end; and what their ranges took, added up."""
    os.environ["DAGSTER_HOME"] = str(dagster_home())
    ranges = 0.0
    with dg.DagsterInstance.get() as instance:
        records = instance.get_run_records(dg.RunsFilter(run_ids=run_ids))
        for run_id in run_ids:
            for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
                assert entry.asset_materialization
                ranges += float(str(entry.asset_materialization.metadata["seconds"].value))
    ends, begins = [record.end_time or 0 for record in records], [record.start_time or 0 for record in records]
    return max(ends) - min(begins), ranges


if __name__ == "__main__":
    main()
