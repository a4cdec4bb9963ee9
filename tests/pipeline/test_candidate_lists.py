"""A run of discovery updates the lists of an earlier run, and gives what a first search gives."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from jv_assets.names import CANDIDATE_ALLOCATION, MATCH_CANDIDATES, PROFILES
from jv_assets.pipeline.candidate_lists import LISTS, SPARE, find
from jv_assets.pipeline.candidates import WHOLE, read_ground
from jv_scoring.discovery import COLUMNS
from tests.support.models import MINILM
from tests.support.pipelines import KEYS, Pipeline, failure, vectors_drawn

TOP = 5
UNDER = "harmonic/impute"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with vectors_drawn(tmp_path_factory.mktemp("lists")) as pipeline:
        yield pipeline


def discovered(pipeline: Pipeline, top: int = TOP, **more: Any) -> dict[str, Any]:
    """The metadata of a partition, after the job ran."""
    config = {MATCH_CANDIDATES: {"top": top, **more}, CANDIDATE_ALLOCATION: {"cap": 3}}
    run = pipeline.run("discover", (PROFILES, MATCH_CANDIDATES, CANDIDATE_ALLOCATION), **config)
    assert run.success, failure(run)
    return dict(pipeline.metadata(MATCH_CANDIDATES, run.run_id)[KEYS[0]])


def listed(pipeline: Pipeline) -> pd.DataFrame:
    return pipeline.files.read_all(MATCH_CANDIDATES, KEYS)[list(COLUMNS)]


def rows_of(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(rows.itertuples(index=False, name=None))


def searched(pipeline: Pipeline, top: int = TOP) -> pd.DataFrame:
    """What a first search gives, of the database as it is."""
    ground = read_ground(pipeline.database, pipeline.files, MINILM)
    found = ground.best(top, UNDER, ground.eligible.tolist())[list(COLUMNS)]
    return pd.concat([found[found["profile_id"].between(*pipeline.files.cut.profiles.bounds(k))] for k in KEYS],
                     ignore_index=True)  # fmt: skip


def forget(pipeline: Pipeline) -> None:
    pipeline.files.path(LISTS, WHOLE).unlink(missing_ok=True)


CHANGES = {
    "nothing": [],
    "a profile is edited": ["UPDATE profiles SET list_size = 900000, network_role = 'Hub' WHERE id = :a"],
    "a text is edited": ["UPDATE profiles SET seeking = 'podcast guests and speakers' WHERE id = :a"],
    "texts are deleted": [
        "UPDATE profiles SET seeking = NULL, offering = NULL, what_you_do = NULL, who_you_serve = 'abc' WHERE id = :a"
    ],
    "a vector is deleted": ["UPDATE profiles SET embedding_seeking = NULL WHERE id = :b"],
    "a profile is deleted": [
        "DELETE FROM match_suggestions WHERE :b IN (profile_id, suggested_profile_id)",
        "DELETE FROM profiles WHERE id = :b",
    ],
    "a profile is new": [
        "INSERT INTO profiles (id, name, seeking, who_you_serve) "
        "VALUES (gen_random_uuid(), 'New', 'speakers for a summit', 'coaches')"
    ],
    "matches are deleted": ["DELETE FROM match_suggestions WHERE :c IN (profile_id, suggested_profile_id)"],
    "matches are new": [
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) "
        "SELECT gen_random_uuid(), candidate_id, profile_id FROM jv.match_candidates WHERE profile_id = :d AND rank < 9"
    ],
}


def test_an_update_gives_what_a_first_search_gives(pipeline: Pipeline) -> None:
    forget(pipeline)
    assert "profiles_changed" not in discovered(pipeline)
    names = [row["id"] for row in pipeline.sql("SELECT id::text FROM profiles ORDER BY md5(id::text) LIMIT 4")]
    for what, statements in CHANGES.items():
        for statement in statements:
            pipeline.sql(statement, **{name: value for name, value in zip("abcd", names, strict=True)
                                       if f":{name}" in statement})  # fmt: skip
        told = discovered(pipeline)
        assert told["profiles_changed"] <= (0 if what == "nothing" else 1 if "profile" in what else 60), what
        assert told["profiles_changed"] > 0 or what in ("nothing", "matches are new", "a profile is deleted"), what
        assert rows_of(listed(pipeline)) == rows_of(searched(pipeline)), what


def test_the_figures_of_an_allocation_are_the_same_from_the_lists(pipeline: Pipeline) -> None:
    discovered(pipeline, top=12)
    updated = pipeline.files.metadata(CANDIDATE_ALLOCATION, WHOLE)["figures"]
    forget(pipeline)
    run = pipeline.run("discover", (CANDIDATE_ALLOCATION,), **{CANDIDATE_ALLOCATION: {"cap": 3}})
    assert run.success
    assert pipeline.files.metadata(CANDIDATE_ALLOCATION, WHOLE)["figures"] == updated


def test_lists_are_used_if_they_are_of_the_same_rules_and_long_enough(pipeline: Pipeline) -> None:
    forget(pipeline)
    ground = read_ground(pipeline.database, pipeline.files, MINILM)
    everyone = ground.eligible.tolist()
    some = everyone[3:9]

    def changed(top: int, policy: str = UNDER, ids: list[str] = everyone, keep: bool = True) -> int | None:
        found = find(pipeline.files, ground, top, policy, ids, keep=keep)
        expected = ground.best(top, policy, ids)
        assert found.rows[list(COLUMNS)].equals(expected[list(COLUMNS)])
        return found.changed

    assert changed(TOP, ids=some) is None
    assert changed(TOP, keep=False) is None
    assert not pipeline.files.exists(LISTS, WHOLE)
    assert changed(TOP) is None
    assert changed(TOP, ids=some) == changed(3) == changed(TOP) == 0
    assert changed(TOP + 1) is None
    assert changed(TOP + 1) == 0
    assert changed(TOP, "geometric/impute") is None
    assert changed(TOP) is None
    kept = pipeline.files.read(LISTS, WHOLE)
    assert kept["levels"].map(len).max() == TOP + SPARE
    pipeline.files.put(pipeline.files.path(LISTS, WHOLE), b"broken")
    assert changed(TOP) is None
    assert changed(TOP) == 0
    metadata = pipeline.files.metadata(LISTS, WHOLE)
    kept["inputs"] = [b"other" for _ in kept["inputs"]]
    pipeline.files.write(LISTS, WHOLE, kept, metadata)
    assert changed(TOP) is None
