"""`jv` in a real shell: pipes, completion, the version, a table on standard output, beginnings of ids."""

import csv
import io
import os
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.support.program import JV, Program, removed_at_last, scored
from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """Tests leave its scores as they are."""
    with removed_at_last(tmp_path_factory.mktemp("shell") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("rescore")
        yield program


def bash(program: Program, line: str) -> "subprocess.CompletedProcess[str]":
    """A line of a shell in which `jv` is on the PATH; the exit code is that of whatever fails in a pipe."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**program.environment(), "PATH": f"{JV.parent}:/usr/bin:/bin"},
        cwd=program.home.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def a_match(program: Program) -> str:
    return min(scored(program.matches()))


@pytest.mark.parametrize("reader", ["true", "head -1"])
def test_a_reader_that_leaves_early_is_no_error(program: Program, tmp_path: Path, reader: str) -> None:
    page = tmp_path / "why.html"
    done = bash(program, f"jv explain {a_match(program)} --html {page} | {reader}")
    assert (done.returncode, done.stderr) == (0, "")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    for words in ("--help", "doctor --json", "export --top 50 --out -"):
        done = bash(program, f"jv {words} 2>&1 | {reader}")
        assert done.returncode == 0, (words, done.stdout)


def test_a_command_that_fails_still_says_so_to_the_shell(program: Program) -> None:
    assert bash(program, "jv rescore --ranges zz 2>&1 | true").returncode == 2


def test_a_table_on_standard_output(program: Program, tmp_path: Path) -> None:
    done = bash(program, "jv export --top 5 --out -")
    assert done.stderr.startswith("5 matches in standard output; ")
    program.succeeds("export", "--top", "5", "--out", tmp_path / "top.csv")
    assert done.stdout.encode() == (tmp_path / "top.csv").read_bytes().replace(b"\r\n", b"\n")
    done = bash(program, "jv discover --top 1 --out -")
    assert done.returncode == 0
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["profile_id"] for row in rows} <= set(program.profiles())
    assert f"{len(rows)} candidates of " in done.stderr


def test_the_version(program: Program) -> None:
    assert bash(program, "jv --version").stdout == f"jv {version('jv-assets')}\n"


def completed(program: Program, *words: str) -> set[str]:
    """What bash offers for the last of the words, as somebody who types them and the tab key sees it."""
    line = (
        'eval "$(jv --show-completion bash)"; COMP_WORDS=({}); COMP_CWORD={}; '
        '$(complete -p jv | sed "s/.*-F \\([^ ]*\\).*/\\1/") jv; printf "%s\\n" "${{COMPREPLY[@]}}"'
    )
    done = bash(program, line.format(" ".join(["jv", *words]), len(words)))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_completion_in_bash(program: Program) -> None:
    assert completed(program, "res") == {"rescore"}
    assert completed(program, "st") >= {"status"}
    assert completed(program, "rescore", "--dry") == {"--dry-run"}
    assert completed(program, "explain", "--na") == {"--names"}


def test_the_beginning_of_an_id(program: Program) -> None:
    match = a_match(program)
    for beginning in (match[:8], match[:13], match.replace("-", "")[:12].upper()):
        assert program.succeeds("explain", beginning).out.startswith(f"match   {match}\n")
    digit = next(d for d in "0123456789abcdef" if sum(each.startswith(d) for each in program.matches()) > 1)
    done = program.run("explain", digit)
    assert (done.code, done.out) == (2, "")
    first, second = sorted(each for each in program.matches() if each.startswith(digit))[:2]
    assert done.err == (
        f"jv: {digit} is the beginning of several matches: {first}, {second}; type more of it; see: jv explain --help\n"
    )
    done = program.run("explain", "00000000-0000-4000-8000")
    assert done.err == ("jv: no match has an id that begins with 00000000-0000-4000-8000; see: jv explain --help\n")


def test_the_names_of_both_profiles_if_asked_for(program: Program, tmp_path: Path) -> None:
    match = a_match(program)
    row = program.matches()[match]
    names = [str(program.profiles()[str(row[side])]["name"]) for side in ("profile_id", "suggested_profile_id")]
    page = tmp_path / "why.html"
    out = program.succeeds("explain", match, "--names", "--html", page).out
    without = program.succeeds("explain", match).out
    for side, name in zip(("profile_id", "suggested_profile_id"), names, strict=True):
        assert f"{row[side]}, {name}\n" in out
        assert name in page.read_text(encoding="utf-8")
        assert name not in without


def test_a_row_of_ranges(program: Program) -> None:
    assert program.succeeds("rescore", "--ranges", "4-8,C").cells["match_scores"][0] == "3"
    for wrong, said in (("8-4", "--ranges 8-4: 4 comes before 8; type: 4-8"), ("4-", "there is no range (empty)")):
        done = program.run("rescore", "--ranges", wrong)
        assert (done.code, done.out) == (2, "")
        assert said in done.err


def test_while_a_rescore_runs_status_advises_no_other(program: Program) -> None:
    """Also with other rules, when it says how to replace the scores, and with scores that are missing."""
    policy = {"JV_POLICY": "geometric/impute"}
    assert "jv rescore --policy geometric/impute --switch-policy" in program.succeeds("status", **policy).out
    program.forget_scores()
    assert program.succeeds("status").out.endswith("Next: jv nightly\n")
    with program.connect() as other, other.transaction():
        other.execute("SELECT FROM match_suggestions FOR UPDATE")
        process = program.start("rescore", "--ranges", "8")
        wait_until(lambda: waits_for_a_lock(program))
        for settings in ({}, policy):
            out = program.succeeds("status", **settings).out
            assert " of rescore, ranges 8 to 8, is still running\n" in out
            assert out.endswith("Next: wait for the run in progress, then: jv status\n")
            assert "jv rescore" not in out
    assert process.wait() == 0
    program.succeeds("rescore")


def waits_for_a_lock(program: Program) -> bool:
    waiting = "SELECT FROM pg_stat_activity WHERE application_name = 'jv' AND wait_event_type = 'Lock'"
    return bool(program.sql(f"SELECT EXISTS ({waiting}) AS yes")[0]["yes"])


def test_psql_on_the_embedded_server(program: Program) -> None:
    done = bash(program, "jv psql -At -c 'SELECT count(*) FROM profiles'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "40\n", "")
    assert bash(program, "jv psql -d dagster -At -c 'SELECT count(*) > 0 FROM runs'").stdout == "t\n"
    assert bash(program, "echo 'SELECT current_database()' | jv psql -At").stdout == "jv\n"
    done = program.run("psql", JV_DATABASE_URL="postgresql://nobody@127.0.0.1/none")
    assert done.code == 2
    assert "jv psql opens the embedded Postgres, and JV_DATABASE_URL names another one" in done.err


def test_stop_the_embedded_server(program: Program) -> None:
    """Refused while somebody is connected; the data are there after it."""
    before = program.versions()
    with program.connect() as other:
        other.execute("SET application_name = 'somebody else'")
        done = program.run("stop")
        assert done.code == 2
        assert "the embedded Postgres has open connections: somebody else (1); let these programs end first" in done.err
    assert program.succeeds("stop").out.startswith("Stopped. The data stay in ")
    assert program.succeeds("stop").out == "No embedded Postgres is running.\n"
    assert program.versions() == before


PIP = """#!/bin/sh
case "$*" in
  *constraints.txt)
    for n in $(seq 1 45); do echo "Collecting package$n==1.0 (from -r constraints.txt (line $n))"; done
    echo "  Downloading package45-1.0-py3-none-any.whl (24.1 MB)"
    echo "  Downloading package45-1.0-py3-none-any.whl (24 kB)"
    echo "Installing collected packages: package1, package2"
    exit $CODE;;
  "-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python;;
