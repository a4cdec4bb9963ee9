"""The best matches as their consumers read them, and a CSV file that is whole, and harmless in a spreadsheet."""

import csv
import json
import os
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from jv_assets.errors import UserError
from jv_assets.reports.exporting import COLUMNS, top_matches, write_csv
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate

M = [str(UUID(int=number)) for number in range(8)]
ANN, BEN, CAT, DAN = (str(UUID(int=2**100 + number)) for number in range(4))
CONTEXT = {"policy": "harmonic/impute", "scoring_version": "ismc_v2_embeddings"}


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(url=database_url)
    migrate(database, dimension=384)
    with database.transaction() as connection:
        for profile in (ANN, BEN, CAT):
            connection.execute(text("INSERT INTO profiles (id, name) VALUES (:id, 'somebody')"), {"id": profile})
    return database


def add(
    database: Database, match: str, a: str, b: str, score: float | str | None, *, context: object = CONTEXT
) -> None:
    insert = (
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, match_score, score_ab, score_ba, "
        "harmonic_mean, match_context) VALUES (:id, :a, :b, 99.99, 61.5, 41.25, CAST(:score AS numeric), "
        "CAST(:context AS jsonb))"
    )
    with database.transaction() as connection:
        values = {"id": match, "a": a, "b": b, "score": score, "context": json.dumps(context)}
        connection.execute(text(insert), values)


@pytest.fixture
def filled(database: Database) -> Database:
    add(database, M[3], ANN, BEN, 55.5)
    add(database, M[1], BEN, ANN, 55.5)
    add(database, M[2], ANN, CAT, 80)
    add(database, M[4], BEN, CAT, 0, context=None)
    add(database, M[5], CAT, CAT, None)
    add(database, M[6], ANN, CAT, "NaN")
    add(database, M[7], CAT, DAN, 39.99, context=["not", "an", "object"])
    with database.transaction() as connection:
        connection.execute(text("INSERT INTO profiles (id, name) VALUES (:id, 'somebody')"), {"id": DAN})
    return database


def test_best_first_equal_ones_by_id_and_those_without_a_score_counted(filled: Database) -> None:
    found = top_matches(filled, 100)
    assert found.rows["id"].tolist() == [M[2], M[1], M[7], M[4]]
    assert (found.without_score, found.not_scorable) == (2, 0)
    assert top_matches(filled, 2).rows["id"].tolist() == [M[2], M[1]]
    assert top_matches(filled, 2).without_score == 2
    assert top_matches(filled, 10**30).rows.equals(found.rows)


def test_the_columns_are_the_consumers(filled: Database) -> None:
    rows = top_matches(filled, 100).rows
    assert tuple(rows) == COLUMNS
    assert rows.loc[1].to_dict() == {
        "id": M[1], "profile_id": BEN, "suggested_profile_id": ANN, "match_score": 55.5, "score_ab": 61.5,
        "score_ba": 41.25, "tier": "Fair", "policy": "harmonic/impute", "scoring_version": "ismc_v2_embeddings",
        "other_id": M[3],
    }  # fmt: skip
    assert rows["tier"].tolist() == ["Excellent", "Fair", "Poor", "Poor"]
    assert rows["policy"].tolist() == ["harmonic/impute"] * 2 + [None] * 2
    assert rows["other_id"].tolist() == [M[6], M[3], None, None]


def test_one_profiles_matches_on_either_side(filled: Database) -> None:
    found = top_matches(filled, 100, CAT)
    assert found.rows["id"].tolist() == [M[2], M[7], M[4]]
    assert found.without_score == 2  # the one with itself is counted once
    assert top_matches(filled, 1, ANN.upper()).rows["id"].tolist() == [M[2]]


def test_of_several_matches_of_two_profiles_the_best_is_exported_and_names_the_others(database: Database) -> None:
    add(database, M[0], ANN, BEN, 50)
    add(database, M[1], BEN, ANN, 70)
    add(database, M[2], ANN, BEN, 70)
    add(database, M[3], BEN, ANN, 10)
    add(database, M[4], ANN, CAT, 60)
    for profile in (None, BEN, ANN):
        rows = top_matches(database, 1, profile).rows
        assert rows[["id", "other_id"]].to_numpy().tolist() == [[M[1], f"{M[0]} {M[2]} {M[3]}"]]
    assert top_matches(database, 2).rows["id"].tolist() == [M[1], M[4]]


