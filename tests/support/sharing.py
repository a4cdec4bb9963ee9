"""What takes long to make is made once for all processes of a test run, and copied by those that need it."""

import fcntl
import os
import subprocess
from collections.abc import Callable
from pathlib import Path


def fill(folder: Path, name: str, make: Callable[[Path], None]) -> None:
    """Copy into `folder`, which is of one fixture, what `make` makes in the folder it is given; the first who asks for
    `name` makes it.
    """
    shared = folder.parent.parent if "PYTEST_XDIST_WORKER" in os.environ else folder.parent
    made = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            making = shared / f"{name}.making"
            making.mkdir()
            make(making)
            making.rename(made)
    # with owners: root's servers run as another user
    subprocess.run(["cp", "-a", f"{made}/.", folder], check=True)
