"""`jv undo` as its users have it: it says what it would do, asks, and takes what one command did as one."""

import os
import pty
import re
import subprocess
from collections.abc import Iterator

import dagster as dg
import pytest

from tests.support.program import JV, Program, removed_at_last


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A few matches, scored under one policy, and two of the four ranges then under another by one command."""
    with removed_at_last(tmp_path_factory.mktemp("undo") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("rescore")
        switch = ("--policy", "geometric/impute", "--switch-policy", "--accept-shift")
        program.succeeds("rescore", "--ranges", "0,8", *switch)
        yield program


def kept(program: Program) -> list[str]:
    """The latest first."""
    rows = program.sql("SELECT run_id FROM jv.publish_runs ORDER BY started_at DESC")
    return [str(row["run_id"]) for row in rows]


def answered(program: Program, answer: str, *words: str) -> tuple[int, str]:
    """The exit code and what was printed at a terminal at which somebody types that answer."""
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    done = subprocess.run(
        [JV, *words],
        env=program.environment(),
        cwd=program.home.parent,
        stdin=theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    os.close(theirs)
    os.close(ours)
    return done.returncode, done.stdout


def test_the_list_says_what_each_run_was(program: Program) -> None:
    last, first = kept(program)
    cells = program.succeeds("undo").cells
    assert cells[first][2:] == ["rescore", "all", "harmonic/impute"]
    assert cells[last][2:] == ["rescore", "0, 8", "geometric/impute"]
    changed = [
        row for row in program.matches().values() if (row["match_context"] or {}).get("policy") != "harmonic/impute"
    ]
    assert cells[last][1] == str(len([row for row in changed if row["harmonic_mean"] is not None]))


def test_without_a_terminal_it_refuses(program: Program) -> None:
    run, before = kept(program)[0], program.versions()
    done = program.run("undo", run)
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "jv: jv undo asks before it writes, and there is no terminal to ask at; to put back what run "
        f"{run[:8]} replaced, type: jv undo {run[:8]} --yes\n"
    )
    assert program.versions() == before


def test_yes_without_a_run_is_one_line(program: Program) -> None:
    done = program.run("undo", "--yes")
    assert (done.code, done.err) == (2, "jv: --yes: name the run that is to be undone; jv undo lists them\n")


def test_it_says_what_it_would_put_back_and_asks(program: Program) -> None:
    run, before = kept(program)[0], program.versions()
    count = program.succeeds("undo").cells[run][1]
    said = [
        f"Undoing run {run[:8]} (rescore, ranges 0, 8, policy geometric/impute):",
        f"{count} matches would have their scores under harmonic/impute again",
    ]
    assert program.succeeds("undo", run, "--dry-run").out.splitlines() == said
    code, out = answered(program, "n\n", "undo", run)
    assert code == 1
    assert out.splitlines()[:2] == said
    assert out.endswith("Nothing was put back.\n")
    assert program.versions() == before
    # what is kept of another program's scores names no policy
    kept_now = "UPDATE jv.replaced_scores SET match_context = {}"
    program.sql("CREATE TABLE contexts AS SELECT * FROM jv.replaced_scores")
    program.sql(kept_now.format("match_context - 'policy'"))
    assert program.succeeds("undo", run, "--dry-run").out.splitlines() == said
    program.sql(kept_now.format("NULL"))
    assert (
        f"{count} matches would have their scores under other rules again"
        in program.succeeds("undo", run, "--dry-run").out
    )
    program.sql(
        "UPDATE jv.replaced_scores r SET match_context = c.match_context FROM contexts c "
        "WHERE (r.match_id, r.run_id) = (c.match_id, c.run_id)"
    )
    program.sql("DROP TABLE contexts")
    with program.instance() as instance:
        part = instance.get_runs(dg.RunsFilter(job_name="rescore"))[0].run_id
    assert part != run
    code, out = answered(program, "y\n", "undo", part[:8])
    assert code == 0
    assert f"{count} matches have their old scores again" in out
    policies = {(row["match_context"] or {}).get("policy") for row in program.matches().values()}
    assert policies - {None} == {"harmonic/impute"}
    code, out = answered(program, "", "undo", run)
    assert code == 0
    assert "0 matches would change: there is nothing to put back" in out
    assert re.search(r"\d+ matches have their old scores already", out)
