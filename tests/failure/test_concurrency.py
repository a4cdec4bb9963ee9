"""Others at work on the same rows, and data that changes under a run: nobody blocks for ever, no score is mixed up."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from faults import Production, assert_whole, connect, current_hashes
from program import SECONDS, Done, wait_until

ROWS_OF_8 = "SELECT FROM match_suggestions WHERE id::text >= '8' AND id::text < 'a' FOR UPDATE"
RANGE_0, RANGE_8 = (
    f"SELECT pg_advisory_xact_lock(hashtextextended('published_scores {key}', 0))" for key in ("0", "8")
)
"""Takes what a publisher of the range takes first, after it has read the range's scores."""
GIVES_UP_SOON = """
from jv_assets.resources import database
database.LOCK_TIMEOUT, database.ATTEMPTS = "300ms", 2
from jv_assets.cli import main
main()
"""
"""`jv`, whose six attempts of a minute each no test can wait for."""


@contextmanager
def held(production: Production, statement: str) -> Iterator["psycopg.Connection[dict[str, object]]"]:
    """Another client has done this statement in a transaction, and has not ended it."""
    with connect(production.url) as other, other.transaction():
        other.execute(statement)
        yield other


def waiting(production: Production, count: int = 1) -> bool:
    """Whether so many of `jv`'s transactions wait for somebody's lock at this moment."""
    locked = "application_name = 'jv' AND wait_event_type = 'Lock' AND datname = current_database()"
    return len(production.sql(f"SELECT pid FROM pg_stat_activity WHERE {locked}")) >= count


def finished(process: "subprocess.Popen[str]") -> str:
    """What a process printed that must have gone well."""
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (0, "")
    return out


def assert_no_deadlock(production: Production) -> None:
    [row] = production.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    assert row["deadlocks"] == 0


# --- locks of others -------------------------------------------------------------------------------------------------


def test_rows_held_for_a_while_are_published_when_let_go(production: Production) -> None:
    """Also while autovacuum runs and an index is made, as these do by day."""
    production.sql("ALTER SYSTEM SET autovacuum_naptime = 1")
    production.sql("SELECT pg_reload_conf()")
    eager = "autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0"
    production.sql(f"ALTER TABLE match_suggestions SET ({eager})")
    index = threading.Thread(
        target=production.sql, args=("CREATE INDEX CONCURRENTLY of_others ON match_suggestions (harmonic_mean)",)
    )
    with held(production, ROWS_OF_8):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
        production.sql("UPDATE match_suggestions SET harmonic_mean = harmonic_mean WHERE id::text < '4'")
        production.sql("DELETE FROM writes")
        vacuumed = "SELECT autovacuum_count FROM pg_stat_user_tables WHERE relname = 'match_suggestions'"
        wait_until(lambda: production.sql(vacuumed)[0]["autovacuum_count"])
        index.start()
        wait_until(lambda: production.sql("SELECT 1 FROM pg_stat_progress_create_index"))
        assert process.poll() is None
    assert "2,997 written" in finished(process)
    index.join()
    assert production.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'of_others'::regclass")[0]["indisvalid"]
    assert_no_deadlock(production)
    assert_whole(production)


def test_rows_held_for_good_fail_their_range_alone(production: Production) -> None:
    with held(production, ROWS_OF_8):
        process = production.jv.process([sys.executable, "-c", GIVES_UP_SOON, "rescore"])
        out, err = process.communicate(timeout=SECONDS)
        done = Done(process.returncode, out, err)
    cause = "canceling statement due to lock timeout; somebody else holds what is needed, or the server is slow: "
    assert done.code == 1
    again, first, last = done.err.splitlines()
    assert again.split("; ")[-1].startswith("attempt 2 of 2 in ")
    assert first.startswith("published_scores failed in 1 range (8): database 127.0.0.1:")
    assert cause in first
    assert last == "Once mended, the rest is done by: jv retry"
    assert done.cells["published_scores"][:2] == ["7", "1"]
    [(asset, causes)] = production.failed().items()
    assert (asset, list(causes)) == ("published_scores", ["8"])
    assert cause in causes["8"]
    [line] = [
        line
        for line in production.log()
        if line.startswith("published_scores, range 8: ") and line not in production.retries()
    ]
    assert cause in line
    assert [line.split("; ")[-1][:14] for line in production.retries()] == ["attempt 2 of 2"]
    assert not [line for line in production.log() if "psycopg" in line]  # where a stack trace would lead to

    status = production.jv.well("status").out
    assert f"published_scores: failed in 1 range (8): {causes['8']}" in status.replace("\n", " ")
    assert status.endswith("Next: jv retry\n")
    assert production.jv.well("retry").cells["published_scores"][0] == "1"
    assert_whole(production)


def test_an_index_that_blocks_all_writes_is_waited_for(production: Production) -> None:
    with held(production, "CREATE INDEX of_others ON match_suggestions (harmonic_mean)"):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
    assert "2,997 written" in finished(process)
    assert_whole(production)


# --- ourselves, twice ------------------------------------------------------------------------------------------------


def test_two_rescores_at_once_write_each_row_once(production: Production) -> None:
    """Each has scored everything before either publishes."""
    with held(production, RANGE_0):
        processes = [production.jv.start("rescore") for _ in range(2)]
        wait_until(lambda: waiting(production, 2))
    said = [finished(process) for process in processes]
    written = [int(row["count"]) for row in production.sql("SELECT count(*) FROM writes")]
    assert written == [2997]
    assert all("2,997 scored" in out for out in said)
    assert_no_deadlock(production)
    assert_whole(production)
    assert production.jv.well("retry").out == "No range has failed and none is left to do.\n"


