"""`jv trial`: starts, shows and ends a trial, and what it refuses."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jv_assets.trials.criteria import hash_of, written_down
from tests.support.models import BGE, MINILM
from tests.support.program import Program, removed_at_last

STEPS = [[0.6, 10.0], [0.5, 8.0], [0.4, 6.0], [0.3, 4.5]]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("trial") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("nightly")
        yield program


def test_it_is_started_seen_and_ended(program: Program) -> None:
    assert "No trial goes on" in program.run("trial", "status").out
    done = program.run("trial", "start", "geo", "--policy", "geometric/redistribute", "--nights", "2", "--json")
    assert done.code == 0, done.err
    started = json.loads(done.out)
    assert started["criteria"] == written_down(2)
    assert started["criteria_sha256"] == hash_of(written_down(2))
    assert "complete nights" in program.run("trial", "status").out
    before = program.matches()
    done = program.run("nightly")
    assert done.code == 0, done.err
    assert "trial_scores" in done.out
    assert program.matches() == before
    [trial] = json.loads(program.run("trial", "status", "--json").out)["trials"]
    assert (trial["name"], trial["policy"], trial["verdict"]) == ("geo", "geometric/redistribute", "fail")
    assert trial["criteria_sha256"] == started["criteria_sha256"]
    assert [each["why_not_complete"] for each in trial["nights"]] == [None]
    shown = program.run("trial", "status").out
    assert "trial geo of geometric/redistribute: fail" in shown
    assert "1 of 2" in shown
    assert "no evidence of better: too few outcomes" in shown
    done = program.run("trial", "end", "geo", "--json")
    assert (done.code, json.loads(done.out)["nights"]) == (0, 1)
    found = json.loads(program.run("trial", "status", "--json").out)
    assert (found["trials"], found["ended"]) == ([], ["geo"])
    done = program.run("trial", "end", "geo")
    assert done.code == 2
    assert done.err.startswith("jv: trial geo ended at ")
    done = program.run("trial", "start", "geo", "--policy", "geometric/impute")
    assert done.err == ("jv: there is a trial geo already: choose another name, because a name keeps its meaning\n")
    done = program.run("trial", "end", "nobody")
    assert done.err == (
        "jv: no trial is named nobody (there are: geo); to start one, type: jv trial start nobody --policy …\n"
    )
    done = program.run("nightly")
    assert "trial_scores" not in done.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["start", "a", "--policy", "best"], "--policy: policy best is unknown; use one of harmonic/impute, "),
        (["start", "No Name", "--policy", "geometric/impute"], "'No Name' is no name of a trial: write up to 40 small "
         "letters, digits, - and _"),
        (["start", "a", "--policy", "geometric/impute", "--calibration", "nobody"], "no calibration is named nobody"),
        (["start", "a", "--policy", "geometric/impute", "--calibration", "other"],
         f"--calibration other is a calibration of {BGE}, and the model is {MINILM}: choose one of this model"),
        (["start", "a", "--policy", "geometric/impute", "--nights", "0"], "--nights 0: give 1 to 366"),
        (["end", "nobody"], "no trial is named nobody (there "),
        (["start", "a"], "Missing option '--policy'"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_one_line_and_starts_nothing(
    program: Program, words: list[str], line: str, tmp_path: Path
) -> None:
    content = {"format": 1, "name": "other", "model": BGE, "evidence": {}}
    steps = {"offering_seeking": STEPS, "audience_alignment": STEPS}
    (tmp_path / "other.json").write_text(json.dumps(content | {"steps": steps}))
    done = program.run("trial", *words, JV_CALIBRATIONS=str(tmp_path))
    assert done.code == 2
    assert done.err.startswith(f"jv: {line}"), done.err
    assert done.err.count("\n") == 1
    assert json.loads(program.run("trial", "status", "--json").out)["trials"] == []
