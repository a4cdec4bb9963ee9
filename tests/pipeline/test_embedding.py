"""Which vectors are made anew, kept or taken away, on a real database and with the real small model."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import dagster as dg
import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import Connection, text

from jv_assets.assets.profile_embeddings import profile_embeddings
from jv_assets.errors import UserError
from jv_assets.pipeline import embedding
from jv_assets.pipeline.database.id_locks import lock_ids
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.migrations.run import migrate
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.cuts import bounds
from tests.support.models import BGE, MINILM, minilm
from tests.support.servers import pgbouncer
from tests.support.waiting import wait_for_a_lock

T = TypeVar("T")
EVERYTHING = (str(UUID(int=0)), str(UUID(int=2**128 - 1)))
ONE, TWO, THREE = (str(UUID(int=number)) for number in (1, 2, 3))
OLD = [1.0] + [0.0] * 383
"""A vector that the model never makes."""


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(url=database_url)
    migrate(database, dimension=384)
    return database


class During(Embedder):
    """The small model, and something that happens while it embeds its first batch."""

    def __init__(self, happens: Callable[[], object]) -> None:
        super().__init__(MINILM)
        self.happens = [happens]

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = minilm().embed(texts)
        if self.happens:
            self.happens.pop()()
        return vectors

    def token_counts(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        return minilm().token_counts(texts)

    def truncated(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        return minilm().truncated(texts)


class KilledError(Exception):
    pass


class KilledAfter(During):
    """The small model, until so many batches are done."""

    def __init__(self, batches: int) -> None:
        super().__init__(lambda: None)
        self.batches = batches

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        if self.batches == 0:
            raise KilledError
        self.batches -= 1
        return super().embed(texts)


def execute(database: Database, sql: str, **values: object) -> Any:
    with database.transaction() as connection:
        result = connection.execute(text(sql), values)
        return result.mappings().all() if result.returns_rows else None


def add(database: Database, profile_id: str, **columns: object) -> None:
    columns = {"id": profile_id, "name": "Kelsol"} | columns
    names = ", ".join(columns)
    execute(database, f"INSERT INTO profiles ({names}) VALUES ({', '.join(f':{name}' for name in columns)})", **columns)


def edit(database: Database, profile_id: str, **columns: object) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    execute(database, f"UPDATE profiles SET {changes} WHERE id = :id", id=profile_id, **columns)


def stored(database: Database, profile_id: str) -> dict[str, Any]:
    """A profile's row, and its vectors as arrays."""
    (row,) = execute(database, "SELECT *, xmin::text FROM profiles WHERE id = :id", id=profile_id)
    vectors = {f"embedding_{name}" for name in EMBEDDED_FIELDS}
    return {
        name: np.array(json.loads(value) if isinstance(value, str) else value, dtype=np.float32)
        if name in vectors and value is not None
        else value
        for name, value in row.items()
    }


def remembered(database: Database) -> dict[tuple[str, str], str]:
    """The model of each (profile, field) that is remembered as embedded."""
    rows = execute(database, "SELECT profile_id::text, field, model FROM jv.embedded_texts")
    return {(row["profile_id"], row["field"]): row["model"] for row in rows}


def run(database: Database, embedder: Embedder | None = None, id_range: tuple[str, str] = EVERYTHING) -> dict[str, Any]:
    """Do the range as the asset does; what came of it, without the zeros."""
    embedder = embedder or minilm()
    plan = embedding_plan.plan_range(database, embedder, *id_range)
    embedding.adopt(database, embedder, plan)
    cleared = embedding.clear(database, embedder, plan)
    embedded = embedding.embed(database, embedder, plan)
    counts = {
        "rows": plan.rows,
        "skipped": plan.skipped,
        "current": plan.current,
        "adopted": len(plan.adopt),
        "cleared": cleared.texts,
        "embedded": embedded.texts,
        "distinct": embedded.distinct,
        "truncated": embedded.truncated,
        "edited": cleared.edited + embedded.edited,
        "deleted": len(cleared.deleted | embedded.deleted),
    }
    return {name: count for name, count in counts.items() if count}


def assert_vector_of(one: str, vector: npt.NDArray[np.float32] | None) -> None:
    assert vector is not None
    np.testing.assert_allclose(vector, minilm().embed([one])[0], atol=1e-5)


