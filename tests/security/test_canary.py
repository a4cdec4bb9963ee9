"""No password and no row's value is where it does not belong: after work of `jv`, all that it left is searched."""

import shutil
import signal
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url

from jv_assets.demo.population import make_population
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.models import MINILM
from tests.support.program import JV, Done, Program
from tests.support.servers import free_port
from tests.support.serving import ENDED, SECONDS, Running, running
from tests.support.waiting import wait_until

CORE = "Kanarienvogel7"
PASSWORD = f"p@{CORE}/ü%+'"
FORMS = [form.encode() for form in (CORE, CORE.lower(), CORE.encode().hex(), CORE.encode("utf-16-le").hex())]
"""What is searched for: the middle of the password, which no quoting changes, and as Postgres shows bytes."""
DATABASES = ("canary_jv", "canary_dagster")
GRAPHQL = {
    "the instance": "{ instance { info daemonHealth { allDaemonStatuses { daemonType } } } }",
    "the runs": "{ runsOrError { ... on Runs { results { runId runConfigYaml status tags { key value } stats "
    "{ ... on PythonError { message stack } } } } } }",
    "the assets": "{ assetNodes { assetKey { path } description configField { configType { key } } metadataEntries "
    "{ label description } } }",
    "the locations": "{ workspaceOrError { ... on Workspace { locationEntries { displayMetadata { key value } } } } }",
}
LOG = """query ($id: ID!) { logsForRun(runId: $id) { ... on EventConnection { events { ... on MessageEvent { message }
    ... on StepEvent { stepKey } ... on ErrorEvent { error { message stack causes { message stack } } } } } } }"""


@dataclass
class Found:
    """All that was looked at, as bytes by where it was, and how much of each kind."""

    places: dict[str, bytes] = field(default_factory=dict)

    def add(self, place: str, content: object) -> None:
        self.places[place] = content if isinstance(content, bytes) else str(content).encode()

    def add_output(self, words: str, done: Done) -> None:
        self.add(f"output of jv {words}: {done.err}", done.out + done.err)

    def add_files(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            self.add(f"name of {path}", path.relative_to(folder))
            if path.is_file():
                self.add(f"file {path}", path.read_bytes())

    def add_tables(self, url: str) -> None:
        with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
            for schema, name in connection.execute(_TABLES).fetchall():
                select = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, name))
                for number, (row,) in enumerate(connection.execute(select).fetchall()):
                    self.add(f"row {number} of {schema}.{name} in {make_url(url).database}", row)

    def add_commands(self, process: psutil.Process) -> None:
        """What `ps` shows of a process and its descendants to everybody on the machine."""
        try:
            family = [process, *process.children(recursive=True)]
        except psutil.NoSuchProcess:
            return
        for one in family:
            try:
                self.add(f"command of process {one.pid} {one.name()}", " ".join(one.cmdline()))
            except psutil.Error:
                continue

    def with_password(self) -> list[str]:
        return [place for place, content in self.places.items() if any(form in content for form in FORMS)]

    def count(self, kind: str) -> int:
        return sum(place.startswith(kind) for place in self.places)


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "log").write_bytes(b"\x00" + quote(PASSWORD, safe="").encode())
    (tmp_path / "deep" / "harmless").write_text("p@")
    found = Found()
    found.add_files(tmp_path)
    found.add("plain", f"password={PASSWORD}")
    found.add("as Postgres shows bytes", f"\\x{PASSWORD.encode().hex()}")
    assert found.with_password() == [f"file {tmp_path}/deep/log", "plain", "as Postgres shows bytes"]


