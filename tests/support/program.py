"""`jv` as its users have it: a process of its own, on a `JV_HOME` of its own, with nothing of our environment."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from jv_assets.platform import postgres
from jv_assets.platform.storage import dagster_home
from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS
from jv_scoring.policy import CURRENT_POLICY, SCORING_VERSION
from jv_scoring.reference import score_pair
from jv_scoring.similarity import calibration_of
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.forking import Forked, fork
from tests.support.models import MINILM

JV = Path(sys.executable).with_name("jv")
KEYS = ["0", "4", "8", "c"]
"""The ranges of most tests: fewer than by default, because a run costs time for each."""
SECONDS = 300
"""How long a process may take before a test gives up on it."""
Rows = dict[str, dict[str, Any]]

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a shell's background; what we start would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True)
class Done:
    """What a call of `jv` came to."""

    code: int
    out: str
    err: str

    @property
    def cells(self) -> dict[str, list[str]]:
        """The rows of the tables in `out`, by their first cell."""
        rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in self.out.splitlines() if "│" in line]
        return {row[0]: row[1:] for row in rows}


@dataclass(frozen=True)
class Program:
    """`jv` with settings: those of the tests, over nothing but what a process needs."""

    home: Path
    settings: Mapping[str, str] = field(default_factory=dict)

    def run(self, *words: str | Path, first: Callable[[], None] | None = None, **settings: str) -> Done:
        process = self.fork(*words, first=first, **settings)
        try:
            out, err = process.communicate(timeout=SECONDS)
        finally:
            process.kill()
        return Done(process.returncode, out, err)

    def succeeds(self, *words: str | Path, **settings: str) -> Done:
        """A run that must succeed: without a complaint, and with no sign of a terminal."""
        done = self.run(*words, **settings)
        assert (done.code, done.err) == (0, ""), done.err
        assert not [c for c in done.out if c < " " and c != "\n"]
        return done

    def fork(self, *words: str | Path, first: Callable[[], None] | None = None, **settings: str) -> Forked:
        """`first` is called before it, in its process."""
        return fork([*map(str, words)], self.environment(**settings), self.home.parent, first)

    def start(self, *words: str | Path, **settings: str) -> "subprocess.Popen[str]":
        """To be watched while it prints, or stopped."""
        return subprocess.Popen(
            [JV, *words],
            env=self.environment(**settings),
            cwd=self.home.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def environment(self, **settings: str) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("JV_", "DAGSTER_", "PG"))}
        return {**ours, "JV_HOME": str(self.home), "JV_ID_RANGES": str(len(KEYS)), **self.settings, **settings}

    def connect(self) -> "psycopg.Connection[dict[str, Any]]":
        url = self.settings.get("JV_DATABASE_URL") or postgres.start(self.home / "postgres").url()
        return psycopg.connect(
            url.replace("+psycopg", "", 1), autocommit=True, row_factory=dict_row, prepare_threshold=None
        )

    def sql(self, statement: str) -> list[dict[str, Any]]:
        with self.connect() as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def matches(self) -> Rows:
        """What was published, by id, and in which transaction."""
        return self._rows("id, profile_id, suggested_profile_id, score_ab::float8, score_ba::float8,"
                          "harmonic_mean::float8, match_context, xmin::text FROM match_suggestions")  # fmt: skip

    def profiles(self) -> Rows:
        rows = self._rows("*, xmin::text FROM profiles")
        for row in rows.values():
            for name in EMBEDDED_FIELDS:
                vector = row[f"embedding_{name}"]
                row[f"embedding_{name}"] = np.array(json.loads(vector), np.float32) if vector else None
        return rows

    def others(self) -> str:
        """A checksum of all that is not ours, in both tables."""
        sums = []
        for table, columns in (("profiles", PROFILE_COLUMNS), ("match_suggestions", MATCH_COLUMNS)):
            select = f"SELECT {', '.join(columns)} FROM {table}"
            sums += self.sql(f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t.id)) FROM ({select}) AS t")
        return str(sums)

    def versions(self) -> list[dict[str, Any]]:
        """The transaction that wrote each row of the production tables; another if a row was but touched."""
        return self.sql("SELECT id::text, xmin::text FROM profiles ORDER BY id") + self.sql(
            "SELECT id::text, xmin::text FROM match_suggestions ORDER BY id"
        )

    def forget_scores(self, where: str = "true") -> None:
        self.sql("UPDATE match_suggestions SET (score_ab, score_ba, harmonic_mean, match_context) = "
                 f"(NULL, NULL, NULL, NULL) WHERE {where}")  # fmt: skip

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        """Dagster's records of this home."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {"JV_HOME": str(self.home), **self.settings}.items():
                patch.setenv(name, value)
            patch.setenv("DAGSTER_HOME", str(dagster_home()))
            with dg.DagsterInstance.get() as instance:
                yield instance

    def runs(self) -> list["Run"]:
        """The oldest first."""
        with self.instance() as instance:
            return [Run.of(instance, run) for run in instance.get_runs()][::-1]

    def _rows(self, select: str) -> Rows:
        return {str(row["id"]): row for row in self.sql(f"SELECT {select} ORDER BY id")}