def test_each_usable_text_gets_the_vector_of_its_stripped_text(database: Database) -> None:
    awkward = "Tabs\tand\nlines, \"quotes\", 'more', back\\slash \\N, {1,2}, %s :name, Ünïcode \U0001f600"
    too_long = "word " * 300
    add(database, ONE, seeking="\u2003 guests \n", offering="coach", who_you_serve=awkward, what_you_do=too_long)
    before = execute(database, "SELECT now() AS now")[0]["now"]
    assert run(database) == {"rows": 1, "embedded": 4, "distinct": 4, "truncated": 1}
    row = stored(database, ONE)
    assert_vector_of("guests", row["embedding_seeking"])
    assert_vector_of("coach", row["embedding_offering"])
    assert_vector_of(awkward, row["embedding_who_you_serve"])
    assert_vector_of(too_long.strip(), row["embedding_what_you_do"])
    assert row["embeddings_model"] == MINILM
    assert timedelta(0) <= row["embeddings_updated_at"] - before < timedelta(minutes=1)
    assert remembered(database) == {(ONE, name): MINILM for name in EMBEDDED_FIELDS}


def test_a_text_that_is_not_usable_gets_no_vector(database: Database) -> None:
    add(database, ONE, seeking="", offering=" abcd ", who_you_serve="   \n  \u00a0", what_you_do="abcde")
    add(database, TWO, seeking=None, offering="n/a")
    assert run(database) == {"rows": 2, "skipped": 1, "embedded": 1, "distinct": 1}
    row = stored(database, ONE)
    assert [name for name in EMBEDDED_FIELDS if row[f"embedding_{name}"] is not None] == ["what_you_do"]
    assert stored(database, TWO)["embeddings_model"] is None
    assert remembered(database) == {(ONE, "what_you_do"): MINILM}


def test_what_is_current_is_not_written_again(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    run(database)
    before = stored(database, ONE)
    assert run(database) == {"rows": 1, "current": 2}
    assert stored(database, ONE)["xmin"] == before["xmin"]


def test_an_edited_text_is_embedded_again_and_no_other(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    add(database, TWO, seeking="something else")
    run(database)
    before, other = stored(database, ONE), stored(database, TWO)
    edit(database, ONE, seeking="joint webinars")
    assert run(database) == {"rows": 2, "current": 2, "embedded": 1, "distinct": 1}
    row = stored(database, ONE)
    assert_vector_of("joint webinars", row["embedding_seeking"])
    np.testing.assert_array_equal(row["embedding_offering"], before["embedding_offering"])
    assert row["embeddings_updated_at"] > before["embeddings_updated_at"]
    assert stored(database, TWO)["xmin"] == other["xmin"]


def test_other_space_around_a_text_changes_nothing(database: Database) -> None:
    add(database, ONE, seeking="podcast guests")
    run(database)
    edit(database, ONE, seeking="  podcast guests\n")
    assert run(database) == {"rows": 1, "current": 1}


def test_a_lost_vector_is_made_again(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    run(database)
    edit(database, ONE, embedding_seeking=None)
    assert run(database) == {"rows": 1, "current": 1, "embedded": 1, "distinct": 1}
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])


def test_vectors_found_under_the_models_name_are_adopted(database: Database) -> None:
    found = {"embedding_seeking": str(OLD), "embeddings_model": MINILM}
    add(database, ONE, seeking="podcast guests", offering="coaching", **found)
    assert run(database) == {"rows": 1, "adopted": 1, "embedded": 1, "distinct": 1}
    assert stored(database, ONE)["embedding_seeking"].tolist() == OLD
    assert run(database) == {"rows": 1, "current": 2}
    edit(database, ONE, seeking="joint webinars")
    assert run(database) == {"rows": 1, "current": 1, "embedded": 1, "distinct": 1}
    assert_vector_of("joint webinars", stored(database, ONE)["embedding_seeking"])


def test_adopting_writes_no_profile(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", embedding_seeking=str(OLD), embeddings_model=MINILM)
    before = stored(database, ONE)
    assert run(database) == {"rows": 1, "adopted": 1}
    assert stored(database, ONE)["xmin"] == before["xmin"]
    assert remembered(database) == {(ONE, "seeking"): MINILM}


@pytest.mark.parametrize("name", [BGE, None])
def test_vectors_under_another_name_are_replaced_or_taken_away(database: Database, name: str | None) -> None:
    vectors = {f"embedding_{name}": str(OLD) for name in EMBEDDED_FIELDS}
    add(database, ONE, seeking="podcast guests", offering="coaching", what_you_do="", embeddings_model=name, **vectors)
    assert run(database) == {"rows": 1, "embedded": 2, "distinct": 2}
    row = stored(database, ONE)
    assert row["embeddings_model"] == MINILM
    assert_vector_of("podcast guests", row["embedding_seeking"])
    assert_vector_of("coaching", row["embedding_offering"])
    assert (row["embedding_who_you_serve"], row["embedding_what_you_do"]) == (None, None)


def test_a_profile_without_text_under_another_name_is_left_alone(database: Database) -> None:
    add(database, ONE, seeking=" ", embedding_seeking=str(OLD), embeddings_model=BGE)
    before = stored(database, ONE)
    assert run(database) == {"rows": 1, "skipped": 1}
    assert stored(database, ONE)["xmin"] == before["xmin"]


def test_what_is_remembered_of_another_model_does_not_count(database: Database) -> None:
    add(database, ONE, seeking="podcast guests")
    run(database)
    execute(database, "UPDATE jv.embedded_texts SET model = :model", model=BGE)
    edit(database, ONE, embedding_seeking=str(OLD))
    assert run(database) == {"rows": 1, "embedded": 1, "distinct": 1}
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])
    assert remembered(database) == {(ONE, "seeking"): MINILM}


