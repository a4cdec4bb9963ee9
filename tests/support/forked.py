"""`jv` as a forked process, to be killed by tests, and what can be done to it before it begins."""

import ctypes
from pathlib import Path

from tests.support.program import Program


class ForkedProgram(Program):
    """Every `jv` is a fork, one that is only started too."""

    start = Program.fork


def gives_up_soon() -> None:
    """Six attempts of a minute each no test can wait for."""
    from jv_assets.resources import database

    database.LOCK_TIMEOUT, database.ATTEMPTS = "300ms", 2


def without_waits() -> None:
    """No time passes between two attempts."""
    import tenacity

    tenacity.wait_exponential_jitter = lambda **_: tenacity.wait_none()


def enter(process: int) -> None:
    """The user and mount namespaces of another process."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind in ("user", "mnt"):
        with Path(f"/proc/{process}/ns/{kind}").open() as file:
            if libc.setns(file.fileno(), 0):
                raise OSError(ctypes.get_errno(), f"namespace {kind} of process {process}")
