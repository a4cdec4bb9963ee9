"""The processes of the embedded server: which one is ours, whether it lives, and ending what it left."""

import contextlib
import signal
import time
from pathlib import Path

import psutil

from jv_assets.platform import cluster

EMPTY_SECONDS = 2
"""How long a pid file without a pid may be one that is being written."""


def pid_path(folder: Path) -> Path:
    return cluster.data(folder) / "postmaster.pid"


def pid_file(folder: Path) -> list[str]:
    """The lines of `postmaster.pid`: pid, data folder, start time, port, ..., and the state in the eighth."""
    try:
        return pid_path(folder).read_text().splitlines()
    except FileNotFoundError:
        return []


def postmaster(folder: Path) -> psutil.Process | None:
    """The live server of this folder. The pid file alone proves nothing: after a crash its pid may be anybody's."""
    lines = pid_file(folder)
    try:
        process = psutil.Process(int(lines[0]))
        command = process.cmdline()
        # a connection's process shows a title in place of its arguments
        if not is_alive(process) or "-D" not in command or Path(command[0]).name != "postgres":
            return None
        try:
            ours = cluster.data(folder).samefile(process.cwd())
        except psutil.AccessDenied:  # in a container root may not look
            ours = str(cluster.data(folder)) in command
    except (IndexError, ValueError, psutil.NoSuchProcess, FileNotFoundError):
        return None
    return process if ours else None


def has_stale_pid_file(folder: Path) -> bool:
    """Whether it is of a server that is no more. One that is coming up makes the file, and then writes to it."""
    deadline = time.monotonic() + EMPTY_SECONDS
    while pid_path(folder).exists() and not pid_file(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    return pid_path(folder).exists() and postmaster(folder) is None


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def has_ended(process: psutil.Process, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def end_leftovers(folder: Path) -> None:
    """End the connections' processes of a killed server: they finish their statement first, in hours if need be."""
    leftovers = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            title = " ".join(process.cmdline())
            has_server = "-D" in (process.parent() or process).cmdline()
            if title.startswith("postgres: ") and not has_server and cluster.data(folder).samefile(process.cwd()):
                leftovers.append(process)
    for number in (signal.SIGQUIT, signal.SIGKILL):
        for process in leftovers:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        leftovers = [process for process in leftovers if not has_ended(process, 5)]
