"""`jv ui` and `dagster dev` with real processes: they answer, runs succeed, and nothing is left of them."""

import contextlib
import http.client
import itertools
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import psycopg
import pytest

from jv_assets import settings
from jv_assets.definitions import defs
from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.platform import own_runs, postgres
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_assets.ui import processes, serving
from jv_assets.ui.ports import free_port
from jv_assets.ui.serving import GRAPH
from tests.support.servers import free_port as any_port
from tests.support.serving import LAUNCH, SECONDS, SERVE, Running, running
from tests.support.waiting import wait_until

DEV, DG = ([str(Path(sys.executable).with_name(program)), "dev", "-p"] for program in ("dagster", "dg"))

SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "jv"}
RUNS = "{ runsOrError { ... on Runs { results { runId status } } } }"
_OURS = 'repositoryName: "__repository__", repositoryLocationName: "jv"'
CHANGES = [
    (LAUNCH, {"run": {"selector": {**SELECTOR, "jobName": "nightly"}, "runConfigData": {}}}),
    (
        "mutation ($it: ScheduleSelector!) { startSchedule(scheduleSelector: $it) { __typename } }",
        {"it": {**SELECTOR, "scheduleName": "every_night"}},
    ),
    *(
        (f"mutation {{ {of} {{ __typename }} }}", {})
        for of in (
            'wipeAssets(assetPartitionRanges: [{assetKey: {path: ["profiles"]}}])',
            'deletePipelineRun(runId: "none")',
            'deleteRun(runId: "none")',
            'terminateRun(runId: "none")',
            f'resetSchedule(scheduleSelector: {{{_OURS}, scheduleName: "every_night"}})',
            f'startSensor(sensorSelector: {{{_OURS}, sensorName: "new_matches"}})',
            f'resetSensor(sensorSelector: {{{_OURS}, sensorName: "new_matches"}})',
            f'setSensorCursor(sensorSelector: {{{_OURS}, sensorName: "new_matches"}}, cursor: "x")',
            'reloadRepositoryLocation(repositoryLocationName: "jv")',
            'shutdownRepositoryLocation(repositoryLocationName: "jv")',
            "reloadWorkspace",
            'reportRunlessAssetEvents(eventParams: {eventType: ASSET_MATERIALIZATION, assetKey: {path: ["profiles"]}})',
            'launchPartitionBackfill(backfillParams: {assetSelection: [{path: ["profiles"]}], partitionNames: ["00"]})',
            f'addDynamicPartition(repositorySelector: {{{_OURS}}}, partitionsDefName: "x", partitionKey: "y")',
            f'deleteDynamicPartitions(repositorySelector: {{{_OURS}}}, partitionsDefName: "x", partitionKeys: ["y"])',
        )
    ),
]
"""What would change something, and its variables. Dagster looks up a schedule, sensor or backfill before it refuses to
stop it, so these need one that goes on.
"""


def connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(url.replace("+psycopg", "", 1))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A `JV_HOME` whose embedded database has a few profiles."""
    home = tmp_path_factory.mktemp("embedded")
    database = Database(url=postgres.start(home / "postgres").url("jv"))
    migrate(database, dimension=384)
    population = make_population(60, 100)
    load_frames(database, population.profiles, population.matches)
    yield home
    postgres.stop(home / "postgres")


@pytest.fixture(scope="module")
def pages(embedded: Path) -> Iterator[Running]:
    """`serve` for the tests that leave it running, where port 3000 is taken."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else has it
            other.bind(("127.0.0.1", 3000))
            other.listen()
        with running(SERVE, embedded) as pages:
            assert pages.process.stdout
            rest = [pages.process.stdout.readline() for _ in range(2)]
            yield replace(pages, printed=[*pages.printed, *rest])
            pages.process.send_signal(signal.SIGTERM)
            assert pages.process.wait(SECONDS) == 0
            assert not pages.left()


