"""Processes of ours that are killed: `jv` itself, a run of the daemon, the daemon, everything at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest
from faults import Production, assert_whole, connect
from program import SECONDS, wait_until

KEYS = ["0", "2", "4", "6", "8", "a", "c", "e"]
COMMIT_LOCK = 4_711
pytestmark = pytest.mark.long
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


@contextmanager
def held(production: Production, moment: str) -> Iterator[None]:
    if moment == "after a batch":
        production.sql(WAITS_AT_COMMIT)
    with connect(production.url) as other, other.transaction():
        other.execute(MOMENTS[moment])
        yield


def is_held(production: Production) -> bool:
    """Whether a transaction of `jv` waits for the lock at this moment."""
    locked = "application_name = 'jv' AND wait_event_type = 'Lock' AND datname = current_database()"
    return bool(production.sql(f"SELECT pid FROM pg_stat_activity WHERE {locked}"))


def statuses(instance: dg.DagsterInstance) -> dict[str, str]:
    """By the first range of each run of a backfill: how it stands."""
    of = dg.RunsFilter(tags={"dagster/asset_partition_range_end": [*"26ae"]})
    runs = instance.get_runs(of)
    return {run.tags["dagster/asset_partition_range_start"]: run.status.value for run in runs if is_of_backfill(run)}


def is_of_backfill(run: dg.DagsterRun) -> bool:
    return "dagster/backfill" in run.tags


def run_over_8(instance: dg.DagsterInstance) -> dg.DagsterRun:
    [run] = instance.get_runs(dg.RunsFilter(tags={"dagster/asset_partition_range_start": "8"}))
    return run


def others_are_done(instance: dg.DagsterInstance) -> bool:
    return statuses(instance) == {"0": "SUCCESS", "2": "SUCCESS"}


# --- a process of jv -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_jv_killed(production: Production, moment: str) -> None:
    with held(production, moment):
        process = production.jv.start("rescore")
        wait_until(lambda: is_held(production))
        process.kill()
        process.communicate(timeout=SECONDS)
    # of its last batch nobody was told: the server undoes it, or (at COMMIT) finishes it
    wait_until(lambda: not is_held(production))
    kept = moment == "after a batch"
    written = f"SELECT count(*) FROM match_suggestions WHERE match_context ? 'inputs_hash' AND {OF_RANGE_8}"
    wait_until(lambda: (production.sql(written)[0]["count"] > 0) == kept)

    status = production.jv.well("status").out
    for asset in ("match_scores", "profiles"):
        assert f"\n{asset}: " not in status
    assert "\npublished_scores: failed in 8 ranges (0, 2, 4, 6, 8, a, c, e): its process (number " in status
    assert GONE in status
    assert status.endswith("Next: jv retry\n")
    [run] = production.jv.runs()
    assert (run.job, run.status) == ("rescore", "FAILURE")
    assert [line for line in production.log() if line.endswith(GONE)]
    assert "Traceback" not in "".join(production.log())

    production.sql("DROP TRIGGER IF EXISTS wait_at_commit ON match_suggestions")
    production.jv.well("retry")
    assert_whole(production)
    assert production.jv.well("retry").out == "No range has failed and none is left to do.\n"
