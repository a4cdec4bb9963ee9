"""What the suite of odd databases shares: a database of a test's own, commands over it, and what must come of them.

What is expected is worked out from the values that the database was given, never from what the product reads in it: a
reader that reads wrongly would agree with itself.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from jv_assets.automation.schedules import NIGHTLY, RESCORE
from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.pipeline import embedding
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.doctor import Finding, examine, require_ready
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_scoring.reference import PairScore, score_pair
from jv_scoring.similarity import calibration_of
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.models import MINILM, minilm
from tests.support.pipelines import Pipeline, assert_scored, checksums, failure

Profile = dict[str, Any]
Meant = Callable[[Profile], Profile]
"""What the values of a profile mean, once the database of a case holds them."""

TEMPLATE, SCORED = "odd_embedded", "odd_scored"
"""Databases that are copied for each case: profiles with vectors, and matches without or with scores."""
FIRST, LAST = f"{0:032x}", "f" * 32
COMMANDS = {"embed": ("profile_embeddings",), "rescore": RESCORE, "nightly": NIGHTLY}
_VECTORS = [f"embedding_{name}" for name in EMBEDDED_FIELDS]


@dataclass(frozen=True)
class Case:
    """What is changed in the database, the command that is run, and what must come of it.

    `says` is part of the one line that refuses; without it the command must go well. `cure` is SQL: it must stand in
    that line, or `mend` must say what the operator does by hand before it. Once it is done the command goes well.
    `meant` says what the changed values mean. `template` is the database that is changed.
    """

    name: str
    sql: str
    says: str = ""
    cure: str = ""
    mend: str = ""
    command: str = "rescore"
    meant: Meant = field(default=lambda profile: profile)
    template: str = TEMPLATE

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Outcome:
    """`code` as `jv` would exit with it; `line`: what it would say where that is not 0."""

    code: int
    line: str = ""


class Odd(Pipeline):
    """A database of a test's own, and the commands over it, run in this process."""

    @contextmanager
    def owner(self) -> Iterator["psycopg.Connection[Any]"]:
        """A connection of the tables' owner, whose statements are each a transaction."""
        with psycopg.connect(self.database.url.replace("+psycopg", "", 1), autocommit=True) as connection:
            yield connection

    def change(self, statements: str) -> None:
        with self.owner() as connection:
            connection.execute(statements)

    def rows(self, select: str) -> list[tuple[Any, ...]]:
        with self.owner() as connection:
            return connection.execute(select).fetchall()

    def command(self, name: str, **config: Any) -> Outcome:
        """As `jv` does it: refused before it starts, or run over all ranges. No message has a second line, a traceback
        or the password.
        """
        try:
            require_ready(self.database)
        except UserError as error:
            return Outcome(2, self._one_line(str(error)))
        result = self.run(name, COMMANDS[name], **config)
        if result.success:
            return Outcome(0)
        return Outcome(1, self._one_line(failure(result)))

    def findings(self) -> dict[str, Finding]:
        """The doctor's, by subject."""
        found = examine(self.database, self.embedder)
        for finding in found:
            self._one_line(finding.text)
        return {finding.subject: finding for finding in found}

    def errors(self) -> list[str]:
        return [finding.text for finding in self.findings().values() if finding.level == "error"]

    def written(self) -> list[tuple[Any, ...]]:
        """The transaction that wrote each row of both tables: another one where a row was but touched."""
        real = "SELECT relname FROM pg_class WHERE oid IN ('profiles'::regclass, 'match_suggestions'::regclass)"
        tables = [name for (name,) in self.rows(f"{real} AND relkind IN ('r', 'p') ORDER BY relname")]
        select = "SELECT id::text, xmin::text FROM {} ORDER BY id, ctid"
        return [row for table in tables for row in self.rows(select.format(table))]

    def _one_line(self, message: str) -> str:
        assert "\n" not in message
        assert "Traceback" not in message
        assert str(make_url(self.database.url).password) not in message
        return message


def assert_right(odd: Odd, meant: Meant = lambda profile: profile, policy: str = "harmonic/impute") -> int:
    """Every match that can be scored has the reference's score and breakdown, no other has one; returns how many have.

    The reference is given the values that the population was made of, as `meant` changes them.
    """
    there = {row[0] for row in odd.rows("SELECT id::text FROM profiles")}
    profiles = {name: _with_version(meant(dict(row))) for name, row in profiles_given().items() if name in there}
    scored = 0
    for match_id, a, b, ab, ba, mean, context in odd.rows(_MATCHES):
        row = {
            "score_ab": ab and float(ab),
            "score_ba": ba and float(ba),
            "harmonic_mean": mean and float(mean),
            "match_context": context and json.loads(context),
        }
        if a not in profiles or b not in profiles or a == b:
            assert list(row.values()) == [None] * 4, match_id
            continue
        scored += 1
        assert_scored(row, _reference(profiles[a], profiles[b], policy), policy)
    return scored


