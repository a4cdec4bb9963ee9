"""`make soak`: fifty nights of a small platform beside the real `jv ui`, and whether anything grows.

By day profiles and matches are edited, added and deleted, by a seeded die. By night the run `nightly`, its report and
the deletion of old runs are done by the daemon, which runs all the time, and on every fifth night by `jv nightly`. Then
every match is compared with the reference, all that may grow is measured, and what is kept by the calendar gets a day
older. The result is written to docs/soak.md.
"""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import dagster as dg
import pandas as pd
import psutil
from sqlalchemy import text

from benchmarks import soak_result
from benchmarks.figures import environment
from jv_assets.automation.schedules import NIGHTLY_REPORTS
from jv_assets.demo.population import make_population
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.gone_matches import GONE, read_gone
from jv_assets.pipeline.texts.embedding_plan import stale_texts
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_assets.tables import PROFILE_COLUMNS
from jv_scoring.factors import INPUT_COLUMNS
from jv_scoring.policy import CURRENT_POLICY
from jv_scoring.reference import PairScore, score_pair
from jv_scoring.similarity import calibration_of
from tests.support.models import MINILM, minilm
from tests.support.pipelines import Pipeline, assert_scored, checksums, matches, profiles_by_id
from tests.support.serving import ENDED, Running, running
from tests.support.waiting import wait_until

NIGHTS, PROFILES, MATCHES, SEED = 50, 500, 2_500, 20260301
EDITED, NEW, DELETED, FEWER_MATCHES, MOVED = 25, 6, 6, 30, 8
"""A day's changes; as many matches are new as are gone."""
LEFT = 0.1
"""Of the matches of a deleted profile, how many stay."""
SET = {"JV_ID_RANGES": "8", "JV_KEPT_DAYS": "10", "JV_KEPT_RUNS": "5"}
"""In the environment. Few ranges, as so few matches need no more; few days and runs, so that they are over soon."""
JV = [sys.executable, "-c", "from jv_assets.cli import main; main()"]
KEYS = list(ID_RANGES.get_partition_keys())
Row = dict[str, float]
LONG_LIVED = {
    "code server": ("code-server", "api grpc"),
    "webserver": ("jv_assets.ui.webserver",),
    "daemon": ("dagster._daemon",),
    "report server": ("jv_assets.ui.report_server",),
}
"""The processes that stay, by what their command lines hold."""
SECONDS = 600
"""How long anything of a night may take."""


def main(nights: int) -> int:
    """Live through the nights, or as many as come before Ctrl-C, and write the table; the exit code."""
    started, measured = time.monotonic(), []
    with contextlib.suppress(KeyboardInterrupt), _platform() as platform:
        for night in range(1, nights + 1):
            begun = time.monotonic()
            values = platform.night(night)
            measured.append({"night": night, **values, "seconds": round(time.monotonic() - begun, 1)})
            print(measured[-1], flush=True)
    minutes = (time.monotonic() - started) / 60
    if not measured:
        return 1
    return soak_result.write(pd.DataFrame(measured), minutes, SET, {"profiles": PROFILES, "matches": MATCHES})


@contextmanager
def _platform() -> Iterator["Platform"]:
    with TemporaryDirectory(prefix="soak-") as name, dg.DagsterInstance.ephemeral() as unused:
        home, temporary = Path(name) / "home", Path(name) / "tmp"
        temporary.mkdir()
        more = {**SET, "TMPDIR": str(temporary)}
        server = postgres.start(home / "postgres")
        try:
            pipeline = Pipeline(server.url(), home, unused)
            migrate(pipeline.database, dimension=minilm().dimension)
            population = make_population(PROFILES, MATCHES)
            load_frames(pipeline.database, population.profiles, population.matches)
            pipeline.sql("CREATE SCHEMA soak")
            pipeline.sql(f"CREATE TABLE soak.donors AS SELECT {', '.join(PROFILE_COLUMNS)} FROM profiles")
            with running([*JV, "ui"], home, **more) as pages:
                stop_sensor(pages, "report_after_nightly")
                yield Platform(pipeline, Database(server.url("dagster")), pages, home, temporary, more)
        finally:
            postgres.stop(home / "postgres")


