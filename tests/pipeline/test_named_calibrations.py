"""A named calibration: saved from a proposal, used on purpose, and never mixed with the package's own steps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jv_assets.automation.schedules import RESCORE
from jv_assets.checks.verify import reference_sample
from jv_assets.errors import UserError
from jv_assets.explain import explain
from jv_assets.names import SIMILARITY_CALIBRATION
from jv_assets.pipeline.calibration import path_of, save_named
from jv_assets.pipeline.rules import in_force, version_of
from jv_assets.reports.random_pairs import RandomPairs
from jv_assets.setup.status import read_status
from jv_scoring.analysis import similarity_calibration as analysis
from jv_scoring.policy import SCORING_VERSION
from jv_scoring.reference import score_pair
from jv_scoring.similarity import calibration_of
from tests.support.models import BGE, MINILM
from tests.support.pipelines import (
    KEYS,
    Pipeline,
    assert_equal_to_reference,
    failure,
    matches,
    nightly_done,
    profiles_by_id,
    versions,
)

STRICT = {
    "offering_seeking": [[0.6, 10.0], [0.5, 8.0], [0.4, 6.0], [0.3, 4.5]],
    "audience_alignment": [[0.9, 10.0], [0.8, 8.0], [0.7, 6.0], [0.2, 4.5]],
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("named")) as pipeline:
        yield pipeline


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JV_CALIBRATIONS", str(tmp_path))
    monkeypatch.setenv("JV_EMBEDDING_MODEL", MINILM)
    return tmp_path


def written(folder: Path, name: str = "strict", /, **changes: Any) -> dict[str, Any]:
    content = {"format": 1, "name": name, "model": MINILM, "steps": STRICT, "evidence": {}} | changes
    (folder / f"{name}.json").write_text(json.dumps(content))
    return content


def test_scoring_under_it_is_refused_until_it_is_meant_and_can_be_taken_back(
    pipeline: Pipeline, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored, before = assert_equal_to_reference(pipeline), versions(pipeline)
    version = version_of(written(folder))
    assert version.startswith(f"{SCORING_VERSION}+strict.")
    monkeypatch.setenv("JV_CALIBRATION", "strict")
    refused = failure(pipeline.run())
    assert "scores are stored under harmonic/impute of ismc_v2_embeddings, and these were made under" in refused
    assert "replace all on purpose by: jv rescore --policy harmonic/impute --switch-policy" in refused
    assert versions(pipeline) == before
    assert read_status(pipeline.database, MINILM).other_rules("harmonic/impute") == scored

    assert pipeline.run("rescore", RESCORE, published_scores={"switch_policy": True}).success
    profiles, named = profiles_by_id(pipeline), in_force(MINILM)
    assert named.version == version
    moved = 0
    for row in matches(pipeline):
        if row["harmonic_mean"] is not None:
            pair = score_pair(profiles[row["a"]], profiles[row["b"]], "harmonic/impute", named.calibration)
            assert (row["score_ab"], row["score_ba"], row["harmonic_mean"]) == (
                pair.score_ab,
                pair.score_ba,
                pair.harmonic_mean,
            )
            assert row["match_context"]["breakdown_ab"] == pair.breakdown_ab
            assert row["match_context"]["scoring_version"] == version
            own = score_pair(profiles[row["a"]], profiles[row["b"]], "harmonic/impute", calibration_of(MINILM))
            moved += own.harmonic_mean != pair.harmonic_mean
    assert moved > scored / 2
    assert read_status(pipeline.database, MINILM).other_rules("harmonic/impute") == 0
    some = [row["id"] for row in matches(pipeline) if row["harmonic_mean"] is not None][:5]
    assert reference_sample(pipeline.database, MINILM, some) == (5, [])
    assert explain(pipeline.database, MINILM, some[0]).notes == ()

    [chunk] = RandomPairs(pipeline.database, pipeline.files, MINILM).scored(KEYS[0])
    for row in chunk.head(10).to_dict("records"):
        ends = (profiles[row[name]] for name in ("profile_id", "suggested_profile_id"))
        assert row["harmonic_mean"] == score_pair(*ends, "harmonic/impute", named.calibration).harmonic_mean

    rows = versions(pipeline)
    assert pipeline.run().success
    assert versions(pipeline) == rows  # A night under the same calibration writes nothing.

    monkeypatch.delenv("JV_CALIBRATION")
    assert f"now: {SCORING_VERSION}" in " ".join(explain(pipeline.database, MINILM, some[0]).notes)
    assert "scores are stored under" in failure(pipeline.run())
    assert pipeline.run("rescore", RESCORE, published_scores={"switch_policy": True}).success
    assert assert_equal_to_reference(pipeline) == scored


@pytest.mark.parametrize(
    ("name", "content", "cause"),
    [
        ("nobody", None, "no calibration is named nobody in {folder} (there is none yet); to make one, type: jv "
                         "calibration save nobody"),
        ("../x", None, "'../x' is no name of a calibration: write up to 40 small letters, digits, - and _"),
        ("UPPER", None, "'UPPER' is no name of a calibration"),
        ("other", {"model": BGE}, f"JV_CALIBRATION=other is a calibration of {BGE}, and the model is {MINILM}: choose"),
        ("torn", "{", "{folder}/torn.json is no calibration ("),
        ("list", [], "not a file of format 1): restore the file, or save one under another name"),
        ("later", {"format": 2}, "{folder}/later.json is no calibration (not a file of format 1): restore the file"),
        ("moved", {"name": "strict"}, "is no calibration (it holds the calibration strict): restore"),
        ("half", {"steps": {"offering_seeking": STRICT["offering_seeking"]}}, "is no calibration ('audience_ali"),
        ("flat", {"steps": dict.fromkeys(STRICT, ((0.5, 10), (0.5, 8), (0.4, 6), (0.3, 4.5)))}, "that fall"),
        ("scores", {"steps": dict.fromkeys(STRICT, ((0.7, 9), (0.5, 8), (0.4, 6), (0.3, 4.5)))}, "10, 8, 6 and 4.5"),
        ("words", {"steps": dict.fromkeys(STRICT, "high")}, "is no calibration ("),
    ],
)  # fmt: skip
def test_a_calibration_that_cannot_be_used_is_refused_in_one_line(  # noqa: PLR0917
    pipeline: Pipeline, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: Any, cause: str
) -> None:
    if isinstance(content, dict):
        written(folder, name, **content)
    elif content is not None:
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    monkeypatch.setenv("JV_CALIBRATION", name)
    before = versions(pipeline)
    with pytest.raises(UserError) as caught:
        in_force(MINILM)
    assert cause.format(folder=folder) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert failure(pipeline.run("rescore", ["match_scores"])) == str(caught.value)
    assert versions(pipeline) == before


def test_other_steps_under_the_same_name_are_another_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = version_of(written(folder))
    assert version_of(written(folder, evidence={"note": "measured again"})) == first
    assert version_of(written(folder, steps=dict.fromkeys(STRICT, STRICT["offering_seeking"]))) != first
    monkeypatch.setenv("JV_CALIBRATIONS", "here")
    monkeypatch.setenv("JV_CALIBRATION", "strict")
    with pytest.raises(UserError, match="JV_CALIBRATIONS=here would be another folder in each directory"):
        in_force(MINILM)


def test_a_proposal_is_saved_once_and_scores_as_measured(
    pipeline: Pipeline, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path_of(pipeline.files, MINILM).unlink(missing_ok=True)
    with pytest.raises(UserError, match=f"nothing was measured for {MINILM}; type: jv calibration measure"):
        save_named(pipeline.files, MINILM, "mine")
    config = {"pairs": 3_000}
    assert pipeline.run("calibrate", [SIMILARITY_CALIBRATION], similarity_calibration=config).success
    with pytest.raises(UserError, match=r"there is not enough data to propose steps .offering_seeking: 3,000 ra"):
        save_named(pipeline.files, MINILM, "mine")
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(analysis, "LEAST_PAIRS", 1_000)
    monkeypatch.setattr(analysis, "MOST_HALF_WIDTH", 1.0)
    assert pipeline.run("calibrate", [SIMILARITY_CALIBRATION], similarity_calibration=config).success
    path, content = save_named(pipeline.files, MINILM, "mine")
    assert path == folder / "mine.json"
    assert in_force(MINILM).version == SCORING_VERSION  # Saving uses nothing.
    monkeypatch.setenv("JV_CALIBRATION", "mine")
    calibration = in_force(MINILM).calibration
    assert calibration.name == "mine"
    for factor, steps in content["steps"].items():
        assert [list(step) for step in calibration.steps_of(factor)] == steps
    with pytest.raises(UserError, match=r"mine.json is there already: choose another name, because a name keeps its"):
        save_named(pipeline.files, MINILM, "mine")
    (folder / "file").write_text("")
    monkeypatch.setenv("JV_CALIBRATIONS", str(folder / "file"))
    with pytest.raises(UserError, match=r"cannot write .*; see JV_CALIBRATIONS"):
        save_named(pipeline.files, MINILM, "mine")
