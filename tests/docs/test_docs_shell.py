"""The command lines of the documentation that are not `jv`: each is run as far as it can be here, or said not to be.

`jv` lines are in test_docs.py and, run, in test_docs_run.py.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
from test_docs import PAGES, ROOT, TARGETS

DEPLOY = ROOT / "deploy" / "README.md"
ELSEWHERE = {
    **dict.fromkeys(("useradd", "install", "cp", "cd", "systemctl", "systemd-run", "journalctl"), "root, and systemd"),
    **dict.fromkeys(("docker", "docker-compose"), "a container engine"),
    "celery": "a broker, which tests have of their own (test_celery.py)",
    "git": "a checkout of the remote's",
}
"""What cannot be run here, and what it takes. Its syntax is looked at, and its files; deploy/README.md says so too."""
RUN = ("make", "export", "pytest")
QUOTED = re.compile(rf"`((?:\.venv/bin/)?(?:{'|'.join([*ELSEWHERE, *RUN])}) [^`]+|git clone)`")
DRY = (
    "install",
    "demo",
    "test",
    "test-fast",
    "programs",
    "wheel",
    "lint",
    "test-browser",
    "test-long",
    "bench",
    "bench-large",
    "bench-workers",
    "types",
    "soak",
    "ui",
    "constraints",
    "audit",
    "clean",
)
"""Targets that take minutes, the network or a user: of these make says what it would do."""


def lines() -> Iterator[tuple[str, str]]:
    """Page and line, of all that stands in a block by itself, and of what is quoted in a sentence."""
    for page in (*PAGES, DEPLOY):
        fenced, block, before = False, False, ""
        text = page.read_text(encoding="utf-8")
        for line in text.splitlines():
            fenced ^= line.startswith("```")
            block = line.startswith("    ") and (block or not before) and not fenced  # else it goes on with a list
            if block:
                yield page.name, line.strip()
            before = line
        for quoted in QUOTED.findall(re.sub(r"\s+", " ", text)):
            yield page.name, quoted


LINES = sorted(set(lines()))


def program(line: str) -> str:
    return shlex.split(line)[0].rpartition("/")[2]


def of(*names: str) -> list[str]:
    return sorted({line for _, line in LINES if program(line) in names})


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_every_line_is_a_command_that_is_run_or_said_to_be_not(page: str, line: str) -> None:
    assert program(line) in ("jv", *RUN, *ELSEWHERE)
    done = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_some_of_each() -> None:
    assert {program(line) for _, line in LINES} == {"jv", *RUN, *ELSEWHERE}


@pytest.mark.parametrize("line", of(*ELSEWHERE))
def test_what_is_not_run_names_files_that_are_there(line: str) -> None:
    """Those of the checkout, which the pages have in /opt/jv or in the folder they go to."""
    for word in shlex.split(line, comments=True):
        if word.startswith("/opt/jv/") and ".venv" not in word:
            assert list(ROOT.glob(word.removeprefix("/opt/jv/"))), word
        if word in ("deploy/compose", "env.example"):
            assert list(ROOT.rglob(word)), word


@pytest.mark.parametrize("line", of("export"))
def test_an_export_sets_a_variable_that_there_is(line: str) -> None:
    done = subprocess.run(["bash", "-euc", f"{line}; env"], capture_output=True, text=True, check=True)
    (name,) = re.findall(r"^export (\w+)=", line)
    assert f"{name}=" in done.stdout
    assert name in (ROOT / "jv_assets" / "settings.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("line", of("pytest"))
def test_a_line_of_pytest_finds_tests(line: str) -> None:
    """Which are run by `make test` and `make test-long`."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *shlex.split(line)[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"^\d+ tests collected", done.stdout, re.MULTILINE)


def make(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", *words], cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_help_lists_every_target() -> None:
    done = make("help")
    assert (done.returncode, done.stderr) == (0, "")
    listed = set(re.findall(r"^make ([a-z-]+) ", done.stdout, re.MULTILINE))
    assert listed == TARGETS
    assert listed == {"help", "docs", *DRY}


def test_make_docs_builds_the_pages() -> None:
    done = make("-o", "install", "docs")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Open {ROOT / 'build' / 'site' / 'index.html'}: ")
    assert (ROOT / "build" / "site" / "index.html").exists()


@pytest.mark.parametrize("target", DRY)
def test_what_make_would_do_is_shell(target: str) -> None:
    done = make("-n", target)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    checked = subprocess.run(["bash", "-n"], input=done.stdout, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("line", of("make"))
def test_every_make_line_asks_for_targets_that_there_are(line: str) -> None:
    words = [word for word in shlex.split(line, comments=True)[1:] if "=" not in word]
    if "-C" in words:
        del words[words.index("-C") : words.index("-C") + 2]
    assert words
    assert set(words) <= TARGETS
