"""`jv` killed (-9) before, in and after the batch of a range."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from faults import Production, held, lock_of, waiting
from judging import assert_whole
from program import SECONDS
from telling import ALL, assert_no_trace
from waiting import wait_until

HELD = {
    "before a batch": lock_of("8"),
    "in a batch": "SELECT FROM match_suggestions WHERE id::text >= '8' AND id::text < 'a' FOR UPDATE",
}
"""What another client must hold for a publisher to be there, and nowhere else."""
OF_RANGE_8 = "id >= '80000000-0000-0000-0000-000000000000' AND id < 'a0000000-0000-0000-0000-000000000000'"
GONE = "was killed or has crashed; what it had done is kept; type: jv retry"


@contextmanager
def stopped_at(production: Production, moment: str) -> Iterator["subprocess.Popen[str]"]:
    """`jv rescore`, which goes no further than this moment of the batch of range 8."""
    if moment != "after a batch":
        with held(production, HELD[moment]):
            process = production.jv.start("rescore")
            wait_until(lambda: waiting(production))
            yield process
        return
    with held(production, HELD["in a batch"]):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
        # From now on a COMMIT takes effect on disk, and then waits for a replica that is not there.
        production.sql("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
        production.sql("SELECT pg_reload_conf()")
        wait_until(
            lambda: production.sql("SHOW synchronous_standby_names") == [{"synchronous_standby_names": "absent"}]
        )
    try:
        wait_until(lambda: commits(production))
        yield process
    finally:
        production.sql("ALTER SYSTEM RESET synchronous_standby_names")
        production.sql("SELECT pg_reload_conf()")


def commits(production: Production) -> bool:
    """Whether a COMMIT of `jv` waits for the replica."""
    at_commit = "application_name = 'jv' AND wait_event = 'SyncRep' AND datname = current_database()"
    return bool(production.sql(f"SELECT pid FROM pg_stat_activity WHERE {at_commit}"))


@pytest.mark.parametrize("moment", [*HELD, "after a batch"])
def test_jv_killed(production: Production, moment: str) -> None:
    with stopped_at(production, moment) as process:
        process.kill()
        process.communicate(timeout=SECONDS)
    # of its last batch nobody was told: the server undoes it, or (at COMMIT) finishes it
    wait_until(lambda: not waiting(production) and not commits(production))
    kept = moment == "after a batch"
    written = f"SELECT count(*) FROM match_suggestions WHERE match_context ? 'inputs_hash' AND {OF_RANGE_8}"
    wait_until(lambda: (production.sql(written)[0]["count"] > 0) == kept)

    status = production.jv.well("status").out
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

    production.jv.well("retry")
    assert_whole(production)
    assert production.jv.well("retry").out == "No range has failed and none is left to do.\n"
