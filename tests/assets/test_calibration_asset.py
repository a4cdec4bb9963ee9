"""The asset similarity_calibration over a real database: what it draws, keeps and shows, and that scores stay."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from jv_assets.names import SIMILARITY_CALIBRATION
from jv_assets.pipeline.calibration import path_of, read_file
from jv_assets.pipeline.calibration_inputs import read_inputs
from jv_assets.reports.evaluation import evaluated
from jv_assets.reports.similarity_calibration import TITLE, sections
from jv_scoring.analysis.calibration_pairs import FACTORS, draw, text_pairs, texts_of
from jv_scoring.similarity import calibration_of
from tests.support.models import MINILM
from tests.support.pipelines import Pipeline, checksums, failure, nightly_done, profiles_by_id, versions


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("calibration")) as pipeline:
        yield pipeline


def measured(pipeline: Pipeline, **config: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run the job; the report, and the metadata."""
    config = {"pairs": 2_000, **config}
    result = pipeline.run("calibrate", [SIMILARITY_CALIBRATION], **{SIMILARITY_CALIBRATION: config})
    assert result.success
    report = read_file(pipeline.files, MINILM)
    assert report
    return report, pipeline.metadata(SIMILARITY_CALIBRATION, result.run_id)[None]


def test_it_measures_and_changes_no_row(pipeline: Pipeline) -> None:
    before, rows = checksums(pipeline), versions(pipeline)
    report, metadata = measured(pipeline)
    assert (checksums(pipeline), versions(pipeline)) == (before, rows)
    assert [each["factor"] for each in report["factors"]] == list(FACTORS)
    assert metadata["json"] == str(path_of(pipeline.files, MINILM))
    assert metadata["embedding_model"] == MINILM
    for factor in report["factors"]:
        name = factor["factor"]
        assert metadata[f"{name}_pairs"] == factor["pairs"] == sum(factor["histogram"]["counts"])
        assert [step["limit"] for step in factor["steps"]] == [limit for limit, _ in calibration_of(MINILM).steps]
        assert all(0 <= step["random"] <= step["paraphrases"] <= 1 for step in factor["steps"])
        assert factor["auc"][0]["low"] > 0.5  # Even of this model, paraphrases are closer than random pairs.
        assert f"{name}_auc_random_pairs" in metadata
        assert factor["proposal"]["verdict"] == "not enough data"
        assert factor["proposal"]["why"] == "2,000 random pairs, of 20,000 needed"
    assert "not enough data" in metadata["steps"]
    assert report["moves"] is None


def test_without_enough_data_it_warns_and_succeeds(pipeline: Pipeline) -> None:
    result = pipeline.run("calibrate", [SIMILARITY_CALIBRATION], **{SIMILARITY_CALIBRATION: {"pairs": 10}})
    told = [entry.user_message for entry in pipeline.instance.all_logs(result.run_id) if entry.level == 30]
    assert [line for line in told if ": not enough data for a proposal: 10 random pairs, of" in line]


def test_without_vectors_it_says_what_to_type(pipeline: Pipeline) -> None:
    with pipeline.database.transaction() as connection:
        connection.execute(text("CREATE TABLE was AS SELECT id, embeddings_model FROM profiles"))
        connection.execute(text("UPDATE profiles SET embeddings_model = NULL"))
    try:
        result = pipeline.run("calibrate", [SIMILARITY_CALIBRATION])
        assert failure(result) == f"no profile has a vector of {MINILM}; to make them, type: jv nightly"
    finally:
        with pipeline.database.transaction() as connection:
            connection.execute(
                text("UPDATE profiles SET embeddings_model = w.embeddings_model FROM was w WHERE w.id = profiles.id")
            )
            connection.execute(text("DROP TABLE was"))


def test_the_random_pairs_are_those_of_no_match(pipeline: Pipeline) -> None:
    inputs = read_inputs(pipeline.database, MINILM, seed=0)
    profiles = profiles_by_id(pipeline)
    ids = sorted(key for key, of in profiles.items() if "embedding_seeking" in of)
    assert inputs.of == len(ids) == len(inputs.texts["seeking"].same)
    matched = {
        frozenset((row["a"], row["b"]))
        for row in pipeline.sql("SELECT profile_id::text AS a, suggested_profile_id::text AS b FROM match_suggestions")
    }
    for factor, (source, target) in FACTORS.items():
        texts = inputs.texts[source], inputs.texts[target]
        pairs = draw(factor, texts, inputs.suggested, count=100_000, seed=0)
        found = [(ids[a], ids[b]) for a, b in zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)]
        assert not {frozenset(pair) for pair in found} & matched
        assert all(a != b for a, b in found)
        one, other = (
            np.array(profiles[key][f"embedding_{name}"]) for key, name in zip(found[0], (source, target), strict=True)
        )
        assert pairs.cosines[0] == pytest.approx(max(0, one @ other), abs=1e-5)
    assert {each for each in inputs.texts["seeking"].languages if each} >= {"en"}


