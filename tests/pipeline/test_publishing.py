"""The publishing protocol on a real database: what is written, what never is, and what faults leave behind."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Connection, text

from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.pipeline import publishing
from jv_assets.pipeline.matches.score_log import log_begins, seed
from jv_assets.pipeline.publishing import Published, PublishOptions, publish_range
from jv_assets.pipeline.reading import read_matches
from jv_assets.resources.database import Database
from jv_assets.setup.grant import grant
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_assets.tables import MATCH_COLUMNS
from jv_scoring.policy import DIMENSIONS
from tests.support.servers import pgbouncer
from tests.support.waiting import wait_for_a_lock

T = TypeVar("T")
EVERYTHING = (str(UUID(int=0)), str(UUID(int=2**128 - 1)))
OTHERS = sorted(MATCH_COLUMNS)
"""The columns that are not ours, `match_score` among them."""


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(url=database_url)
    migrate(database, dimension=384)
    population = make_population(60, 200)
    load_frames(database, population.profiles, population.matches)
    return database


def execute(database: Database, sql: str, **values: object) -> Any:
    with database.transaction() as connection:
        result = connection.execute(text(sql), values)
        return result.mappings().all() if result.returns_rows else None


def scores(database: Database, **stamp: str) -> pd.DataFrame:
    """Made-up scores of every match, as a range's file has them."""
    rows = read_matches(database, *EVERYTHING)[["id", "profile_id", "suggested_profile_id"]]
    rng = np.random.default_rng(1)
    for name in ("score_ab", "score_ba"):
        rows[name] = np.round(rng.uniform(30, 90, len(rows)), 2)
    rows["harmonic_mean"] = np.round(2 / (1 / rows["score_ab"] + 1 / rows["score_ba"]), 2)
    stamps = {"scoring_version": "ismc_v2_embeddings", "policy": "harmonic/impute", "inputs_hash": "a" * 32} | stamp
    return rows.assign(reused=False, **stamps)


def contexts_of(rows: pd.DataFrame) -> pd.Series:
    names = ("scoring_version", "policy", "inputs_hash")
    made = [
        {name: row[name] for name in names}
        | {f"breakdown_{of}": breakdown(row[f"score_{of}"]) for of in ("ab", "ba")}
        | {"of": row["id"]}
        for row in rows.to_dict("records")
    ]
    return pd.Series([json.dumps(context) for context in made], rows.index)


def breakdown(score: float) -> dict[str, object]:
    """Four dimensions that come to this score under every policy."""
    return {name: {"score": round(score / 10, 3), "factors": []} for name in DIMENSIONS}


def publish(database: Database, rows: pd.DataFrame, **wanted: bool) -> dict[str, int]:
    """The counts that are not zero."""
    counts = publish_range(database, EVERYTHING, [(rows, lambda: contexts_of(rows))], PublishOptions(**wanted))
    return {name: count for name, count in vars(counts).items() if count}


def stored(database: Database) -> pd.DataFrame:
    rows = execute(
        database,
        "SELECT id::text, score_ab::float8, score_ba::float8, harmonic_mean::float8, match_context, xmin::text "
        "FROM match_suggestions ORDER BY id",
    )
    return pd.DataFrame(rows)


def checksum(database: Database) -> str:
    """Of every column that is not ours, in both tables."""
    parts = []
    for table, columns in (("match_suggestions", ", ".join(OTHERS)), ("profiles", "*")):
        sql = f"SELECT md5(string_agg(t::text, '|' ORDER BY t.id)) FROM (SELECT {columns} FROM {table}) AS t"
        parts.append(str(execute(database, sql)[0]["md5"]))
    return " ".join(parts)


def assert_stored(database: Database, rows: pd.DataFrame) -> None:
    """Each match has its score, and the context that was made with it."""
    found = stored(database)
    for name in ("score_ab", "score_ba", "harmonic_mean"):
        assert found[name].tolist() == rows[name].tolist()
    assert found["match_context"].tolist() == [json.loads(context) for context in contexts_of(rows)]


def test_everything_is_written_once_and_then_nothing(database: Database) -> None:
    rows, before = scores(database), checksum(database)
    assert publish(database, rows) == {"rows": 200, "written": 200}
    assert_stored(database, rows)
    versions = stored(database)["xmin"].tolist()
    assert publish(database, rows) == {"rows": 200, "unchanged": 200}
    assert stored(database)["xmin"].tolist() == versions
    assert checksum(database) == before


@pytest.mark.parametrize("name", ["score_ab", "score_ba", "harmonic_mean", "inputs_hash"])
def test_a_row_differs_by_each_of_what_is_compared(database: Database, name: str) -> None:
    rows = scores(database)
    publish(database, rows)
    versions = stored(database)["xmin"]
    changed = rows.copy()
    changed.loc[7, name] = "other" if name == "inputs_hash" else 12.34
    assert publish(database, changed) == {"rows": 200, "written": 1, "unchanged": 199}
    assert_stored(database, changed)
    assert stored(database)["xmin"].ne(versions).tolist() == [k == 7 for k in range(200)]


