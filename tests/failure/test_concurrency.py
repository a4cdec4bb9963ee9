"""Others at work on the same rows, and data that changes under a run: nobody blocks for ever, no score is mixed up."""

import threading

from tests.support.faults import Production, held, lock_of, waiting
from tests.support.forked import gives_up_soon
from tests.support.judging import assert_whole, current_hashes
from tests.support.telling import assert_failed, assert_no_trace, assert_passed, ended
from tests.support.waiting import wait_until

ROWS_OF_8 = "SELECT FROM match_suggestions WHERE id::text >= '8' AND id::text < 'a' FOR UPDATE"
RANGE_0, RANGE_8, RANGE_A = map(lock_of, ("0", "8", "a"))
"""Takes what a publisher of the range takes first, after it has read the range's scores."""


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
    assert_passed(production, ended(process))
    index.join()
    assert production.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'of_others'::regclass")[0]["indisvalid"]
    assert_no_deadlock(production)
    assert_whole(production)


def test_rows_held_for_good_fail_their_range_alone(production: Production) -> None:
    with held(production, ROWS_OF_8):
        done = production.jv.run("rescore", first=gives_up_soon)
    assert [line.split("; ")[-1][:14] for line in production.retries()] == ["attempt 2 of 2"]
    cause = "canceling statement due to lock timeout"
    assert_failed(production, done, "1 range (8)", cause, "somebody else holds what is needed, or the server is slow: ")
    assert production.jv.succeeds("retry").cells["published_scores"][0] == "1"
    assert_whole(production)


def test_an_index_that_blocks_all_writes_is_waited_for(production: Production) -> None:
    with held(production, "CREATE INDEX of_others ON match_suggestions (harmonic_mean)"):
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production))
    assert assert_passed(production, ended(process)) == []
    assert_whole(production)


# --- ourselves, twice ------------------------------------------------------------------------------------------------


def test_two_rescores_at_once_write_each_row_once(production: Production) -> None:
    """Each has scored everything before either publishes."""
    with held(production, RANGE_0):
        processes = [production.jv.start("rescore") for _ in range(2)]
        wait_until(lambda: waiting(production, 2) or any(process.poll() is not None for process in processes))
        early = [process.communicate() for process in processes if process.poll() is not None]
        assert early == []
    both = [ended(process) for process in processes]
    assert [(done.code, done.err) for done in both] == [(0, "")] * 2
    scorable = production.scorable
    assert [done.cells["match_scores"][2].split(",")[0] for done in both] == [f"{scorable} scored"] * 2
    assert production.sql("SELECT count(*) FROM writes") == [{"count": scorable}]
    assert_no_deadlock(production)
    assert_whole(production)
    assert production.jv.succeeds("retry").out == "No range has failed and none is left to do.\n"


def test_a_range_scored_otherwise_while_it_is_published(production: Production) -> None:
    """Score and breakdown come from one scoring, though the file is replaced between the reading of the two."""
    with held(production, RANGE_8), held(production, RANGE_A):  # Two are published at a time.
        process = production.jv.start("rescore")
        wait_until(lambda: waiting(production, 2))
        production.jv.succeeds("rescore", "--dry-run", "--policy", "geometric/redistribute")
    done = ended(process)
    assert done.code == 1
    *both, others, cure = done.err.splitlines()
    assert both == [
        f"published_scores failed in 1 range ({key}): range {key} was rescored while it was published: type jv retry"
        for key in ("8", "a")
    ]
    assert "failed in 2 ranges (c, e): scores are stored under harmonic/impute, and these were" in others
    assert cure == "Once fixed, the rest is done by: jv retry"
    assert list(production.failed()["published_scores"]) == ["8", "a", "c", "e"]
    assert_no_trace(production.log())
    status = production.jv.succeeds("status").out
    assert "published_scores: failed in 1 range (8): range 8 was rescored" in status
    assert status.endswith("Next: jv retry\n")
    mixed = "match_context ->> 'policy' = 'geometric/redistribute'"
    assert production.sql(f"SELECT id FROM match_suggestions WHERE {mixed}") == []
    production.jv.succeeds("retry")
    assert_whole(production)


def test_a_rescore_and_an_embed_at_once(production: Production) -> None:
    """The rescore takes the vectors that are there; what the embed writes meanwhile is the next one's."""
    production.jv.succeeds("rescore")
    edited = production.sql(
        "UPDATE profiles SET seeking = 'partners who teach beekeeping to city people' "
        "WHERE id IN (SELECT id FROM profiles WHERE embedding_seeking IS NOT NULL ORDER BY id LIMIT 5) "
        "RETURNING id::text"
    )
    production.before.update(production.checksums())
    ids = [row["id"] for row in edited]
    theirs = (
        "SELECT id FROM match_suggestions WHERE (profile_id = ANY(%s) OR suggested_profile_id = ANY(%s)) "
        "AND match_context ? 'inputs_hash'"
    )
    concerned = {row["id"] for row in production.sql(theirs, ids, ids)}
    with held(production, f"SELECT FROM profiles WHERE id = '{ids[0]}' FOR UPDATE"):
        embedding = production.jv.start("embed")
        wait_until(lambda: waiting(production))
        production.sql("DELETE FROM writes")
        production.jv.succeeds("rescore")
        assert embedding.poll() is None
    done = ended(embedding)
    assert (done.code, done.err) == (0, "")
    written = {row["match_id"] for row in production.sql("SELECT match_id FROM writes")}
    assert written == concerned
    older = production.jv.succeeds("status").out
    assert f"\nscores that are older than their profiles or vectors: {len(concerned)}\n" in older
    assert older.endswith("Next: jv rescore\n")
    assert_no_deadlock(production)

    production.sql("DELETE FROM writes")
    assert f"{len(concerned)} written" in production.jv.succeeds("rescore").cells["published_scores"][2]
    assert_whole(production)
    assert "older than their" not in production.jv.succeeds("status").out


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
    done = ended(process)
    assert (done.code, done.err) == (0, "")
    assert "1 deleted, 1 moved" in done.cells["published_scores"][2]
    assert [run.status for run in production.jv.runs()] == ["SUCCESS"]
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

    status = production.jv.succeeds("status").out
    assert f"\nscores that are older than their profiles or vectors: {len(older)}\n" in status
    assert "\nmatches that can be scored and are not: 1\nNext: jv rescore\n" in status
    assert "the stored row is older than the data: profiles or vectors were changed since" in " ".join(
        production.jv.succeeds("explain", edited).out.split()
    )

    production.sql("DELETE FROM writes")
    again = production.jv.succeeds("rescore").cells["published_scores"][2]
    assert again.startswith(f"{len(older) + 2} written")
    assert_whole(production)
    assert "older than their" not in production.jv.succeeds("status").out