def test_equal_seeds_give_equal_bytes_and_no_drift(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = measured(pipeline, seed=4)

    def embed(texts: list[str]) -> None:
        raise AssertionError("the text pairs are embedded once")

    monkeypatch.setattr(pipeline.embedder, "embed", embed)
    second, metadata = measured(pipeline, seed=4)
    for factor in second["factors"]:
        drift = factor.pop("drift")
        assert (drift["distance"], drift["mean"]) == (0, 0)
        assert metadata[f"{factor['factor']}_drift"] == 0
    for factor in first["factors"]:
        factor.pop("drift")
    assert json.dumps(first["factors"]) == json.dumps(second["factors"])
    assert second["since"] == first["made_at"]


def test_the_text_pairs_are_those_of_the_file(pipeline: Pipeline) -> None:
    report, _ = measured(pipeline)
    pairs = text_pairs()
    vectors = pipeline.embedder.embed(texts_of(pairs)).astype(np.float64)
    cosines = np.clip((vectors[::2] * vectors[1::2]).sum(axis=1), 0, 1)
    for factor in report["factors"]:
        for kind, found in factor["text_cosines"].items():
            chosen = [pair.factor == factor["factor"] and pair.kind == kind for pair in pairs]
            assert found == pytest.approx(sorted(cosines[chosen].tolist()), abs=1e-5)


def test_with_enough_data_it_proposes_and_says_what_moves(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    from jv_scoring.analysis import similarity_calibration as analysis

    monkeypatch.setattr(analysis, "LEAST_PAIRS", 1_000)
    monkeypatch.setattr(analysis, "MOST_HALF_WIDTH", 1.0)
    report, metadata = measured(pipeline, pairs=3_000)
    assert metadata["steps"].count("proposed") > 8
    moves = report["moves"]
    scored = pipeline.sql("SELECT count(*) AS count FROM match_suggestions WHERE harmonic_mean IS NOT NULL")
    assert sum(moves["matches"][name] for name in ("raised", "same", "lowered")) == scored[0]["count"] == moves["of"]
    assert moves["matches"]["lowered"] > moves["matches"]["raised"]  # The steps of this model are too low.
    (section,) = sections(report)
    assert section.title == TITLE
    drawn = [figure.draw() for figure in section.figures if figure.draw]
    assert len(drawn) == 2
    assert all(svg.startswith("<svg") for svg in drawn)


@pytest.mark.parametrize(
    ("config", "cause"),
    [
        ({"pairs": 0}, "pairs 0, seed 0: give 1 pair or more"),
        ({"seed": -1}, "seed -1: give 1 pair or more, and a seed of 0 or more"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(pipeline: Pipeline, config: dict[str, int], cause: str) -> None:
    result = pipeline.run("calibrate", [SIMILARITY_CALIBRATION], **{SIMILARITY_CALIBRATION: config})
    assert cause in failure(result)


@pytest.mark.parametrize(
    "rates", ["0.5", "0.5,0.2,0.2,0.02", "0.02,0.08,0.2,0.5", "1,0.2,0.1,0", "a,b,c,d", "nan,0.2,0.1,0.05"]
)
def test_wrong_rates_are_refused_in_one_line(pipeline: Pipeline, rates: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_CALIBRATION_FPR", rates)
    result = pipeline.run("calibrate", [SIMILARITY_CALIBRATION])
    assert failure(result).startswith(f"JV_CALIBRATION_FPR={rates}: set it to four shares between 1 and 0 in falling")


def test_a_damaged_file_is_named(pipeline: Pipeline) -> None:
    measured(pipeline)
    path = path_of(pipeline.files, MINILM)
    path.write_text("{")
    told = failure(pipeline.run("calibrate", [SIMILARITY_CALIBRATION]))
    assert told.startswith(f"{path} cannot be read (")
    assert told.endswith("): delete it, then type: jv calibration measure")
    path.unlink()
    assert read_file(pipeline.files, MINILM) is None


def test_labels_of_evaluation_are_counted_with_their_cosines(pipeline: Pipeline) -> None:
    assert pipeline.run("report", ["evaluation"]).success
    report, metadata = measured(pipeline)
    found = evaluated(pipeline.database, pipeline.files)
    assert found
    used = sum(of["labels"]["acted"]["used"] for of in found["analyses"].values())
    for labels in report["labels"]:
        assert 0 < labels["labels"] <= used
        assert 0 < labels["positive"] < labels["labels"]
        assert metadata[f"{labels['factor']}_labels"] == labels["labels"]
        assert labels["verdict"] in ("not enough data", "not better")
    (section,) = sections(report)
    assert "Do people's actions follow the cosine more closely?" in [figure.question for figure in section.figures]
