"""Databases as they are elsewhere: each is scored exactly, or refused in one line with a cure that works."""

from collections.abc import Callable

import pytest
from odd import (
    COMMANDS,
    SCORED,
    Case,
    Odd,
    Outcome,
    assert_right,
    assert_settled,
    cure_in,
    odd_database,
    others,
    state,
    templates,
)

__all__ = ["odd_database", "templates"]

ACCEPTED = [
    Case("an ordinary database", ""),
    Case("an ordinary database, scored before", "", template=SCORED),
]
"""Every scorable match is as the reference says, and a second run writes nothing."""

REFUSED = [
    Case(
        "a column that publishing writes is missing",
        "ALTER TABLE match_suggestions DROP COLUMN score_ba",
        says="match_suggestions has no column score_ba; let its owner type: ",
        cure="ALTER TABLE match_suggestions ADD COLUMN score_ba numeric(5,2)",
    ),
]
"""The doctor says so, every command is refused with exit code 2 before it starts, and the cure helps."""

REFUSED_IN_A_PARTITION: list[Case] = []
"""The command fails with exit code 1 in the partitions that it concerns, writes the others, and the cure helps."""


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepted(odd_database: Callable[[str], Odd], case: Case) -> None:
    odd = odd_database(case.template)
    odd.change(case.sql)
    assert odd.errors() == []
    before = others(odd)
    assert odd.command(case.command) == Outcome(0)
    assert assert_right(odd, case.meant) > 250
    assert others(odd) == before
    assert_settled(odd, case.command)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused_before_it_starts(odd_database: Callable[[str], Odd], case: Case) -> None:
    odd = odd_database(case.template)
    odd.change(case.sql)
    before = state(odd)
    (line,) = odd.errors()
    assert case.says in line
    for command in COMMANDS:
        assert odd.command(command) == Outcome(2, line)
    assert state(odd) == before
    mend(odd, case, line)


@pytest.mark.parametrize("case", REFUSED_IN_A_PARTITION, ids=str)
def test_refused_in_a_partition(odd_database: Callable[[str], Odd], case: Case) -> None:
    odd = odd_database(case.template)
    odd.change(case.sql)
    assert odd.errors() == []
    outcome = odd.command(case.command)
    assert outcome.code == 1
    assert case.says in outcome.line
    mend(odd, case, outcome.line)


def mend(odd: Odd, case: Case, line: str) -> None:
    """Do what the line says; then all is well."""
    odd.change(case.mend)
    odd.change(cure_in(line, case.cure))
    assert odd.errors() == []
    assert odd.command(case.command) == Outcome(0)
    assert assert_right(odd, case.meant) > 250
    assert_settled(odd, case.command)
