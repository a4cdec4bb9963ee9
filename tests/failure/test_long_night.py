"""A nightly run that somebody marks as failed while `jv` does it, as the daemon did after a day."""

from collections.abc import Callable

import dagster as dg
import pytest

from tests.support.faults import Production, held, lock_of, waiting
from tests.support.judging import assert_whole
from tests.support.telling import assert_retried, ended
from tests.support.waiting import wait_until

RANGE_8 = lock_of("8")
WAIT = "Next: wait for the run in progress, then: jv status\n"
MARKS: dict[str, Callable[[dg.DagsterInstance, dg.DagsterRun], object]] = {
    "failed": lambda instance, run: instance.report_run_failed(run, "Exceeded maximum runtime of 86400 seconds."),
    "cancelled": lambda instance, run: instance.report_run_canceled(run),
}


@pytest.mark.parametrize("mark", MARKS)
def test_a_night_that_was_marked_as_ended_goes_on(production: Production, mark: str) -> None:
    """`jv status` advises nothing that would do the same again, and `jv retry` finds nothing to do, until it ends."""
    jv = production.jv
    with held(production, RANGE_8):
        process = jv.start("nightly")
        wait_until(lambda: waiting(production))
        told = jv.succeeds("status").out
        assert " is still running\n" in told
        assert told.endswith(WAIT)
        with jv.instance() as instance:
            [run] = instance.get_runs()
            MARKS[mark](instance, run)
        told = jv.succeeds("status").out
        assert f"run {run.run_id[:8]} of nightly, ranges 0 to e, is still running, although " in told
        assert "never done" not in told
        assert told.endswith(WAIT)
        assert jv.succeeds("retry").out == "No range has failed and none is left to do.\n"
    assert_retried(production, ended(process))
    assert [run.status for run in jv.runs()] == ["SUCCESS"]
    assert "Next:" not in jv.succeeds("status").out
    assert_whole(production)