@pytest.fixture
def elsewhere(embedded: Path, database_url: str) -> dict[str, str]:
    """The profiles of `embedded`, for a `JV_HOME` and a Dagster database of a test's own."""
    server = postgres.status(embedded / "postgres")
    assert server
    return {"JV_DATABASE_URL": server.url("jv"), "JV_DAGSTER_URL": database_url}


def test_the_code_location_is_the_one_of_the_workspace() -> None:
    assert (settings.ROOT / "workspace.yaml").read_text().split() == (
        f"load_from: - python_module: module_name: {own_runs.MODULE} location_name: {own_runs.LOCATION}".split()
    )


def test_it_shows_all_assets_jobs_schedules_and_sensors(pages: Running) -> None:
    location = pages.location()
    graph = defs.resolve_asset_graph()
    keys = {tuple(node["assetKey"]["path"]): node["partitionKeys"] for node in location["assetNodes"]}
    assert set(keys) == {tuple(key.path) for key in graph.get_all_asset_keys()}
    assert len(keys[("match_scores",)]) == 64
    names = {kind: {each["name"] for each in location[kind]} for kind in ("jobs", "schedules", "sensors")}
    repository = defs.get_repository_def()
    assert names["jobs"] == {job.name for job in repository.get_all_jobs()}
    assert names["schedules"] == {"every_night", "every_week", "every_day"}
    assert names["sensors"] == {sensor.name for sensor in repository.sensor_defs} > {"alert", "new_matches"}


def test_it_takes_the_next_port_where_3000_is_taken(pages: Running) -> None:
    assert 3000 < pages.port < 3100


def test_it_says_four_lines(pages: Running) -> None:
    _, where, graph, report = pages.printed
    assert "Ctrl-C ends it" in where
    assert graph == f"http://127.0.0.1:{pages.port}{GRAPH} shows how a score is made, from left to right.\n"
    assert re.fullmatch(r"http://127\.0\.0\.1:31\d\d/report\.html is the report of jv report\.\n", report)


def report_port(pages: Running) -> int:
    return int(pages.printed[-1].split("/report.html")[0].rpartition(":")[2])


def test_the_report_is_at_the_address_that_it_says(pages: Running, embedded: Path) -> None:
    def answer() -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", report_port(pages), timeout=SECONDS)
        with contextlib.closing(connection):
            connection.request("GET", "/report.html")
            found = connection.getresponse()
            return found.status, found.read().decode()

    status, body = answer()
    assert status == 404
    assert body.startswith("There is no report.html yet: jv report makes it")
    page = embedded / "reports" / "report.html"
    page.parent.mkdir()
    page.write_text("the report")
    assert answer() == (200, "the report")


def test_it_listens_on_the_loopback_address_only(pages: Running, embedded: Path) -> None:
    """With all that it has started; the code servers' sockets are files that only their user may connect to."""
    server = postgres.status(embedded / "postgres")
    assert server
    ours = psutil.Process(pages.process.pid)
    processes = [ours, *ours.children(recursive=True), psutil.Process(server.pid)]
    # of UDP there is no listening: what is bound receives
    bound = [c for one in processes for c in one.net_connections("inet") if not c.raddr]
    listening = [c.laddr for c in bound if c.status in (psutil.CONN_LISTEN, psutil.CONN_NONE)]
    ports = pages.port, report_port(pages), server.port
    assert sorted(listening) == [("127.0.0.1", port) for port in sorted(ports)]
    files = [Path(c.laddr) for one in processes for c in one.net_connections("unix") if c.laddr]
    sockets = [file for file in files if file.is_socket()]
    assert sockets
    assert not [file for file in sockets if file.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)]


def test_a_run_over_two_ranges_goes_through_queue_and_daemon(pages: Running, embedded: Path) -> None:
    run_id = pages.launch("__ASSET_JOB", "00", "04", "profiles")
    assert pages.ended(run_id) == "SUCCESS"
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
        serving.serve()