def test_matches_that_can_never_be_scored_again_are_left_out_and_counted(filled: Database) -> None:
    add(filled, M[0], ANN, ANN, 99)
    with filled.transaction() as connection:
        connection.execute(text("DELETE FROM profiles WHERE id = :id"), {"id": CAT})
    found = top_matches(filled, 100)
    assert found.rows["id"].tolist() == [M[1]]
    assert (found.without_score, found.not_scorable) == (2, 4)
    assert (len(top_matches(filled, 100, CAT).rows), top_matches(filled, 100, CAT).not_scorable) == (0, 3)


def test_an_empty_database_gives_an_empty_file(database: Database, tmp_path: Path) -> None:
    found = top_matches(database, 10)
    assert (len(found.rows), found.without_score) == (0, 0)
    write_csv(found.rows, tmp_path / "f.csv")
    assert (tmp_path / "f.csv").read_bytes() == (",".join(COLUMNS) + "\r\n").encode()


def test_wrong_requests_are_one_line(filled: Database) -> None:
    with pytest.raises(UserError, match="--top 0: ask for 1 match or more"):
        top_matches(filled, 0)
    with pytest.raises(UserError, match="--profile: not a uuid: 'ann'"):
        top_matches(filled, 1, "ann")
    with pytest.raises(UserError, match=f"--profile {M[0]}: no match has this profile"):
        top_matches(filled, 1, M[0])


def test_what_is_exported_is_read_back_the_same(filled: Database, tmp_path: Path) -> None:
    rows = top_matches(filled, 100).rows
    write_csv(rows, tmp_path / "f.csv")
    back = pd.read_csv(tmp_path / "f.csv")
    pd.testing.assert_frame_equal(back.astype(object).where(back.notna(), None), rows.astype(object))
    assert back["match_score"].dtype == np.float64


def test_no_cell_is_a_formula_and_numbers_stay_numbers(tmp_path: Path) -> None:
    evil = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠1", '=LINK("http://x","y")']
    rows = pd.DataFrame({"=name": [*evil, "a=1", "naïve, コーチ", None], "number": [-1.5, 2.0, np.nan, *range(12)]})
    rows["whole"] = np.arange(-5, 10)
    write_csv(rows, tmp_path / "f.csv")
    with (tmp_path / "f.csv").open(encoding="utf-8", newline="") as file:
        header, *cells = csv.reader(file)
    assert header == ["'=name", "number", "whole"]
    assert [row[0] for row in cells] == [*(f"'{text}" for text in evil), "a=1", "naïve, コーチ", ""]
    assert [row[1] for row in cells][:4] == ["-1.5", "2.0", "", "0.0"]
    assert [row[2] for row in cells] == [str(number) for number in range(-5, 10)]


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, rows = tmp_path / "f.csv", pd.DataFrame({"id": ["a"]})
    path.write_text("before")

    def full(part: Path, data: bytes) -> int:
        os.close(os.open(part, os.O_CREAT))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"cannot write .*f\.csv: No space left on device"):
        write_csv(rows, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("f.csv", "before")]
    monkeypatch.undo()
    write_csv(rows, path)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("f.csv", "id\na\n")]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "f.csv")
    write_csv(pd.DataFrame({"id": ["a"]}), tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "f.csv").read_text() == "id\na\n"


def test_places_that_take_no_file_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, reason in (
        (tmp_path, "it is there and is no file"),
        (Path("/dev/null"), "it is there and is no file"),
        (tmp_path / "no" / "f.csv", "No such file or directory"),
        (tmp_path / "file" / "f.csv", "Not a directory"),
        (tmp_path / "a\0b", "embedded null"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(UserError, match=reason):
            write_csv(pd.DataFrame({"id": ["a"]}), path)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
