"""`jv` as a process of its own that is there at once: a fork of one that has loaded the libraries, and nothing of ours.

A fresh Python takes seconds to load them, and the tests have some hundreds of processes.
"""

import gc
import multiprocessing
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

LIBRARIES = [
    *("alembic.command", "dagster", "dagster_postgres", "fsspec", "numpy", "pandas", "pgvector"),
    *("psutil", "psycopg", "psycopg2", "pyarrow.parquet", "pytest", "rich.progress", "rich.table"),
    *("sqlalchemy.dialects.postgresql.psycopg", "tenacity", "typer", "upath"),
]
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(LIBRARIES)


@dataclass(frozen=True)
class Forked:
    """What `subprocess.Popen` has of a process whose output is collected."""

    process: BaseProcess
    printed: Sequence[Path]

    @property
    def returncode(self) -> int | None:
        return self.process.exitcode

    def poll(self) -> int | None:
        return self.process.exitcode

    def kill(self) -> None:
        self.process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("jv", timeout or 0)
        out, err = (path.read_text() for path in self.printed)
        return out, err


def fork(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, first: Callable[[], None] | None = None
) -> Forked:
    """`jv` in a folder. `first`, a function of a module that is there for that, is called before it."""
    printed = [folder / f"{uuid.uuid4().hex}.{stream}" for stream in ("out", "err")]
    process = _forks.Process(target=_jv, args=(words, environment, folder, printed, first))
    process.start()
    return Forked(process, printed)


def _jv(
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    printed: Sequence[Path],
    first: Callable[[], None] | None,
) -> None:
    gc.freeze()  # what was loaded before is no garbage
    os.environ.clear()
    os.environ.update(environment)
    if first:
        first()
    os.chdir(folder)
    for number, path in enumerate(printed, start=1):
        with path.open("wb") as file:
            os.dup2(file.fileno(), number)
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
    sys.argv = ["jv", *words]
    from jv_assets.cli import main

    main()
