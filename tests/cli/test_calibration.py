"""`jv calibration`: measures, saves a proposal under a name, and what scoring under it takes."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jv_scoring.analysis.calibration_pairs import FACTORS
from tests.support.models import MINILM
from tests.support.program import Program, removed_at_last

STEPS = [(0.6, 10.0), (0.5, 8.0), (0.4, 6.0), (0.3, 4.5)]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("calibration") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("nightly")
        yield program


def test_it_measures_saves_and_scores_on_purpose(program: Program, tmp_path: Path) -> None:
    there = {"JV_CALIBRATIONS": str(tmp_path)}
    done = program.run("calibration", "save", "mine", **there)
    assert (done.code, done.err) == (2, f"jv: nothing was measured for {MINILM}; type: jv calibration measure\n")
    done = program.run("calibration", "measure", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert {name: of["verdict"] for name, of in found["calibration"].items()} == dict.fromkeys(
        FACTORS, "not enough data"
    )
    done = program.run("calibration", "save", "mine", **there)
    assert done.code == 2
    assert done.err.startswith("jv: there is not enough data to propose steps (offering_seeking: ")
    assert not list(tmp_path.iterdir())

    path = Path(found["out"])  # As if there had been enough data.
    report = json.loads(path.read_text())
    for factor in report["factors"]:
        factor["proposal"] |= {"verdict": "proposed", "why": ""}
        for step, (limit, score) in zip(factor["proposal"]["steps"], STEPS, strict=True):
            step |= {"limit": limit, "score": score}
    path.write_text(json.dumps(report))
    done = program.run("calibration", "save", "mine", **there)
    assert done.code == 0, done.err
    assert f"{tmp_path}/mine.json: calibration mine of {MINILM}. Commit it; no score has changed." in done.out
    assert "set JV_CALIBRATION=mine, then type: jv rescore --switch-policy" in done.out

    named = {**there, "JV_CALIBRATION": "mine"}
    before = program.matches()
    done = program.run("rescore", **named)
    assert done.code == 1
    assert "these were made under" in done.err + done.out
    assert program.matches() == before
    done = program.run("rescore", "--switch-policy", **named)
    assert done.code == 0, done.err
    versions = {row["match_context"]["scoring_version"] for row in program.matches().values() if row["match_context"]}
    (version,) = versions
    assert version.startswith("ismc_v2_embeddings+mine.")
    assert version in program.run("status", **named).out.replace("\n", "")
    assert program.run("rescore", "--switch-policy").code == 0
    scores = {name: row["harmonic_mean"] for name, row in program.matches().items()}
    assert scores == {name: row["harmonic_mean"] for name, row in before.items()}


@pytest.mark.parametrize(
    ("words", "settings", "line"),
    [
        (["calibration", "measure"], {"JV_CALIBRATION_FPR": "0.5"}, "JV_CALIBRATION_FPR=0.5: set it to four shares"),
        (["calibration", "save", "No Name"], {}, "'No Name' is no name of a calibration: write up to 40 small letters"),
        (["rescore"], {"JV_CALIBRATION": "nobody"}, "no calibration is named nobody in"),
        (["status"], {"JV_CALIBRATION": "nobody"}, "no calibration is named nobody in"),
    ],
)
def test_a_wrong_call_is_one_line_before_it_starts(
    program: Program, words: list[str], settings: dict[str, str], line: str
) -> None:
    done = program.run(*words, **settings)
    assert done.code == 2
    assert done.err.startswith(f"jv: {line}")
    assert done.err.count("\n") == 1
