"""A bucket as `JV_HOME` that refuses, is missing or does not answer: one line, soon, and no secret in it."""

import re
import threading
from typing import Any, ClassVar

import fsspec
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources import home_access
from jv_assets.resources.home_access import PATIENCE, require_bucket, try_home
from jv_assets.resources.range_files import RangeFiles

ROWS = pd.DataFrame({"id": ["a"]})
SECRET = "hunter2"


class Faulty(MemoryFileSystem):
    """A bucket of which every request fails as `fault` says."""

    protocol = "faulty"
    fault: ClassVar[Exception | None] = None
    asked: ClassVar[int] = 0
    answers: ClassVar[threading.Event]
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("faulty://", "memory://")))

    def _open(self, path: str, *words: Any, **options: Any) -> Any:
        type(self).asked += 1
        self.answers.wait()
        if self.fault:
            raise self.fault
        return super()._open(path, *words, **options)

    def pipe_file(self, path: str, value: bytes, *words: Any, **options: Any) -> Any:
        with self.open(path, "wb") as file:
            file.write(value)


@pytest.fixture(autouse=True)
def faulty() -> type[Faulty]:
    fsspec.register_implementation("faulty", Faulty, clobber=True)
    Faulty.fault, Faulty.asked, Faulty.answers = None, 0, threading.Event()
    Faulty.answers.set()
    Faulty.store.clear()
    return Faulty


def test_a_bucket_that_takes_files_is_left_as_it_was(faulty: type[Faulty]) -> None:
    assert try_home("faulty://bucket/jv") == "faulty://bucket/jv"
    assert not faulty.store


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        (PermissionError("Access Denied"), "(Access Denied); check its name in JV_HOME, the credentials, and that"),
        (RuntimeError("Unable to locate credentials"), "(Unable to locate credentials); check its name in JV_HOME"),
        (FileNotFoundError("The specified bucket does not exist"), "there is no such bucket; check its name"),
        (OSError(f"no route to faulty://key:{SECRET}@bucket/jv"), "(no route to faulty://bucket/jv)"),
    ],
)
def test_one_that_refuses_is_said_in_one_line(
    faulty: type[Faulty], monkeypatch: pytest.MonkeyPatch, fault: Exception, cause: str
) -> None:
    faulty.fault = fault
    monkeypatch.setenv("JV_HOME", f"faulty://key:{SECRET}@bucket/jv")
    with pytest.raises(UserError) as raised:
        require_bucket()
    said = str(raised.value)
    assert re.match("faulty:/+bucket/jv cannot be used", said)
    assert cause in said
    assert "\n" not in said
    assert SECRET not in said


@pytest.mark.parametrize(("url", "package"), [("s3://b/jv", "s3fs"), ("gs://b/jv", "gcsfs"), ("az://b/jv", "adlfs")])
def test_a_package_that_is_missing_is_named(url: str, package: str) -> None:
    with pytest.raises(UserError, match=rf"^{url} cannot be used \(.*{package}.*\); type: pip install {package}$"):
        try_home(url)


def test_a_url_of_no_known_kind_is_named() -> None:
    with pytest.raises(UserError, match=r"^JV_HOME nothing://b/jv: .*; write a folder, or a bucket: s3://"):
        try_home("nothing://b/jv")


def test_one_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, faulty: type[Faulty]) -> None:
    monkeypatch.setattr(home_access, "SECONDS", 0.0)
    faulty.answers.clear()
    with pytest.raises(UserError, match=r"^faulty:/+bucket cannot be used \(no answer within 0 s\); check its name"):
        try_home("faulty://bucket")
    faulty.answers.set()
    for thread in threading.enumerate():
        if thread.name == home_access._THREAD:
            thread.join()


def test_ranges_give_up_after_a_few(faulty: type[Faulty]) -> None:
    files = RangeFiles("faulty://bucket/jv", 64)
    faulty.fault = PermissionError("Access Denied")
    said = []
    for number in range(10):
        with pytest.raises(UserError) as raised:
            files.write("profiles", f"{4 * number:02x}", ROWS, {})
        said.append(str(raised.value))
    assert faulty.asked == PATIENCE
    assert all("(Access Denied)" in line for line in said[:PATIENCE])
    assert all("not tried, because the bucket failed 3 times; type: jv doctor" in line for line in said[PATIENCE:])


def test_files_of_another_number_of_ranges_are_deleted(faulty: type[Faulty]) -> None:
    """Set to 16 and back to 64, nothing old counts as made."""
    for home in ("faulty://bucket/jv", settings.home()):
        of_64, of_16 = RangeFiles(home, 64), RangeFiles(home, 16)
        of_64.evict_other_cuts()
        of_64.write("match_scores", "04", ROWS, {})
        of_16.evict_other_cuts()
        of_16.write("match_scores", "0", ROWS, {})
        of_64.evict_other_cuts()
        assert not of_64.exists("match_scores", "04")
        assert not of_16.exists("match_scores", "0")
        with pytest.raises(UserError, match="was never made"):
            of_64.read("match_scores", "04")
