"""`jv` killed (-9) before, in and after the batch of a range."""

import pytest
from test_commit_loss import behind, proxy

from tests.support.faults import Production, held, lock_of, waiting
from tests.support.judging import assert_whole
from tests.support.program import SECONDS
from tests.support.telling import ALL, assert_no_trace
from tests.support.waiting import wait_until

HELD = {
    "before a batch": lock_of("8"),
    "in a batch": "SELECT FROM match_suggestions WHERE id::text >= '8' AND id::text < 'a' FOR UPDATE",
}
"""What another client must hold for a publisher to be there, and nowhere else."""
GONE = "was killed or has crashed; what it had done is kept; type: jv retry"


@pytest.mark.parametrize("moment", HELD)
def test_jv_killed(production: Production, moment: str) -> None:
    with held(production, HELD[moment]):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
        process.kill()
        process.communicate(timeout=SECONDS)
    # Nobody was told of its last batch: the server undoes it.
    wait_until(lambda: not waiting(production) and not written(production, "8", "a"))
    assert_told_and_mended(production)


def test_jv_killed_after_a_batch(production: Production) -> None:
    """The server has committed the first batch, and `jv` never learns of it."""
    with proxy(production.pooler.url, "its answer") as (url, between):
        process = behind(production, url).start("rescore")
        between.before_loss = process.kill
        process.communicate(timeout=SECONDS)
    assert len(between.lost) == 1
    assert written(production, "0", "4")  # Two are published at a time: either may be the first.
    assert_told_and_mended(production)


def written(production: Production, first: str, after: str) -> int:
    """The number of matches between two beginnings of ids that this version of the code scored."""
    of_range = f"id::text >= '{first}' AND id::text < '{after}'"
    [row] = production.sql(f"SELECT count(*) FROM match_suggestions WHERE match_context ? 'inputs_hash' AND {of_range}")
    return int(row["count"])


def assert_told_and_mended(production: Production) -> None:
    status = production.jv.succeeds("status").out
    for asset in ("match_scores", "profiles"):
        assert f"\n{asset}: " not in status
    assert f"\npublished_scores: failed in {ALL}: its process (number " in status
    assert GONE in status
    assert status.endswith("Next: jv retry\n")
    [run] = production.jv.runs()
    assert (run.job, run.status) == ("rescore", "FAILURE")
    log = production.log()
    assert [line for line in log if line.endswith(GONE)]
    assert_no_trace(log)

    production.jv.succeeds("retry")
    assert_whole(production)
    assert production.jv.succeeds("retry").out == "No range has failed and none is left to do.\n"
