"""What is read of profiles, vectors and matches is what is stored."""

import io
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import text

from jv_assets.pipeline.changes import read_row_versions, vector_digests
from jv_assets.pipeline.reading import decode_vectors, read_matches, read_profiles, read_vectors
from jv_assets.pipeline.scoring import features_of
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate
from jv_scoring.inputs import vectors_digest
from jv_scoring.prepare import COMPARED
from jv_scoring.text import EMBEDDED_FIELDS
from jv_scoring.vectors import IRREGULAR, MISSING, Vectors
from tests.support.models import BGE, MINILM

EVERYTHING = (str(UUID(int=0)), str(UUID(int=2**128 - 1)))
IDS = [str(UUID(int=number)) for number in range(1, 6)]
ONE, TWO, THREE, FOUR, FIVE = IDS


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(url=database_url)
    migrate(database, dimension=384)
    return database


def execute(database: Database, sql: str, **values: object) -> None:
    with database.transaction() as connection:
        connection.execute(text(sql), values)


def add(database: Database, profile_id: str, **columns: object) -> None:
    columns = {"id": profile_id, "name": "Kelsol"} | columns
    names = ", ".join(columns)
    execute(database, f"INSERT INTO profiles ({names}) VALUES ({', '.join(f':{name}' for name in columns)})", **columns)


def vector(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).standard_normal(384).astype(np.float32)


def of(vectors: Vectors, profile: int) -> list[float] | None:
    found = vectors.vector(profile)
    return None if found is None else found.tolist()


def test_vectors_arrive_to_the_last_bit_each_with_its_profile(database: Database) -> None:
    sought, offered, served, done = vector(1), vector(2), vector(3), vector(4)
    add(database, ONE, embedding_seeking=str(sought.tolist()), embedding_offering=str(offered.tolist()),
        embedding_what_you_do=str(done.tolist()), embeddings_model=MINILM)  # fmt: skip
    add(database, TWO, embedding_who_you_serve=str(served.tolist()), embedding_what_you_do=str(done.tolist()),
        embeddings_model=MINILM)  # fmt: skip
    add(database, THREE)
    vectors = read_vectors(database, MINILM, 384, pd.Index([TWO, THREE, ONE]))
    assert [of(vectors["seeking"], k) for k in range(3)] == [None, None, sought.tolist()]
    assert [of(vectors["who_you_serve"], k) for k in range(3)] == [served.tolist(), None, None]
    # what_you_do stands in for a missing offering
    assert [of(vectors["offering"], k) for k in range(3)] == [done.tolist(), None, offered.tolist()]


def test_vectors_under_another_models_name_are_not_used(database: Database) -> None:
    for profile_id, model in ((ONE, BGE), (TWO, None), (THREE, MINILM)):
        add(database, profile_id, embedding_seeking=str(vector(1).tolist()), embeddings_model=model)
    seeking = read_vectors(database, MINILM, 384, pd.Index([ONE, TWO, THREE]))["seeking"]
    assert (seeking.row != MISSING).tolist() == [False, False, True]


def test_a_zero_vector_is_a_vector(database: Database) -> None:
    add(database, ONE, embedding_seeking=str([0.0] * 384), embeddings_model=MINILM)
    assert of(read_vectors(database, MINILM, 384, pd.Index([ONE]))["seeking"], 0) == [0.0] * 384


def test_a_vector_of_another_length_is_kept_apart(database: Database) -> None:
    execute(database, "ALTER TABLE profiles ALTER embedding_seeking TYPE vector")
    add(database, ONE, embedding_seeking="[1,2,3]", embeddings_model=MINILM)
    add(database, TWO, embedding_seeking=str(vector(1).tolist()), embeddings_model=MINILM)
    seeking = read_vectors(database, MINILM, 384, pd.Index([ONE, TWO]))["seeking"]
    assert seeking.row.tolist() == [IRREGULAR, 0]
    assert of(seeking, 0) == [1.0, 2.0, 3.0]


