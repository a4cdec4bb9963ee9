"""The log of published scores tells what stood in production at any moment, entry by entry."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from test_publishing import contexts_of, execute, scores

from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.pipeline.matches import score_log
from jv_assets.pipeline.publishing import Published, PublishOptions, publish_range
from jv_assets.pipeline.undo import undo_range
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.waiting import wait_for_a_lock

LOW, HIGH = str(UUID(int=0)), str(UUID(int=2**128 - 1))
State = dict[str, tuple[Any, ...]]
"""By match with a score: the three scores, and what its context says of what made them."""


@pytest.fixture
def database(database_url: str) -> Database:
    """With 200 matches in one range, none of them scored."""
    database = Database(url=database_url)
    migrate(database, dimension=384)
    population = make_population(60, 200)
    load_frames(database, population.profiles, population.matches)
    return database


def publish(database: Database, run: str, policy: str = "harmonic/impute", **wanted: bool) -> Published:
    """Publish made-up scores, which are other ones for each policy."""
    rows = scores(database, policy=policy)
    rows["score_ab"] = (rows["score_ab"] - len(policy)).round(2)
    rows["harmonic_mean"] = (2 / (1 / rows["score_ab"] + 1 / rows["score_ba"])).round(2)
    contexts = contexts_of(rows).str.replace(r"}$", ', "embedding_model": "m"}', regex=True)
    options = PublishOptions(switch_policy=True, **wanted)
    return publish_range(database, (LOW, HIGH), [(rows, lambda: contexts)], options, run_id=run)


def now(database: Database) -> Any:
    return execute(database, "SELECT clock_timestamp() AS now")[0]["now"]


def states(rows: Any) -> State:
    return {row["id"]: tuple(row.values())[1:] for row in rows if row["harmonic_mean"] is not None}


def stored(database: Database) -> State:
    return states(
        execute(
            database,
            "SELECT id::text, score_ab, score_ba, harmonic_mean, match_context ->> 'policy' AS policy, "
            "match_context ->> 'scoring_version' AS version, match_context ->> 'embedding_model' AS model "
            "FROM match_suggestions",
        )
    )


def stood(database: Database, at: object) -> State:
    """The same by the log."""
    return states(
        execute(
            database,
            "SELECT DISTINCT ON (match_id) match_id::text AS id, score_ab, score_ba, harmonic_mean, policy, "
            "scoring_version, embedding_model FROM jv.score_log WHERE at <= :at ORDER BY match_id, at DESC",
            at=at,
        )
    )


def entries(database: Database) -> int:
    return int(execute(database, "SELECT count(*) FROM jv.score_log")[0]["count"])


def empty(database: Database) -> None:
    """As before the log was there."""
    for table in ("rows", "base", "sources", "seeded"):
        execute(database, f"DELETE FROM jv.score_log_{table}")


def write_scored_at(database: Database, *given: str) -> list[str]:
    """Into the contexts of the first matches; returns their ids."""
    ids = sorted(stored(database))[: len(given)]
    change = "jsonb_set(match_context, '{scored_at}', to_jsonb(CAST(:at AS text)))"
    for match, at in zip(ids, given, strict=True):
        execute(database, f"UPDATE match_suggestions SET match_context = {change} WHERE id = :id", id=match, at=at)
    return ids


def test_every_run_and_every_undo_is_logged(database: Database) -> None:
    moments = [(now(database), stored(database))]
    for run, policy in (("first", "harmonic/impute"), ("second", "geometric/impute"), ("third", "harmonic/impute")):
        assert publish(database, run, policy).written == 200
        moments.append((now(database), stored(database)))
    assert undo_range(database, (LOW, HIGH), "third", "undo of it").restored == 200
    moments.append((now(database), stored(database)))
    assert [len(expected) for _, expected in moments] == [0, 200, 200, 200, 200]
    assert moments[1][1] == moments[3][1] != moments[2][1] == moments[4][1]
    for at, expected in moments:
        assert stood(database, at) == expected
    counts = execute(database, "SELECT run_id, count(*) FROM jv.score_log GROUP BY run_id")
    assert {row["run_id"]: row["count"] for row in counts} == dict.fromkeys(
        ["first", "second", "third", "undo of it"], 200
    )


def test_a_score_that_is_taken_back_to_none_is_an_entry_too(database: Database) -> None:
    publish(database, "run")
    at, expected = now(database), stored(database)
    undo_range(database, (LOW, HIGH), "run", "undo")
    assert stood(database, now(database)) == stored(database) == {}
    assert stood(database, at) == expected
    assert entries(database) == 400


def test_what_is_stored_is_seeded_once_before_it_is_replaced(database: Database) -> None:
    publish(database, "run")
    before = stored(database)
    empty(database)
    ids = write_scored_at(database, *["2026-02-17T21:04:11+00:00"] * 200)
    publish(database, "later", "geometric/impute")
    seeded = execute(database, "SELECT match_id::text AS id, at, run_id FROM jv.score_log WHERE seeded")
    assert {row["id"]: (row["at"].isoformat(), row["run_id"]) for row in seeded} == dict.fromkeys(
        ids, ("2026-02-17T21:04:11+00:00", None)
    )
    assert stood(database, "2026-02-17T21:04:10Z") == {}
    assert stood(database, "2026-02-17T21:04:11Z") == before
    assert stood(database, now(database)) == stored(database)
    publish(database, "again")
    assert entries(database) == 600


def test_a_time_that_is_none_is_that_of_the_seeding(database: Database) -> None:
    publish(database, "run")
    empty(database)
    ids = write_scored_at(database, "soon", "2026-02-31T10:00:00", "2999-01-01T00:00:00Z", "", "2026-02-17 21:04:11")
    started = now(database)
    score_log.seed(database, LOW, HIGH)
    found = {row["id"]: row["at"] for row in execute(database, "SELECT match_id::text AS id, at FROM jv.score_log")}
    assert all(started <= found[match] <= now(database) for match in ids[:4])
    assert found[ids[4]].isoformat() == "2026-02-17T21:04:11+00:00"


def test_a_seeding_that_was_cut_off_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(database, "run")
    before = stored(database)
    empty(database)
    monkeypatch.setattr(score_log, "SEEDED_AT_ONCE", 30)
    execute(database, "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''cut''; END'")
    cut = "CREATE TRIGGER cut BEFORE INSERT ON jv.score_log_base FOR EACH ROW WHEN (NEW.match_id > '8') "
    execute(database, cut.replace("'8'", f"'8{'0' * 31}'") + "EXECUTE FUNCTION cut()")
    with pytest.raises(Exception, match="cut"):
        score_log.seed(database, LOW, HIGH)
    assert 0 < entries(database) < 200
    execute(database, "DROP FUNCTION cut CASCADE")
    score_log.seed(database, LOW, HIGH)
    assert stood(database, now(database)) == before
    assert entries(database) == 200


def test_a_batch_that_is_done_twice_is_logged_once(database: Database) -> None:
    publish(database, "run")
    assert publish(database, "run").unchanged == 200
    assert entries(database) == 200


def test_a_month_that_another_makes_meanwhile_is_made_once(database: Database) -> None:
    """The second publisher looks for it before the first has committed, and waits."""
    months = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'jv.score_log_rows'::regclass"
    assert execute(database, months)[0]["count"] == 0
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            score_log.ensure_months(connection)
            second = pool.submit(publish, database, "second")
            wait_for_a_lock(database, second)
        assert second.result().written == 200
    assert entries(database) == 200
    assert execute(database, months)[0]["count"] in (1, 2)


def test_a_dry_run_logs_nothing(database: Database) -> None:
    assert publish(database, "run", dry_run=True).written == 200
    assert entries(database) == 0
    assert execute(database, "SELECT FROM jv.score_log_seeded") == []


def test_entries_that_are_swallowed_take_the_scores_back(database: Database) -> None:
    execute(database, "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    execute(database, "CREATE TRIGGER t BEFORE INSERT ON jv.score_log_rows FOR EACH ROW EXECUTE FUNCTION swallow()")
    with pytest.raises(UserError) as caught:
        publish(database, "run")
    cure = "let the table's owner type: DROP TRIGGER t ON jv.score_log_rows"
    assert str(caught.value) == f"trigger t of jv.score_log_rows acts on what only the pipeline writes; {cure}"
    assert stored(database) == {}


def test_months_that_are_over_are_dropped_and_what_stood_stays(database: Database) -> None:
    publish(database, "run")
    old = stored(database)
    for month, after in (("2025_01", "2025-02-01"), ("2025_02", "2025-03-01")):
        first = month.replace("_", "-") + "-01"
        bound = f"FOR VALUES FROM ('{first}') TO ('{after}')"
        execute(database, f"CREATE TABLE jv.score_log_{month} PARTITION OF jv.score_log_rows {bound}")
    execute(database, "UPDATE jv.score_log_rows SET at = '2025-01-15 12:00+00'")
    execute(
        database,
        "INSERT INTO jv.score_log_rows SELECT '2025-02-15 12:00+00', match_id, source_id, score_ab, score_ba, "
        "harmonic_mean FROM jv.score_log_rows ORDER BY match_id LIMIT 10",
    )
    gone = min(old)
    execute(database, "DELETE FROM match_suggestions WHERE id = CAST(:id AS uuid)", id=gone)
    start = now(database)
    publish(database, "later", "geometric/impute")
    assert score_log.purge(database) == ["score_log_2025_01", "score_log_2025_02"]
    assert score_log.purge(database) == []
    del old[gone]
    assert stood(database, start) == old
    assert stood(database, now(database)) == stored(database)
    days = execute(database, "SELECT at::date::text AS day, count(*) FROM jv.score_log_base GROUP BY 1 ORDER BY 1")
    assert list(map(dict, days)) == [{"day": "2025-01-15", "count": 190}, {"day": "2025-02-15", "count": 9}]
    with database.transaction() as connection:
        begins = score_log.log_begins(connection, LOW, HIGH)
    assert begins is not None
    assert begins.day == 1 or begins >= start.replace(day=1)


def seeded(database: Database) -> int:
    return len(execute(database, "SELECT FROM jv.score_log_seeded"))


def test_a_partition_that_was_cut_anew_is_seeded_once_and_whole(database: Database) -> None:
    execute(database, "UPDATE match_suggestions SET harmonic_mean = 50")
    ids = [row["id"] for row in execute(database, "SELECT id::text FROM match_suggestions ORDER BY id")]
    score_log.seed(database, LOW, ids[49])
    first = now(database)
    score_log.seed(database, ids[120], HIGH)
    score_log.seed(database, ids[20], ids[40])  # lies within what is seeded
    assert (seeded(database), entries(database)) == (2, 130)
    rows = scores(database).iloc[30:151]
    options = PublishOptions(switch_policy=True)
    published = publish_range(database, (ids[30], ids[150]), [(rows, lambda: contexts_of(rows))], options, run_id="run")
    assert published.written == 121
    assert (seeded(database), entries(database)) == (3, 200 + 121)
    of_base = execute(database, "SELECT match_id::text, harmonic_mean FROM jv.score_log_base ORDER BY match_id")
    assert [row["match_id"] for row in of_base] == ids
    assert {row["harmonic_mean"] for row in of_base} == {50}
    publish(database, "all")
    assert seeded(database) == 3
    with database.transaction() as connection:
        begins = [score_log.log_begins(connection, *ends) for ends in ((ids[20], ids[40]), (LOW, HIGH))]
    assert begins[0] < first < begins[1]  # type: ignore[operator]


def test_the_score_that_stood_when_a_match_was_seen(database: Database) -> None:
    """One look-up by index for each match, which is what an evaluation asks."""
    publish(database, "first")
    first = stored(database)
    execute(database, "UPDATE match_suggestions SET viewed_at = clock_timestamp()")
    publish(database, "second", "geometric/impute")
    query = (
        "SELECT m.id::text, l.harmonic_mean, l.policy FROM match_suggestions m, LATERAL ("
        "SELECT * FROM jv.score_log l WHERE l.match_id = m.id AND l.at <= m.viewed_at ORDER BY l.at DESC LIMIT 1"
        ") AS l"
    )
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        found = {row[0]: (row[1], row[2]) for row in connection.execute(text(query))}
        plan = "\n".join(connection.execute(text("EXPLAIN " + query)).scalars())
    assert found == {match: (row[2], row[3]) for match, row in first.items()}
    assert "Seq Scan on score_log" not in plan, plan


def test_an_entry_takes_as_many_bytes_as_are_documented(database: Database) -> None:
    publish(database, "run")
    (row,) = execute(database, "SELECT max(pg_column_size(r.*)) AS bytes FROM jv.score_log_rows r")
    assert row["bytes"] == 64


@pytest.mark.parametrize("given", ["0", "-1", "1.5", "year"])
def test_days_that_are_none_are_one_line(database: Database, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_SCORE_LOG_DAYS", given)
    with pytest.raises(UserError, match=f"JV_SCORE_LOG_DAYS={given}: set it to a whole number from 1"):
        score_log.purge(database)


def test_a_score_comes_out_of_the_log_as_it_went_in(database: Database) -> None:
    """For each number of two decimals that numeric(5,2) holds."""
    hundredths = "SELECT n::numeric / 100 AS score FROM generate_series(-99999, 99999) AS n"
    changed = execute(database, f"SELECT score FROM ({hundredths}) AS s WHERE score::real::numeric <> score")
    assert changed == []


def test_entries_that_were_not_taken_are_told() -> None:
    score_log.refuse_uncounted(2, 2)
    said = r"^jv\.score_log took 1 of 2 entries, so nothing was written: take the trigger, rule or policy "
    with pytest.raises(UserError, match=said):
        score_log.refuse_uncounted(1, 2)
