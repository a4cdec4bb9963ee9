"""One `JV_HOME` for two databases: every command that meets the second one refuses it in one line, before it reads."""

from pathlib import Path

import pytest

from jv_assets.demo.population import make_population
from jv_assets.pipeline.database.identity import FILE, require_home
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.models import MINILM
from tests.support.program import Program

COMMANDS = (
    ("status",),
    ("retry",),
    ("rescore",),
    ("nightly",),
    ("embed",),
    ("undo",),
    ("report",),
    ("ui",),
    ("export", "--top", "3", "--out", "top.csv"),
)


@pytest.fixture
def staging(database_url: str, home: Path) -> Database:
    """The database that `JV_HOME` belongs to."""
    database = Database(database_url)
    migrate(database, dimension=384)
    require_home(database, RangeFiles(str(home)))
    return database


def test_each_command_names_both_databases(staging: Database, home: Path, server: postgres.Server) -> None:
    server.ensure_database(name := f"{staging.place.rpartition('/')[2]}_prod")
    production = Database(server.url(name))
    migrate(production, dimension=384)
    population = make_population(60, 100)
    load_frames(production, population.profiles, population.matches)
    jv = Program(home, {"JV_DATABASE_URL": server.url(name), "JV_EMBEDDING_MODEL": MINILM})
    before = jv.matches()
    for words in COMMANDS:
        done = jv.run(*words)
        assert done.code == 2, words
        [line] = done.err.splitlines()
        assert line.startswith(f"jv: JV_HOME {home} belongs to database postgres@{staging.place} (identity ")
        assert f", and this is another one: postgres@{production.place} (identity " in line
        assert line.endswith(f"delete {home / FILE}, then type: jv nightly")
    assert jv.matches() == before

    (home / FILE).unlink()  # the cure
    jv.succeeds("rescore")
    assert jv.succeeds("status").out
    production._engine.dispose()


@pytest.mark.parametrize("home_of", ["jv", "./jv"])
def test_a_relative_home_is_refused(home: Path, home_of: str) -> None:
    done = Program(home).run("status", JV_HOME=home_of)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith(f"jv: JV_HOME={home_of} would be another folder in each directory; write {home.parent}")


def test_a_bucket_without_its_package_is_said_at_the_start(home: Path) -> None:
    for words in (("status",), ("nightly",), ("report",)):
        done = Program(home).run(*words, JV_HOME="s3://bucket/jv")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("jv: s3://bucket/jv cannot be used (")
        assert done.err.endswith("); type: pip install s3fs\n")
