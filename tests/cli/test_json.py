"""`--json`: one object on standard output whatever happens, with the fields of docs/json.md; words elsewhere."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from jv_assets.cli import app
from tests.support.program import KEYS, Program, removed_at_last, scored

PAGE = Path(__file__).resolve().parents[2] / "docs" / "json.md"
NO_END = {"ui", "workers", "psql"}
"""Commands that hand the terminal to another program."""
EVERY = {"command", "exit_code", "error"}
OF_RUNS = {"succeeded", "dry_run", "runs", "seconds", "assets", "failures", "next"}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("json") / "home") as home:
        program = Program(home)
        loaded = answer(program, "load", "demo", "--profiles", "40", "--matches", "80")
        assert (loaded["profiles"], loaded["matches"]) == (40, 80)
        yield program


def answer(program: Program, *words: str | Path, code: int = 0, **settings: str) -> dict[str, Any]:
    """The object that a command prints, whose fields are those of the page."""
    done = program.run(*words, "--json", **settings)
    assert done.code == code, done.err
    (line,) = done.out.splitlines()
    found: dict[str, Any] = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert found["exit_code"] == code
    assert found.keys() <= documented(found["command"])
    return found


def documented(command: str | None) -> set[str]:
    """The fields that the page lists for a command; those of every command for one that is unknown."""
    sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    named = {title: set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) for title, _, text in map(cut, sections)}
    found = set(named["Every command"])
    for title, fields in named.items():
        if command and command in re.findall(r"`jv ([\w-]+)", title):
            found |= fields
    return found


def cut(section: str) -> tuple[str, str, str]:
    return section.partition("\n")


def test_a_night_and_what_follows(program: Program) -> None:
    before = answer(program, "status")
    assert before["matches"] == 80
    assert before["next"] == "jv retry"  # every range is left to do
    assert set(before["unfinished"]["match_scores"]) == set(KEYS)
    tried = answer(program, "rescore", "--dry-run")
    assert tried["dry_run"] is True
    assert tried["assets"]["published_scores"]["counts"]["written"] > 0
    assert scored(program.matches()) == set()

    done = answer(program, "rescore")
    assert done.keys() == EVERY | OF_RUNS
    assert (done["command"], done["error"], done["succeeded"], done["next"]) == ("rescore", None, True, None)
    published = done["assets"]["published_scores"]
    assert published["done"] == KEYS
    assert published["failed"] == {}
    assert published["counts"]["written"] == len(scored(program.matches()))
    assert len(done["runs"]) == 1

    after = answer(program, "status")
    assert [each["matches"] for each in after["scored"]] == [len(scored(program.matches()))]
    assert after["profiles"].keys() == {"embedded", "under_another_model", "skipped_no_text", "waiting"}
    assert answer(program, "retry").keys() == EVERY | OF_RUNS

    (kept,) = answer(program, "undo")["kept_runs"]
    assert kept["run"] == done["runs"][0]
    assert kept["matches"] == published["counts"]["written"]
    would = answer(program, "undo", kept["run"], "--dry-run")
    assert would["would_restore"] == [{"policy": None, "matches": kept["matches"]}]
    undone = answer(program, "undo", kept["run"], "--yes")
    assert undone["restored"] == kept["matches"]
    assert undone["succeeded"] is True
    answer(program, "rescore")


def test_what_only_asks(program: Program, tmp_path: Path) -> None:
    answer(program, "rescore")
    matches = program.matches()
    match = max((matches[name] for name in scored(matches)), key=lambda row: row["harmonic_mean"])
    why = answer(program, "explain", str(match["id"]), "--names", "--set", "list_size=5")
    assert why["match"] == str(match["id"])
    assert [each["label"] for each in why["scores"]] == ["now", "changed"]
    assert why["scores"][0]["harmonic_mean"] == match["harmonic_mean"]
    assert why["scores"][0]["breakdown_ab"] == match["match_context"]["breakdown_ab"]
    names = {str(row["id"]): row["name"] for row in program.profiles().values()}
    assert why["names"] == [names[each] for each in why["profiles"]]
    findings = answer(program, "doctor")["findings"]
    assert {each["level"] for each in findings} <= {"ok", "warning"}
    assert "connection" in {each["subject"] for each in findings}
    report = answer(program, "report")
    assert report["report"]["headline"]["matches"] == len(scored(matches))
    assert all(Path(file).is_file() for file in report["files"])
    assert answer(program, "evaluate")["evaluation"]["policy"]
    assert answer(program, "export", "--top", "3", "--out", tmp_path / "top.csv")["rows"] == 3
    found = answer(program, "discover", "--top", "2", "--out", tmp_path / "new.csv")
    assert found["rows"] == len((tmp_path / "new.csv").read_text().splitlines()) - 1
    assert answer(program, "migrate")["applied"] == []
    assert answer(program, "repartition", "--dry-run")["changed"] is False


@pytest.mark.parametrize(
    ("words", "error", "command"),
    [
        (["rescore", "--ranges", "zz"], "--ranges zz: there is no range zz", "rescore"),
        (["rescore", "--resume"], "(Possible options: --ranges); see: jv rescore --help", "rescore"),
        (["score"], "No such command 'score'", None),
        (["explain", "x"], "MATCH_ID: not a uuid: 'x'; see: jv explain --help", "explain"),
        (["export", "--top", "1", "--out", "-"], "--out -: --json writes to standard output too", "export"),
    ],
)
def test_a_wrong_call_is_an_object_too(program: Program, words: list[str], error: str, command: str | None) -> None:
    found = answer(program, *words, code=2)
    assert error in found["error"]
    assert found["command"] == command
    assert found.keys() == EVERY


def test_a_range_that_fails(program: Program) -> None:
    answer(program, "rescore")
    program.forget_scores()
    program.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not today'; END $$")
    program.sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON match_suggestions FOR EACH ROW "
        "WHEN (NEW.id::text LIKE '8%' AND NEW.harmonic_mean IS NOT NULL) EXECUTE FUNCTION refuse()"
    )
    found = answer(program, "rescore", code=1)
    assert (found["succeeded"], found["next"], found["error"]) == (False, "jv retry", None)
    assert list(found["assets"]["published_scores"]["failed"]) == ["8"]
    assert "cannot be written: a function of the database, refuse" in found["assets"]["published_scores"]["failed"]["8"]
    assert list(answer(program, "status")["unfinished"]["published_scores"]) == ["8"]
    program.sql("DROP TRIGGER refuse ON match_suggestions")
    assert answer(program, "retry")["succeeded"] is True


def test_every_command_that_ends_has_it_and_is_documented() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    without = {name for name, command in commands.items() if "as_json" not in {each.name for each in command.params}}
    assert without == {*NO_END, "ratings", "calibration", "trial"} & commands.keys()
    assert documented("rescore") == EVERY | OF_RUNS
    for name in commands.keys() - without:
        assert f"`jv {name}" in PAGE.read_text(encoding="utf-8"), name
