"""Access to the files of the home. Errors of a folder, a bucket or its library become one line."""

import re
import tempfile
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from pyarrow import ArrowInvalid
from upath import UPath

from jv_assets import settings
from jv_assets.errors import UserError

T = TypeVar("T")
SECONDS = 60.0
"""Time limit in seconds for one file of a bucket. The libraries would wait for minutes, and retry."""
PATIENCE = 3
"""After this many consecutive failures, stop asking the bucket, so that the remaining partitions do not each wait."""
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
"""By URL scheme, the package that fsspec needs."""
_THREAD = "jv-bucket"
_CHECK = "check its name in JV_HOME, the credentials, and that they may list, read, write and delete there"


def is_bucket(home: str) -> bool:
    """Return whether a home is a URL, not a local folder."""
    return "://" in home


def shown(path: object) -> str:
    """Return a path or URL, or a message with one, without user and password."""
    return re.sub(r"(://+)[^/@\s]+@", r"\1", str(path))


class BucketAccess:
    """Requests to one bucket: each has a time limit, and after some consecutive failures there are no more."""

    def __init__(self) -> None:
        self._failures = 0

    def ask(self, path: UPath, what: Callable[[UPath], T]) -> T:
        """Return `what(path)`. UserError for any failure except a missing or damaged file."""
        if self._failures >= PATIENCE:
            raise UserError(f"{shown(path)}: not tried, because the bucket failed {PATIENCE} times; type: jv doctor")
        try:
            answer = _within_time(lambda: what(path))
        except (FileNotFoundError, ArrowInvalid):
            raise
        except Exception as error:  # Any library that reaches the bucket may raise it.
            self._failures += 1
            raise UserError(f"{shown(path)} cannot be used ({_reason(error)}); {_cure(error, path)}") from None
        self._failures = 0
        return answer


def try_home(home: str) -> str:
    """Write and delete one file in the home; return where it is, for messages. UserError with cause and cure."""
    return _try_bucket(home) if is_bucket(home) else _try_folder(Path(home))


def _try_bucket(home: str) -> str:
    def write_and_delete(path: UPath) -> None:
        file = path / f".jv-{uuid.uuid4().hex}"
        file.write_bytes(b"jv")
        file.unlink()

    try:
        BucketAccess().ask(UPath(home), write_and_delete)
    except ValueError as error:  # The kind of URL is unknown.
        raise UserError(
            f"JV_HOME {shown(home)}: {error}; write a folder, or a bucket: s3://…, gs://…, az://…"
        ) from None
    except FileNotFoundError:
        raise UserError(f"{shown(home)} cannot be used: there is no such bucket; {_CHECK}") from None
    return shown(home)


def _try_folder(folder: Path) -> str:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"jv")
    except OSError as error:
        cure = "make it a folder that you may write, or set JV_HOME to one"
        raise UserError(f"cannot write to {folder}: {error.strerror}; {cure}") from None
    return str(folder)


def require_bucket() -> None:
    """Raise UserError if `JV_HOME` is a bucket that cannot be used."""
    if is_bucket(home := settings.home()):
        try_home(home)


def _within_time(work: Callable[[], T]) -> T:
    """Return the result of `work`, run in a thread that is abandoned if it takes too long."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name=_THREAD, daemon=True).start()
    return future.result(timeout=SECONDS)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return f"no answer within {SECONDS:g} s"
    return shown(" ".join(str(error).split()) or type(error).__name__)


def _cure(error: Exception, path: UPath) -> str:
    protocol = str(path).partition("://")[0]
    if isinstance(error, ImportError):
        return f"type: pip install {_PACKAGES.get(protocol, 'the package for ' + protocol)}"
    return _CHECK
