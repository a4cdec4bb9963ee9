"""Evaluation over a real database: the figures are those of plain loops, whatever columns the platform has."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from jv_assets.reports.evaluation import evaluated, headline, notes, sections, verdict_line
from jv_scoring.analysis import embedding_isolation
from jv_scoring.analysis.evaluation_labels import FEEDBACK_LABELS, OUTCOME_COLUMNS
from jv_scoring.analysis.evaluation_rankings import RANKINGS
from jv_scoring.policy import CURRENT_POLICY, DIMENSIONS, POLICIES, aggregate, match_score, parse_policy
from tests.support import plain_evaluation
from tests.support.pipelines import KEYS, Pipeline, nightly_done

AT = datetime(2026, 2, 10, tzinfo=UTC)
Figures = dict[str, Any]


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("evaluation")) as pipeline:
        pipeline.sql("CREATE TABLE kept AS SELECT * FROM match_suggestions")
        yield pipeline


@pytest.fixture
def whole(once: Pipeline) -> Iterator[Pipeline]:
    """The platform's columns are put back after each test."""
    yield once
    for name in OUTCOME_COLUMNS:
        kind = "timestamptz" if name.endswith("_at") else "text"
        once.sql(f"ALTER TABLE match_suggestions DROP COLUMN IF EXISTS {name}")
        once.sql(f"ALTER TABLE match_suggestions ADD COLUMN {name} {kind}")
    columns = ", ".join(OUTCOME_COLUMNS)
    once.sql(f"UPDATE match_suggestions m SET ({columns}) = (SELECT {columns} FROM kept k WHERE k.id = m.id)")


def evaluate(pipeline: Pipeline, at: datetime = AT) -> Figures:
    run = pipeline.run("report", ["evaluation"])
    assert run.success
    found = evaluated(pipeline.database, pipeline.files, at)
    assert found
    return found


def acted(found: Figures, analysis: str = "retrospective", label: str = "acted") -> Figures:
    record: Figures = found["analyses"][analysis]["labels"][label]
    return record


def plainly(pipeline: Pipeline, at: datetime = AT) -> Figures:
    """By plain loops, over what SQL and the range files say."""
    outcomes = {
        row["id"]: row for row in pipeline.sql(f"SELECT id::text, {', '.join(OUTCOME_COLUMNS)} FROM match_suggestions")
    }
    logged = pipeline.sql(
        "SELECT match_id::text, at, policy, score_ab::float8, harmonic_mean::float8 FROM jv.score_log"
    )
    matches = []
    for key in KEYS:
        rows = pipeline.files.read("match_scores", key)
        words = embedding_isolation.words_only(rows, parse_policy(CURRENT_POLICY))["harmonic_mean"].tolist()
        for row, by_words in zip(rows.to_dict("records"), words, strict=True):
            match = outcomes[row["id"]] | {name: row[name] for name in ("id", "profile_id", "suggested_profile_id")}
            seen = plain_evaluation.seen_at(match)
            entries = [each for each in logged if each["match_id"] == row["id"] and seen and each["at"] <= seen]
            last = max(entries, key=lambda each: each["at"], default=None)
            stood = last and (last["policy"], last["score_ab"], last["harmonic_mean"])
            matches.append(match | {"values": values(row) | {"word_overlap": by_words}, "stood": stood})
    return plain_evaluation.evaluate(matches, CURRENT_POLICY, RANKINGS, at=at, days=30, labels=FEEDBACK_LABELS)


def values(row: Figures) -> dict[str, float | None]:
    found: dict[str, float | None] = {}
    for name, policy in POLICIES.items():
        sides = [aggregate(dimensions(row, policy.nulls, of), policy.aggregation) for of in ("ab", "ba")]
        found[name] = round(match_score(*sides), 2)
    found |= dict(zip(DIMENSIONS, dimensions(row, "impute", "ab"), strict=True))
    return found | {"score_ab": row["score_ab"], "match_score": row["match_score"]}


def dimensions(row: Figures, nulls: str, of: str) -> list[float | None]:
    names = ("intent", f"synergy_{nulls}", f"momentum_{nulls}", "context")
    return [None if pd.isna(row[f"{name}_{of}"]) else row[f"{name}_{of}"] for name in names]


def assert_same(found: Any, expected: Any, path: str = "") -> None:
    if isinstance(expected, dict):
        assert found.keys() == expected.keys(), path
        for name, part in expected.items():
            assert_same(found[name], part, f"{path}/{name}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for k, part in enumerate(expected):
            assert_same(found[k], part, f"{path}/{k}")
    else:
        assert found == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected), path


def test_the_figures_are_those_of_plain_loops(whole: Pipeline) -> None:
    found = evaluate(whole)
    assert_same(found["analyses"], plainly(whole))
    assert acted(found)["used"] > 100
    assert acted(found)["censored"] > 0
    assert acted(found)["undated"] > 0
    assert acted(found)["future"] > 0
    assert acted(found, label="feedback")["unmapped"] > 0
    assert acted(found, "prospective")["exposed"] == 0
    assert (found["missing_columns"], found["missing_ranges"], found["stale_ranges"]) == ([], [], [])