def test_a_range_scored_otherwise_while_it_is_published(production: Production) -> None:
    """Score and breakdown come from one scoring, though the file is replaced between the reading of the two."""
    with held(production, RANGE_8):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
        production.jv.well("rescore", "--dry-run", "--policy", "geometric/redistribute")
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    first, *others = err.splitlines()
    assert first == (
        "published_scores failed in 1 range (8): range 8 was scored anew while it was published: type jv retry"
    )
    assert "failed in 3 ranges (a, c, e): scores are stored under harmonic/impute, and these were" in others[0]
    assert len(others) == 2
    mixed = "match_context ->> 'policy' = 'geometric/redistribute'"
    assert production.sql(f"SELECT id FROM match_suggestions WHERE {mixed}") == []
    production.jv.well("retry")
    assert_whole(production)


def test_a_rescore_and_an_embed_at_once(production: Production) -> None:
    """The rescore takes the vectors that are there; what the embed writes meanwhile is the next one's."""
    production.jv.well("rescore")
    edited = production.sql(
        "UPDATE profiles SET seeking = 'partners who teach beekeeping to city people' "
        "WHERE id IN (SELECT id FROM profiles WHERE embedding_seeking IS NOT NULL ORDER BY id LIMIT 5) "
        "RETURNING id::text"
    )
    production.before.update(production.checksums())
    ids = [row["id"] for row in edited]
    theirs = "SELECT id FROM match_suggestions WHERE profile_id = ANY(%s) OR suggested_profile_id = ANY(%s)"
    concerned = {row["id"] for row in production.sql(theirs, ids, ids)}
    with held(production, f"SELECT FROM profiles WHERE id = '{ids[0]}' FOR UPDATE"):
        embedding = production.jv.start("embed")
        wait_until(lambda: waiting(production))
        production.sql("DELETE FROM writes")
        production.jv.well("rescore")
        assert embedding.poll() is None
    finished(embedding)
    written = {row["match_id"] for row in production.sql("SELECT match_id FROM writes")}
    assert written == concerned
    older = production.jv.well("status").out
    assert f"\nscores that are older than their profiles or vectors: {len(concerned)}\n" in older
    assert older.endswith("Next: jv rescore\n")
    assert_no_deadlock(production)

    production.sql("DELETE FROM writes")
    assert f"{len(concerned)} written" in production.jv.well("rescore").cells["published_scores"][2]
    assert_whole(production)
    assert "older than their" not in production.jv.well("status").out


# --- data that changes between scoring and publishing ----------------------------------------------------------------


def test_data_changed_between_scoring_and_publishing(production: Production) -> None:
    """
    What was computed is published with the hash of what it was computed from, never as current: the next run sees that
    the hash differs. An added match waits for that run; a deleted or redirected one is counted and left alone.
    """
    edited, deleted, moved = (
        str(row["id"])
        for row in production.sql(
            "SELECT id FROM match_suggestions m WHERE profile_id <> suggested_profile_id AND id::text >= '8' "
            "AND 2 = (SELECT count(*) FROM profiles p WHERE p.id IN (m.profile_id, m.suggested_profile_id)) "
            "ORDER BY id LIMIT 3"
        )
    )
    [person] = production.sql("SELECT profile_id AS id FROM match_suggestions WHERE id = %s", edited)
    added = "80000000-0000-4000-8000-00000000abcd"
    with held(production, RANGE_8):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
        before = current_hashes(production.url)
        production.sql("UPDATE profiles SET list_size = coalesce(list_size, 0) + 50000 WHERE id = %s", person["id"])
        production.sql("DELETE FROM match_suggestions WHERE id = %s", deleted)
        production.sql(
            "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, match_score) "
            "SELECT %s, profile_id, suggested_profile_id, 50 FROM match_suggestions WHERE id = %s",
            *(added, edited),
        )
        production.sql(
            "UPDATE match_suggestions SET (profile_id, suggested_profile_id) = (suggested_profile_id, profile_id) "
            "WHERE id = %s",
            moved,
        )
        production.sql("DELETE FROM writes WHERE match_id = %s", moved)
        production.before.update(production.checksums())
    what = finished(process)
    assert "1 deleted, 1 moved" in what
    after = current_hashes(production.url)
    stored = {
        str(row["id"]): row["hash"]
        for row in production.sql("SELECT id, match_context ->> 'inputs_hash' AS hash FROM match_suggestions")
    }
    older = {match_id for match_id in after if match_id not in (added, moved) and after[match_id] != before[match_id]}
    assert edited in older
    assert {match_id for match_id in older if match_id[0] in "89abcdef"} == {
        match_id for match_id in older if stored[match_id] == before[match_id] and match_id[0] >= "8"
    }
    assert all(stored[match_id] == before[match_id] for match_id in older)
    assert stored[added] is None

    status = production.jv.well("status").out
    assert f"\nscores that are older than their profiles or vectors: {len(older)}\n" in status
    assert "\nmatches that can be scored and are not: 1\nNext: jv rescore\n" in status
    assert "the stored row is older than the data: profiles or vectors were changed since" in " ".join(
        production.jv.well("explain", edited).out.split()
    )

    production.sql("DELETE FROM writes")
    again = production.jv.well("rescore").cells["published_scores"][2]
    assert again.startswith(f"{len(older) + 2} written")
    assert_whole(production)
    assert "older than their" not in production.jv.well("status").out
