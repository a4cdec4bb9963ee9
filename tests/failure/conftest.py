"""A production database as it really was: Postgres behind an impatient PgBouncer, and most matches scored once."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from psycopg import sql

from jv_assets.platform import postgres as local
from tests.support.faults import DAGSTER, IMPATIENT, KEYS, POPULATED, PUBLISHED, Production, connect, populate
from tests.support.forked import ForkedProgram
from tests.support.judging import FAULT
from tests.support.models import MINILM
from tests.support.servers import pooler
from tests.support.sharing import fill

SETTINGS = {"JV_EMBEDDING_MODEL": MINILM, "JV_ID_RANGES": str(len(KEYS))}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory, server: local.Server) -> Iterator[Path]:
    """The folder of a server of these tests' own, which they may kill. It waits for the disk, as any does by default.

    It holds the template POPULATED. Dagster's databases are on another, as they are by default beside production.
    """
    folder = tmp_path_factory.mktemp("postgres")
    fill(folder, POPULATED, _make_populated)
    try:
        ours = local.start(folder)
        server.ensure_database(DAGSTER)
        urls = {"JV_DATABASE_URL": ours.url(POPULATED), "JV_DAGSTER_URL": server.url(DAGSTER)}
        jv = ForkedProgram(tmp_path_factory.mktemp("populated") / "home", {**urls, **SETTINGS})
        jv.succeeds("status")  # makes Dagster's tables
        yield folder
    finally:
        local.stop(folder)
        shutil.rmtree(folder)


def _make_populated(folder: Path) -> None:
    ours = local.start(folder)
    try:
        ours.ensure_database(POPULATED)
        populate(ours.url(POPULATED))
    finally:
        local.stop(folder)


@pytest.fixture(scope="session")
def published(postgres: Path, server: local.Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The template PUBLISHED: POPULATED after `jv rescore`."""
    ours = local.start(postgres)
    _copy(ours, POPULATED, PUBLISHED)
    _copy(server, DAGSTER, PUBLISHED)
    urls = {"JV_DATABASE_URL": ours.url(PUBLISHED), "JV_DAGSTER_URL": server.url(PUBLISHED)}
    ForkedProgram(tmp_path_factory.mktemp("publishing") / "home", {**urls, **SETTINGS}).succeeds("rescore")
    with connect(ours.url(PUBLISHED)) as connection:
        connection.execute("DELETE FROM writes")
    return PUBLISHED


@pytest.fixture
def production(
    postgres: Path,
    server: local.Server,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> Iterator[Production]:
    """A database of this test's own behind a PgBouncer of its own, and `jv` on it.

    It is a copy of POPULATED, or of the template whose fixture the test is parametrized with.
    """
    template = request.getfixturevalue(request.param) if hasattr(request, "param") else POPULATED
    name = f"{template}_{uuid.uuid4().hex}"
    ours = local.start(postgres)
    _copy(ours, template, name)
    _copy(server, DAGSTER, name)
    url = ours.url(name)
    with pooler(url, **IMPATIENT) as bouncer:
        urls = {"JV_DATABASE_URL": bouncer.url, "JV_DAGSTER_URL": server.url(name)}
        (tmp_path / "jv").mkdir()
        jv = ForkedProgram(tmp_path / "jv" / "home", {**urls, **SETTINGS})
        yield Production(postgres, url, bouncer, jv, record_property)
    for each in (local.start(postgres), server):
        with connect(each.url("postgres")) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _copy(of: local.Server, template: str, name: str) -> None:
    with connect(of.url("postgres")) as connection:
        # A template that somebody is connected to cannot be copied.
        connections = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        connection.execute(connections, [template])
        copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        connection.execute(copied.format(sql.Identifier(name), sql.Identifier(template)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of the faults that were tried."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    tried = {
        report.nodeid.split("::test_")[-1].replace("_", " "): value
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == FAULT and isinstance(value, dict)
    }
    if not tried:
        return
    terminalreporter.section("faults tried")
    columns = ("rows", "lost", "wrong", "doubled")
    terminalreporter.line(" ".join(f"{name:>8}" for name in columns))
    together = {name: sum(counts[name] for counts in tried.values()) for name in columns}
    for title, counts in {**tried, f"{len(tried)} faults": together}.items():
        numbers = " ".join(f"{counts[name]:>8,}" for name in columns)
        terminalreporter.line(f"{numbers}  {title}")
