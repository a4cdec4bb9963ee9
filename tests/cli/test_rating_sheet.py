"""Rating sheets and ratings as their users have them."""

import csv
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.program import Program, removed_at_last

ROW = {"rater": "ab", "rating": "4", "note": "", "rated_at": "2026-02-17T10:00:00.000Z"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("ratings") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "80", "--matches", "300")
        program.succeeds("rescore")
        yield program


@pytest.fixture(scope="module")
def sheet(program: Program) -> str:
    """The name of a sheet of 62 pairs."""
    program.succeeds("discover", "--top", "5", "--out", str(program.home / "candidates.csv"))
    return drawn(program, program.home / "sheet.html", "62")


def drawn(program: Program, out: Path, count: str, *more: str) -> str:
    done = program.succeeds("rating-sheet", "--matches", count, "--out", str(out), *more)
    (name,) = re.findall(r"^sheet (\w{12}), ", done.out)
    return str(name)


def content(page: Path) -> dict[str, Any]:
    """What the page's script is given."""
    (data,) = re.findall(r'<script type="application/json" id="sheet">(.*?)</script>', page.read_text())
    found: dict[str, Any] = json.loads(data)
    return found


def saved(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["sheet", "pair", *ROW], quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows_of(sheet: str, pairs: range, **changed: str) -> list[dict[str, str]]:
    return [{"sheet": sheet, "pair": str(pair), **ROW, **changed} for pair in pairs]


def test_before_discovery_a_sheet_is_refused_with_a_cure(program: Program, tmp_path: Path) -> None:
    done = program.run("rating-sheet", "--matches", "30", "--out", str(tmp_path / "sheet.html"))
    cure = "type: jv discover --top 20 --out candidates.csv"
    assert (done.code, done.err) == (2, f"jv: discovery proposes 0 pairs, and the sheet takes 10; {cure}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_sheet_has_its_pairs_in_equal_parts_and_tells_nothing_of_them(program: Program, sheet: str) -> None:
    page = program.home / "sheet.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    shown = content(page)
    assert (shown["name"], len(shown["pairs"])) == (sheet, 62)
    assert [set(each) for each in shown["pairs"]] == [{"pair", "a", "b"}] * 62
    text = page.read_text()
    stored = program.sql("SELECT * FROM jv.rating_pairs ORDER BY pair")
    for row in stored:
        assert str(row["profile_id"]) not in text
        assert str(row["match_id"]) not in text
    emails = program.sql("SELECT email, phone, website FROM profiles")
    assert not [value for row in emails for value in row.values() if (value or "").strip() and value in text]
    sources = [row["source"] for row in stored]
    assert {name: sources.count(name) for name in set(sources)} == {"published": 21, "discovery": 21, "random": 20}
    assert sources != sorted(sources)
    tenths = [row["tenth"] for row in stored if row["source"] == "published"]
    assert sorted({tenths.count(tenth) for tenth in range(10)}) == [2, 3]


def test_pairs_are_what_their_source_says(program: Program, sheet: str) -> None:
    matches = program.sql("SELECT id, profile_id, suggested_profile_id, harmonic_mean FROM match_suggestions")
    by_id = {row["id"]: row for row in matches}
    joined = {frozenset((row["profile_id"], row["suggested_profile_id"])) for row in matches}
    with (program.home / "candidates.csv").open() as file:
        proposed = {frozenset((row["profile_id"], row["candidate_id"])) for row in csv.DictReader(file)}
    for row in program.sql(f"SELECT * FROM jv.rating_pairs WHERE sheet = '{sheet}'"):
        ends = frozenset((row["profile_id"], row["candidate_id"]))
        told = frozenset(map(str, ends))
        assert len(ends) == 2
        if row["source"] == "published":
            match = by_id[row["match_id"]]
            assert (match["profile_id"], match["suggested_profile_id"]) == (row["profile_id"], row["candidate_id"])
            assert row["ranks"]["harmonic/impute"] == float(match["harmonic_mean"])
            continue
        assert row["match_id"] is None
        assert row["ranks"]["match_score"] is None
        assert ends not in joined
        assert (told in proposed) == (row["source"] == "discovery")


def test_equal_seeds_draw_equal_sheets(program: Program, sheet: str, tmp_path: Path) -> None:
    assert drawn(program, tmp_path / "again.html", "62") == sheet
    assert (tmp_path / "again.html").read_text() == (program.home / "sheet.html").read_text()
    assert drawn(program, tmp_path / "other.html", "62", "--seed", "1") != sheet
    (count,) = program.sql(f"SELECT count(*) AS rows FROM jv.rating_pairs WHERE sheet = '{sheet}'")
    assert count["rows"] == 62


def test_ratings_are_loaded_once_and_a_later_file_replaces(program: Program, sheet: str, tmp_path: Path) -> None:
    first = saved(tmp_path / "first.csv", rows_of(sheet, range(1, 41)))
    assert program.succeeds("ratings", "load", str(first)).out == "40 ratings of 1 raters loaded\n"
    again = program.succeeds("ratings", "load", str(first)).out
    assert again == "40 ratings of 1 raters loaded; 40 of before replaced\n"
    later = rows_of(sheet, range(1, 36), rating="2", note='said "no", twice')
    program.succeeds("ratings", "load", str(saved(tmp_path / "later.csv", later)))
    kept = program.sql("SELECT DISTINCT rater, rating, note, rated_at::text FROM jv.ratings")
    assert kept == [
        {"rater": "ab", "rating": 2, "note": 'said "no", twice', "rated_at": "2026-02-17 10:00:00+00"},
    ]
    (count,) = program.sql("SELECT count(*) AS rows FROM jv.ratings")
    assert count["rows"] == 35


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"rating": "6"}, "row 3, rating: '6': Input should be less than or equal to 5"),
        ({"rating": "0"}, "row 3, rating: '0': Input should be greater than or equal to 1"),
        ({"rating": ""}, "row 3, rating: '': Input should be a valid integer"),
        ({"rating": "3.5"}, "row 3, rating: '3.5': Input should be a valid integer"),
        ({"pair": "63"}, "row 3: sheet SHEET has no pair 63"),
        ({"pair": "1"}, "row 3: ab rates pair 1 again, as in row 2"),
        ({"sheet": "000000000000"}, "row 3: no sheet 000000000000 was made from this database"),
        ({"rater": " "}, "row 3, rater: ' ': String should have at least 1 character"),
        ({"rated_at": "yesterday"}, "row 3, rated_at: 'yesterday': Input should be a valid datetime"),
        (
            {"rated_at": "2026-02-17T10:00:00"},
            "row 3, rated_at: '2026-02-17T10:00:00': Input should have timezone info",
        ),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_loaded(
    program: Program, sheet: str, tmp_path: Path, changed: dict[str, str], says: str
) -> None:
    before = program.sql("SELECT * FROM jv.ratings ORDER BY sheet, pair, rater")
    rows = rows_of(sheet, range(1, 4))
    rows[1] |= changed
    done = program.run("ratings", "load", str(saved(tmp_path / "wrong.csv", rows)))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"jv: {tmp_path / 'wrong.csv'}, {says.replace('SHEET', sheet)}")
    assert done.err.count("\n") == 1
    assert program.sql("SELECT * FROM jv.ratings ORDER BY sheet, pair, rater") == before


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "has no column sheet, pair, rater, rating, note, rated_at: load what a rating sheet saved, as it was"),
        (b"sheet,pair,rater,rating,note,rated_at\r\n", "holds no rating: rate at least one pair before you save"),
        (b"\xff\xfe\x00", "is no CSV file in UTF-8: load what a rating sheet saved, as it was"),
        (None, "No such file or directory"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(
    program: Program, tmp_path: Path, text: bytes | None, says: str
) -> None:
    path = tmp_path / "odd.csv"
    if text is not None:
        path.write_bytes(text)
    done = program.run("ratings", "load", str(path))
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert done.err.startswith("jv: ")
    assert says in done.err


@pytest.mark.parametrize("count", ["2", "1001"])
def test_too_few_or_many_pairs_are_refused(program: Program, tmp_path: Path, count: str) -> None:
    done = program.run("rating-sheet", "--matches", count, "--out", str(tmp_path / "sheet.html"))
    assert (done.code, done.err) == (2, f"jv: --matches {count}: ask for 3 to 1,000 pairs\n")


def test_the_evaluation_has_the_figures(program: Program, sheet: str, tmp_path: Path) -> None:
    for rater, rating in (("cd", "2"), ("ef", "5")):
        rows = rows_of(sheet, range(1, 36), rater=rater, rating=rating)
        program.succeeds("ratings", "load", str(saved(tmp_path / f"{rater}.csv", rows)))
    done = program.run("evaluate")
    assert done.code == 0
    found = json.loads((program.home / "reports" / "evaluation.json").read_text())["ratings"]
    raters = program.sql("SELECT count(DISTINCT rater) AS raters, count(*) AS ratings FROM jv.ratings")[0]
    assert {name: found[name] for name in raters} == raters
    assert (found["pairs"], found["pairs_rated_twice"], found["agreement"]) == (35, 35, None)
    assert found["alpha"] < 0.2
    assert sum(each["pairs"] for each in found["sources"]) == 35
    assert "Krippendorff's alpha is " in done.out
    assert "pairs that discovery proposes" in done.out


def test_a_profile_that_is_gone_since_is_refused_with_a_cure(program: Program, sheet: str, tmp_path: Path) -> None:
    """The same pairs are drawn from the files, but one profile of them was deleted."""
    [row] = program.sql(
        f"SELECT profile_id FROM jv.rating_pairs WHERE sheet = '{sheet}' AND source = 'published' LIMIT 1"
    )
    program.sql(f"CREATE TABLE gone AS SELECT * FROM profiles WHERE id = '{row['profile_id']}'")
    program.sql("DELETE FROM profiles WHERE id IN (SELECT id FROM gone)")
    out = tmp_path / "sheet.html"
    done = program.run("rating-sheet", "--matches", "62", "--out", str(out))
    said = "jv: 1 profiles that were drawn are gone from the database; type: jv rescore, then jv discover\n"
    assert (done.code, done.err) == (2, said)
    assert not out.exists()
    (kept,) = program.sql("SELECT count(*) AS rows FROM jv.rating_pairs")
    program.succeeds("rescore")
    program.succeeds("discover", "--top", "5", "--out", str(tmp_path / "candidates.csv"))
    drawn(program, out, "62")
    assert program.sql("SELECT count(*) AS rows FROM jv.rating_pairs") == [{"rows": kept["rows"] + 62}]
    program.sql("INSERT INTO profiles SELECT * FROM gone; DROP TABLE gone")
    program.succeeds("rescore")


def test_too_few_to_draw_from(program: Program, sheet: str, tmp_path: Path) -> None:
    out = tmp_path / "sheet.html"
    done = program.run("rating-sheet", "--matches", "1000", "--out", str(out))
    (scored,) = program.sql("SELECT count(*) AS rows FROM match_suggestions WHERE harmonic_mean IS NOT NULL")
    said = f"jv: {scored['rows']} matches are scored, and the sheet takes 334; type: jv nightly\n"
    assert (done.code, done.err) == (2, said)
    program.succeeds("discover", "--top", "80", "--out", str(tmp_path / "all.csv"))
    done = program.run("rating-sheet", "--matches", "30", "--out", str(out))
    assert done.code == 2
    assert done.err.startswith("jv: of ")
    assert done.err.endswith(" too few pairs are neither matched nor proposed for a sheet\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "all.csv"]
