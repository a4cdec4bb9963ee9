"""The documentation: every command line in it is one, and what it builds into needs nothing from elsewhere."""

import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from jv_assets.cli import app
from jv_assets.definitions import defs

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
ROOT_COMMAND = typer.main.get_command(app)
COMMANDS = ROOT_COMMAND.commands  # type: ignore[attr-defined]
QUOTED, TYPED = re.compile(r"`((?:\.venv/bin/)?jv [^`]+|make [^`]+)`"), re.compile(r"^ {4}((?:\S*/)?jv .*|make .*)$")
STANDS_FOR = {"N": "1"}
"""What is written for a number; other names stand for texts."""


def command_lines() -> Iterator[tuple[str, str]]:
    """Page and command line, of what stands in a block by itself and of what is quoted in a sentence."""
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            for found in [*TYPED.findall(line), *QUOTED.findall(line)]:
                yield str(page.relative_to(ROOT)), found.partition(" # ")[0].strip()


LINES = sorted(set(command_lines()))


@pytest.mark.parametrize(("page", "line"), LINES, ids=[f"{page}: {line}" for page, line in LINES])
def test_every_command_line_is_one(page: str, line: str) -> None:
    program, *words = shlex.split(line)
    if program == "make":
        assert [word for word in words if word not in TARGETS and "=" not in word] == []
    elif words[0].startswith("--"):
        assert words[0] in {option for each in ROOT_COMMAND.params for option in each.opts} | {"--help"}
    else:
        name, *rest = words
        command = COMMANDS[name]
        # a name by itself speaks of the command
        command.make_context(name, [STANDS_FOR.get(word, word) for word in rest], resilient_parsing=not rest)


def test_every_command_is_in_the_readme_or_the_help_alone() -> None:
    said = {shlex.split(line)[1] for page, line in LINES if page == "README.md" and "jv " in line}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert {name for name in COMMANDS if name not in said and f"`jv {name}" not in readme} <= {"demo"}
    assert len(LINES) > 40


@pytest.mark.parametrize("end", ["", "-large"])
def test_each_figure_of_the_benchmarks_stands_under_its_own_name(end: str) -> None:
    """Of the newest result, whose column is the first: many rows are called alike, such as "… a match"."""
    paths = (ROOT / "benchmarks" / "results").glob("*.json")
    results = [path for path in paths if path.stem.endswith("-large") == bool(end)]
    newest = max((json.loads(path.read_text()) for path in results), key=lambda each: each["at"])
    page = "\n".join(runpy.run_path(str(ROOT / "docs" / "hooks.py"))["benchmarks"]())
    (table,) = re.findall(rf"^## make bench{end}\n\n?(.*?)(?:\n## |\Z)", page, re.DOTALL | re.MULTILINE)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    shown = [(name, float(value.replace(",", ""))) for name, _, _, value, *_ in cells[2:]]
    assert shown == [(row["name"], float(f"{row['value']:.3g}")) for row in newest["rows"]]


def test_the_page_of_checks_has_each_of_them() -> None:
    page = (ROOT / "docs" / "checks.md").read_text(encoding="utf-8")
    checks = {key.name for key in defs.resolve_asset_graph().asset_check_keys}
    assert {name for name in checks if f"`{name}`" not in page} == set()


def test_no_two_pages_have_one_title() -> None:
    titles = [page.read_text(encoding="utf-8").splitlines()[0] for page in PAGES[2:]]
    assert sorted(set(titles)) == sorted(titles)


def test_figures_of_the_benchmarks_have_no_exponent() -> None:
    hooks = runpy.run_path(str(ROOT / "docs" / "hooks.py"))
    shown = [hooks["_value"]({"value": value}) for value in (349_123.0, 8_642_000.0, 24.56, 0.0312, 1e-5, 0)]
    assert shown == ["349,000", "8,640,000", "24.6", "0.0312", "0.00001", "0"]
    assert not re.search(r"\de[+-]\d", "\n".join(hooks["benchmarks"]()))