def test_what_was_seen_after_publishing_is_judged_by_the_score_that_stood(whole: Pipeline) -> None:
    whole.sql("UPDATE match_suggestions SET viewed_at = clock_timestamp(), contacted_at = NULL, feedback_at = NULL, "
              "draft_intro_clicked_at = NULL, user_feedback = NULL, status = 'viewed'")  # fmt: skip
    whole.sql("UPDATE match_suggestions SET contacted_at = clock_timestamp() WHERE match_score > 58")
    later = datetime.now(UTC) + timedelta(days=40)
    found = evaluate(whole, later)
    assert_same(found["analyses"], plainly(whole, later))
    record = acted(found, "prospective")
    assert record["used"] == found["matches"]
    assert acted(found)["exposed"] == 0
    by_name = {each["ranking"]: each for each in record["rankings"]}
    assert by_name[CURRENT_POLICY]["left_out"] == by_name["score_ab"]["left_out"] == 0
    assert by_name["intent"]["left_out"] == by_name["geometric/impute"]["left_out"] == record["used"]


def test_a_platform_without_outcome_columns_is_told_which_are_missing(whole: Pipeline) -> None:
    for name in OUTCOME_COLUMNS:
        whole.sql(f"ALTER TABLE match_suggestions DROP COLUMN {name}")
    found = evaluate(whole)
    assert found["missing_columns"] == list(OUTCOME_COLUMNS)
    assert notes(found) == [
        f"match_suggestions has no readable column {', '.join(OUTCOME_COLUMNS)}: they count as empty."
    ]
    assert "too few" in verdict_line(found, "retrospective", "acted")
    reports = whole.run("report", ["evaluation", "embedding_isolation", "momentum_bottleneck", "aggregation_comparison",
                                   "production_impact", "diagnostic_report"])  # fmt: skip
    assert reports.success, "the rest of the night goes on"
    kept = json.loads((whole.home / "reports" / "evaluation.json").read_text())
    assert kept["missing_columns"] == list(OUTCOME_COLUMNS)


def test_a_column_that_holds_no_moments_counts_as_missing(whole: Pipeline) -> None:
    whole.sql("ALTER TABLE match_suggestions ALTER COLUMN contacted_at TYPE text")
    whole.sql("ALTER TABLE match_suggestions ALTER COLUMN feedback_at TYPE integer USING 7")
    found = evaluate(whole)
    assert found["missing_columns"] == ["contacted_at", "feedback_at"]
    assert whole.run().success, "scores need none of them"


def test_moments_of_other_types_are_the_same_moments(whole: Pipeline) -> None:
    before = evaluate(whole)
    whole.sql("ALTER TABLE match_suggestions ALTER COLUMN viewed_at TYPE timestamp USING viewed_at AT TIME ZONE 'UTC'")
    whole.sql(
        "CREATE TYPE stage AS ENUM ('pending', 'viewed', 'contacted', 'connected', 'dismissed', 'ghosted', 'Archived')"
    )
    whole.sql("ALTER TABLE match_suggestions ALTER COLUMN status TYPE stage USING status::stage")
    assert evaluate(whole)["analyses"] == before["analyses"]


def test_a_moment_that_never_comes_is_in_the_future(whole: Pipeline) -> None:
    whole.sql("UPDATE match_suggestions SET viewed_at = 'infinity', contacted_at = NULL, feedback_at = NULL, "
              "draft_intro_clicked_at = NULL")  # fmt: skip
    record = acted(evaluate(whole), "prospective")
    assert record["future"] == record["exposed"] > 0, "by then a score stands"
    whole.sql("UPDATE match_suggestions SET viewed_at = '-infinity', status = 'viewed'")
    record = acted(evaluate(whole))
    assert record["used"] == record["exposed"] > 0
    assert record["verdict"] == "too few"


def test_its_numbers_are_in_the_metadata_and_on_the_page(whole: Pipeline) -> None:
    assets = ["evaluation", "embedding_isolation", "momentum_bottleneck", "aggregation_comparison", "production_impact"]
    run = whole.run("report", [*assets, "diagnostic_report"])
    assert run.success
    found = json.loads((whole.home / "reports" / "evaluation.json").read_text())
    shown = whole.metadata("diagnostic_report", run.run_id)[None]
    for name, value in headline(found).items():
        assert shown.get(name) == (value if value is None else pytest.approx(value, abs=5e-5))
    by_range = whole.metadata("evaluation", run.run_id)
    assert sum(each["exposed"] for each in by_range.values()) == acted(found)["exposed"]
    (section,) = sections(found)
    assert section.title in (whole.home / "reports" / "report.html").read_text()
    assert section.figures[0].table.rows[0][0] == CURRENT_POLICY


def test_labels_that_are_none_fail_the_asset_in_one_line(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_FEEDBACK_LABELS", '["good"]')
    run = whole.run("report", ["evaluation"])
    failures = [event for event in run.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    assert len(failures) == 1
    error = failures[0].step_failure_data.error
    assert error
    assert "JV_FEEDBACK_LABELS=" in error.message