@pytest.fixture
def settings(server: postgres.Server) -> Iterator[dict[str, str]]:
    """Both databases, each of a role of its own with the password."""
    with psycopg.connect(server.url("postgres").replace("+psycopg", "", 1), autocommit=True) as connection:
        for name in DATABASES:
            role = sql.Identifier(name)
            # a superuser makes pgvector
            make = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(role, sql.Literal(PASSWORD))
            connection.execute(make)
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
        urls = [f"postgresql://{name}:{quote(PASSWORD, safe='')}@127.0.0.1:{server.port}/{name}" for name in DATABASES]
        yield {"JV_DATABASE_URL": urls[0], "JV_DAGSTER_URL": urls[1], "JV_EMBEDDING_MODEL": MINILM}
        for name in DATABASES:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_nothing_but_the_environment_has_the_password(
    settings: dict[str, str], server: postgres.Server, tmp_path: Path
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    settings |= {"TMPDIR": str(temporary), "JV_ID_RANGES": "4"}
    program, found = Program(tmp_path / "home", settings), Found()
    database = Database(url=settings["JV_DATABASE_URL"])
    migrate(database, dimension=384)
    population = make_population(60, 100)
    load_frames(database, population.profiles, population.matches)

    # what goes well
    found.add_output("nightly", watched(program, found, "nightly"))
    for words in ("report", "doctor"):
        done = program.run(words)
        assert done.code == 0, done.err
        found.add_output(words, done)

    # what is refused before it begins
    closed, unknown = make_url(settings["JV_DATABASE_URL"]), make_url(settings["JV_DAGSTER_URL"])
    for variable, url in (
        ("JV_DATABASE_URL", closed.set(port=1).render_as_string(hide_password=False)),
        ("JV_DAGSTER_URL", unknown.set(database="none").render_as_string(hide_password=False)),
        ("JV_DATABASE_URL", f"postgresql://me:{PASSWORD}@127.0.0.1/none"),
        ("JV_DAGSTER_URL", f"postgresql://me:{CORE}@127.0.0.1:port/none"),
    ):
        done = program.run("retry", **{variable: url})
        assert (done.code, done.err.count("\n")) == (2, 1), done.err
        found.add_output(f"retry with a wrong {variable}", done)

    # what fails within a run, of the UI
    # not those that another `jv ui` takes first
    command = [JV, "ui", "--port", str(free_port())]
    with running(command, tmp_path / "home", JV_REPORTS_PORT=str(free_port()), **settings) as pages:
        found.add("the first lines of jv ui", "".join(pages.printed))
        with psycopg.connect(server.url("postgres").replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute("ALTER ROLE canary_jv PASSWORD 'another'")
        ours = psutil.Process(pages.process.pid)
        run_id = pages.launch("__ASSET_JOB", "0", "4", "profiles")

        def has_ended() -> bool:
            found.add_commands(ours)
            return pages.status(run_id) in ENDED

        wait_until(has_ended)
        assert pages.status(run_id) == "FAILURE"
        found.add_files(temporary)
        add_pages(found, pages, run_id)
        pages.process.send_signal(signal.SIGTERM)
        found.add("the last lines of jv ui", pages.process.communicate(timeout=SECONDS)[0])

    found.add_files(tmp_path / "home")
    for name in DATABASES:
        found.add_tables(server.url(name))
    shutil.rmtree(tmp_path / "home")  # pytest would keep it
    assert "password authentication failed" in found.places["log of the failed run"].decode()
    assert found.count("file ") > 30
    assert found.count("row ") > 500
    assert found.count("command ") >= 7  # jv nightly; jv ui, four servers, and the run
    assert found.with_password() == []


RAISES = """
    CREATE FUNCTION raises() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.id::text >= 'c' THEN
            RAISE EXCEPTION 'not %', NEW USING ERRCODE = 'check_violation', DETAIL = NEW.notes;
        END IF;
        IF NEW.id::text >= '8' THEN PERFORM NEW.notes::integer; END IF;
        RETURN NEW;
    END $$
"""
# A fault for each of four ranges; what each says of it quotes the row.
FAULTS = """
    ALTER TABLE {table} ADD CONSTRAINT checked CHECK ({ours} IS NULL OR id >= '40000000-0000-0000-0000-000000000000');
    CREATE UNIQUE INDEX alone ON {table} (notes)
        WHERE {ours} IS NOT NULL AND id >= '40000000-0000-0000-0000-000000000000'
            AND id < '80000000-0000-0000-0000-000000000000';
    CREATE TRIGGER raises BEFORE UPDATE OF {ours} ON {table} FOR EACH ROW EXECUTE FUNCTION raises();
"""
NO_FAULTS = "ALTER TABLE {table} DROP CONSTRAINT checked; DROP INDEX alone; DROP TRIGGER raises ON {table}"


def test_nothing_tells_what_a_row_holds_that_the_database_refuses(settings: dict[str, str], tmp_path: Path) -> None:
    program, found = Program(tmp_path / "home", settings | {"JV_ID_RANGES": "4"}), Found()
    database = Database(url=settings["JV_DATABASE_URL"])
    migrate(database, dimension=384)
    population = make_population(60, 100)
    load_frames(database, population.profiles, population.matches)
    program.sql(f"UPDATE profiles SET notes = '{CORE}', email = '{CORE}'")
    program.sql(f"UPDATE match_suggestions SET notes = '{CORE}'")
    program.sql(RAISES)

    said = {}
    for command, table, ours in (
        ("embed", "profiles", "embeddings_model"),
        ("rescore", "match_suggestions", "harmonic_mean"),
    ):
        program.sql(FAULTS.format(table=table, ours=ours))
        done = program.run(command)
        program.sql(NO_FAULTS.format(table=table))
        assert done.code == 1, done.err
        found.add_output(command, done)
        said[table] = done.out + done.err
    found.add_files(tmp_path / "home")
    found.add_tables(settings["JV_DAGSTER_URL"])
    shutil.rmtree(tmp_path / "home")
    assert found.count("row ") > 50
    assert found.with_password() == []
    told = "\n".join(content.decode(errors="replace") for content in found.places.values())
    for table in said:
        assert f'new row for relation "{table}" violates check constraint "checked"' in told
    assert 'duplicate key value violates unique constraint "alone"' in told
    assert "a function of the database, raises, raised an error (check violation)" in told
    assert "invalid input syntax for type integer; correct that row" in told


def watched(program: Program, found: Found, *words: str) -> Done:
    """A run of `jv` during which the process list is looked at."""
    process = program.start(*words)
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1):
            found.add_commands(psutil.Process(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        out, err = process.communicate(timeout=600)
    finally:
        ended.set()
        watcher.join()
        process.kill()
    assert process.returncode == 0, err
    return Done(process.returncode, out, err)


def add_pages(found: Found, pages: Running, run_id: str) -> None:
    """What the UI answers about all that it knows."""
    answers: Mapping[str, Any] = {place: pages.ask(query) for place, query in GRAPHQL.items()}
    assert all(answers.values())
    for place, answer in answers.items():
        found.add(place, answer)
    for each in answers["the runs"]["runsOrError"]["results"]:
        log = pages.ask(LOG, id=each["runId"])
        found.add("log of the failed run" if each["runId"] == run_id else f"log of {each['runId']}", log)


_TABLES = """
    SELECT table_schema, table_name FROM information_schema.tables
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema') AND table_type = 'BASE TABLE'
"""
