"""Processes of ours that are killed: `jv` itself, a run of the daemon, the daemon, everything at once."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import pytest
from faults import Production, assert_whole, connect, wait_until
from program import SECONDS

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


def runs_of(instance: dg.DagsterInstance, backfill: str) -> dict[str, dg.DagsterRun]:
    """By its first range, each run of the backfill."""
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill}))
    return {run.tags["dagster/asset_partition_range_start"]: run for run in runs}


def statuses(instance: dg.DagsterInstance, backfill: str) -> dict[str, str]:
    return {first: run.status.value for first, run in sorted(runs_of(instance, backfill).items())}


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


# --- processes of jv ui ----------------------------------------------------------------------------------------------


def test_a_run_of_the_daemon_killed_and_a_jv_beside_it(production: Production) -> None:
    """The code server misses the one at once, the daemon the other; nobody has to type anything for that."""
    production.jv.well("rescore", "--dry-run")
    backfill = ask_for_backfill(production, ["match_scores", "published_scores"], KEYS)
    with daemon(production), production.jv.instance() as instance:
        with held(production, "in a batch"):
            wait_until(lambda: is_held(production))
            rest = {"0": "SUCCESS", "4": "SUCCESS", "c": "SUCCESS"}
            wait_until(lambda: statuses(instance, backfill) == rest | {"8": "STARTED"})
            process_of(instance, runs_of(instance, backfill)["8"]).kill()
            wait_until(lambda: statuses(instance, backfill) == rest | {"8": "FAILURE"})

            process = production.jv.start("rescore", "--ranges", "8")
            wait_until(lambda: is_by_jv(instance, "STARTED") and is_held(production))
            process.kill()
            process.communicate(timeout=SECONDS)
            wait_until(lambda: is_by_jv(instance, "FAILURE"))
    status = production.jv.well("status").out
    assert "\npublished_scores: failed in 1 range (8): its process (number " in " ".join(status.splitlines(True))
    assert "(a): Run execution process for " in status
    assert "was terminated by signal 9 (SIGKILL)\n" in status
    assert GONE in status
    production.jv.well("retry")
    assert_whole(production)


def test_the_daemon_killed(production: Production) -> None:
    """`jv ui` ends with it, and says so; started again, it goes on with the backfill."""
    production.jv.well("rescore", "--dry-run")
    backfill = ask_for_backfill(production, ["match_scores", "published_scores"], KEYS)
    with daemon(production) as ui, production.jv.instance() as instance:
        with held(production, "in a batch"):
            wait_until(lambda: is_held(production))
            ui.named("dagster._daemon").kill()
            _, err = ui.process.communicate(timeout=SECONDS)
        assert ui.process.returncode == 1
        assert err.startswith("jv: the daemon has ended by itself (code -9): ")
        assert statuses(instance, backfill)["8"] == "FAILURE"
    status = production.jv.well("status").out
    assert "published_scores: failed in 2 ranges (8, a): it was stopped; what it had done is kept" in status
    assert f"\nbackfill {backfill} goes on while the daemon runs (jv ui)\n" in status

    with daemon(production), production.jv.instance() as instance:
        wait_until(lambda: list(statuses(instance, backfill)) == ["0", "4", "8", "c"])
        wait_until(lambda: all(run.is_finished for run in runs_of(instance, backfill).values()))
    production.jv.well("retry")
    assert_whole(production)


def test_everything_killed_at_once(production: Production) -> None:
    """As in a crash of the machine: nobody is left to say that the run has failed, until the next `jv` looks."""
    production.jv.well("rescore", "--dry-run")
    backfill = ask_for_backfill(production, ["match_scores", "published_scores"], KEYS)
    with daemon(production) as ui, production.jv.instance() as instance:
        with held(production, "in a batch"):
            wait_until(lambda: is_held(production))
            rest = {"0": "SUCCESS", "4": "SUCCESS", "c": "SUCCESS"}
            wait_until(lambda: statuses(instance, backfill) == rest | {"8": "STARTED"})
            ui.crash()
            assert statuses(instance, backfill)["8"] == "STARTED"
        status = production.jv.well("status").out
        assert statuses(instance, backfill)["8"] == "FAILURE"
    assert "published_scores: failed in 2 ranges (8, a): its process (number " in status
    assert GONE in status
    production.jv.well("retry")
    assert_whole(production)


def is_by_jv(instance: dg.DagsterInstance, status: str) -> bool:
    """Whether the last run that `jv` began, itself, stands so."""
    runs = [run for run in instance.get_runs(limit=3) if "jv/process" in run.tags]
    return runs[0].status.value == status
