"""`jv undo` under the faults that publishing bears: every score of before comes back, and no row is written twice."""

import pytest

from tests.support.faults import Production, backends_terminated, held, is_publishing, lock_of, waiting
from tests.support.forked import without_waits
from tests.support.program import SECONDS
from tests.support.telling import ALL, assert_no_trace, ended
from tests.support.undone import assert_as_before, assert_undone, kept_run
from tests.support.waiting import wait_until

RANGE_8 = lock_of("8")
pytestmark = pytest.mark.parametrize("production", ["published"], indirect=True)


def test_backends_terminated_during_an_undo(production: Production) -> None:
    production.tarry(0.4)
    process = production.jv.start("undo", kept_run(production), "--yes")
    wait_until(lambda: is_publishing(production))
    with backends_terminated(production):
        done = ended(process)
    assert_undone(production, done)
    assert_as_before(production)


def test_an_undo_that_is_killed(production: Production) -> None:
    run = kept_run(production)
    with held(production, RANGE_8):
        process = production.jv.start("undo", run, "--yes")
        wait_until(lambda: waiting(production))
        process.kill()
        process.communicate(timeout=SECONDS)
    cause = f"was killed or has crashed; what it had done is kept; type: jv undo {run[:8]}"
    assert_told(production, cause)
    [killed] = production.jv.runs()
    assert (killed.job, killed.status) == ("undo", "FAILURE")
    again = production.jv.succeeds("undo", run, "--yes").out
    restored, already, _ = again.splitlines()
    assert restored.endswith("have their old scores again")
    assert already.endswith("had them already")
    assert sum(int(line.split()[0]) for line in (restored, already)) == production.scorable
    assert "undo" not in production.jv.succeeds("status").out
    assert_as_before(production)


def test_a_pooler_that_stays_away_during_an_undo(production: Production) -> None:
    run = kept_run(production)
    production.tarry(0.4)
    process = production.jv.start("undo", run, "--yes", first=without_waits)
    wait_until(lambda: is_publishing(production))
    production.pooler.kill()
    done = ended(process)
    production.pooler.start()
    production.tarry(0)
    assert done.code == 1
    told = [line for line in done.err.splitlines() if "; attempt " not in line]
    assert told[0].startswith(f"put_back failed in {ALL}: no connection to the database ")
    assert told[1:] == [f"Once fixed, the rest is done by: jv undo {run}"]
    assert set(production.failed()["put_back"]) == {"0", "2", "4", "6", "8", "a", "c", "e"}
    assert_told(production, "no connection to the database ")
    assert f"jv undo {run[:8]}" in production.jv.succeeds("status").out
    production.jv.succeeds("undo", run, "--yes")
    assert_as_before(production)


def assert_told(production: Production, cause: str) -> None:
    """By `jv status` and in the log, on one line, without a stack trace."""
    [line] = [line for line in production.jv.succeeds("status").out.splitlines() if " of undo failed: " in line]
    assert cause in line
    log = production.log()
    assert [line for line in log if cause in line]
    assert_no_trace(log)