def test_a_profile_that_came_after_the_features_were_read_is_left_out(database: Database) -> None:
    for profile_id in IDS:
        add(database, profile_id, embedding_seeking=str(vector(int(profile_id[-1])).tolist()), embeddings_model=MINILM)
    seeking = read_vectors(database, MINILM, 384, pd.Index([FOUR, TWO]))["seeking"]
    assert [of(seeking, k) for k in range(2)] == [vector(4).tolist(), vector(2).tolist()]


def test_no_vectors_at_all(database: Database) -> None:
    vectors = read_vectors(database, MINILM, 384, pd.Index([ONE], dtype=object))
    assert [of(part, 0) for part in vectors.values()] == [None, None, None]


def test_binary_data_of_another_dimension_is_refused(database: Database) -> None:
    add(database, ONE, embedding_seeking=str(vector(1).tolist()))
    with database.transaction() as connection:
        cursor = connection.connection.cursor()
        with cursor.copy("COPY (SELECT id, embedding_seeking FROM profiles) TO STDOUT (FORMAT BINARY)") as copy:
            data = b"".join(bytes(block) for block in copy)
    assert decode_vectors(data, 384)[0] == [ONE]
    with pytest.raises(ValueError, match="not of 383 numbers"):
        decode_vectors(data + b"\0" * 10, 383)


def test_profiles_arrive_as_python_values_in_order_of_id(database: Database) -> None:
    add(database, TWO, tags=["a", "b"], list_size=0, audience_engagement_score=float("nan"))
    add(database, ONE, jv_history='[{"x": 1}]', bio=" ")
    rows = read_profiles(database, *EVERYTHING)
    assert rows["id"].tolist() == [ONE, TWO]
    assert rows["tags"].tolist() == [None, ["a", "b"]]
    assert rows["jv_history"].tolist() == [[{"x": 1}], None]
    assert rows["bio"].tolist() == [" ", None]
    assert rows["list_size"].tolist() == [None, 0]
    assert np.isnan(rows["audience_engagement_score"][1])
    assert read_profiles(database, TWO, TWO)["id"].tolist() == [TWO]
    assert read_profiles(database, FIVE, FIVE).columns.tolist() == rows.columns.tolist()


def test_matches_arrive_with_what_was_stored(database: Database) -> None:
    columns = "id, profile_id, suggested_profile_id, match_score, harmonic_mean, match_context"
    insert = f"INSERT INTO match_suggestions ({columns})"
    context = '{"policy": "harmonic/impute", "scoring_version": "v", "inputs_hash": "h", "breakdown_ab": {}}'
    execute(database, f"{insert} VALUES ('{TWO}', '{ONE}', '{THREE}', 77.5, 51.25, '{context}')")
    execute(database, f"{insert} VALUES ('{ONE}', '{ONE}', '{FOUR}', NULL, NULL, NULL)")
    rows = read_matches(database, *EVERYTHING)
    assert rows["id"].tolist() == [ONE, TWO]
    assert rows.loc[1].to_dict() == {
        "id": TWO, "profile_id": ONE, "suggested_profile_id": THREE, "match_score": 77.5,
        "stored_score_ab": pytest.approx(np.nan, nan_ok=True), "stored_score_ba": pytest.approx(np.nan, nan_ok=True),
        "stored_harmonic_mean": 51.25, "stored_version": "v", "stored_policy": "harmonic/impute",
        "stored_inputs_hash": "h", "stored_fits": None,
        "stored_fallbacks": pytest.approx(np.nan, nan_ok=True),
        "stored_row": read_row_versions(database, "match_suggestions", TWO, TWO)[TWO],
    }  # fmt: skip
    assert rows.loc[0, ["stored_version", "stored_policy", "stored_inputs_hash"]].tolist() == [None, None, None]
    assert read_matches(database, FIVE, FIVE).dtypes.to_dict() == rows.dtypes.to_dict()


