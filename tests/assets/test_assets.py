"""The assets together, on a real database with the real small model: what is published is what the rules say."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from jv_assets.automation.finishing import finish_the_other_ranges, parts, rest_of
from jv_assets.automation.schedules import NIGHTLY, RESCORE
from jv_assets.checks.audit import RULES
from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline import vector_cache
from jv_assets.pipeline.reading import read_matches
from jv_assets.pipeline.scoring import ScoredRange, profiles_of_files, score_range
from jv_assets.platform.own_runs import STARTED_BY_JV
from jv_assets.resources.database import Database
from jv_assets.tables import MATCH_COLUMNS
from tests.support.cuts import bounds, key_of
from tests.support.documented import undocumented
from tests.support.models import MINILM
from tests.support.pipelines import (
    Pipeline,
    assert_equal_to_reference,
    evaluations,
    failure,
    matches,
    nightly_done,
    versions,
)

KEYS = list(ID_RANGES.get_partition_keys())
SOME = {"first": "0", "last": "8"}
"""Ranges for tests that need not go over all."""
TOO_LONG = "1" * 5000
"""A number that jsonb holds and Python's json does not read."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """Tests that change anything put it back."""
    with nightly_done(tmp_path_factory.mktemp("assets")) as pipeline:
        yield pipeline


def test_every_scorable_match_is_published_as_the_rules_say(whole: Pipeline) -> None:
    assert assert_equal_to_reference(whole) > 850


@pytest.mark.parametrize("asset", NIGHTLY)
def test_its_metadata_are_documented(whole: Pipeline, asset: str) -> None:
    shown: set[str | None] = set()
    for run in whole.instance.get_runs(dg.RunsFilter(job_name="nightly")):
        shown = shown.union(*whole.metadata(asset, run.run_id).values())
    assert undocumented(asset, {str(key) for key in shown}) == set()


