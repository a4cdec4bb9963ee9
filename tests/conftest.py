"""Fixtures shared by all tests. Everything is real: the server is Postgres, and one that cannot be had is a failure."""

import gc
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

# A range costs a tenth of a second whatever is in it; 4 are as good as 64. Before our modules, which read it once.
RANGES = os.environ["JV_ID_RANGES"] = "4"

from jv_assets.platform import postgres

# Under `make test`, a `make` that a test runs would take itself for a part of it, and say so.
for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
    os.environ.pop(name, None)

# How long an example takes is the machine's affair: no test fails by the clock.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
pytest.register_assert_rewrite("tests.support")

# To look for garbage in all that the libraries loaded, again and again, takes a twentieth of the time.
gc.set_threshold(50_000)


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """`JV_HOME` for this test alone, not made yet; the checkout and the caller's own settings stay out of it."""
    for name in os.environ:
        if name.startswith(("JV_", "DAGSTER_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("JV_HOME", str(folder))
    monkeypatch.setenv("JV_ID_RANGES", RANGES)
    yield folder
    postgres.stop(folder / "postgres")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[postgres.Server]:
    """One embedded server for the whole run. Tests that stop or kill a server use one of their own."""
    folder = tmp_path_factory.mktemp("server")
    yield postgres.start(folder)
    postgres.stop(folder)
    shutil.rmtree(folder)


@pytest.fixture
def database_url(server: postgres.Server) -> Iterator[str]:
    """The `postgresql+psycopg://` URL of a fresh, empty database. pgvector is there to be created, not created."""
    name = f"test_{uuid.uuid4().hex}"
    server.ensure_database(name)
    yield server.url(name)
    with psycopg.connect(server.url("postgres").replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
