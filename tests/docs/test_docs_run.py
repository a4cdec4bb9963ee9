"""Every `jv` command line of the documentation, run: on one database, in an order in which they make sense."""

import re
import shlex
from pathlib import Path

import pytest
from test_docs import LINES

from jv_assets.platform import postgres
from tests.support.program import Program

pytestmark = pytest.mark.long
ORDER = (
    *("migrate", "load", "doctor", "grant", "nightly", "embed", "rescore", "report"),
    *("export", "explain", "undo", "retry", "status"),
)
"""Switching the policy comes last: what other lines do is refused after it."""
SERVED = ("ui", "workers")
"""They go on until they are ended: tests/ui, tests/deploy and tests/failure run them."""
NEEDS_MORE = {
    "load": ["demo", "--profiles", "150", "--matches", "900"],
    "explain": ["MATCH"],
    "grant": ["ROLE"],
    "export": ["--top", "5", "--out", "best.csv"],
}
"""Words that a line leaves out which speaks of the command."""


def place(line: str) -> tuple[bool, int, str]:
    return "--switch-policy" in line, ORDER.index(shlex.split(line)[1]), line


def complete(line: str) -> list[str]:
    """The words after `jv`."""
    name, *rest = shlex.split(line)[1:]
    return [name, *(rest or NEEDS_MORE.get(name, []))]


def test_every_jv_line_runs(home: Path) -> None:
    lines = {line for _, line in LINES if re.match(r"\S*jv (?!--help)", line)}
    lines = {line for line in lines if shlex.split(line)[1] not in SERVED}
    jv = Program(home, {"JV_ID_RANGES": "64"})
    postgres.start(home / "postgres")
    jv.sql("CREATE ROLE reader LOGIN")
    stands_for = {"N": "48", "ROLE": "reader", "F.csv": "f.csv"}
    for line in sorted(lines, key=place):
        done = jv.run(*(stands_for.get(word, word) for word in complete(line)))
        assert done.code == 0, f"{line}: {done.err}{done.out[-500:]}"
        if line.endswith("nightly") and "RUN" not in stands_for:
            with jv.instance() as instance:
                stands_for["RUN"] = instance.get_runs()[0].run_id
            stands_for["MATCH"] = stands_for["ID"] = next(
                match_id for match_id, row in jv.matches().items() if row["harmonic_mean"] is not None
            )
