"""Databases of other encodings: refused in one line by the doctor and by each command, whatever the client asks for."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from sqlalchemy import text

from jv_assets.errors import UserError
from jv_assets.platform import postgres
from jv_assets.platform.storage import dagster_home
from jv_assets.resources.database import Database
from jv_assets.setup.catalogue import require_fit
from jv_assets.setup.dagster_database import look_at_dagster_database
from jv_assets.setup.doctor import examine, require_ready
from jv_assets.setup.migrations.run import migrate
from jv_assets.setup.writability import Use
from tests.support.models import minilm

USES: list[Use] = ["read", "dry run", "write"]


@pytest.fixture(params=["SQL_ASCII", "LATIN1", "EUC_JP", "WIN1252"])
def encoded(request: pytest.FixtureRequest, server: postgres.Server) -> Iterator[tuple[str, Database]]:
    """A database of that encoding, with pgvector and both tables, as the platform might have made them."""
    name = f"test_{uuid.uuid4().hex}"
    made = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{request.param}' LOCALE_PROVIDER libc LOCALE 'C'"
    with psycopg.connect(server.url("postgres").replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(made)
        database = Database(url=server.url(name))
        with database.transaction() as other:
            other.execute(text("CREATE EXTENSION vector"))
            other.execute(text("CREATE TABLE profiles (id uuid PRIMARY KEY, name text)"))
            other.execute(text("CREATE TABLE match_suggestions (id uuid PRIMARY KEY)"))
        yield str(request.param), database
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_it_is_refused_before_anything_starts(encoded: tuple[str, Database]) -> None:
    name, database = encoded
    line = (
        f"the database's encoding is {name}, which does not hold every text that the pipeline writes; move the tables "
        "to one that does: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
    )
    assert next(each.text for each in examine(database, minilm()) if each.level == "error") == line
    for use in USES:
        with pytest.raises(UserError) as caught:
            require_ready(database, use)
        assert str(caught.value) == line
    for work in (lambda: migrate(database, dimension=384), lambda: require_fit(database)):
        with pytest.raises(UserError) as caught:
            work()
        assert str(caught.value) == line


def test_dagsters_database_is_refused(
    encoded: tuple[str, Database], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    name, database = encoded
    monkeypatch.setenv("JV_DAGSTER_URL", database.url)
    monkeypatch.setenv("JV_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    line = (
        f"Dagster's database {database.place} has the encoding {name}, which does not hold every text; give in "
        "JV_DAGSTER_URL one that does: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
    )
    with pytest.raises(UserError) as caught:
        dg.DagsterInstance.get()
    assert str(caught.value) == line
    assert list(look_at_dagster_database()) == [("error", line)]


def test_texts_come_as_texts(encoded: tuple[str, Database]) -> None:
    """Of a database that says SQL_ASCII the driver would give bytes."""
    with encoded[1].transaction() as connection:
        connection.execute(text("INSERT INTO profiles VALUES (gen_random_uuid(), 'plain')"))
        assert connection.scalar(text("SELECT name FROM profiles")) == "plain"
        assert connection.scalar(text("SHOW client_encoding")) == "UTF8"
