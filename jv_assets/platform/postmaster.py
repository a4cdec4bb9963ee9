"""Processes of the embedded server: identify the live server, and end the orphans of a dead one."""

import contextlib
import signal
import time
from pathlib import Path

import psutil

from jv_assets.platform import cluster

EMPTY_SECONDS = 2
"""How long in seconds a pid file without a pid may still be in the process of being written."""


def pid_path(folder: Path) -> Path:
    return cluster.data(folder) / "postmaster.pid"


def pid_file(folder: Path) -> list[str]:
    """Return the lines of `postmaster.pid`: pid, data folder, start time, port, …, and the state in the eighth."""
    try:
        return pid_path(folder).read_text().splitlines()
    except FileNotFoundError:
        return []


def postmaster(folder: Path) -> psutil.Process | None:
    """Return the live server of this folder. The pid file alone proves nothing: after a crash, another process may have
    its pid.
    """
    lines = pid_file(folder)
    try:
        process = psutil.Process(int(lines[0]))
        command = process.cmdline()
        # A connection's process shows a title instead of its arguments.
        if not is_alive(process) or "-D" not in command or Path(command[0]).name != "postgres":
            return None
        try:
            ours = cluster.data(folder).samefile(process.cwd())
        except psutil.AccessDenied:  # In a container, root may lack the right to look.
            ours = str(cluster.data(folder)) in command
    except (IndexError, ValueError, psutil.NoSuchProcess, FileNotFoundError):
        return None
    return process if ours else None


def has_stale_pid_file(folder: Path) -> bool:
    """Return whether the pid file is stale. A starting server creates the file first, and then writes to it."""
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
    """End the orphaned connection processes of a killed server. They finish their statement first, if need be for
    hours.
    """
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
