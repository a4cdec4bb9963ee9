"""Processes that live and end together, in the foreground until Ctrl-C: those of `jv ui` and of `jv workers`.

No orphan is left, however this process ends. Each member leads a process group, which holds everything that it starts,
runs included. It also waits at a pipe whose other end the `Family` holds. When the system closes the pipe, even after
SIGKILL, the member ends its group. (Linux could signal a child on its parent's death, but no grandchildren; macOS could
not.) The embedded Postgres keeps running on purpose.
"""

import contextlib
import fcntl
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

import psutil

from jv_assets import settings
from jv_assets.errors import UserError

END_SECONDS = 15
"""Seconds that a process may take to end, before it is killed."""
LARGEST_LOG = 10_000_000
"""Bytes after which the log of one process begins anew, because it may run for years."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ALARM = re.compile(r" - (?:ERROR|CRITICAL) - (.*)")
_OF_A_RUN = re.compile(r"\S+ - [0-9a-f-]{36} - (?!\d+ - RUN_FAILURE)")
"""Lines of a run, except its end: each failed step and partition has its own lines, which the pages show."""


class DiedError(Exception):
    """One of our processes has exited; the text says which, and its last words."""


@dataclass
class _Member:
    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    unread: TextIO
    """The log, from where it was last read."""

    def close(self) -> None:
        self.unread.close()
        with self.process:  # This closes the pipe.
            pass


class Family:
    """Processes that live and end together. Leaving the context ends them, and everything that they started."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._members: list[_Member] = []
        self._said: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for number in _SIGNALS:  # The second Ctrl-C of an impatient user.
            signal.signal(number, signal.SIG_IGN)
        groups = [member.process.pid for member in self._members]
        if not _end(groups, signal.SIGTERM, END_SECONDS):
            _end(groups, signal.SIGKILL, END_SECONDS)
        for member in self._members:
            member.close()

    def start(self, name: str, module: str, *words: str) -> None:
        """Run a module as `python -m` does. Its output goes to a log, which begins anew with each start."""
        log = self._folder / f"{name.replace(' ', '-')}.log"
        log.write_bytes(b"")
        with log.open("ab") as output:  # Append, so that writing continues at the end when the log begins anew.
            process = subprocess.Popen(
                [sys.executable, "-m", "jv_assets.ui.processes", module, *words],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # Not in the current folder, where Dagster would read .env, and Python would look for modules.
                cwd=self._folder,
                env={**os.environ, "JV_HOME": _home(), "PYTHONSAFEPATH": "1"},
            )
        self._members.append(_Member(name, process, log, log.open(errors="replace")))

    def end_orphans(self) -> int:
        """Kill the orphans of members that have exited, and remove these members; return how many are left."""
        dead = [member for member in self._members if member.process.poll() is not None]
        _end([member.process.pid for member in dead], signal.SIGKILL, END_SECONDS)
        for member in dead:
            member.close()
            self._members.remove(member)
        return len(self._members)

    def wait_for(self, condition: Callable[[], bool], seconds: float = float("inf")) -> None:
        """Wait for the condition, print errors from the logs, and raise DiedError as soon as a process has exited."""
        deadline = time.monotonic() + seconds
        while not condition():
            for member in self._members:
                self._look_after(member)
            if time.monotonic() > deadline:
                verb = "are" if self._name.endswith("s") else "is"
                raise UserError(f"the {self._name} {verb} not there after {seconds} s: see the logs in {self._folder}")
            time.sleep(0.2)

    def _look_after(self, member: _Member) -> None:
        code = member.process.poll()
        for line in member.unread:
            alarm = _ALARM.search(_COLOUR.sub("", line))
            if alarm and not _OF_A_RUN.match(alarm[1]) and alarm[1] not in self._said:
                self._said.add(alarm[1])
                print(f"{member.name}: {alarm[1][:300]}; see {member.log}", flush=True)
        if member.log.stat().st_size > LARGEST_LOG:
            os.truncate(member.log, 0)
            member.unread.seek(0)
        if code is not None:
            words = _last_words(member.log)
            raise DiedError(f"the {member.name} has ended by itself (code {code}): {words}; see {member.log}")


def _home() -> str:
    """Return `JV_HOME` as an absolute path or URL."""
    return settings.home() if "://" in settings.home() else str(Path(settings.home()).absolute())


def _last_words(log: Path) -> str:
    lines = _COLOUR.sub("", log.read_text(errors="replace")).split("\n")
    words = [" ".join(line.split()) for line in lines if line.strip()]
    return " | ".join(words[-3:])[-500:] or "it said nothing"


def _end(groups: list[int], number: signal.Signals, seconds: float) -> bool:
    """Send a signal to process groups; return whether they have ended in time."""
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
        # There may be nobody to reap zombies.
        return os.getpgid(process.pid) in groups and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


@contextlib.contextmanager
def interrupts() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt, and SIGINT too, even if a shell had it ignored."""
    # Child processes ignore the signals that we ignore, and `nohup` must keep its effect.
    ours = [n for n in _SIGNALS if n != signal.SIGHUP or signal.getsignal(n) != signal.SIG_IGN]
    before = [(number, signal.signal(number, signal.default_int_handler)) for number in ours]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


@contextlib.contextmanager
def alone(folder: Path, running: str) -> Iterator[TextIO]:
    """Hold a folder's lock. If somebody else does, raise UserError: `running`, and what the holder wrote into
    the lock.
    """
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise UserError(f"{running} {lock.read()}") from None
        lock.truncate(0)
        yield lock


def _follow(module: str) -> None:
    """Run a module in this process, and end it with everything that it started when its family is gone."""

    def watch() -> None:
        os.read(0, 1)  # Nothing arrives here except the end of the pipe.
        os.killpg(0, signal.SIGTERM)
        time.sleep(END_SECONDS)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    del sys.argv[0]
    _follow(sys.argv[0])
