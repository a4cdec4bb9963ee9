"""`jv ui` and `dagster dev` with real processes: they answer, runs succeed, and nothing is left of them."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from servers import free_port

from jv_assets import local, settings, ui
from jv_assets.definitions import defs
from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.loading import load_frames
from jv_assets.migrations.run import migrate
from jv_assets.partitions import range_tags
from jv_assets.resources.database import Database

SERVE = [sys.executable, "-c", "import sys; from jv_assets.ui import serve; sys.exit(serve())"]
DEV = [str(Path(sys.executable).with_name("dagster")), "dev", "-p"]
SECONDS = 60
"""How long anything here may take; on a free machine it is a few seconds."""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
LAUNCH = """mutation ($run: ExecutionParams!) { launchRun(executionParams: $run) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
  ... on PythonError { message }
  ... on RepositoryLocation { repositories {
    assetNodes { assetKey { path } partitionKeys }
    jobs { name } schedules { name } sensors { name } } } } } } } }"""


def wait_until(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)
    return value


@dataclass
class Running:
    """A command that serves Dagster's pages, with all processes that it started."""

    process: "subprocess.Popen[str]"
    port: int
    printed: Sequence[str]
    family: Sequence[psutil.Process]

    def ask(self, query: str, **variables: object) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            body = json.dumps({"query": query, "variables": variables})
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            return json.load(connection.getresponse())["data"]

    def answers(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            return bool(self.ask("{ version }"))
        return False

    def location(self) -> Any:
        [entry] = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert entry["name"] == "jv"
        [repository] = entry["locationOrLoadError"]["repositories"]
        return repository

    def launch(self, job: str, first: str, last: str, *assets: str) -> str:
        """The id of a new run over ranges."""
        selector = {"jobName": job, "repositoryName": "__repository__", "repositoryLocationName": "jv"}
        if assets:
            selector |= {"assetSelection": [{"path": [name]} for name in assets]}
        tags = [{"key": key, "value": value} for key, value in range_tags(first, last).items()]
        run = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}}
        run_id: str = self.ask(LAUNCH, run=run)["launchRun"]["run"]["runId"]
        return run_id

    def status(self, run_id: str) -> str:
        query = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status: str = self.ask(query, id=run_id)["runOrError"]["status"]
        return status

    def left(self) -> list[psutil.Process]:
        """Those of the family that still live."""
        return [process for process in self.family if process.is_running() and not is_zombie(process)]


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", "", 1))


def is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def running(command: Sequence[str], home: Path, port: int = 0, **more: str) -> Iterator[Running]:
    """Run a command until it shows the assets, on `port` or the one that it prints; and end it, hard if need be."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JV_", "DAGSTER_"))}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=settings.ROOT,
        env={**kept, "JV_HOME": str(home), **more},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # a shell may have it ignored
    )
    family = [psutil.Process(process.pid)]
    try:
        printed = []
        for line in process.stdout or ():
            printed.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join(printed))
        family += family[0].children(recursive=True)
        yield Running(process, int(found[1]), printed, family)
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.communicate()


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A `JV_HOME` whose embedded database has a few profiles."""
    home = tmp_path_factory.mktemp("embedded")
    database = Database(url=local.start(home / "postgres").url("jv"))
    migrate(database, dimension=384)
    population = make_population(60, 100)
    load_frames(database, population.profiles, population.matches)
    yield home
    local.stop(home / "postgres")


@pytest.fixture(scope="module")
def pages(embedded: Path) -> Iterator[Running]:
    """`serve` for the tests that leave it running, where port 3000 is taken."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it
            other.bind(("127.0.0.1", 3000))
            other.listen()
        with running(SERVE, embedded) as pages:
            yield pages
            pages.process.send_signal(signal.SIGTERM)
            assert pages.process.wait(SECONDS) == 0
            assert not pages.left()


@pytest.fixture
def elsewhere(embedded: Path, database_url: str) -> dict[str, str]:
    """The profiles of `embedded`, for a `JV_HOME` and a Dagster database of a test's own."""
    server = local.status(embedded / "postgres")
    assert server
    return {"JV_DATABASE_URL": server.url("jv"), "JV_DAGSTER_URL": database_url}


def test_the_code_location_is_the_one_of_the_workspace() -> None:
    assert (settings.ROOT / "workspace.yaml").read_text().split() == (
        f"load_from: - python_module: module_name: {ui.MODULE} location_name: {ui.LOCATION}".split()
    )


def test_it_shows_all_assets_jobs_schedules_and_sensors(pages: Running) -> None:
    location = pages.location()
    graph = defs.resolve_asset_graph()
    keys = {tuple(node["assetKey"]["path"]): node["partitionKeys"] for node in location["assetNodes"]}
    assert set(keys) == {tuple(key.path) for key in graph.get_all_asset_keys()}
    assert len(keys[("match_scores",)]) == 64
    names = {kind: {each["name"] for each in location[kind]} for kind in ("jobs", "schedules", "sensors")}
    assert names["jobs"] == {"__ASSET_JOB", "embed", "rescore", "nightly", "report"}
    assert names["schedules"] == {"every_night"}
    assert names["sensors"] == {"finish_the_other_ranges", "report_after_nightly"}


def test_it_takes_the_next_port_where_3000_is_taken(pages: Running) -> None:
    assert 3000 < pages.port < 3100


def test_it_says_two_lines(pages: Running) -> None:
    _, where = pages.printed
    assert "Ctrl-C ends it" in where