@dataclass
class Platform:
    """The production database, Dagster's, and the pages; `more` is the environment of `jv` beside `JV_HOME`."""

    pipeline: Pipeline
    dagster: Database
    pages: Running
    home: Path
    temporary: Path
    more: Mapping[str, str]
    known: dict[Hashable, PairScore] = field(default_factory=dict)

    def night(self, number: int) -> Row:
        """A day's changes and the night after; what was measured."""
        edit(self.pipeline, random.Random(SEED + number))
        before, held = checksums(self.pipeline), _held(self.pipeline)
        by_daemon, after = number % 5 != 0, []
        if by_daemon:
            self._end(self.pages.launch("nightly", KEYS[0], KEYS[-1]))
            after += [self.pages.launch("report", KEYS[0], KEYS[-1], *NIGHTLY_REPORTS)]
            after += [self.pages.launch("forget", KEYS[0], KEYS[-1])]
        else:
            self._jv("nightly")
        compared = compare(self.pipeline, held, self.known)
        assert checksums(self.pipeline) == before
        stale = (
            stale_texts(self.pipeline.database, self.pipeline.embedder, *self.pipeline.files.cut.profiles.bounds(key))
            for key in KEYS
        )
        assert sum(stale) == 0
        for run_id in after:
            self._end(run_id)
        values = {**compared, **self._memory(), **self._files(), **self._rows()}
        self._age()
        return values

    def _jv(self, *words: str) -> None:
        env = environment(JV_HOME=str(self.home), **self.more)
        subprocess.run([*JV, *words], env=env, check=True, stdout=subprocess.DEVNULL)

    def _end(self, run_id: str) -> None:
        status = f"SELECT status FROM runs WHERE run_id = '{run_id}'"
        wait_until(lambda: self._ask(status)[0]["status"] in ENDED, SECONDS)
        assert self._ask(status)[0]["status"] == "SUCCESS", run_id

    def _ask(self, statement: str) -> list[dict[str, Any]]:
        with self.dagster.transaction() as connection:
            result = connection.execute(text(statement))
            return [dict(row) for row in result.mappings().all()] if result.returns_rows else []

    def _memory(self) -> Row:
        """Megabytes that are resident, by process."""
        family = [self.pages.family[0], *self.pages.family[0].children(recursive=True)]
        lines = []
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):  # of a run that has just ended
                lines.append((" ".join(process.cmdline()), process.memory_info().rss))
        return {
            f"MB of {name}": round(sum(rss for line, rss in lines if any(word in line for word in words)) / 1e6, 1)
            for name, words in LONG_LIVED.items()
        }

    def _files(self) -> Row:
        logs = self.home / "dagster" / "logs"
        places = {"ranges": self.home / "ranges", "reports": self.home / "reports", "run logs": logs}
        places |= {"UI logs": self.home / "dagster" / "ui", "temporary": self.temporary}
        sizes = {name: [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
                 for name, folder in places.items()}  # fmt: skip
        known = sum(len(of) for of in sizes.values())
        every = [file for file in self.temporary.parent.rglob("*") if file.is_file()]
        other = [file for file in every if "postgres" not in file.relative_to(self.temporary.parent).parts]
        counts = {f"files of {name}": len(of) for name, of in sizes.items()}
        return {**counts, "other files": len(other) - known, **{f"kB of {n}": sum(of) / 1e3 for n, of in sizes.items()}}

    def _rows(self) -> Row:
        counts: Row = {}
        for table in ("runs", "event_logs", "asset_check_executions", "snapshots", "job_ticks"):
            counts[f"rows of {table}"] = self._ask(f"SELECT count(*) AS n FROM {table}")[0]["n"]
        counts["MB of Dagster's database"] = self._ask(_BYTES)[0]["bytes"] / 1e6
        for table in ("publish_runs", "replaced_scores", "embedded_texts"):
            counts[f"rows of jv.{table}"] = self.pipeline.sql(f"SELECT count(*) AS n FROM jv.{table}")[0]["n"]
        counts["MB of production's database"] = self.pipeline.sql(_BYTES)[0]["bytes"] / 1e6
        counts["dead rows of match_suggestions"] = self.pipeline.sql(_DEAD)[0]["n"]
        counts["MB of match_suggestions"] = self.pipeline.sql(_TABLE)[0]["bytes"] / 1e6
        return counts

    def _age(self) -> None:
        """What is kept by the calendar gets a day older."""
        self._ask("UPDATE runs SET create_timestamp = create_timestamp - interval '1 day'")
        self._ask("UPDATE job_ticks SET timestamp = timestamp - interval '1 day'")
        for key in KEYS:
            gone = read_gone(self.pipeline.files, key)
            if len(gone):
                older = pd.to_datetime(gone["gone_at"], utc=True, format="ISO8601") - timedelta(days=1)
                gone = gone.assign(gone_at=[at.isoformat() for at in older])
                self.pipeline.files.write(GONE, key, gone, {"rows": len(gone)})


def edit(pipeline: Pipeline, dice: random.Random) -> None:
    """A day's changes to profiles and matches."""
    donors, profiles = (
        [row["id"] for row in pipeline.sql(f"SELECT id::text FROM {table} ORDER BY id")]
        for table in ("soak.donors", "profiles")
    )
    pairs = pipeline.sql("SELECT id::text, profile_id::text AS a, suggested_profile_id::text AS b "
                         "FROM match_suggestions ORDER BY id")  # fmt: skip
    deleted = set(dice.sample(profiles, DELETED))
    stay = sorted(set(profiles) - deleted)
    new = [_uuid(dice) for _ in range(NEW)]
    with pipeline.database.transaction() as connection:

        def sql(statement: str, **values: object) -> None:
            connection.execute(text(statement), values)

        sql("DELETE FROM profiles WHERE id = ANY(:ids)", ids=[UUID(one) for one in sorted(deleted)])
        for one in dice.sample(stay, EDITED):
            names = dice.sample(INPUT_COLUMNS, 3)
            sets = ", ".join(f"{n} = NULL" if n != "name" and dice.random() < 0.1 else f"{n} = d.{n}" for n in names)
            sql(f"UPDATE profiles p SET {sets} FROM soak.donors d WHERE p.id = :id AND d.id = :donor",
                id=one, donor=dice.choice(donors))  # fmt: skip
        others = ", ".join(name for name in PROFILE_COLUMNS if name != "id")
        for one in new:
            sql(f"INSERT INTO profiles (id, {others}) SELECT :id, {others} FROM soak.donors WHERE id = :donor",
                id=one, donor=dice.choice(donors))  # fmt: skip
        gone = {row["id"] for row in pairs if {row["a"], row["b"]} & deleted and dice.random() > LEFT}
        gone |= set(dice.sample([row["id"] for row in pairs], FEWER_MATCHES))
        sql("DELETE FROM match_suggestions WHERE id = ANY(:ids)", ids=[UUID(one) for one in sorted(gone)])
        for one in dice.sample(sorted({row["id"] for row in pairs} - gone), MOVED):
            sql("UPDATE match_suggestions SET suggested_profile_id = :b WHERE id = :id", id=one, b=dice.choice(stay))
        for _ in gone:
            a, b = dice.choice(stay + new * 10), dice.choice(stay)
            sql("INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, match_score) "
                "VALUES (:id, :a, :b, 50)", id=_uuid(dice), a=a, b=b)  # fmt: skip


def compare(pipeline: Pipeline, held: Mapping[str, tuple[object, ...]], known: dict[Hashable, PairScore]) -> Row:
    """Every scorable match is as the reference scores it, every other as it was.

    `known` is what the reference said last, by both profiles as they are, and becomes what it says now.
    """
    profiles, after, now, written = profiles_by_id(pipeline), _held(pipeline), {}, 0
    version = {row["id"]: row["md5"] for row in pipeline.sql("SELECT id::text, md5(p::text) FROM profiles p")}
    scored = 0
    for row in matches(pipeline):
        a, b = profiles.get(row["a"]), profiles.get(row["b"])
        if a is None or b is None or row["a"] == row["b"]:
            assert after[row["id"]] == held[row["id"]]
            continue
        pair = (row["a"], version[row["a"]], row["b"], version[row["b"]])
        now[pair] = known.get(pair) or score_pair(a, b, CURRENT_POLICY, calibration_of(MINILM))
        assert_scored(row, now[pair], CURRENT_POLICY)
        scored += 1
        written += after[row["id"]] != held[row["id"]]
    known.clear()
    known.update(now)
    return {"rows equal to the reference": scored, "rows written": written}


def stop_sensor(pages: Running, name: str) -> None:
    """It looks twice a minute, and nights are shorter here than that: what it starts is launched at once."""
    selector = {"repositoryName": "__repository__", "repositoryLocationName": "jv"}
    found = pages.ask(_SENSORS, selector=selector)["sensorsOrError"]["results"]
    [sensor] = [one["id"] for one in found if one["name"] == name]
    assert pages.ask(_STOP, id=sensor)["stopSensor"]["instigationState"]["status"] == "STOPPED"


def _held(pipeline: Pipeline) -> dict[str, tuple[object, ...]]:
    """What each match has in our columns, and its version."""
    names = ("score_ab", "score_ba", "harmonic_mean", "match_context", "xmin")
    return {row["id"]: tuple(str(row[name]) for name in names) for row in matches(pipeline)}


def _uuid(dice: random.Random) -> str:
    return str(UUID(int=dice.getrandbits(128), version=4))


_SENSORS = """query ($selector: RepositorySelector!) {
  sensorsOrError(repositorySelector: $selector) { ... on Sensors { results { id name } } } }"""
_STOP = """mutation ($id: String!) {
  stopSensor(id: $id) { ... on StopSensorMutationResult { instigationState { status } } } }"""
_BYTES = "SELECT pg_database_size(current_database()) AS bytes"
_DEAD = "SELECT n_dead_tup AS n FROM pg_stat_user_tables WHERE relname = 'match_suggestions'"
_TABLE = "SELECT pg_total_relation_size('match_suggestions') AS bytes"

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else NIGHTS))
