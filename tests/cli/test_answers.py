"""`jv explain` and `jv export` as their users have them."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jv_scoring.reference import score_pair
from jv_scoring.similarity import calibration_of
from tests.support.models import MINILM
from tests.support.program import Done, Program, removed_at_last, scored


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A few matches, scored without vectors. Tests write nothing, but for the last one."""
    with removed_at_last(tmp_path_factory.mktemp("answers") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("rescore")
        yield program


@pytest.fixture(scope="module")
def best(program: Program) -> dict[str, Any]:
    """The match with the highest score, and its profiles as `a` and `b`."""
    matches, profiles = program.matches(), program.profiles()
    match = max((matches[name] for name in scored(matches)), key=lambda row: row["harmonic_mean"])
    return match | {"a": profiles[str(match["profile_id"])], "b": profiles[str(match["suggested_profile_id"])]}


def test_why_a_match_has_its_score(program: Program, best: dict[str, Any]) -> None:
    before = program.versions()
    done = program.succeeds("explain", str(best["id"]))
    assert f"match   {best['id']}\n" in done.out
    # Nothing is embedded here, and that is the only thing to note.
    assert [line for line in done.out.splitlines() if line.startswith("note")] == [
        line for line in done.out.splitlines() if ": the text waits to be embedded, and is compared by " in line
    ]
    scores = [f"{best[name]:.2f}" for name in ("score_ab", "score_ba", "harmonic_mean")]
    assert Done(0, done.out.split("A → B: ")[0], "").cells["score"][:3] == scores
    for name in ("JV History", "Offering↔Seeking", "Audience Engagement", "Contact Available"):
        assert name in done.cells
    assert done.cells["Offering↔Seeking"][2] == "word overlap"
    assert program.versions() == before


def test_under_another_policy_with_changes_and_as_a_page(
    program: Program, best: dict[str, Any], tmp_path: Path
) -> None:
    page = tmp_path / "why.html"
    changes = ("--set", "list_size=150000", "--set", "a.jv_history=[1, 2, 3]")
    done = program.succeeds("explain", str(best["id"]), "--policy", "geometric/impute", *changes, "--html", page)
    new = [best["a"] | {"jv_history": [1, 2, 3]}, best["b"] | {"list_size": 150_000}]
    calibration = calibration_of(MINILM)
    now = score_pair(best["a"], best["b"], "geometric/impute", calibration)
    changed = score_pair(*new, "geometric/impute", calibration)
    assert changed.harmonic_mean > now.harmonic_mean
    for label, pair, policy in (("now", now, "geometric/impute"), ("changed", changed, "geometric/impute")):
        expected = [f"{score:.2f}" for score in (pair.score_ab, pair.score_ba, pair.harmonic_mean)]
        assert done.cells[label][:3] == expected
        assert done.cells[label][4] == policy
    assert done.cells["stored"][4] == "harmonic/impute"
    assert "the stored score was made under another policy, harmonic/impute; now: geometric/impute" in done.out
    assert done.out.endswith(f"The page: {page}\n")
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert f"{changed.harmonic_mean:.2f}" in html
    assert "b.list_size" in html


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["no-uuid"], "jv: MATCH_ID: not a uuid: 'no-uuid'"),
        (["00000000-0000-4000-8000-000000000000"], "jv: no match has the id 00000000-0000-4000-8000-000000000000"),
        (["{match}", "--policy", "best/impute"], "jv: --policy: policy best/impute is unknown"),
        (["{match}", "--set", "wealth=1"], "jv: --set wealth: profiles have no such column"),
        (["{match}", "--set", "list_size"], "jv: --set list_size: write column=value"),
        (["{match}", "--html", "{tmp}/no/where.html"], "jv: cannot write {tmp}/no/where.html: No such file"),
    ],
)
def test_what_cannot_be_explained_is_one_line(
    program: Program, best: dict[str, Any], tmp_path: Path, words: list[str], cause: str
) -> None:
    filled = [word.format(match=best["id"], tmp=tmp_path) for word in words]
    done = program.run("explain", *filled)
    assert done.code == 2
    assert done.err.startswith(cause.format(tmp=tmp_path))
    assert done.err.count("\n") == 1


def test_the_best_matches_as_csv(program: Program, tmp_path: Path) -> None:
    matches, out = program.matches(), tmp_path / "top.csv"
    best = sorted((matches[name] for name in scored(matches)), key=lambda row: (-row["harmonic_mean"], str(row["id"])))
    done = program.succeeds("export", "--top", "10", "--out", out)
    assert done.out == f"10 matches in {out}; {len(matches) - len(best)} without a score were left out\n"
    with out.open(newline="", encoding="utf-8") as file:
        found = list(csv.DictReader(file))
    assert [row["id"] for row in found] == [str(row["id"]) for row in best[:10]]
    assert [float(row["match_score"]) for row in found] == [row["harmonic_mean"] for row in best[:10]]
    assert {row["policy"] for row in found} == {"harmonic/impute"}


def test_the_best_matches_of_one_profile(program: Program, best: dict[str, Any], tmp_path: Path) -> None:
    profile, out = str(best["profile_id"]), tmp_path / "mine.csv"
    program.succeeds("export", "--top", "1000", "--out", out, "--profile", profile)
    with out.open(newline="", encoding="utf-8") as file:
        found = {row["id"]: {row["profile_id"], row["suggested_profile_id"]} for row in csv.DictReader(file)}
    assert all(profile in sides for sides in found.values())
    matches = program.matches()
    mine = [row for row in matches.values() if profile in (str(row["profile_id"]), str(row["suggested_profile_id"]))]
    assert set(found) == {str(row["id"]) for row in mine} & scored(matches)


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["--top", "0", "--out", "{tmp}/x.csv"], "jv: --top 0: ask for 1 match or more"),
        (["--top", "5", "--out", "{tmp}"], "jv: cannot write {tmp}: it is there and is no file"),
        (["--top", "5", "--out", "{tmp}/x.csv", "--profile", "me"], "jv: --profile: not a uuid: 'me'"),
        (["--top", "5"], "jv: Missing option '--out'"),
    ],
)
def test_what_cannot_be_exported_is_one_line(program: Program, tmp_path: Path, words: list[str], cause: str) -> None:
    done = program.run("export", *(word.format(tmp=tmp_path) for word in words))
    assert done.code == 2
    assert done.err.startswith(cause.format(tmp=tmp_path))
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_match_whose_profile_is_gone(program: Program, best: dict[str, Any]) -> None:
    program.sql(f"DELETE FROM profiles WHERE id = '{best['suggested_profile_id']}'")
    done = program.succeeds("explain", str(best["id"]))
    gone = f"its profile {best['suggested_profile_id']} is gone"
    assert f"{gone}: this is what is stored, and no what-if is possible" in done.out
    assert done.cells["stored"][:3] == [f"{best[name]:.2f}" for name in ("score_ab", "score_ba", "harmonic_mean")]
    done = program.run("explain", str(best["id"]), "--set", "list_size=5")
    assert (done.code, done.out) == (2, "")
    assert done.err == f"jv: --set: match {best['id']} can only be shown as it is stored: {gone}\n"
