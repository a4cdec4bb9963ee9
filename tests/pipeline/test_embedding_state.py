"""Vectors that are older than their profile, that another program wrote over ours, or that are no numbers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from test_embedding import (
    EVERYTHING,
    OLD,
    ONE,
    THREE,
    TWO,
    During,
    add,
    assert_vector_of,
    database,  # noqa: F401 - a fixture
    edit,
    execute,
    remembered,
    run,
    stored,
)

from jv_assets.pipeline import embedding
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.resources.database import Database
from tests.support.models import MINILM, minilm

FOUND = {"seeking": "podcast guests", "embedding_seeking": str(OLD), "embeddings_model": MINILM}
MADE, BEFORE, AFTER = "2026-03-01 12:00+00", "2026-02-01 12:00+00", "2026-03-01 12:01+00"


def plan(database: Database) -> embedding_plan.Plan:  # noqa: F811
    return embedding_plan.plan_range(database, minilm(), *EVERYTHING)


@pytest.mark.parametrize(
    ("times", "is_older"),
    [
        ({"profile_updated_at": AFTER}, True),
        ({"updated_at": AFTER}, True),
        ({"updated_at": AFTER, "profile_updated_at": BEFORE}, True),
        ({"updated_at": BEFORE, "profile_updated_at": BEFORE}, False),
        ({"updated_at": MADE}, False),  # written by one statement, or by a trigger in the transaction of the vectors
        ({}, False),
        ({"updated_at": AFTER, "embeddings_updated_at": None}, False),
    ],
)
def test_found_vectors_are_adopted_unless_the_profile_was_written_to_since(
    database: Database,  # noqa: F811
    times: dict[str, str | None],
    is_older: bool,
) -> None:
    add(database, ONE, **{"embeddings_updated_at": MADE, **FOUND, **times})
    assert embedding_plan.stale_texts(database, minilm(), *EVERYTHING) == is_older
    found = plan(database)
    assert (len(found.older), len(found.adopt)) == (is_older, not is_older)
    assert run(database) == {"rows": 1, **({"embedded": 1, "distinct": 1} if is_older else {"adopted": 1})}
    assert (stored(database, ONE)["embedding_seeking"].tolist() == OLD) == (not is_older)
    execute(database, "UPDATE profiles SET updated_at = now() + interval '1 day'")
    assert run(database) == {"rows": 1, "current": 1}, "after the first time the text's hash tells"


@pytest.mark.parametrize("gone", ["updated_at", "profile_updated_at", "updated_at, DROP COLUMN profile_updated_at"])
def test_a_database_without_such_a_column_is_as_good(database: Database, gone: str) -> None:  # noqa: F811
    execute(database, f"ALTER TABLE profiles DROP COLUMN {gone}")
    add(database, ONE, embeddings_updated_at=MADE, **FOUND)
    assert run(database) == {"rows": 1, "adopted": 1}


def test_a_time_that_is_no_time_says_nothing(database: Database) -> None:  # noqa: F811
    execute(database, "ALTER TABLE profiles ALTER updated_at TYPE text, ALTER profile_updated_at TYPE date")
    add(database, ONE, embeddings_updated_at=MADE, updated_at="yesterday", **FOUND)
    assert run(database) == {"rows": 1, "adopted": 1}


def test_times_of_other_types_are_times(database: Database) -> None:  # noqa: F811
    execute(database, "CREATE DOMAIN moment AS timestamptz")
    execute(database, "CREATE DOMAIN past AS moment CHECK (VALUE < '2100-01-01')")
    execute(database, "ALTER TABLE profiles ALTER updated_at TYPE past, ALTER embeddings_updated_at TYPE timestamp")
    add(database, ONE, **{"embeddings_updated_at": MADE, **FOUND, "updated_at": AFTER})
    assert len(plan(database).older) == 1


def test_a_vector_that_was_overwritten_is_made_again(database: Database) -> None:  # noqa: F811
    for profile in (ONE, TWO, THREE):
        add(database, profile, seeking="podcast guests", offering="coaching")
    run(database)
    edit(database, ONE, embedding_seeking=str(OLD))
    edit(database, TWO, embedding_seeking=None)
    assert embedding_plan.stale_texts(database, minilm(), *EVERYTHING) == 2
    found = plan(database)
    assert [(item.profile_id, item.field) for item in found.overwritten] == [(ONE, "seeking")]
    assert run(database) == {"rows": 3, "current": 4, "embedded": 2, "distinct": 1}
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])
    assert run(database) == {"rows": 3, "current": 6}


def test_an_adopted_vector_that_was_overwritten_is_made_again(database: Database) -> None:  # noqa: F811
    add(database, ONE, **FOUND)
    assert run(database) == {"rows": 1, "adopted": 1}
    edit(database, ONE, embedding_seeking=str(OLD[::-1]))
    assert run(database) == {"rows": 1, "embedded": 1, "distinct": 1}
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])


def test_what_was_embedded_before_hashes_were_kept_is_current_and_gets_one(database: Database) -> None:  # noqa: F811
    add(database, ONE, seeking="podcast guests")
    run(database)
    execute(database, "UPDATE jv.embedded_texts SET vector_hash = NULL")
    assert embedding_plan.stale_texts(database, minilm(), *EVERYTHING) == 0
    before = stored(database, ONE)["xmin"]
    assert run(database) == {"rows": 1, "current": 1}
    assert stored(database, ONE)["xmin"] == before
    assert execute(database, "SELECT count(vector_hash) FROM jv.embedded_texts")[0]["count"] == 1
    edit(database, ONE, embedding_seeking=str(OLD))
    assert run(database) == {"rows": 1, "embedded": 1, "distinct": 1}


def test_a_column_that_keeps_fewer_digits_is_no_other_program(database: Database) -> None:  # noqa: F811
    execute(database, "ALTER TABLE profiles ALTER embedding_seeking TYPE halfvec(384)")
    add(database, ONE, seeking="podcast guests")
    run(database)
    assert run(database) == {"rows": 1, "current": 1}


class NoNumbers(During):
    """The small model, which makes a NaN or an infinity of some texts."""

    def __init__(self, of: str, number: float) -> None:
        super().__init__(lambda: None)
        self.of, self.number = of, number

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        vectors = super().embed(texts)
        vectors[[self.of in one for one in texts], 7] = self.number
        return vectors


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_text_of_which_the_model_makes_no_number_is_named_and_the_others_go_on(
    database: Database,  # noqa: F811
    number: float,
) -> None:
    add(database, ONE, seeking="podcast guests", offering="coaching")
    add(database, TWO, seeking="podcast guests")
    run(database)
    edit(database, ONE, seeking="hens, bees")
    add(database, THREE, seeking="some bees", offering="a stage")
    written = embedding.embed(database, NoNumbers("bees", number), plan(database))
    assert written.texts == 1
    assert [(item.profile_id, item.field) for item in written.not_finite] == [(THREE, "seeking"), (ONE, "seeking")]
    assert_vector_of("a stage", stored(database, THREE)["embedding_offering"])
    assert stored(database, THREE)["embedding_seeking"] is None
    assert_vector_of("podcast guests", stored(database, ONE)["embedding_seeking"])
    assert (THREE, "seeking") not in remembered(database)
    assert embedding_plan.stale_texts(database, minilm(), *EVERYTHING) == 2
    assert run(database) == {"rows": 3, "current": 3, "embedded": 2, "distinct": 2}
