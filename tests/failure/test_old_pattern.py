"""How it was done before, over one connection that was held while scoring, row by row: on these servers it must die."""

import itertools
import time
from typing import Any

import psycopg
import pytest

from jv_scoring.reference import score_pair
from tests.support.faults import Production, connect, repeatedly, terminate_all
from tests.support.program import SECONDS

_WRITE = "UPDATE match_suggestions SET harmonic_mean = %s WHERE id = %s"


def without_vectors(profile: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in profile.items() if not name.startswith("embedding_")}


def write_rows(held: "psycopg.Connection[dict[str, Any]]", matches: list[dict[str, Any]]) -> None:
    for match in matches:
        held.execute(_WRITE, [50, match["id"]])


@pytest.mark.parametrize(("transaction", "cause"), [(False, "client_idle_timeout"), (True, "idle transaction timeout")])
def test_a_connection_that_is_held_while_scoring(production: Production, transaction: bool, cause: str) -> None:
    rows = production.sql("SELECT * FROM profiles LIMIT 40")
    pairs = itertools.cycle([(without_vectors(a), without_vectors(b)) for a in rows for b in rows])
    with connect(production.pooler.url) as held:
        if transaction:
            held.execute("BEGIN")
        matches = held.execute("SELECT id FROM match_suggestions").fetchall()
        deadline = time.monotonic() + SECONDS
        while cause.replace(" ", "_") not in production.pooler.log().replace(" ", "_"):
            assert time.monotonic() < deadline, production.pooler.log()
            score_pair(*next(pairs))
        with pytest.raises(psycopg.OperationalError):
            write_rows(held, matches)
    assert production.sql("SELECT match_id FROM writes") == []


def test_row_by_row_while_backends_are_terminated(production: Production) -> None:
    with connect(production.pooler.url) as held:
        matches = held.execute("SELECT id FROM match_suggestions").fetchall()
        with repeatedly(0.8, lambda: terminate_all(production)), pytest.raises(psycopg.OperationalError):
            write_rows(held, matches * SECONDS)
