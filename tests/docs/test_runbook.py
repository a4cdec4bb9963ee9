"""The runbook names what is really said: every message in it is in the program, and asserted by a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUOTED = re.compile(r"`([^`]+)`")


def strings(folder: str) -> str:
    """Every string of the Python files there, f-strings in their fixed parts; what stands in patterns is unescaped."""
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path != Path(__file__):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found += [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return "\n".join(re.sub(r"\\([^\w\s])", r"\1", text) for text in found if isinstance(text, str))


def messages() -> Iterator[str]:
    """What stands quoted in the first column."""
    for line in (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            yield from QUOTED.findall(line.split(" | ")[0])


def parts(message: str) -> list[str]:
    return [part.strip() for part in message.split("…") if len(part.strip()) > 2]


@pytest.mark.parametrize("folder", ["jv_assets", "tests"])
def test_what_the_runbook_quotes_is_said_and_tested(folder: str) -> None:
    there = strings(folder)
    unknown = {message: part for message in messages() for part in parts(message) if part not in there}
    assert list(unknown) == []


def test_the_runbook_is_read_whole() -> None:
    assert len(list(messages())) > 30