def test_it_listens_on_the_loopback_address_only(pages: Running) -> None:
    processes = [psutil.Process(pages.process.pid), *psutil.Process(pages.process.pid).children(recursive=True)]
    listening = [c.laddr for one in processes for c in one.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert listening == [("127.0.0.1", pages.port)]


def test_a_run_over_two_ranges_goes_through_queue_and_daemon(pages: Running, embedded: Path) -> None:
    run_id = pages.launch("__ASSET_JOB", "00", "04", "profiles")
    assert wait_until(lambda: pages.status(run_id) in ENDED and pages.status(run_id)) == "SUCCESS"
    query = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { assetMaterializations { partition } } } }"
    made = pages.ask(query, id=run_id)["runOrError"]["assetMaterializations"]
    assert sorted(each["partition"] for each in made) == ["00", "04"]
    assert len(list((embedded / "ranges").rglob("*.parquet"))) == 2


def test_a_second_one_on_the_same_home_is_refused(
    pages: Running, embedded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JV_HOME", str(embedded))
    monkeypatch.setenv("DAGSTER_HOME", "")  # to be restored: `serve` sets it
    with pytest.raises(UserError, match=f"running already, at http://127.0.0.1:{pages.port}"):
        ui.serve()


def test_ctrl_c_ends_everything_and_fails_the_run_in_progress(home: Path, elsewhere: dict[str, str]) -> None:
    with running(SERVE, home, **elsewhere) as pages, connect(elsewhere["JV_DATABASE_URL"]) as other:
        other.execute("LOCK TABLE profiles IN ACCESS EXCLUSIVE MODE")
        run_id = pages.launch("__ASSET_JOB", "00", "fc", "profiles")
        wait_until(lambda: other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone())
        pages.family = [pages.family[0], *pages.family[0].children(recursive=True)]
        pages.process.send_signal(signal.SIGINT)
        assert pages.process.wait(SECONDS) == 0
        assert not pages.left()
    with connect(elsewhere["JV_DAGSTER_URL"]) as dagster:
        assert dagster.execute("SELECT run_id, status FROM runs").fetchall() == [(run_id, "FAILURE")]


def test_nothing_outlives_sigkill_for_long(home: Path, elsewhere: dict[str, str]) -> None:
    with running(SERVE, home, **elsewhere) as pages:
        assert len(pages.family) >= 5
        pages.process.kill()
        wait_until(lambda: not pages.left())


def test_it_says_which_process_has_died_and_ends_the_others(home: Path, elsewhere: dict[str, str]) -> None:
    with running(SERVE, home, **elsewhere) as pages:
        [daemon] = [process for process in pages.family if "dagster._daemon" in process.cmdline()]
        daemon.kill()
        output, _ = pages.process.communicate(timeout=SECONDS)
        assert pages.process.returncode == 1
        assert re.fullmatch(r"jv: the daemon has ended by itself \(code -9\): .+; see (.+)\n", output)
        assert str(home / "dagster" / "ui" / "daemon.log") in output
        assert not pages.left()


def test_dagster_dev_in_the_checkout(home: Path, elsewhere: dict[str, str]) -> None:
    before = set(settings.ROOT.glob(".tmp_dagster_home_*"))
    with running([*DEV, str(free_port())], home, **elsewhere) as pages:
        wait_until(pages.answers)
        assert pages.location()["jobs"]
        run_id = pages.launch("__ASSET_JOB", "00", "00", "profiles")
        assert wait_until(lambda: pages.status(run_id) in ENDED and pages.status(run_id)) == "SUCCESS"
        pages.family = [pages.family[0], *pages.family[0].children(recursive=True)]
        pages.process.send_signal(signal.SIGINT)
        pages.process.communicate(timeout=SECONDS)
        wait_until(lambda: not pages.left())
    with connect(elsewhere["JV_DAGSTER_URL"]) as dagster:
        assert dagster.execute("SELECT run_id, status FROM runs").fetchall() == [(run_id, "SUCCESS")]
    assert set(settings.ROOT.glob(".tmp_dagster_home_*")) == before


def test_dagster_dev_that_cannot_work_ends_with_one_line(home: Path) -> None:
    done = subprocess.run(
        [*DEV, str(free_port())],
        cwd=settings.ROOT,
        env={**os.environ, "JV_HOME": str(home), "JV_DAGSTER_URL": "postgresql://nobody:secret@127.0.0.1:1/none"},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert re.fullmatch(
        r"Error: no connection to Dagster's database 127\.0\.0\.1:1/none: .* check JV_DAGSTER_URL", last
    )
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("127.0.0.1", 80_000, "port 80000: .*port must be"),
        ("192.0.2.1", None, "cannot listen on 192.0.2.1"),
        ("no.such.host.invalid", None, "cannot listen on no.such.host.invalid"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(host: str, port: int | None, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        ui._free_port(host, port)


def test_a_chosen_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken: choose another with --port"):
            ui._free_port("127.0.0.1", port)


def test_definitions_that_do_not_load_are_named(home: Path, database_url: str) -> None:
    wrong = {"JV_HOME": str(home), "JV_DAGSTER_URL": database_url, "JV_RANGES_PER_RUN": "0"}
    done = subprocess.run(
        SERVE, check=False, env={**os.environ, **wrong}, capture_output=True, text=True, timeout=SECONDS
    )
    assert "UserError: the assets do not load: JV_RANGES_PER_RUN=0: set it to a whole number" in done.stderr