def assert_settled(odd: Odd, command: str = "rescore") -> None:
    """The command, run again, goes well and writes to no row."""
    before = odd.written()
    assert odd.command(command) == Outcome(0)
    assert odd.written() == before


def assert_untouched(odd: Odd, before: tuple[Any, ...]) -> None:
    """Nothing was written since `state` gave `before`."""
    assert state(odd) == before


def state(odd: Odd) -> tuple[Any, ...]:
    """Of both production tables and of ours: all that would change where anything were written."""
    ours = odd.rows("SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace('jv') AND relkind = 'r'")
    sums = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM jv.{} t"
    return odd.written(), [(name, odd.rows(sums.format(name))) for (name,) in sorted(ours)]


def others(odd: Odd) -> dict[str, object]:
    """By table: a checksum of every column that is not ours."""
    return checksums(odd)


@cache
def profiles_given() -> dict[str, Profile]:
    """By id, the profiles as the database was given them, with the vectors of their texts."""
    return {row["id"]: row | _vectors_of(row) for row in _population().profiles.to_dict("records")}


def first_profile() -> str:
    """The lowest id of a profile."""
    return min(profiles_given())


@cache
def _population() -> Any:
    return make_population(120, 150)


def _vectors_of(row: Profile) -> Profile:
    return {f"embedding_{name}": _embedded().get(row[name]) for name in EMBEDDED_FIELDS}


@cache
def _embedded() -> dict[str | None, Any]:
    from jv_scoring.text import text_to_embed

    texts = {text for name in EMBEDDED_FIELDS for text in _population().profiles[name] if text_to_embed(text)}
    ordered = sorted(texts)
    vectors = minilm().embed([str(text_to_embed(text)) for text in ordered])
    return dict(zip(ordered, np.asarray(vectors, np.float32), strict=True))


_known: dict[tuple[str, str, str], PairScore] = {}


def _reference(a: Profile, b: Profile, policy: str) -> PairScore:
    """Kept, because most cases change what few profiles mean."""
    key = (a["version"], b["version"], policy)
    if key not in _known:
        _known[key] = score_pair(a, b, policy, calibration_of(MINILM))
    return _known[key]


def _with_version(profile: Profile) -> Profile:
    """The profile with a hash of all that it is given."""
    values = [value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode() for value in profile.values()]
    return profile | {"version": sha256(b"|".join(values)).hexdigest()}


_MATCHES = """
    SELECT id::text, profile_id::text, suggested_profile_id::text, score_ab::text, score_ba::text, harmonic_mean::text,
        match_context::text
    FROM match_suggestions ORDER BY id
"""


@pytest.fixture(scope="session")
def templates(server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Makes a template where it is asked for the first time, and gives its name."""

    @cache
    def make(name: str) -> str:
        if name == SCORED:
            _copy(server, make(TEMPLATE), SCORED)
            with running(server.url(SCORED), tmp_path_factory.mktemp("scored")) as odd:
                assert odd.command("rescore") == Outcome(0)
            return SCORED
        server.ensure_database(TEMPLATE)
        database = Database(url=server.url(TEMPLATE))
        migrate(database, dimension=minilm().dimension)
        load_frames(database, _population().profiles, _population().matches)
        embedding.embed(database, minilm(), embedding_plan.plan_range(database, minilm(), FIRST, LAST))
        return TEMPLATE

    return make


@pytest.fixture
def odd_database(
    server: postgres.Server, templates: Callable[[str], str], tmp_path: Path, database_url: str
) -> Callable[[str], Odd]:
    """Gives a copy of a template; it is dropped with the database of `database_url`, in whose place it is put."""
    name = str(make_url(database_url).database)

    def make(template: str = TEMPLATE) -> Odd:
        made = templates(template)
        with psycopg.connect(_admin(server), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        _copy(server, made, name)
        return Odd(database_url, tmp_path / "home", dg.DagsterInstance.ephemeral())

    return make


@contextmanager
def running(url: str, home: Path) -> Iterator[Odd]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield Odd(url, home, instance)


def _copy(server: postgres.Server, template: str, name: str) -> None:
    with psycopg.connect(_admin(server), autocommit=True) as connection:
        # A template that somebody is connected to cannot be copied.
        ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        connection.execute(ended, [template])
        copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        connection.execute(copied.format(sql.Identifier(name), sql.Identifier(template)))


def _admin(server: postgres.Server) -> str:
    return server.url("postgres").replace("+psycopg", "", 1)


def cure_in(line: str, cure: str) -> str:
    """The cure, which must stand in the line as it is to be typed."""
    assert re.sub(r"\s+", " ", cure.strip()) in line
    return cure
