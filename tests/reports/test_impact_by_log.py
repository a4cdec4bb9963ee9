"""What changed between two moments or two runs, by the log: also after what the runs replaced was pruned away."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from test_production_impact import KEYS, pieces, stored

from jv_assets.reports.numbers import impact_numbers
from jv_assets.reports.production_impact import section
from jv_assets.reports.tallies import _compared
from jv_scoring.analysis.production_impact import Impact
from jv_scoring.analysis.tallies import total
from tests.support.pipelines import Pipeline, failure, nightly_done

SWITCH = {"switch_policy": True, "accept_shift": True}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("by_log")) as pipeline:
        yield pipeline


def two_days_pass(pipeline: Pipeline) -> None:
    pipeline.sql(
        "DO $$ DECLARE first date := date_trunc('month', now() - interval '1 month'); BEGIN "
        "EXECUTE format('CREATE TABLE IF NOT EXISTS jv.score_log_before PARTITION OF jv.score_log_rows "
        "FOR VALUES FROM (%L) TO (%L)', first, date_trunc('month', now())); END $$"
    )
    for table, column in (("score_log_rows", "at"), ("score_log_seeded", "at"), ("replaced_scores", "replaced_at")):
        pipeline.sql(f"UPDATE jv.{table} SET {column} = {column} - interval '2 days'")
    pipeline.sql("UPDATE jv.score_log_sources SET last_at = last_at - interval '2 days'")


def impact(pipeline: Pipeline, **config: Any) -> dict[str, Any]:
    result = pipeline.run("report", ["production_impact"], production_impact=config)
    assert result.success
    tallies = (pipeline.files.read("production_impact", key, ["tally"])["tally"].iloc[0] for key in KEYS)
    metadata = {key: pipeline.files.metadata("production_impact", key) for key in KEYS}
    tally = total(Impact.from_json(json.loads(text)) for text in tallies)
    return impact_numbers(tally, metadata[KEYS[0]]["hours"], _compared(metadata))


def edit(pipeline: Pipeline, size: int) -> str:
    pipeline.sql(
        "UPDATE profiles SET list_size = :size WHERE id IN (SELECT id FROM profiles ORDER BY id LIMIT 40)", size=size
    )
    result = pipeline.run()
    assert result.success
    return str(result.run_id)


def test_what_stood_is_known_after_what_was_replaced_is_pruned(whole: Pipeline) -> None:
    two_days_pass(whole)
    before = stored(whole)
    edit(whole, 250_000)
    after = stored(whole)
    moved = [match for match in before if after[match] != before[match]]
    kept = impact(whole)
    assert kept["compared_moments"]["cause_not_known_any_more"] == 0
    assert pieces(kept)["other profile data"] != 0
    whole.sql("DELETE FROM jv.replaced_scores")
    shown = impact(whole)
    assert shown["moved"]["raised"] + shown["moved"]["lowered"] == len(moved) > 50
    assert [shown[name] for name in ("states", "scores", "moved", "migration")] == [
        kept[name] for name in ("states", "scores", "moved", "migration")
    ]
    assert pieces(shown)["not attributed"] == pytest.approx(sum(pieces(kept).values()), abs=1e-9)
    compared = shown["compared_moments"]
    assert (compared["cause_not_known_any_more"], compared["late"], compared["until"]) == (len(moved), 0, None)
    answer = section({"production_impact": shown}).answer
    assert f"Of {len(moved)} changed matches the cause is not known any more" in answer
    assert "The log of published scores" not in answer


def test_a_log_that_begins_later_than_asked_is_said(whole: Pipeline) -> None:
    shown = impact(whole, hours=24 * 9)
    compared = shown["compared_moments"]
    assert compared["late"] == len(KEYS)
    answer = section({"production_impact": shown}).answer
    assert f"published scores begins at {compared['log_begins']}, later than that, in {len(KEYS)} ranges" in answer


def test_two_runs_are_compared(whole: Pipeline) -> None:
    whole.sql("DELETE FROM jv.replaced_scores")
    first = edit(whole, 1_000)
    left = stored(whole)
    second = edit(whole, 90_000)
    right = stored(whole)
    result = whole.run(match_scores={"policy": "geometric/impute"}, published_scores=SWITCH)
    assert result.success
    shown = impact(whole, since=first[:8], until=second)
    changed = {match: round(right[match] - left[match], 2) for match in left}
    assert shown["states"] == {"same": len(left), "policy": 0, "version": 0, "new": 0, "gone": 0}
    assert shown["moved"]["raised"] == sum(points > 0 for points in changed.values()) > 50
    assert shown["moved"]["lowered"] == sum(points < 0 for points in changed.values())
    assert pieces(shown)["other profile data"] == pytest.approx(sum(changed.values()) / len(left), abs=1e-9)
    assert pieces(shown)["not attributed"] == 0
    answer = section({"production_impact": shown}).answer
    assert f"when run {first[:8]} had written, and production at" in answer
    assert f"when run {second[:8]} had written." in answer
    by_moment = impact(whole, since=shown["compared_moments"]["since"].partition(" UTC")[0] + ".999999Z", until=second)
    assert by_moment["moved"] == shown["moved"]


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"since": "12345678"}, "--since 12345678 is no run that wrote a score since the log begins: write another"),
        ({"since": "123"}, "--since 123: write a run's id, 8 characters of it or more"),
        ({"since": "2026-13-01"}, "--since 2026-13-01: write a moment as 2026-11-28T03:00Z"),
        ({"since": "2999-01-01"}, "--since 2999-01-01 is not before now"),
        ({"until": "2026-01-01"}, "--until 2026-01-01 goes with --since RUN, or a moment"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "--since 2026-01-02 is not before --until 2026-01-01"),
    ],
)
def test_moments_that_are_none_are_one_line(whole: Pipeline, config: dict[str, str], said: str) -> None:
    result = whole.run("report", ["production_impact"], production_impact=config)
    assert failure(result).startswith(said)