def test_viewers_have_pages_of_their_own_beside_it_which_refuse_every_change(pages: Running, embedded: Path) -> None:
    with running([*SERVE[:2], SERVE[2].replace("serve()", "serve(read_only=True)")], embedded) as viewers:
        assert viewers.location()["jobs"]
        assert not [process for process in viewers.family if "dagster._daemon" in process.cmdline()]
        before = pages.ask(RUNS)
        assert viewers.ask(RUNS) == before
        for mutation, variables in CHANGES:
            refused = viewers.ask(mutation, **variables)
            assert [answer["__typename"] for answer in refused.values()] == ["UnauthorizedError"], mutation
        assert pages.ask(RUNS) == before


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
        assert pages.process.stdout
        graph, report = (pages.process.stdout.readline() for _ in range(2))
        assert "shows how a score is made" in graph
        assert "the report" in report  # the last line before all is quiet
        daemon.kill()
        output, _ = pages.process.communicate(timeout=SECONDS)
        assert pages.process.returncode == 1
        assert re.fullmatch(r"jv: the daemon has ended by itself \(code -9\): .+; see (.+)\n", output)
        assert str(home / "dagster" / "ui" / "daemon.log") in output
        assert not pages.left()


def test_a_log_begins_anew_before_it_fills_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LARGEST_LOG", 100_000)
    sizes = [0]

    def began_anew_twice() -> bool:
        sizes.append((tmp_path / "talker.log").stat().st_size)
        return sum(later < before for before, later in itertools.pairwise(sizes)) == 2

    talk = "import time; time.sleep(0.01); print('x' * 5_000, flush=True)"
    with processes.interrupts(), processes.Family(tmp_path, "talker") as family:
        family.start("talker", "timeit", "-n", "1000000", talk)
        family.wait_for(began_anew_twice, SECONDS)
    assert "\0" not in (tmp_path / "talker.log").read_text()  # no hole where it was cut


@pytest.mark.parametrize("dev", [DEV, DG], ids=["dagster", "dg"])
def test_dagster_dev_and_dg_dev_in_the_checkout(dev: list[str], home: Path, elsewhere: dict[str, str]) -> None:
    before = set(settings.ROOT.glob(".tmp_dagster_home_*"))
    with running([*dev, str(any_port())], home, **elsewhere) as pages:
        wait_until(pages.answers)
        assert pages.location()["jobs"]
        run_id = pages.launch("__ASSET_JOB", "00", "00", "profiles")
        assert pages.ended(run_id) == "SUCCESS"
        pages.family = [pages.family[0], *pages.family[0].children(recursive=True)]
        pages.process.send_signal(signal.SIGINT)
        pages.process.communicate(timeout=SECONDS)
        wait_until(lambda: not pages.left())
    with connect(elsewhere["JV_DAGSTER_URL"]) as dagster:
        assert dagster.execute("SELECT run_id, status FROM runs").fetchall() == [(run_id, "SUCCESS")]
    assert set(settings.ROOT.glob(".tmp_dagster_home_*")) == before


def test_dagster_dev_that_cannot_work_ends_with_one_line(home: Path) -> None:
    done = subprocess.run(
        [*DEV, str(any_port())],
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
        free_port(host, port, serving.PORTS, "--port")


def test_a_chosen_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is taken: choose another with --port"):
            free_port("127.0.0.1", port, serving.PORTS, "--port")


def test_definitions_that_do_not_load_are_named(home: Path, database_url: str) -> None:
    wrong = {"JV_HOME": str(home), "JV_DAGSTER_URL": database_url, "JV_RANGES_PER_RUN": "0"}
    done = subprocess.run(
        SERVE, check=False, env={**os.environ, **wrong}, capture_output=True, text=True, timeout=SECONDS
    )
    assert "UserError: the assets do not load: JV_RANGES_PER_RUN=0: set it to a whole number" in done.stderr