def test_of_rows_that_nothing_was_written_to_what_is_known_is_not_read_again(database: Database) -> None:
    insert = "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, match_score)"
    for match in (ONE, TWO, THREE, FOUR):
        execute(database, f"{insert} VALUES ('{match}', '{ONE}', '{TWO}', 10)")
    marked = read_matches(database, *EVERYTHING).assign(match_score=99.0)
    execute(database, f"UPDATE match_suggestions SET match_score = 20 WHERE id = '{TWO}'")
    execute(database, f"DELETE FROM match_suggestions WHERE id = '{THREE}'")
    execute(database, f"{insert} VALUES ('{FIVE}', '{ONE}', '{TWO}', 30)")
    execute(database, "ALTER TABLE match_suggestions ADD COLUMN later text")  # nor is the table itself part of a row
    again = read_matches(database, *EVERYTHING, known=marked)
    assert again[["id", "match_score"]].values.tolist() == [[ONE, 99], [TWO, 20], [FOUR, 99], [FIVE, 30]]
    pd.testing.assert_frame_equal(
        again.assign(match_score=0.0), read_matches(database, *EVERYTHING).assign(match_score=0.0)
    )
    of_file = pd.read_parquet(io.BytesIO(marked.to_parquet()))
    pd.testing.assert_frame_equal(read_matches(database, *EVERYTHING, known=of_file), again)
    for known in (
        marked.iloc[:0],
        marked.drop(columns="stored_row"),
        marked.assign(stored_row=marked["stored_row"] + 1),
    ):
        assert read_matches(database, *EVERYTHING, known=known)["match_score"].tolist() == [10, 20, 10, 30]


def versions_of_profiles(database: Database) -> pd.Series:
    return read_row_versions(database, "profiles", ONE, FIVE)


def test_a_row_has_another_version_after_each_change(database: Database) -> None:
    add(database, ONE)
    add(database, TWO)
    seen = [versions_of_profiles(database)]
    assert seen[0].index.tolist() == [ONE, TWO]
    for _ in range(3):
        execute(database, f"UPDATE profiles SET bio = bio WHERE id = '{ONE}'")
        seen.append(versions_of_profiles(database))
    assert len({versions[ONE] for versions in seen}) == 4
    assert {versions[TWO] for versions in seen} == {seen[0][TWO]}
    execute(database, "DELETE FROM profiles")
    assert versions_of_profiles(database).empty


@pytest.mark.parametrize(
    ("model", "columns"),
    [
        (MINILM, {}),
        (BGE, {"seeking": 1}),
        (None, {"seeking": 1}),
        (MINILM, {"seeking": 1}),
        (MINILM, {"who_you_serve": 1}),
        (MINILM, {"offering": 1}),
        (MINILM, {"what_you_do": 1}),
        (MINILM, {"seeking": 1, "offering": 2, "what_you_do": 3, "who_you_serve": 4}),
        (MINILM, {"seeking": "[0,0]", "offering": "[-0,1e-38,3]", "who_you_serve": "[-0.1,16777217,3e38]"}),
    ],
)
def test_a_database_makes_the_digest_of_the_vectors_that_would_be_read(
    database: Database, model: str | None, columns: dict[str, Any]
) -> None:
    for name in EMBEDDED_FIELDS:
        execute(database, f"ALTER TABLE profiles ALTER embedding_{name} TYPE vector")
    given = {name: str(vector(value).tolist()) if isinstance(value, int) else value for name, value in columns.items()}
    vectors = {f"embedding_{name}": value for name, value in given.items()}
    add(database, ONE, embeddings_model=model, **vectors)
    read = read_vectors(database, MINILM, 384, pd.Index([ONE]))
    digest = vectors_digest(read[name].vector(0) for name in COMPARED)
    features = features_of(read_profiles(database, ONE, ONE))
    assert vector_digests(database, features, MINILM) == [digest]
