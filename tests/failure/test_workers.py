"""`jv` killed (-9) before, in and after the batch of a range."""

import pytest
from faults import Production, held, waiting
from judging import assert_whole
from program import SECONDS
from telling import ALL, assert_no_trace
from waiting import wait_until

COMMIT_LOCK = 4_711
WAITS_AT_COMMIT = f"""
    CREATE FUNCTION wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared({COMMIT_LOCK}); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER wait_at_commit AFTER UPDATE ON match_suggestions DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.id >= '80000000-0000-0000-0000-000000000000') EXECUTE FUNCTION wait_at_commit()
"""
MOMENTS = {
    "before a batch": "SELECT pg_advisory_xact_lock(hashtextextended('published_scores 8', 0))",
    "in a batch": "SELECT FROM match_suggestions WHERE id::text >= '8' AND id::text < 'a' FOR UPDATE",
    "after a batch": f"SELECT pg_advisory_xact_lock({COMMIT_LOCK})",
}
"""What another client must hold for a publisher to be there, and nowhere else."""
OF_RANGE_8 = "id >= '80000000-0000-0000-0000-000000000000' AND id < 'a0000000-0000-0000-0000-000000000000'"
GONE = "was killed or has crashed; what it had done is kept; type: jv retry"


@pytest.mark.parametrize("moment", MOMENTS)
def test_jv_killed(production: Production, moment: str) -> None:
    if moment == "after a batch":
        production.sql(WAITS_AT_COMMIT)
    with held(production, MOMENTS[moment]):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
        process.kill()
        process.communicate(timeout=SECONDS)
    # of its last batch nobody was told: the server undoes it, or (at COMMIT) finishes it
    wait_until(lambda: not waiting(production))
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

    production.sql("DROP TRIGGER IF EXISTS wait_at_commit ON match_suggestions")
    production.jv.well("retry")
    assert_whole(production)
    assert production.jv.well("retry").out == "No range has failed and none is left to do.\n"
