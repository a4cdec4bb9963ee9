"""Trials over a real database: scores beside production's, nights that count and nights that do not."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from jv_assets.automation.schedules import NIGHTLY, WITH_TRIALS
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, TRIAL_SCORES
from jv_assets.pipeline.outcomes import read_seen
from jv_assets.pipeline.rules import in_force, rules_of
from jv_assets.reports.trial_night import Profiles
from jv_assets.reports.trial_scores import TITLE, read, sections, told
from jv_assets.setup.status import read_status
from jv_assets.trials.criteria import FAIL, PASS, written_down
from jv_assets.trials.scores import store
from jv_assets.trials.store import Rules, Trial, end, find, nights, start, trials
from jv_scoring.analysis.trial_scores import scores
from jv_scoring.reference import score_pair
from jv_scoring.similarity import calibration_of
from tests.support.models import MINILM
from tests.support.pipelines import KEYS, Pipeline, checksums, failure, matches, nightly_done, profiles_by_id, versions

CURRENT, OTHER = "harmonic/impute", "geometric/redistribute"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("trials")) as pipeline:
        yield pipeline


@pytest.fixture
def pipeline(whole: Pipeline) -> Iterator[Pipeline]:
    """Without a trial at the end of a test."""
    yield whole
    for trial in trials(whole.database, going_on=True):
        end(whole.database, trial.name)
    whole.sql("DELETE FROM jv.trial_nights")
    whole.sql("DELETE FROM jv.trials")


def begun(pipeline: Pipeline, name: str = "one", policy: str = CURRENT, calibration: str | None = None) -> Trial:
    version = (rules_of(MINILM, calibration) if calibration else in_force(MINILM)).version
    return start(pipeline.database, name, Rules(policy, calibration, version, MINILM), written_down(1))


def night(pipeline: Pipeline) -> dg.ExecuteInProcessResult:
    return pipeline.run("nightly", WITH_TRIALS)


def logged(pipeline: Pipeline, result: dg.ExecuteInProcessResult) -> list[str]:
    return [entry.user_message for entry in pipeline.instance.all_logs(result.run_id)]


def stored(pipeline: Pipeline, trial: Trial) -> dict[str, tuple[float, float, float]]:
    rows = pipeline.sql(
        "SELECT match_id::text, score_ab::float8, score_ba::float8, harmonic_mean::float8 FROM jv.trial_scores "
        "WHERE trial_id = :id", id=trial.id,
    )  # fmt: skip
    return {row["match_id"]: (row["score_ab"], row["score_ba"], row["harmonic_mean"]) for row in rows}


def expected(pipeline: Pipeline, policy: str, calibration: str | None = None) -> dict[str, tuple[float, float, float]]:
    """What the plain reference gives each scorable match."""
    profiles = profiles_by_id(pipeline)
    steps = rules_of(MINILM, calibration).calibration if calibration else calibration_of(MINILM)
    found = {}
    for row in matches(pipeline):
        a, b = profiles.get(row["a"]), profiles.get(row["b"])
        if a is not None and b is not None and row["a"] != row["b"]:
            pair = score_pair(a, b, policy, steps)
            found[row["id"]] = (pair.score_ab, pair.score_ba, pair.harmonic_mean)
    return found


def test_the_same_policy_passes_with_zero_differences_and_production_stays(pipeline: Pipeline) -> None:
    before, others = versions(pipeline), checksums(pipeline)
    assert pipeline.run("nightly", NIGHTLY).success
    assert versions(pipeline) == before  # A night without a trial.
    trial = begun(pipeline)
    result = night(pipeline)
    assert result.success
    assert (versions(pipeline), checksums(pipeline)) == (before, others)
    assert stored(pipeline, trial) == expected(pipeline, CURRENT)
    found = told(pipeline.database, trial)
    assert [(each.run, each.why_not_complete, each.policy) for each in found.nights] == [(result.run_id, None, CURRENT)]
    assert {each.state for each in found.judged} == {PASS}, found.judged
    assert "outcomes" in {each.criterion for each in found.judged}
    zero = {"rank correlation": 1.0, "best 10 kept beyond chance": 1.0}
    for each in found.judged[1:]:
        assert set(each.figures.values()) == {zero.get(each.criterion, 0.0)}, each
    metadata = pipeline.metadata(TRIAL_SCORES, result.run_id)[None]
    assert (metadata["trials"], metadata["criteria_pass"], metadata["criteria_fail"]) == (1, len(found.judged), 0)
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert checks["trial_night_counts"].passed
    assert checks["trial_criteria_hold"].passed
    (section,) = sections(read(pipeline.database))
    assert section.title == TITLE
    assert "Trial one of harmonic/impute passes every criterion; 1 nights were complete." in section.answer
    rows = pipeline.sql("SELECT xmin::text FROM jv.trial_scores ORDER BY match_id")
    assert night(pipeline).success
    assert pipeline.sql("SELECT xmin::text FROM jv.trial_scores ORDER BY match_id") == rows  # Only differences.
    assert len(nights(pipeline.database, trial)) == 2
    assert told(pipeline.database, trial).judged[0].limit == "1 of 1"


def test_without_a_trial_a_night_records_nothing(pipeline: Pipeline) -> None:
    result = night(pipeline)
    assert result.success
    assert pipeline.metadata(TRIAL_SCORES, result.run_id) == {}
    assert not [each for each in result.get_asset_check_evaluations() if each.asset_key == dg.AssetKey(TRIAL_SCORES)]
    assert read(pipeline.database) == []
    assert sections([]) == []


STEPS = {
    "offering_seeking": [[0.6, 10.0], [0.5, 8.0], [0.4, 6.0], [0.3, 4.5]],
    "audience_alignment": [[0.9, 10.0], [0.8, 8.0], [0.7, 6.0], [0.2, 4.5]],
}


def saved(folder: Path, name: str, model: str = MINILM, steps: Any = STEPS) -> None:
    content = {"format": 1, "name": name, "model": model, "steps": steps, "evidence": {}}
    (folder / f"{name}.json").write_text(json.dumps(content))


def test_two_trials_at_once_have_the_scores_of_the_reference(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JV_CALIBRATIONS", str(tmp_path))
    saved(tmp_path, "strict")
    geo, strict = begun(pipeline, "geo", OTHER), begun(pipeline, "strict", OTHER, "strict")
    before = versions(pipeline)
    assert night(pipeline).success
    assert versions(pipeline) == before
    assert stored(pipeline, geo) == expected(pipeline, OTHER)
    assert stored(pipeline, strict) == expected(pipeline, OTHER, "strict")
    assert stored(pipeline, strict) != stored(pipeline, geo)
    assert read_status(pipeline.database, MINILM).other_rules(CURRENT) == 0
    for trial in (geo, strict):
        (found,) = nights(pipeline.database, trial)
        assert found.why_not_complete is None
        assert found.figures["trap"]["candidate"] != found.figures["trap"]["production"]
        assert found.figures["missing_data"]["candidate"] < found.figures["missing_data"]["production"]
    end(pipeline.database, "geo")
    assert stored(pipeline, geo) == {}
    assert stored(pipeline, strict)

    saved(tmp_path, "strict", steps=dict.fromkeys(STEPS, STEPS["offering_seeking"]))
    assert night(pipeline).success
    *_, last = nights(pipeline.database, strict)
    assert last.why_not_complete is not None
    assert last.why_not_complete.startswith("the rules are ismc_v2_embeddings+strict.")
    (tmp_path / "strict.json").unlink()
    assert night(pipeline).success
    assert "no calibration is named strict" in str(nights(pipeline.database, strict)[-1].why_not_complete)


def test_scores_shuffled_in_one_role_fail_there_and_nowhere_else(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = Profiles(pipeline.files)
    roles = dict(zip(profiles.ids, profiles.roles, strict=True))
    every = pd.concat([pipeline.files.read(MATCH_SCORES, key, ["id", "profile_id"]) for key in KEYS])
    counts = every["profile_id"].map(roles).value_counts()
    role = counts[counts >= 100].index[-1]

    def shuffled(rows: pd.DataFrame, policy: Any) -> dict[str, Any]:
        made = scores(rows, policy)
        at = np.flatnonzero((rows["profile_id"].map(roles) == role).to_numpy())
        made["harmonic_mean"][at] = made["harmonic_mean"][np.random.default_rng(3).permutation(at)]
        return made

    monkeypatch.setattr("jv_assets.reports.trial_night.scores", shuffled)
    trial = begun(pipeline)
    result = night(pipeline)
    found = told(pipeline.database, trial)
    failed = {(each.criterion, each.segment) for each in found.judged if each.state == FAIL}
    assert {segment for _, segment in failed} == {f"role {role}"}
    assert ("rank correlation", f"role {role}") in failed
    assert result.success  # It warns.
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert not checks["trial_criteria_hold"].passed
    assert f"one: rank correlation role {role}" in str(checks["trial_criteria_hold"].description)


def test_a_night_that_was_cut_off_counts_no_night(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    trial = begun(pipeline)
    pipeline.sql("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$")
    pipeline.sql(
        "CREATE TRIGGER refuse BEFORE UPDATE ON match_suggestions FOR EACH ROW "
        "WHEN (NEW.id::text >= 'c') EXECUTE FUNCTION refuse()"
    )
    pipeline.sql("UPDATE profiles SET list_size = coalesce(list_size, 0) + 70000")
    failure(night(pipeline))
    assert nights(pipeline.database, trial) == []
    pipeline.sql("DROP TRIGGER refuse ON match_suggestions")
    pipeline.sql("DROP FUNCTION refuse")
    result = pipeline.run("nightly", [TRIAL_SCORES])
    assert result.success
    (found,) = nights(pipeline.database, trial)
    assert "scores in production are not those of the files" in str(found.why_not_complete)
    checks = {each.check_name: each for each in result.get_asset_check_evaluations()}
    assert not checks["trial_night_counts"].passed
    told_of = "the night does not count for trial one: "
    assert [each for each in logged(pipeline, result) if each.startswith(told_of)] == [
        f"{told_of}{found.why_not_complete}"
    ]

    calls: list[int] = []

    def cut(*words: Any) -> Any:
        calls.append(len(calls))
        if len(calls) == 3:
            raise UserError("the disk is full")
        return store(*words)

    monkeypatch.setattr("jv_assets.reports.trial_night.store", cut)
    assert "the disk is full" in failure(night(pipeline))
    assert [each.why_not_complete is None for each in nights(pipeline.database, trial)] == [False]
    monkeypatch.undo()
    pipeline.files.path(MATCH_SCORES, KEYS[2]).unlink()
    assert pipeline.run("nightly", [TRIAL_SCORES]).success
    assert nights(pipeline.database, trial)[-1].why_not_complete == "1 ranges have no scores"
    assert night(pipeline).success
    assert nights(pipeline.database, trial)[-1].why_not_complete is None
    assert stored(pipeline, trial) == expected(pipeline, CURRENT)


def test_matches_that_come_and_go_are_followed(pipeline: Pipeline) -> None:
    trial = begun(pipeline, policy=OTHER)
    assert night(pipeline).success
    gone = next(iter(stored(pipeline, trial)))
    row = pipeline.sql("SELECT profile_id, suggested_profile_id FROM match_suggestions WHERE id = :id", id=gone)[0]
    pipeline.sql("DELETE FROM match_suggestions WHERE id = :id", id=gone)
    last = "ffffffff-ffff-ffff-ffff-ffffffffffff"
    pipeline.sql(
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) VALUES (:id, :a, :b)",
        id=last, a=row["profile_id"], b=row["suggested_profile_id"],
    )  # fmt: skip
    assert pipeline.run("nightly", [TRIAL_SCORES]).success  # The new match has no score yet: it waits.
    assert night(pipeline).success
    assert stored(pipeline, trial) == expected(pipeline, OTHER)
    assert last in stored(pipeline, trial)
    assert gone not in stored(pipeline, trial)
    assert nights(pipeline.database, trial)[-1].why_not_complete is None


def test_ending_a_trial_while_its_night_runs_leaves_nothing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial, other = begun(pipeline), begun(pipeline, "other", OTHER)
    calls: list[str] = []

    def ending(database: Any, low: str, high: str) -> Any:
        calls.append(low)
        if len(calls) == 3:
            end(pipeline.database, "one")
        return read_seen(database, low, high)

    monkeypatch.setattr("jv_assets.reports.trial_night.read_seen", ending)
    result = night(pipeline)
    assert result.success
    assert stored(pipeline, trial) == {}
    assert nights(pipeline.database, trial) == []
    assert stored(pipeline, other) == expected(pipeline, OTHER)
    assert [each.why_not_complete for each in nights(pipeline.database, other)] == [None]
    line = "trial one ended while its night was computed: the night does not count"
    assert line in logged(pipeline, result)
    with pytest.raises(UserError, match=r"^trial one ended at .* UTC already$"):
        end(pipeline.database, "one")
    with pytest.raises(UserError, match="there is a trial one already: choose another name, because a name keeps"):
        begun(pipeline)
    assert find(pipeline.database, "one").ended_by


def test_a_trigger_on_the_scores_is_refused_before_the_night(pipeline: Pipeline) -> None:
    trial = begun(pipeline)
    pipeline.sql("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$")
    pipeline.sql("CREATE TRIGGER t BEFORE INSERT ON jv.trial_scores FOR EACH ROW EXECUTE FUNCTION swallow()")
    try:
        assert "trigger t of jv.trial_scores acts on what only the pipeline writes" in failure(night(pipeline))
        assert nights(pipeline.database, trial) == []
    finally:
        pipeline.sql("DROP TRIGGER t ON jv.trial_scores")
        pipeline.sql("DROP FUNCTION swallow")
