"""The page of the rules says what the code does: the numbers in its tables are the code's."""

import re
from pathlib import Path

from jv_scoring.factors import CONTEXT, INTENT, MOMENTUM
from jv_scoring.policy import DIMENSION_WEIGHTS, TIERS
from jv_scoring.similarity import LOWEST_SCORE, OVERLAP_STEPS, REFERENCE_MODEL, calibration_of
from jv_scoring.synergy import SYNERGY

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ismc.md").read_text(encoding="utf-8")
FACTORS = {"Intent": INTENT, "Synergy": SYNERGY, "Momentum": MOMENTUM, "Context": CONTEXT}


def table(first_head: str) -> list[list[str]]:
    """The rows of the table whose head begins with this, without the head."""
    block = PAGE.split(f"| {first_head}", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()[2:]]


def test_each_factor_has_its_weight() -> None:
    said = [
        (dimension, name.removesuffix(" (nullable)"), float(weight))
        for dimension, name, weight, _ in table("Dimension |")
    ]
    assert said == [(dimension, f.name, f.weight) for dimension, factors in FACTORS.items() for f in factors]


def test_each_nullable_factor_is_marked() -> None:
    said = {name.removesuffix(" (nullable)") for _, name, _, _ in table("Dimension |") if name.endswith("(nullable)")}
    assert said == {f.name for factors in FACTORS.values() for f in factors if f.neutral is not None}


def test_dimensions_have_their_weights() -> None:
    said = {
        name.lower(): float(weight) for name, weight in re.findall(r"(Intent|Synergy|Momentum|Context) (0\.\d\d)", PAGE)
    }
    assert said == DIMENSION_WEIGHTS


def test_the_steps_of_similarity_are_the_code_s() -> None:
    for head, steps in (("Cosine", calibration_of(REFERENCE_MODEL).steps), ("Share |", OVERLAP_STEPS)):
        *rows, (_, lowest) = table(head)
        assert [(float(limit.removeprefix("from ")), float(score)) for limit, score in rows] == list(steps)
        assert float(lowest) == LOWEST_SCORE


def test_the_tiers_begin_where_they_begin() -> None:
    (line,) = re.findall(r"^Excellent from .*$", PAGE, re.MULTILINE)
    assert [(name, float(least)) for name, least in re.findall(r"(\w+) from (\d+)", line)] == list(TIERS[:-1])
