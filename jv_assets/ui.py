"""
Dagster's web pages with all that works behind them, from one command, until Ctrl-C.

Three processes: a code server, which loads the definitions and starts the runs, and the webserver and the daemon, which
both ask it. They are started here and not by `dagster dev`, because what that has started goes on for ever when it is
killed, and because it takes seconds to notice that a part has died, and prints everything into the terminal. A small
fourth one serves the report.

No process is left behind, whatever ends this one. Each of them leads a process group of its own, to which all that
it starts belongs, runs included; and it waits at a pipe, of which `serve` holds the other end. When the system closes
that, as it does even after SIGKILL, the process ends its group. (Linux could send a signal on the death of a parent, to
its child alone; macOS could not.) The embedded Postgres is meant to go on.

A run that is cut off like this is marked as failed, and `jv retry` does it again.
"""

import contextlib
import fcntl
import http.client
import json
import os
import re
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

import psutil

from jv_assets import report_server, settings
from jv_assets.errors import UserError
from jv_assets.ports import free_port

MODULE, LOCATION = "jv_assets.definitions", "jv"
"""As in workspace.yaml."""
PORTS = range(3000, 3100)
READY_SECONDS = 180
END_SECONDS = 15
"""How long a process may take over ending itself, before it is killed."""
LARGEST_LOG = 10_000_000
"""Bytes of what one process printed, after which its log begins anew: it may run for years."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { ... on PythonError"
_LOCATIONS += " { message cause { message cause { message } } } } } } } }"

_QUIET = ("--log-level", "warning")
"""Else each look of a sensor, some thousands a day, is lines in a log."""
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ALARM = re.compile(r" - (?:ERROR|CRITICAL) - (.*)")
_OF_A_RUN = re.compile(r"\S+ - [0-9a-f-]{36} - (?!\d+ - RUN_FAILURE)")
"""What a run says, but for its end: each step and range that failed has lines of its own, which are in the pages."""


class _DiedError(Exception):
    """A process of ours has ended by itself; the text says which, and its last words."""


def serve(host: str = "127.0.0.1", port: int | None = None, *, read_only: bool = False) -> int:
    """
    Show Dagster's pages on `port` (by default the first free one from 3000 on) until Ctrl-C or SIGTERM.

    With `read_only` they are for viewers, to whom Dagster refuses every change: without daemon and report, beside those
    of the operators or alone.

    Returns the exit code: 0, or 1 where a process ended by itself. Raises UserError with what is to be mended first.
    """
    from jv_assets.dagster_storage import dagster_home
    from jv_assets.running import open_instance

    try:
        with _interrupts(), contextlib.ExitStack() as stack:
            open_instance().dispose()  # makes Dagster's tables, or says in one line what is wrong
            folder = dagster_home() / ("ui-read-only" if read_only else "ui")
            lock = stack.enter_context(_alone(folder))
            port = free_port(host, port, PORTS, "--port")
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            lock.write(address)
            lock.flush()
            print("Starting the Dagster UI: this takes some ten seconds.", flush=True)
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jv-ui-")))
            family = stack.enter_context(_Family(folder))
            if read_only:
                _start(family, scratch, host, port, read_only=True)
                print(f"{address} is the Dagster UI, to look at only. Ctrl-C ends it.", flush=True)
            else:
                reports = free_port(report_server.HOST, settings.reports_port(), report_server.PORTS, "JV_REPORTS_PORT")
                family.start("report server", "jv_assets.report_server", str(reports))
                _start(family, scratch, host, port, read_only=False)
                report_server.remember(reports)
                uses = "choose assets there and materialize them"
                print(f"{address} is the Dagster UI: {uses}. Ctrl-C ends it.", flush=True)
                print(f"{report_server.report_url()} is the report of jv report.", flush=True)
            family.wait_for(lambda: False)
    except KeyboardInterrupt:
        return 0
    except _DiedError as error:
        print(f"jv: {error}", file=sys.stderr)
    return 1


def _start(family: "_Family", scratch: Path, host: str, port: int, *, read_only: bool) -> None:
    """Start the three, or for viewers two, and return when the pages answer and show the assets."""
    code, workspace = scratch / "code", scratch / "workspace.yaml"
    location = {"grpc_server": {"socket": str(code), "location_name": LOCATION}}
    workspace.write_text(json.dumps({"load_from": [location]}))  # YAML too
    target = ["-m", MODULE, "-d", str(settings.ROOT), "--location-name", LOCATION, *_QUIET]
    family.start("code server", "dagster", "code-server", "start", "--socket", str(code), *target)
    family.wait_for(lambda: _accepts(code), READY_SECONDS)  # one that asks too early asks again after 10 s only
    pages = ["-w", str(workspace), "-h", host, "-p", str(port)]
    if read_only:
        family.start("webserver", "dagster_webserver", *pages, "--read-only")
    else:
        family.start("webserver", "dagster_webserver", *pages)
        family.start("daemon", "dagster._daemon", "run", "-w", str(workspace), *_QUIET)
    family.wait_for(lambda: _shows_assets(host, port), READY_SECONDS)


@dataclass
class _Member:
    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    unread: TextIO
    """The log, from where it was last read."""


class _Family:
    """Processes that live and end together. Leaving the context ends them, and all that they have started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._members: list[_Member] = []
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for number in _SIGNALS:  # the second Ctrl-C of an impatient user
            signal.signal(number, signal.SIG_IGN)
        groups = [member.process.pid for member in self._members]
        if not _end(groups, signal.SIGTERM, END_SECONDS):
            _end(groups, signal.SIGKILL, END_SECONDS)
        for member in self._members:
            member.unread.close()
            with member.process:  # closes the pipe
                pass

    def start(self, name: str, module: str, *words: str) -> None:
        """Run a module as `python -m` does. What it prints goes to a log, which begins anew with each start."""
        log = self._folder / f"{name.replace(' ', '-')}.log"
        log.write_bytes(b"")
        with log.open("ab") as output:  # at the end, wherever that is when it begins anew
            process = subprocess.Popen(
                [sys.executable, "-m", "jv_assets.ui", module, *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # away from the current folder, where Dagster would read .env and Python look for modules
                cwd=self._folder,
                env={**os.environ, "JV_HOME": _home(), "PYTHONSAFEPATH": "1"},
            )
        self._members.append(_Member(name, process, log, log.open(errors="replace")))

    def wait_for(self, condition: Callable[[], bool], seconds: float = float("inf")) -> None:
        """Wait, print what is grave in the logs, and raise _DiedError as soon as one of the processes has ended."""
        deadline = time.monotonic() + seconds
        while not condition():
            for member in self._members:
                self._look_after(member)
            if time.monotonic() > deadline:
                raise UserError(f"the Dagster UI is not there after {seconds} s: see the logs in {self._folder}")
            time.sleep(0.2)

    def _look_after(self, member: _Member) -> None:
        code = member.process.poll()
        for line in member.unread:
            found = _ALARM.search(_COLOUR.sub("", line))
            if found and not _OF_A_RUN.match(found[1]) and found[1] not in self._said:
                self._said.add(found[1])
                print(f"{member.name}: {found[1][:300]}; see {member.log}", flush=True)
        if member.log.stat().st_size > LARGEST_LOG:
            os.truncate(member.log, 0)
            member.unread.seek(0)
        if code is not None:
            words = _last_words(member.log)
            raise _DiedError(f"the {member.name} has ended by itself (code {code}): {words}; see {member.log}")


def _home() -> str:
    """`JV_HOME` as it is from any folder."""
    return settings.home() if "://" in settings.home() else str(Path(settings.home()).absolute())


def _last_words(log: Path) -> str:
    lines = _COLOUR.sub("", log.read_text(errors="replace")).split("\n")
    words = [" ".join(line.split()) for line in lines if line.strip()]
    return " | ".join(words[-3:])[-500:] or "it said nothing"


def _end(groups: list[int], number: signal.Signals, seconds: float) -> bool:
    """Send a signal to process groups; whether they have ended in time."""
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
    deadline = time.monotonic() + seconds
    while any(_is_in(process, groups) for process in psutil.process_iter()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _is_in(process: psutil.Process, groups: list[int]) -> bool:
    try:
        # nobody may be there to clear away those that have ended
        return os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@contextlib.contextmanager
def _interrupts() -> Iterator[None]:
    """Have SIGTERM, and SIGINT even where a shell had it ignored, raise KeyboardInterrupt."""
    # the processes we start would ignore what we ignore; and `nohup` must do what it is for
    ours = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in ours]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[TextIO]:
    """Hold the lock of this Dagster home; two daemons would do everything twice."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(f"the Dagster UI is running already, at {lock.read()}") from None
        lock.truncate(0)
        yield lock


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _shows_assets(host: str, port: int) -> bool:
    """Whether the webserver answers; UserError where it answers that the definitions do not load."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("POST", "/graphql", json.dumps({"query": _LOCATIONS}), {"Content-Type": "application/json"})
        answer = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    for entry in answer["data"]["workspaceOrError"]["locationEntries"]:
        error = entry["locationOrLoadError"]
        while error.get("cause"):
            error = error["cause"]
        if message := error.get("message"):
            cause = " ".join(message.split()).removeprefix(f"{UserError.__module__}.{UserError.__name__}: ")
            raise UserError(f"the assets do not load: {cause}")
    return True


def _follow(module: str) -> None:
    """In a process of its own: run a module, and end it with all that it has started when `serve` is gone."""

    def watch() -> None:
        os.read(0, 1)  # nothing ever comes but the end
        os.killpg(0, signal.SIGTERM)
        time.sleep(END_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    del sys.argv[0]
    _follow(sys.argv[0])