def test_a_context_that_names_no_policy_is_completed_once(database: Database) -> None:
    rows = scores(database)
    publish(database, rows)
    execute(database, "UPDATE match_suggestions SET match_context = match_context - 'policy' - 'inputs_hash'")
    assert publish(database, rows) == {"rows": 200, "written": 200}
    assert_stored(database, rows)
    assert publish(database, rows) == {"rows": 200, "unchanged": 200}


@pytest.mark.parametrize("context", [None, "null", "[]", '"text"', "{}"])
def test_a_score_without_a_readable_context_is_written_again(database: Database, context: str | None) -> None:
    rows = scores(database)
    publish(database, rows)
    execute(database, "UPDATE match_suggestions SET match_context = CAST(:context AS jsonb)", context=context)
    assert publish(database, rows) == {"rows": 200, "written": 200}
    assert_stored(database, rows)


def test_only_missing_touches_null_rows_alone(database: Database) -> None:
    rows = scores(database)
    publish(database, rows.iloc[:150])
    versions = stored(database)["xmin"].tolist()
    later = rows.assign(score_ab=11.11)
    assert publish(database, later, only_missing=True) == {"rows": 200, "written": 50, "kept": 150}
    assert stored(database)["xmin"].tolist()[:150] == versions[:150]
    assert_stored(database, pd.concat([rows.iloc[:150], later.iloc[150:]]))


def test_a_dry_run_counts_and_writes_nothing(database: Database) -> None:
    rows = scores(database)
    publish(database, rows.iloc[:150])
    versions = stored(database)["xmin"].tolist()
    assert publish(database, rows, dry_run=True) == {"rows": 200, "written": 50, "unchanged": 150}
    assert publish(database, rows.assign(policy="geometric/impute"), dry_run=True) == {"rows": 200, "written": 200}
    assert stored(database)["xmin"].tolist() == versions


def test_another_policy_is_refused_unless_it_is_switched_on_purpose(database: Database) -> None:
    rows = scores(database)
    publish(database, rows.iloc[:1])
    other = rows.assign(policy="geometric/impute")
    with pytest.raises(
        UserError, match=r"stored under harmonic/impute, .* made under geometric/impute.*--switch-policy"
    ):
        publish(database, other)
    assert stored(database)["harmonic_mean"].notna().sum() == 1
    assert publish(database, other, switch_policy=True) == {"rows": 200, "written": 200}
    assert_stored(database, other)


def test_another_version_of_the_rules_is_refused_unless_it_is_switched_on_purpose(database: Database) -> None:
    rows = scores(database)
    publish(database, rows.iloc[:1].assign(scoring_version="ismc_v1"))
    said = "stored under harmonic/impute of ismc_v1, and these were made under harmonic/impute of ismc_v2_embeddings"
    for wanted in ({}, {"only_missing": True}, {"only_missing": True, "switch_policy": True}):
        with pytest.raises(UserError, match=f"{said}: replace all on purpose by: jv rescore .* --switch-policy"):
            publish(database, rows, **wanted)
    assert stored(database)["harmonic_mean"].notna().sum() == 1
    assert publish(database, rows, switch_policy=True) == {"rows": 200, "written": 200}
    assert_stored(database, rows)


def test_a_trigger_that_changes_another_column_stops_the_publish(database: Database) -> None:
    rows = scores(database)
    execute(
        database,
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.notes := 'touched'; NEW.match_score := 1; RETURN NEW; END $$",
    )
    execute(database, "CREATE TRIGGER touch BEFORE UPDATE ON match_suggestions FOR EACH ROW EXECUTE FUNCTION touch()")
    before = stored(database)
    with pytest.raises(UserError, match=r"^updating match_suggestions also changed match_score, notes, so"):
        publish(database, rows)
    pd.testing.assert_frame_equal(stored(database), before)
    execute(database, "DROP TRIGGER touch ON match_suggestions")
    assert publish(database, rows) == {"rows": 200, "written": 200}


def test_a_match_deleted_or_changed_since_it_was_scored_is_counted(database: Database) -> None:
    rows = scores(database)
    gone, moved = rows["id"].iloc[3], rows["id"].iloc[5]
    execute(database, "DELETE FROM match_suggestions WHERE id = :id", id=gone)
    execute(database, "UPDATE match_suggestions SET profile_id = suggested_profile_id WHERE id = :id", id=moved)
    assert publish(database, rows) == {"rows": 200, "written": 198, "deleted": 1, "moved": 1}
    found = stored(database).set_index("id")
    assert found.loc[moved, "match_context"] is None
    assert gone not in found.index


def test_a_match_added_since_it_was_scored_is_left_alone(database: Database) -> None:
    rows = scores(database).iloc[1:]
    assert publish(database, rows) == {"rows": 199, "written": 199}
    assert stored(database)["match_context"].iloc[0] is None