@pytest.mark.parametrize("emptied", [None, "", "  \u00a0", "abcd"])
def test_the_vector_of_an_emptied_text_is_taken_away(database: Database, emptied: str | None) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    run(database)
    edit(database, ONE, seeking=emptied)
    assert run(database) == {"rows": 1, "current": 1, "cleared": 1}
    row = stored(database, ONE)
    assert row["embedding_seeking"] is None
    assert_vector_of("coaching", row["embedding_offering"])
    assert remembered(database) == {(ONE, "offering"): MINILM}
    assert run(database) == {"rows": 1, "current": 1}
    edit(database, ONE, seeking="podcast guests")
    assert run(database) == {"rows": 1, "current": 1, "embedded": 1, "distinct": 1}
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])


def test_a_vector_of_another_length_is_made_again(database: Database) -> None:
    execute(database, "ALTER TABLE profiles ALTER COLUMN embedding_seeking TYPE vector")
    add(database, ONE, seeking="podcast guests", embedding_seeking="[1,0,0]", embeddings_model=MINILM)
    assert run(database) == {"rows": 1, "embedded": 1, "distinct": 1}
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])
    edit(database, ONE, embedding_seeking="[1,0,0]")
    assert run(database) == {"rows": 1, "embedded": 1, "distinct": 1}
    assert run(database) == {"rows": 1, "current": 1}