esac
"""
"""Stands for Python and for pip."""


@pytest.mark.parametrize("code", [0, 3])
def test_make_install_says_that_it_goes_on_and_fails_as_pip_does(tmp_path: Path, code: int) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "constraints-cpu.txt", "constraints-gpu.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    pip = tmp_path / "pip"
    pip.write_text(PIP)
    pip.chmod(0o755)
    done = subprocess.run(
        ["make", "install", f"PIP={pip}", f"PYTHON={pip}"],
        cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "CODE": str(code)}, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == (code == 0) == (tmp_path / ".venv" / "installed").exists(), done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "Installing into .venv: some minutes the first time"
    assert [line for line in said if line.startswith("  ")] == [
        "  20 packages",
        "  40 packages",
        "    Downloading package45-1.0-py3-none-any.whl (24.1 MB)",
        "  Installing collected packages: package1, package2",
    ]


def test_make_clean_says_what_it_deletes(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    gone, kept = (".venv", ".mypy_cache", "deep/__pycache__", "jv.egg-info"), (".jv", "deep")
    for name in (*gone, *kept):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, text=True, check=True)
    for said in ("embedded Postgres", ".venv", "egg-info", "caches", "__pycache__", ".jv stay"):
        assert said in done.stdout
    assert [name for name in (*gone, *kept) if (tmp_path / name).exists()] == list(kept)
