"""`jv evaluate` as its users have it."""

import json
from collections.abc import Iterator

import pytest

from tests.support.program import Program, removed_at_last


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("evaluate") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "80", "--matches", "300")
        yield program


@pytest.mark.parametrize("labels", ["good", "[]", '{"good": 2}', '{"good": true}', '{"good": "yes"}', "{"])
def test_labels_that_are_no_map_are_refused_in_one_line(program: Program, labels: str) -> None:
    done = program.run("evaluate", JV_FEEDBACK_LABELS=labels)
    cure = 'set it to a JSON object of words and 1 or 0, such as {"good": 1, "bad": 0}'
    assert (done.code, done.out, done.err) == (2, "", f"jv: JV_FEEDBACK_LABELS={labels}: {cure}\n")


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (("--label", "liked"), "--label liked: use one of acted, feedback"),
        (("--at", "soon"), "--at soon: write a moment as 2026-11-28T03:00Z, in UTC or with its zone"),
    ],
)
def test_a_wrong_call_is_refused_in_one_line(program: Program, words: tuple[str, ...], cause: str) -> None:
    done = program.run("evaluate", *words)
    assert (done.code, done.out, done.err) == (2, "", f"jv: {cause}\n")


def test_before_anything_is_scored(program: Program) -> None:
    done = program.run("evaluate")
    assert (done.code, done.out, done.err) == (2, "", "jv: no match is scored yet; type: jv nightly\n")


def test_it_prints_the_table_and_the_verdicts_and_keeps_the_file(program: Program) -> None:
    program.succeeds("rescore")
    before = program.versions()
    done = program.run("evaluate", "--at", "2026-02-17T00:00Z")
    assert done.code == 0
    assert "Words of user_feedback that nobody knows: " in done.err
    path = program.home / "reports" / "evaluation.json"
    assert done.out.splitlines()[-1] == str(path)
    found = json.loads(path.read_text())
    assert found["at"] == "2026-02-17T00:00:00+00:00"
    record = found["analyses"]["retrospective"]["labels"]["acted"]
    assert done.cells["acted, retrospective"] == [
        f"{record[name]:,}" for name in ("exposed", "undated", "future", "censored", "unmapped", "used", "positive")
    ]
    assert f"acted, retrospective: {record['verdict']}" in done.out
    assert [name for name in ("harmonic/impute", "word_overlap", "random") if name in done.cells] != []
    assert program.versions() == before
    one = program.run("evaluate", "--at", "2026-02-17", "--label", "feedback")
    assert "acted, retrospective" not in one.out
    assert "feedback, retrospective" in one.out
    assert json.loads(path.read_text()) == found
