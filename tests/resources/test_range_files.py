"""A range's file appears whole or not at all, in a folder or a bucket."""

from pathlib import Path

import pandas as pd
import pytest
from upath import UPath

from jv_assets.errors import UserError
from jv_assets.resources.range_files import RangeFiles

ROWS = pd.DataFrame({"id": ["a", "b"], "score": [1.25, None], "method": pd.Categorical(["x", "y"])})


@pytest.fixture(params=["folder", "bucket"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> RangeFiles:
    home = str(tmp_path / "a folder") if request.param == "folder" else f"memory://jv-{tmp_path.name}"
    return RangeFiles(home, 64)


def test_what_is_written_is_read(files: RangeFiles) -> None:
    size = files.write("scores", "3c", ROWS, {"rows": 3, "skipped": {"z": "gone"}})
    assert size == files.path("scores", "3c").stat().st_size
    pd.testing.assert_frame_equal(files.read("scores", "3c"), ROWS)
    assert files.read("scores", "3c", ["score"]).columns.tolist() == ["score"]
    assert files.metadata("scores", "3c") == {"rows": 3, "skipped": {"z": "gone"}}


def test_an_empty_range_keeps_its_columns(files: RangeFiles) -> None:
    files.write("scores", "00", ROWS.iloc[:0], {})
    assert files.read("scores", "00").columns.tolist() == ROWS.columns.tolist()


def test_writing_again_replaces(files: RangeFiles) -> None:
    files.write("scores", "00", ROWS, {})
    files.write("scores", "00", ROWS.iloc[:1], {})
    assert len(files.read("scores", "00")) == 1
    assert [path.name for path in files.path("scores", "00").parent.iterdir()] == ["00.parquet"]


def test_a_range_that_was_never_made_is_named(files: RangeFiles) -> None:
    assert not files.exists("scores", "f0")
    with pytest.raises(UserError, match=r"^range f0 of scores was never made: materialize it first"):
        files.read("scores", "f0")
    with pytest.raises(UserError, match=r"^range f0 of scores was never made"):
        files.metadata("scores", "f0")


def test_a_damaged_file_is_named(files: RangeFiles) -> None:
    files.write("scores", "00", ROWS, {})
    files.path("scores", "00").write_bytes(b"PAR1 cut off")
    with pytest.raises(UserError, match=r"00\.parquet cannot be read .*: materialize range 00 of scores again"):
        files.read("scores", "00")


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = RangeFiles(str(tmp_path), 64)
    files.write("scores", "00", ROWS, {})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(UPath(tmp_path)), "replace", full)
    with pytest.raises(UserError, match=r"^cannot write .*00\.parquet: No space left on device; see JV_HOME$"):
        files.write("scores", "00", ROWS.iloc[:1], {})
    assert len(files.read("scores", "00")) == 2
    assert [path.name for path in files.path("scores", "00").parent.iterdir()] == ["00.parquet"]


def test_files_of_another_number_of_ranges_are_not_mixed_in(tmp_path: Path) -> None:
    RangeFiles(str(tmp_path), 64).write("scores", "00", ROWS, {})
    assert not RangeFiles(str(tmp_path), 128).exists("scores", "00")
