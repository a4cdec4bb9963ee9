"""What a command loads before it can answer: Dagster alone takes a second."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from jv_assets.setup.migrations.run import _config, newest
from tests.support.program import Program, removed_at_last

LOADED = """
import gc, sys
from jv_assets.cli import main
sys.argv[0] = "jv"
try:
    main()
finally:
    print(*sorted({name.split(".")[0] for name in sys.modules} | {*sys.modules} & {"jv_assets.definitions"}),
          f"collector={gc.isenabled()}", f"frozen={gc.get_freeze_count() > 100_000}", file=sys.stderr)
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("start") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "20", "--matches", "20")
        yield program


@pytest.mark.parametrize(
    ("command", "without"),
    [
        ("--help", {"dagster", "pandas", "numpy", "sqlalchemy", "alembic"}),
        ("doctor", {"dagster", "dagster_postgres", "alembic", "torch", "jv_assets.definitions"}),
        ("status", {"jv_assets.definitions", "torch", "scipy", "sklearn"}),
    ],
)
def test_a_command_loads_only_what_it_needs(program: Program, command: str, without: set[str]) -> None:
    loaded = _loaded(program, command)
    assert "typer" in loaded
    assert loaded & without == set()


def test_garbage_is_collected_once_a_command_works_and_modules_are_none(program: Program) -> None:
    assert {"collector=False", "frozen=False"} <= _loaded(program, "--help")
    assert {"collector=True", "frozen=True"} <= _loaded(program, "status")


def _loaded(program: Program, command: str) -> set[str]:
    """Return the packages that a command has loaded at its end, and what it did with the garbage collector."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, command],
        env=program.environment(),
        cwd=program.home.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stderr.split())


def test_the_newest_revision_is_that_of_alembic() -> None:
    from alembic.script import ScriptDirectory

    assert newest() == ScriptDirectory.from_config(_config()).get_current_head()