@dataclass(frozen=True)
class Run:
    """What Dagster knows of a run: its job, how it ended, and the ranges that it materialized."""

    job: str
    status: str
    made: dict[str, list[str]]

    @classmethod
    def of(cls, instance: dg.DagsterInstance, run: dg.DagsterRun) -> "Run":
        made: dict[str, list[str]] = {}
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
            event = entry.asset_materialization
            assert event
            made.setdefault(event.asset_key.to_user_string(), []).append(str(event.partition))
        return cls(run.job_name, run.status.value, {asset: sorted(keys) for asset, keys in made.items()})


def range_of(match_id: str) -> str:
    """The one of `KEYS` that a match is in."""
    return max(key for key in KEYS if key <= match_id[0])


def scored(matches: Rows) -> set[str]:
    return {match_id for match_id, row in matches.items() if row["harmonic_mean"] is not None}


def assert_scored(program: Program, policy: str = CURRENT_POLICY, only: Mapping[str, object] | None = None) -> None:
    """Every match that can be scored has the score of the rules for the stored profiles, and no other match has one.

    With `only` this is asserted of the matches in it.
    """
    profiles, matches = program.profiles(), program.matches()
    for number, (match_id, row) in enumerate(matches.items()):
        if only is not None and match_id not in only:
            continue
        a, b = (profiles.get(str(row[name])) for name in ("profile_id", "suggested_profile_id"))
        if a is None or b is None or a is b:
            assert [row[name] for name in ("score_ab", "score_ba", "harmonic_mean", "match_context")] == [None] * 4
            continue
        expected = score_pair(_with_our_vectors(a), _with_our_vectors(b), policy, calibration_of(MINILM))
        scores = (row["score_ab"], row["score_ba"], row["harmonic_mean"])
        assert scores == (expected.score_ab, expected.score_ba, expected.harmonic_mean)
        context = row["match_context"]
        stamp = {name: context[name] for name in ("policy", "scoring_version", "embedding_model")}
        assert stamp == {"policy": policy, "scoring_version": SCORING_VERSION, "embedding_model": MINILM}
        if number % 10 == 0:
            breakdowns = {"breakdown_ab": expected.breakdown_ab, "breakdown_ba": expected.breakdown_ba}
            assert {name: context[name] for name in breakdowns} == breakdowns


def _with_our_vectors(profile: dict[str, Any]) -> dict[str, Any]:
    """Vectors of another model are as good as none."""
    if profile["embeddings_model"] == MINILM:
        return profile
    return profile | {f"embedding_{name}": None for name in EMBEDDED_FIELDS}


@contextmanager
def removed_at_last(home: Path) -> Iterator[Path]:
    """Pytest would keep the last three of these, a hundred MB each."""
    try:
        yield home
    finally:
        postgres.stop(home / "postgres")
        shutil.rmtree(home, ignore_errors=True)
