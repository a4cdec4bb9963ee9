"""A production database as it really was: Postgres behind an impatient PgBouncer, and most matches scored once."""

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from faults import DAGSTER, IMPATIENT, POPULATED, Production, populate
from models import MINILM
from program import Program
from psycopg import sql
from servers import pooler

from jv_assets import local


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a server of these tests' own, which they may kill. It waits for the disk, as any does by default.

    It holds two templates: the populated database, and an empty one of Dagster's.
    """
    folder = tmp_path_factory.mktemp("postgres")
    server = local.start(folder)
    try:
        for name in (POPULATED, DAGSTER):
            server.ensure_database(name)
        populate(server.url(POPULATED), server.url(DAGSTER), tmp_path_factory.mktemp("populating") / "home")
        yield folder
    finally:
        local.stop(folder)
        shutil.rmtree(folder)


@pytest.fixture
def production(postgres: Path, tmp_path: Path) -> Iterator[Production]:
    """A database of this test's own behind a PgBouncer of its own, and `jv` on it."""
    server = local.start(postgres)
    suffix = uuid.uuid4().hex
    names = {template: f"{template}_{suffix}" for template in (POPULATED, DAGSTER)}
    with psycopg.connect(server.url("postgres").replace("+psycopg", "", 1), autocommit=True) as connection:
        for template, name in names.items():
            copied = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
            connection.execute(copied.format(sql.Identifier(name), sql.Identifier(template)))
    with pooler(server.url(names[POPULATED]), **IMPATIENT) as bouncer:
        settings = {
            "JV_DATABASE_URL": bouncer.url,
            "JV_DAGSTER_URL": server.url(names[DAGSTER]),
            "JV_EMBEDDING_MODEL": MINILM,
            "JV_ID_RANGES": "8",
        }
        (tmp_path / "jv").mkdir()
        yield Production(postgres, names[POPULATED], bouncer, Program(tmp_path / "jv" / "home", settings))
    server = local.start(postgres)
    with psycopg.connect(server.url("postgres").replace("+psycopg", "", 1), autocommit=True) as connection:
        for name in names.values():
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
