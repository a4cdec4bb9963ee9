"""The system's Chromium for all tests here, and the screenshots of the documentation."""

import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from sqlalchemy import text

from jv_assets import settings
from jv_assets.demo.population import make_population
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.servers import free_port
from tests.support.serving import SECONDS, SERVE, Running, running

IMAGES = Path(__file__).parents[2] / "docs" / "img"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-screenshots", action="store_true", help="write the screenshots of docs/img anew")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("these tests need Chromium: install your system's package chromium")
    # as root its sandbox does not start
    return {"executable_path": program, "args": ["--no-sandbox"] if os.geteuid() == 0 else []}


@pytest.fixture
def shoot(pytestconfig: pytest.Config) -> Callable[[Page, str], None]:
    """Keep what a page shows as a picture of the documentation, where `--update-screenshots` asks for it."""

    def shoot(page: Page, name: str) -> None:
        if pytestconfig.getoption("--update-screenshots"):
            page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")

    return shoot


@dataclass
class Served:
    """The Dagster UI, and the database that it works on."""

    pages: Running
    database: Database

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.pages.port}"

    def sql(self, statement: str, **values: object) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            result = connection.execute(text(statement), values)
            return [dict(row) for row in result.mappings().all()] if result.returns_rows else []


def commands() -> dict[str, list[str]]:
    """What serves the pages: `jv ui`, or webserver, daemon and code server as the services that deploy/ has."""
    return {"jv-ui": SERVE, "services": [sys.executable, str(settings.ROOT / "deploy/run_local.py"), str(free_port())]}


@pytest.fixture(scope="session", params=["jv-ui", "services"])
def ui(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The pages, on a database with a few profiles and matches, of which nothing was read yet; the schedule's cron
    ticks every minute."""
    home = tmp_path_factory.mktemp("uses")
    database = Database(url=postgres.start(home / "postgres").url("jv"))
    migrate(database, dimension=384)
    population = make_population(60, 200)
    load_frames(database, population.profiles, population.matches)
    with running(commands()[request.param], home, JV_NIGHTLY_CRON="* * * * *") as pages:
        yield Served(pages, database)
        pages.process.send_signal(signal.SIGTERM)
        pages.process.wait(SECONDS)
    postgres.stop(home / "postgres")