def test_where_few_vectors_fit_into_memory_the_scores_are_the_same(
    whole: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = read_matches(whole.database, bounds(KEYS[0])[0], bounds(KEYS[-1])[1])
    expected = score_range(profiles_of_files(whole.database, whole.files, MINILM), found, "harmonic/impute")
    monkeypatch.setattr(vector_cache, "BYTES", 40 * 3 * 384 * 4)
    profiles = profiles_of_files(whole.database, whole.files, MINILM)
    parts = [len(part) for part, _ in profiles.in_chunks(found)]
    assert parts == [20] * (len(found) // 20)
    scored = score_range(profiles, found, "harmonic/impute")
    assert scored.skipped == expected.skipped
    contexts = "match_context"
    pd.testing.assert_frame_equal(scored.rows.drop(columns=contexts), expected.rows.drop(columns=contexts))
    of_both = zip(scored.rows[contexts].map(json.loads), expected.rows[contexts].map(json.loads), strict=True)
    assert all(one | {"scored_at": ""} == other | {"scored_at": ""} for one, other in of_both)


def test_a_score_has_the_hash_of_the_vectors_that_it_was_made_from(
    whole: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vector may be another one when it is fetched again."""
    found = read_matches(whole.database, *bounds(KEYS[0])).head(1)
    monkeypatch.setattr(vector_cache, "BYTES", 2 * 3 * 384 * 4)
    profiles = profiles_of_files(whole.database, whole.files, MINILM)
    others = read_matches(whole.database, *bounds(KEYS[1])).head(20)
    a = found["profile_id"].iloc[0]
    old = whole.sql("SELECT embedding_seeking::text AS v FROM profiles WHERE id = :id", id=a)[0]["v"]
    before = score_range(profiles, found, "harmonic/impute").rows["inputs_hash"].tolist()
    score_range(profiles, others, "harmonic/impute")
    new = str(np.random.default_rng(1).standard_normal(384).round(3).tolist())
    try:
        whole.sql("UPDATE profiles SET embedding_seeking = :new WHERE id = :id", id=a, new=new)
        again = score_range(profiles, found, "harmonic/impute").rows["inputs_hash"].tolist()
        fresh = profiles_of_files(whole.database, whole.files, MINILM)
        assert score_range(fresh, found, "harmonic/impute").rows["inputs_hash"].tolist() == again
    finally:
        whole.sql("UPDATE profiles SET embedding_seeking = :old WHERE id = :id", id=a, old=old)
    assert again != before


def test_nothing_but_our_columns_was_written(whole: Pipeline) -> None:
    population = make_population(150, 900).matches.sort_values("id")
    names = [name for name in MATCH_COLUMNS if name not in ("id", "profile_id", "suggested_profile_id")]
    rows = whole.sql(f"SELECT {', '.join(names)} FROM match_suggestions ORDER BY id")
    for name in names:
        numeric = MATCH_COLUMNS[name] == "numeric(5,2)"
        found = [float(row[name]) if numeric and row[name] is not None else row[name] for row in rows]
        assert found == population[name].tolist()


def test_a_second_run_writes_nothing(whole: Pipeline) -> None:
    before = versions(whole)
    result = whole.run(**SOME)
    assert result.success
    assert versions(whole) == before
    assert whole.total("published_scores", result.run_id, "written") == 0
    assert whole.total("published_scores", result.run_id, "unchanged") == whole.total(
        "match_scores", result.run_id, "scored"
    )


def test_each_range_says_what_was_done(whole: Pipeline) -> None:
    result = whole.run(first="4", last="8")
    scores, published = (whole.metadata(name, result.run_id) for name in ("match_scores", "published_scores"))
    assert set(scores) == set(published) == {"4", "8"}
    for key, values in scores.items():
        low, high = bounds(key)
        count = whole.sql("SELECT count(*) FROM match_suggestions WHERE id BETWEEN :low AND :high", low=low, high=high)[
            0
        ]["count"]
        assert values["rows"] == count == values["scored"] + values["skipped"]
        assert values["semantic"] + values["word_overlap"] == 3 * values["scored"]
        assert values["p10"] <= values["p50"] <= values["p90"]
        assert values["policy"] == "harmonic/impute"
        assert published[key]["rows"] == values["scored"]
        assert values["seconds"] >= 0
    profiles = whole.metadata("profiles", result.run_id)
    assert {"rows", "with_social_reach", "blank_texts", "unknown_roles", "jv_history_not_a_list"} <= set(profiles["4"])


def test_a_range_file_has_what_the_reports_need(whole: Pipeline) -> None:
    rows = pd.concat([whole.files.read("match_scores", key) for key in KEYS])
    for direction in ("ab", "ba"):
        for name in ("intent", "context", "synergy_impute", "synergy_redistribute", "momentum_impute",
                     "momentum_redistribute", "offering_seeking", "offering_seeking_method", "offering_seeking_cosine",
                     "offering_seeking_overlap", "audience_alignment_overlap", "revenue_tier",
                     "list_size"):  # fmt: skip
            assert f"{name}_{direction}" in rows
    assert {"match_score", "stored_harmonic_mean", "stored_version", "stored_policy"} <= set(rows)
    by_words = rows["offering_seeking_method_ab"] == "word_overlap"
    assert 0 < by_words.sum() < len(rows)
    same = rows["offering_seeking_ab"] == rows["offering_seeking_overlap_ab"]
    assert same[by_words].all()
    assert not same[~by_words].all()
    assert rows["synergy_impute_ab"].ne(rows["synergy_redistribute_ab"]).any()
    assert rows["momentum_impute_ab"].ne(rows["momentum_redistribute_ab"]).any()


def test_scoring_alone_is_a_dry_run(whole: Pipeline) -> None:
    before = versions(whole)
    assert whole.run(assets=["match_scores"], match_scores={"policy": "arithmetic/redistribute"}, **SOME).success
    result = whole.run(assets=["published_scores"], published_scores={"dry_run": True}, **SOME)
    assert result.success
    assert versions(whole) == before
    assert whole.total("published_scores", result.run_id, "written") > 80
    made = whole.instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert len(made) == 0
    assert whole.run(assets=["match_scores"], **SOME).success


def test_another_policy_is_refused_even_where_nothing_is_stored_in_the_range(whole: Pipeline) -> None:
    low, high = bounds("0")[0], bounds("4")[1]
    whole.sql(
        "UPDATE match_suggestions SET (score_ab, score_ba, harmonic_mean, match_context) = (NULL, NULL, NULL, NULL) "
        "WHERE id BETWEEN :low AND :high",
        low=low,
        high=high,
    )
    before = versions(whole)
    result = whole.run(first="0", last="4", match_scores={"policy": "geometric/impute"})
    assert not result.success
    assert versions(whole) == before
    assert failure(result) == (
        "scores are stored under harmonic/impute, and these were made under geometric/impute: score under the stored "
        "policy, or replace all on purpose by: jv rescore --policy geometric/impute --switch-policy"
    )
    assert whole.run(first="0", last="4").success
    assert_equal_to_reference(whole)


def test_an_unknown_policy_is_one_line(whole: Pipeline) -> None:
    result = whole.run(match_scores={"policy": "best/impute"}, **SOME)
    assert "policy best/impute is unknown; use one of harmonic/impute" in failure(result)
    assert not whole.metadata("published_scores", result.run_id)


@pytest.mark.parametrize("broken", ["match_scores", "profiles"])
def test_one_bad_range_fails_alone_and_the_others_go_on(whole: Pipeline, broken: str) -> None:
    if broken == "profiles":
        (bad,) = whole.sql("SELECT id::text, jv_history FROM profiles ORDER BY id LIMIT 1")
        whole.sql(f"UPDATE profiles SET jv_history = '[{TOO_LONG}]' WHERE id = :id", id=bad["id"])
        mend = {"id": bad["id"], "value": json.dumps(bad["jv_history"])}
    else:
        (bad,) = whole.sql("SELECT id::text FROM match_suggestions WHERE harmonic_mean > 0 ORDER BY id LIMIT 1")
        # A folder in the place of the file: it cannot be written.
        place = whole.files.path("match_scores", key_of(bad["id"]))
        before = place.read_bytes()
        place.unlink()
        place.mkdir()
    key = key_of(bad["id"])
    try:
        result = whole.run(**SOME)
        assert not result.success
        assert failure(result).startswith(f"1 of 3 ranges of {broken} failed ({key}: ")
        assert failure(result).endswith("Once fixed, type: jv retry")
        assert set(whole.metadata(broken, result.run_id)) == set(KEYS[:3]) - {key}
        run = whole.instance.get_run_by_id(result.run_id)
        assert run
        rest = rest_of(whole.instance, run, RESCORE)
        later = RESCORE[RESCORE.index(broken) + 1 :]
        assert rest == parts(later, [k for k in KEYS[:3] if k != key] if broken == "match_scores" else KEYS[:3])
        for part in rest:
            assert whole.run(assets=part.assets, first=part.first, last=part.last).success
    finally:
        if broken == "profiles":
            whole.sql("UPDATE profiles SET jv_history = CAST(:value AS jsonb) WHERE id = :id", **mend)
        else:
            place.rmdir()
            place.write_bytes(before)
    assert whole.run(**SOME).success
    assert_equal_to_reference(whole)


def test_scores_that_break_a_rule_are_not_published(whole: Pipeline) -> None:
    before = versions(whole)
    rows, metadata = whole.files.read("match_scores", "4"), whole.files.metadata("match_scores", "4")
    try:
        whole.files.write("match_scores", "4", rows.assign(score_ab=123.0), metadata)
        result = whole.run(assets=["published_scores"], first="0", last="4")
        assert failure(result).startswith("1 of 2 ranges of published_scores failed (4: the scores of range 4 break")
        assert set(whole.metadata("published_scores", result.run_id)) == {"0"}
    finally:
        whole.files.write("match_scores", "4", rows, metadata)
    assert versions(whole) == before


def test_an_edited_profile_is_scored_anew_and_nobody_elses_rows_are_written(whole: Pipeline) -> None:
    before = {row["id"]: row["xmin"] for row in matches(whole)}
    (row,) = whole.sql(
        "SELECT p.id::text, p.list_size FROM profiles p JOIN match_suggestions m ON m.profile_id = p.id "
        "WHERE m.harmonic_mean IS NOT NULL ORDER BY p.id LIMIT 1"
    )
    whole.sql("UPDATE profiles SET list_size = 123456 WHERE id = :id", id=row["id"])
    assert whole.run().success
    changed = {match["id"] for match in matches(whole) if match["xmin"] != before[match["id"]]}
    assert changed == {
        match["id"] for match in matches(whole) if row["id"] in (match["a"], match["b"]) and match["match_context"]
    }
    assert_equal_to_reference(whole)


def test_an_edited_text_is_embedded_and_scored_by_the_nightly_job(whole: Pipeline) -> None:
    (row,) = whole.sql(
        "SELECT p.id::text FROM profiles p JOIN match_suggestions m ON m.suggested_profile_id = p.id "
        "WHERE m.harmonic_mean IS NOT NULL AND length(p.seeking) > 20 ORDER BY p.id LIMIT 1"
    )
    whole.sql("UPDATE profiles SET seeking = 'people who keep bees on roofs' WHERE id = :id", id=row["id"])
    result = whole.run("nightly", NIGHTLY)
    assert result.success
    assert whole.total("profile_embeddings", result.run_id, "embedded_texts") == 1
    assert whole.total("published_scores", result.run_id, "written") >= 1
    assert_equal_to_reference(whole)


def test_features_that_were_never_made_are_named(whole: Pipeline, tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        empty = Pipeline(whole.database.url, tmp_path / "home", instance)
        result = empty.run(assets=["match_scores", "published_scores"], first="0", last="4")
    assert failure(result).startswith("range 0 of profiles was never made: materialize it first")


@pytest.mark.parametrize(
    ("broken", "rule"),
    [({"harmonic_mean": 100.5}, "scores_in_range"), ({"policy": None}, "policy_and_version_present")],
)
def test_a_red_check_blocks_publishing(
    whole: Pipeline, monkeypatch: pytest.MonkeyPatch, broken: dict[str, Any], rule: str
) -> None:
    before = versions(whole)

    def badly(*arguments: Any) -> ScoredRange:
        good = score_range(*arguments)
        return ScoredRange(good.rows.assign(**broken), good.skipped)

    monkeypatch.setattr("jv_assets.assets.match_scores.score_range", badly)
    result = whole.run(**SOME)
    assert not result.success
    checks = evaluations(result)
    assert set(checks) >= set(RULES)
    assert {name for name, check in checks.items() if not check.passed} >= {rule}
    assert checks[rule].description == f"broken in {', '.join(KEYS[:3])}: materialize match_scores again"
    assert set(whole.metadata("match_scores", result.run_id)) == set(KEYS[:3])
    assert not whole.metadata("published_scores", result.run_id)
    assert versions(whole) == before
    monkeypatch.undo()
    assert whole.run(**SOME).success


def sensor_requests(whole: Pipeline, result: dg.ExecuteInProcessResult, **tags: str) -> list[dg.RunRequest]:
    run = whole.instance.get_run_by_id(result.run_id)
    assert run
    context = dg.build_run_status_sensor_context(
        sensor_name="finish_the_other_ranges",
        dagster_event=result.get_run_failure_event(),
        dagster_instance=whole.instance,
        dagster_run=run.with_tags({**run.tags, **tags}),
    )
    evaluated = finish_the_other_ranges(context.for_run_failure())
    return [item for item in evaluated if isinstance(item, dg.RunRequest)]  # type: ignore[union-attr]


def test_the_sensor_finishes_what_the_daemon_started(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_in_4(database: Database, low: str, high: str, known: pd.DataFrame) -> pd.DataFrame:
        if low == bounds("4")[0]:
            raise UserError("cannot be read")
        return read_matches(database, low, high, known)

    monkeypatch.setattr("jv_assets.assets.match_scores.read_matches", fails_in_4)
    result = whole.run(published_scores={"only_missing": True})
    monkeypatch.undo()
    assert failure(result).startswith("1 of 4 ranges of match_scores failed (4: cannot be read)")
    requests = sensor_requests(whole, result)
    assert [keys_of_tags(request) for request in requests] == [["0", "0"], ["8", "c"]]
    for request in requests:
        assert request.asset_selection == [dg.AssetKey("published_scores")]
        assert request.run_config == {"ops": {"published_scores": {"config": {"only_missing": True}}}}
    assert len({request.run_key for request in requests}) == 2
    assert sensor_requests(whole, result, **{STARTED_BY_JV: "host:1"}) == []


def keys_of_tags(request: dg.RunRequest) -> list[str]:
    return [request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