def test_a_zero_vector_is_a_vector(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", embedding_seeking=str([0.0] * 384), embeddings_model=MINILM)
    assert run(database) == {"rows": 1, "adopted": 1}


def test_equal_texts_are_embedded_once(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", offering=" podcast guests ")
    add(database, TWO, what_you_do="podcast guests\n", who_you_serve="coaching")
    assert run(database) == {"rows": 2, "embedded": 4, "distinct": 2}
    vectors = [stored(database, ONE)["embedding_seeking"], stored(database, ONE)["embedding_offering"]]
    for vector in (*vectors, stored(database, TWO)["embedding_what_you_do"]):
        assert_vector_of("podcast guests", vector)


def test_only_the_range_is_touched(database: Database) -> None:
    inside = list(bounds("8"))
    outside = [str(UUID(int=UUID(inside[0]).int - 1)), str(UUID(int=UUID(inside[1]).int + 1))]
    for profile_id in inside + outside:
        add(database, profile_id, seeking="podcast guests")
    assert run(database, id_range=bounds("8")) == {"rows": 2, "embedded": 2, "distinct": 1}
    assert {profile_id for profile_id, _ in remembered(database)} == set(inside)


def test_a_text_edited_while_it_is_embedded_is_left_to_the_next_run(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    add(database, TWO, seeking="podcast guests")
    during = During(lambda: edit(database, ONE, seeking="podcast guests, today"))
    assert run(database, during) == {"rows": 2, "embedded": 2, "distinct": 2, "edited": 1}
    assert stored(database, ONE)["embedding_seeking"] is None
    assert remembered(database) == {(ONE, "offering"): MINILM, (TWO, "seeking"): MINILM}
    assert run(database) == {"rows": 2, "current": 2, "embedded": 1, "distinct": 1}
    assert_vector_of("podcast guests, today", stored(database, ONE)["embedding_seeking"])


def test_a_profile_deleted_meanwhile_is_counted(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    add(database, TWO, seeking="podcast guests")
    during = During(lambda: execute(database, "DELETE FROM profiles WHERE id = :id", id=ONE))
    assert run(database, during) == {"rows": 2, "embedded": 1, "distinct": 2, "deleted": 1}
    assert remembered(database) == {(TWO, "seeking"): MINILM}


def test_a_text_that_came_back_before_its_vector_was_taken_away(database: Database) -> None:
    add(database, ONE, seeking="podcast guests")
    run(database)
    edit(database, ONE, seeking="")
    plan = embedding_plan.plan_range(database, minilm(), *EVERYTHING)
    edit(database, ONE, seeking="podcast guests")
    assert embedding.clear(database, minilm(), plan).edited == 1
    assert run(database) == {"rows": 1, "current": 1}


def test_a_profile_that_came_under_another_model_meanwhile_keeps_its_vectors(database: Database) -> None:
    add(database, ONE, seeking="", embedding_seeking=str(OLD), embeddings_model=MINILM)
    plan = embedding_plan.plan_range(database, minilm(), *EVERYTHING)
    edit(database, ONE, embeddings_model=BGE)
    assert embedding.clear(database, minilm(), plan).texts == 0
    assert stored(database, ONE)["embeddings_model"] == BGE
    assert stored(database, ONE)["embedding_seeking"].tolist() == OLD


_ODD_TEXTS = [None, "", " ", "\n" * 9, "\u00a0" * 9, "four", " fou\u2003 ", "fives", "\tfives\x1f", "\u3000fives ",
              "\x1cf ive\x85", "健康健康健", "a\n\n\nb", "a   b", "é" * 9]  # fmt: skip


@pytest.mark.parametrize("remembered", [False, True])
def test_stale_texts_are_those_that_would_be_embedded_or_cleared(database: Database, remembered: bool) -> None:
    """Postgres passes over what is current, and strips other characters than Python."""
    cases = [(one, vector, model) for one in _ODD_TEXTS for vector in (str(OLD), None) for model in (MINILM, BGE)]
    for number, (one, vector, model) in enumerate(cases):
        add(database, str(UUID(int=number)), seeking=one, embedding_seeking=vector, embeddings_model=model)
    if remembered:
        embedding.adopt(database, minilm(), embedding_plan.plan_range(database, minilm(), *EVERYTHING))
        for number in range(0, len(cases), 2):
            edit(database, str(UUID(int=number)), seeking=cases[(number + number % 3 * 4) % len(cases)][0])
    plan = embedding_plan.plan_range(database, minilm(), *EVERYTHING)
    assert plan.embed
    assert plan.clear
    assert bool(plan.current) == remembered
    assert embedding_plan.stale_texts(database, minilm(), *EVERYTHING) == len(plan.embed) + len(plan.clear)


def test_adopting_late_undoes_nothing(database: Database) -> None:
    add(database, ONE, seeking="podcast guests", embedding_seeking=str(OLD), embeddings_model=MINILM)
    add(database, TWO, seeking="podcast guests", embedding_seeking=str(OLD), embeddings_model=MINILM)
    late = embedding_plan.plan_range(database, minilm(), *EVERYTHING)
    run(database)
    edit(database, ONE, seeking="joint webinars")
    run(database)
    execute(database, "DELETE FROM profiles WHERE id = :id", id=TWO)
    execute(database, "DELETE FROM jv.embedded_texts WHERE profile_id = :id", id=TWO)
    embedding.adopt(database, minilm(), late)
    assert run(database) == {"rows": 1, "current": 1}
    assert remembered(database) == {(ONE, "seeking"): MINILM}


def test_a_text_that_is_being_edited_is_waited_for(database: Database) -> None:
    add(database, ONE, seeking="podcast guests")
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            connection.execute(text("UPDATE profiles SET seeking = 'joint webinars'"))
            running = pool.submit(run, database)
            wait_for_a_lock(database, running)
        assert running.result() == {"rows": 1, "distinct": 1, "edited": 1}
    assert stored(database, ONE)["embedding_seeking"] is None


def test_a_killed_run_loses_one_batch_and_leaves_no_mixed_profile(database: Database) -> None:
    """The first batch has the short text of ONE, the second its long one."""
    texts = [f"text number {number:02}" for number in range(40)]
    add(
        database,
        ONE,
        seeking="short",
        embedding_seeking=str(OLD),
        offering="a text longer than all others",
        embedding_offering=str(OLD),
        embeddings_model=BGE,
    )
    for number, one in enumerate(texts):
        add(database, str(UUID(int=100 + number)), offering=one)
    with pytest.raises(KilledError):
        run(database, KilledAfter(1))
    row = stored(database, ONE)
    assert row["embeddings_model"] == MINILM
    assert_vector_of("short", row["embedding_seeking"])
    assert row["embedding_offering"] is None
    assert run(database) == {"rows": 41, "current": 32, "embedded": 10, "distinct": 10}
    assert_vector_of("a text longer than all others", stored(database, ONE)["embedding_offering"])


class Repeating(Database):
    """Every transaction is done, and done again, as after a connection that was lost at COMMIT."""

    def run(self, work: Callable[[Connection], T]) -> T:
        super().run(work)
        return super().run(work)


def test_a_batch_may_be_repeated_after_a_commit_that_nobody_heard_of(database: Database, database_url: str) -> None:
    repeating = Repeating(url=database_url)
    add(database, ONE, seeking="podcast guests", embedding_offering=str(OLD), embeddings_model=BGE)
    add(database, TWO, seeking="coaching", embedding_seeking=str(OLD), embeddings_model=MINILM)
    add(database, THREE, seeking="", embedding_seeking=str(OLD), embeddings_model=MINILM)
    expected = {"rows": 3, "skipped": 1, "adopted": 1, "cleared": 1, "embedded": 1, "distinct": 1}
    assert run(repeating) == expected
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])
    assert stored(database, THREE)["embedding_seeking"] is None
    assert run(database) == {"rows": 3, "skipped": 1, "current": 2}


class Known(Embedder):
    """Vectors made before: the tokenizer may be used by one thread at a time."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(MINILM)
        self.vectors = dict(zip(texts, minilm().embed(texts), strict=True))

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.stack([self.vectors[one] for one in texts])

    def token_counts(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.array([len(one) for one in texts])

    def truncated(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        return np.zeros(len(texts), dtype=np.bool_)


def test_runs_at_once_end_well(database: Database) -> None:
    texts = [f"text number {number}" for number in range(100)]
    adopted = {"embedding_seeking": str(OLD), "embeddings_model": MINILM}
    for number, one in enumerate(texts):
        add(database, str(UUID(int=number)), seeking=one, offering=one[::-1], **(adopted if number % 2 else {}))
    known = Known(texts + [one[::-1] for one in texts])
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(run, database, known) for _ in range(4)]:
            assert done.result()["rows"] == 100
    assert run(database) == {"rows": 100, "current": 200}
    for number in (0, 99):
        row = stored(database, str(UUID(int=number)))
        assert_vector_of(texts[number][::-1], row["embedding_offering"])
    assert stored(database, str(UUID(int=99)))["embedding_seeking"].tolist() == OLD


def test_through_a_transaction_pooler(database: Database, database_url: str) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    add(database, TWO, seeking="podcast guests", embedding_seeking=str(OLD), embeddings_model=MINILM)
    with pgbouncer(database_url) as url:
        pooled = Database(url=url)
        assert run(pooled) == {"rows": 2, "adopted": 1, "embedded": 2, "distinct": 2}
        assert run(pooled) == {"rows": 2, "current": 3}


def test_two_writers_of_one_range_wait_for_each_other(database: Database) -> None:
    add(database, ONE, seeking="podcast guests")
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            lock_ids(connection, embedding.LOCKED, *EVERYTHING)
            second = pool.submit(run, database)
            wait_for_a_lock(database, second)
        assert second.result() == {"rows": 1, "embedded": 1, "distinct": 1}


COUNTS = (
    *("rows", "skipped", "current", "adopted", "cleared", "embedded_texts", "distinct_texts", "truncated_texts"),
    *("edited_meanwhile", "deleted_meanwhile", "older_than_edit", "overwritten", "not_finite"),
)


def materialize(
    database: Database, embedder: Embedder, first: str, last: str, instance: dg.DagsterInstance
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [profile_embeddings],
        instance=instance,
        resources={"database": database, "embedder": embedder, "files": RangeFiles()},
        tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
        raise_on_error=False,
    )


def metadata_by_range(result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> dict[str, dict[str, Any]]:
    records = instance.fetch_materializations(profile_embeddings.key, limit=100).records
    events = [record.asset_materialization for record in records if record.run_id == result.run_id]
    keys = [event.partition for event in events if event]
    assert len(keys) == len(set(keys))
    return {
        str(event.partition): {name: value.value for name, value in event.metadata.items()} for event in events if event
    }


def test_the_asset_embeds_its_ranges_and_says_what_it_did(database: Database) -> None:
    add(database, bounds("4")[0], seeking="podcast guests", offering="word " * 300)
    add(database, bounds("4")[1], seeking="podcast guests", what_you_do="abc")
    add(database, bounds("8")[0], seeking="  ")
    add(database, bounds("c")[0], seeking="podcast guests")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(database, minilm(), "0", "8", instance)
        assert result.success
        by_range = metadata_by_range(result, instance)
        log = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert set(by_range) == {"0", "4", "8"}
    assert all(metadata.pop("seconds") >= 0 for metadata in by_range.values())
    zeros = dict.fromkeys(COUNTS, 0) | {"not_finite_texts": ""}
    assert by_range["0"] == zeros | {"dagster/partition_row_count": 0}
    assert by_range["4"] == zeros | {
        "dagster/partition_row_count": 2,
        "rows": 2,
        "embedded_texts": 3,
        "distinct_texts": 2,
        "truncated_texts": 1,
    }
    assert by_range["8"] == zeros | {"dagster/partition_row_count": 1, "rows": 1, "skipped": 1}
    assert any(line.startswith("range 4: 3 texts to embed; the model is /") for line in log)
    assert "range 4: 2 of 2 texts embedded" in log
    assert remembered(database).keys() == {
        (bounds("4")[0], "seeking"),
        (bounds("4")[0], "offering"),
        (bounds("4")[1], "seeking"),
    }


def test_what_is_remembered_of_deleted_profiles_is_forgotten(database: Database) -> None:
    stays, gone, of_another_range = *bounds("4"), bounds("8")[0]
    for profile_id in (stays, gone, of_another_range):
        add(database, profile_id, seeking="podcast guests")
    run(database)
    execute(database, "DELETE FROM profiles WHERE id <> :id", id=stays)
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(database, minilm(), "4", "4", instance).success
    assert set(remembered(database)) == {(stays, "seeking"), (of_another_range, "seeking")}


def test_a_model_that_cannot_be_had_fails_the_ranges_that_need_it(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    add(database, bounds("4")[0], seeking="podcast guests")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialize(database, Embedder(BGE), "0", "8", instance)
        assert not result.success
        assert set(metadata_by_range(result, instance)) == {"0", "8"}
        failure = next(event for event in result.all_events if event.is_step_failure)
    message = failure.step_failure_data.error.message
    assert "1 of 3 ranges of profile_embeddings failed (4: model BAAI/bge-large-en-v1.5 cannot be had" in message
    assert stored(database, bounds("4")[0])["embeddings_model"] is None


def test_the_model_is_not_needed_when_nothing_is_to_be_embedded(database: Database) -> None:
    class Unavailable(Embedder):
        def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
            raise UserError("not to be had")

    add(database, ONE, seeking="podcast guests")
    run(database)
    assert run(database, Unavailable(MINILM)) == {"rows": 1, "current": 1}