def test_an_empty_range_is_no_failure(database: Database) -> None:
    assert publish(database, scores(database).iloc[:0]) == {}
    with database.transaction() as connection:
        assert log_begins(connection, *EVERYTHING) is not None


class Counting(Database):
    """Counts its transactions."""

    transactions = 0

    def run(self, work: Callable[[Connection], T]) -> T:
        self.transactions += 1
        return super().run(work)


def test_a_range_larger_than_a_batch_takes_several(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "BATCH_ROWS", 64)
    rows, counting = scores(database), Counting(url=database.url)
    seed(database, *EVERYTHING)
    assert publish(counting, rows) == {"rows": 200, "written": 200}
    assert counting.transactions == 4
    assert_stored(database, rows)


def test_rows_that_are_only_compared_are_many_in_a_batch(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "BATCH_ROWS", 20)
    rows, counting = scores(database), Counting(url=database.url)
    publish(database, rows)
    changed = rows.assign(reused=rows.index >= 30)
    changed.loc[~changed["reused"], "inputs_hash"] = "b" * 32
    assert publish(counting, changed) == {"rows": 200, "written": 30, "unchanged": 170}
    assert counting.transactions == 3  # 20 written, 10 and 100 compared, 70
    assert_stored(database, changed)


class Repeating(Database):
    """Every transaction is done, and done again, as after a connection that was lost at COMMIT."""

    def run(self, work: Callable[[Connection], T]) -> T:
        super().run(work)
        return super().run(work)


def test_a_batch_may_be_repeated_after_a_commit_that_nobody_heard_of(database: Database) -> None:
    rows = scores(database)
    assert publish(Repeating(url=database.url), rows) == {"rows": 200, "unchanged": 200}
    assert_stored(database, rows)


class Dying(Database):
    """Terminates its own connection in the middle of every other transaction."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.deaths = 0

    def run(self, work: Callable[[Connection], T]) -> T:
        dies = iter((True, False))

        def then_dies(connection: Connection) -> T:
            result = work(connection)
            if next(dies):
                self.deaths += 1
                connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
            return result

        return super().run(then_dies)


def test_lost_connections_lose_and_double_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "BATCH_ROWS", 50)
    rows, before = scores(database), checksum(database)
    seed(database, *EVERYTHING)
    dying = Dying(database.url)
    assert publish(dying, rows) == {"rows": 200, "written": 200}
    assert dying.deaths == 4
    assert_stored(database, rows)
    assert checksum(database) == before


def test_through_a_transaction_pooler(database: Database) -> None:
    rows = scores(database)
    with pgbouncer(database.url) as url, ThreadPoolExecutor(4) as pool:
        parts = [rows.iloc[start : start + 50] for start in range(0, 200, 50)]
        for done in [pool.submit(publish, Database(url), part) for part in parts]:
            assert done.result() == {"rows": 50, "written": 50}
    assert_stored(database, rows)


def test_publishers_of_one_range_at_once_end_well(database: Database) -> None:
    rows = scores(database)
    with ThreadPoolExecutor(4) as pool:
        counts = [done.result() for done in [pool.submit(publish, database, rows) for _ in range(4)]]
    assert sorted(count.get("written", 0) for count in counts) == [0, 0, 0, 200]
    assert_stored(database, rows)


def test_a_row_that_somebody_holds_is_waited_for(database: Database) -> None:
    rows = scores(database)
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            connection.execute(
                text("UPDATE match_suggestions SET notes = 'mine' WHERE id = :id"), {"id": rows["id"][9]}
            )
            second = pool.submit(publish, database, rows)
            wait_for_a_lock(database, second)
        assert second.result() == {"rows": 200, "written": 200}
    assert_stored(database, rows)
    assert execute(database, "SELECT count(*) FROM match_suggestions WHERE notes = 'mine'")[0]["count"] == 1


@pytest.fixture
def narrow(database: Database) -> Iterator[Database]:
    """The database as seen by a role that has what `jv grant` gives: of the two tables, it may write ours alone."""
    role = f"narrow_{UUID(int=0).hex[:4]}"
    execute(database, f"CREATE ROLE {role} LOGIN PASSWORD 'narrow'")
    grant(database, role)
    url = database.url.split("@")[1]
    yield Database(f"postgresql://{role}:narrow@{url}")
    execute(database, f"REASSIGN OWNED BY {role} TO CURRENT_USER")  # the schema jv and what is in it
    execute(database, f"DROP OWNED BY {role}")
    execute(database, f"DROP ROLE {role}")


def test_a_role_that_may_write_our_columns_alone_is_enough(database: Database, narrow: Database) -> None:
    rows = scores(database)
    assert publish(narrow, rows) == {"rows": 200, "written": 200}
    assert_stored(database, rows)


def test_counts_add_up() -> None:
    assert Published(1, 2, 3, 4, 5, 6) + Published(10, 20, 30, 40, 50, 60) == Published(11, 22, 33, 44, 55, 66)
