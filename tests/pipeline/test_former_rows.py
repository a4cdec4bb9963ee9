"""A night scores what something changed of; the other matches keep their rows, and these are what scoring gives."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from jv_assets.automation.schedules import NIGHTLY
from jv_assets.pipeline import scoring
from jv_assets.pipeline.changes import CONTEXT, STORED_COLUMNS
from jv_assets.pipeline.profile_rows import profile_chunks
from jv_assets.pipeline.reading import read_matches
from jv_assets.pipeline.scoring import profiles_of_files, score_range
from jv_assets.resources.range_files import RangeFiles
from tests.support.cuts import bounds
from tests.support.models import MINILM
from tests.support.pipelines import (
    KEYS,
    Pipeline,
    assert_equal_to_reference,
    evaluations,
    matches,
    nightly_done,
    versions,
)

POLICY = "harmonic/impute"
SOME = {"first": KEYS[0], "last": KEYS[1]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("nights")) as pipeline:
        yield pipeline


def files_of(whole: Pipeline) -> pd.DataFrame:
    """All rows, but for what depends on when they were made."""
    rows = pd.concat([whole.files.read("match_scores", key) for key in KEYS], ignore_index=True)
    return rows.drop(columns=[CONTEXT, "reused", *STORED_COLUMNS])


def scored_anew(whole: Pipeline) -> pd.DataFrame:
    profiles = profiles_of_files(whole.database, whole.files, MINILM)
    rows = score_range(profiles, read_matches(whole.database, bounds(KEYS[0])[0], bounds(KEYS[-1])[1]), POLICY).rows
    return rows.drop(columns=[CONTEXT, "reused", *STORED_COLUMNS])


def pick(whole: Pipeline, count: int) -> list[dict[str, str]]:
    """Some matches that have a score, by two profiles that no other of them has."""
    found = [row for row in matches(whole) if row["match_context"]]
    chosen: list[dict[str, str]] = []
    for place in np.random.default_rng(1).permutation(len(found)).tolist():
        used = {row[side] for row in chosen for side in "ab"}
        if not used & {found[place][side] for side in "ab"}:
            chosen.append(found[place])
    return chosen[:count]


def test_what_nothing_changed_of_is_not_scored_again(whole: Pipeline) -> None:
    before, stored = files_of(whole), versions(whole)
    result = whole.run()
    assert result.success
    scored = whole.total("match_scores", result.run_id, "scored")
    assert whole.total("match_scores", result.run_id, "reused") == scored == len(before)
    assert whole.total("published_scores", result.run_id, "unchanged") == scored
    pd.testing.assert_frame_equal(files_of(whole), before)
    assert versions(whole) == stored


def test_a_night_of_many_changes_is_what_scoring_all_gives(whole: Pipeline) -> None:
    text, fact, swapped, moved, other, nulled, changed, unstamped, old, deleted, gone, *more = pick(whole, 30)
    offered = {row["id"] for row in whole.sql("SELECT id::text FROM profiles WHERE embedding_offering IS NOT NULL")}
    vector = next(row for row in more if row["a"] in offered)
    offering = "SELECT embedding_offering::text FROM profiles WHERE id = :id"
    before = whole.sql(offering, id=vector["a"])
    kept = len(matches(whole))
    for statement, values in (
        ("UPDATE profiles SET seeking = 'people who keep bees' WHERE id = :id", {"id": text["a"]}),
        ("UPDATE profiles SET list_size = coalesce(list_size, 0) + 777777 WHERE id = :id", {"id": fact["b"]}),
        (
            "UPDATE profiles SET embedding_offering = embedding_offering + embedding_offering WHERE id = :id",
            {"id": vector["a"]},
        ),
        (
            "UPDATE match_suggestions SET (profile_id, suggested_profile_id) = (suggested_profile_id, profile_id) "
            "WHERE id = :id",
            {"id": swapped["id"]},
        ),
        ("UPDATE match_suggestions SET profile_id = :a WHERE id = :id", {"id": moved["id"], "a": other["a"]}),
        ("UPDATE match_suggestions SET match_score = 12.34 WHERE id = :id", {"id": old["id"]}),
        ("UPDATE match_suggestions SET harmonic_mean = NULL WHERE id = :id", {"id": nulled["id"]}),
        ("UPDATE match_suggestions SET score_ab = 0.01 WHERE id = :id", {"id": changed["id"]}),
        (
            "UPDATE match_suggestions SET match_context = match_context - 'inputs_hash' WHERE id = :id",
            {"id": unstamped["id"]},
        ),
        ("DELETE FROM match_suggestions WHERE id = :id", {"id": deleted["id"]}),
        ("DELETE FROM profiles WHERE id = :id", {"id": gone["b"]}),
        (
            "UPDATE match_suggestions SET (score_ab, score_ba, harmonic_mean, match_context) "
            "= (NULL, NULL, NULL, NULL) WHERE :id IN (profile_id, suggested_profile_id)",
            {"id": gone["b"]},
        ),
        (
            "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) VALUES (:id, :a, :b)",
            {"id": str(UUID(int=2**127)), "a": text["a"], "b": old["b"]},
        ),
    ):
        whole.sql(statement, **values)
    result = whole.run("nightly", NIGHTLY)
    assert result.success
    assert_equal_to_reference(whole)
    pd.testing.assert_frame_equal(files_of(whole), scored_anew(whole), check_dtype=False, check_categorical=False)
    touched = {text["a"], fact["b"]}
    # The overwritten vector was made again. Whether all of its digits are the same depends on the processor.
    if whole.sql(offering, id=vector["a"]) != before:
        touched.add(vector["a"])
    ids = {row["id"] for row in (swapped, moved, nulled, changed, unstamped)} | {str(UUID(int=2**127))}
    scorable = [row for row in matches(whole) if row["match_context"]]
    untouched = [row for row in scorable if row["id"] not in ids and not touched & {row["a"], row["b"]}]
    assert len(untouched) > kept / 2
    assert whole.total("match_scores", result.run_id, "reused") == len(untouched)
    (row,) = [row for key in KEYS for row in whole.files.read("match_scores", key).to_dict("records")
              if row["id"] == old["id"]]  # fmt: skip
    assert row["match_score"] == 12.34


def test_the_files_of_profiles_are_as_if_made_at_once(whole: Pipeline, tmp_path: Path) -> None:
    first, second, third, *_ = whole.sql("SELECT id::text, bio FROM profiles ORDER BY id")
    whole.sql(
        "UPDATE profiles SET (bio, tags, seeking) = (' ', '{a}', 'people who keep hens') WHERE id = :id", id=first["id"]
    )
    whole.sql(
        "UPDATE profiles SET embedding_seeking = embedding_seeking + embedding_seeking WHERE id = :id", id=second["id"]
    )
    whole.sql("UPDATE profiles SET embeddings_model = 'another' WHERE id = :id", id=third["id"])
    whole.sql("INSERT INTO profiles (id, name, list_size) VALUES (:id, 'Kelsol', 0)", id=str(UUID(int=2**126)))
    path = whole.files.path("profiles", KEYS[3])
    path.write_bytes(b"not Parquet")
    result = whole.run(assets=["profiles"])
    assert result.success
    for key in KEYS:
        at_once = pd.concat(profile_chunks(whole.database, RangeFiles(str(tmp_path)), key))
        pd.testing.assert_frame_equal(
            whole.files.read("profiles", key).astype(object), at_once.astype(object), check_index_type=False
        )
    assert whole.total("profiles", result.run_id, "list_size_0") >= 1
    assert whole.run().success
    assert_equal_to_reference(whole)


def test_profiles_that_other_code_made_are_made_anew(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    marked = whole.files.read("profiles", KEYS[0]).assign(role="marked")
    whole.files.write("profiles", KEYS[0], marked, whole.files.metadata("profiles", KEYS[0]))
    only = {"first": KEYS[0], "last": KEYS[0], "assets": ["profiles"]}
    whole.run(**only)
    assert set(whole.files.read("profiles", KEYS[0])["role"]) == {"marked"}
    monkeypatch.setattr("jv_assets.pipeline.profile_rows.CODE_VERSION", "another")
    whole.run(**only)
    assert "marked" not in set(whole.files.read("profiles", KEYS[0])["role"])


def test_under_another_policy_all_are_scored(whole: Pipeline) -> None:
    result = whole.run(assets=["match_scores"], match_scores={"policy": "geometric/redistribute"}, **SOME)
    assert whole.total("match_scores", result.run_id, "reused") == 0
    assert whole.total("match_scores", whole.run(assets=["match_scores"], **SOME).run_id, "reused") == 0


def test_rows_that_other_code_made_are_not_reused(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CODE_VERSION", "another")
    first, second = (whole.run(assets=["match_scores"], **SOME) for _ in range(2))
    assert whole.total("match_scores", first.run_id, "reused") == 0
    assert whole.total("match_scores", second.run_id, "reused") > 100


def test_what_another_run_published_meanwhile_is_left_until_the_next_run(whole: Pipeline) -> None:
    for _ in range(2):  # the first may find rows of other code
        assert whole.run(assets=["match_scores"], **SOME).success
    nulled, changed, *_ = (row for row in matches(whole) if row["match_context"])
    whole.sql("UPDATE match_suggestions SET harmonic_mean = NULL WHERE id = :id", id=nulled["id"])
    whole.sql("UPDATE match_suggestions SET score_ab = 0.01 WHERE id = :id", id=changed["id"])
    before = versions(whole)
    result = whole.run(assets=["published_scores"], **SOME)
    assert (whole.total("published_scores", result.run_id, "overtaken"), versions(whole)) == (2, before)
    check = evaluations(result)["nothing_left_null"]
    assert check.description == f"in {KEYS[0]} scorable matches have no score: type jv retry"
    result = whole.run(**SOME)
    assert result.success
    assert whole.total("published_scores", result.run_id, "written") == 2
    assert_equal_to_reference(whole)
