"""What production held a day ago against now: by plain SQL before and after, through runs that were cut and resumed."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from jv_assets.automation.schedules import NIGHTLY
from jv_assets.partitions import ID_RANGES
from jv_scoring.analysis.production_impact import Impact
from jv_scoring.analysis.production_impact_report import report
from jv_scoring.analysis.tallies import total
from tests.support.pipelines import Pipeline, nightly_done

KEYS = list(ID_RANGES.get_partition_keys())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("impact")) as pipeline:
        yield pipeline


@pytest.fixture(autouse=True)
def two_days_pass(whole: Pipeline) -> None:
    whole.sql("UPDATE jv.replaced_scores SET replaced_at = replaced_at - interval '2 days'")


def stored(pipeline: Pipeline) -> dict[str, float]:
    rows = pipeline.sql("SELECT id::text, harmonic_mean::float8 AS score FROM match_suggestions")
    return {row["id"]: row["score"] for row in rows if row["score"] is not None}


def impact(pipeline: Pipeline, **config: Any) -> dict[str, Any]:
    assert pipeline.run("report", ["production_impact"], production_impact=config).success
    read = (pipeline.files.read("production_impact", key, ["tally"])["tally"].iloc[0] for key in KEYS)
    return report(total(Impact.from_json(json.loads(text)) for text in read))


def pieces(shown: dict[str, Any], scale: str = "same policy") -> dict[str, float]:
    return {each["piece"]: each["points"] for each in shown["attribution"] if each["scale"] == scale}


def test_nothing_changed(whole: Pipeline) -> None:
    shown = impact(whole)
    count = len(stored(whole))
    assert shown["states"] == {"same": count, "policy": 0, "version": 0, "new": 0, "gone": 0}
    assert shown["moved"]["unchanged"] == count
    assert set(pieces(shown).values()) == {0}


def test_all_that_changed_through_a_run_that_was_cut_and_resumed(whole: Pipeline) -> None:
    before = stored(whole)
    whole.sql("DELETE FROM match_suggestions WHERE id = CAST(:id AS uuid)", id=min(before))
    whole.sql(
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) "
        "SELECT gen_random_uuid(), suggested_profile_id, profile_id FROM match_suggestions "
        "WHERE harmonic_mean IS NOT NULL ORDER BY id LIMIT 1"
    )
    whole.sql(
        "UPDATE profiles SET list_size = 250000, audience_engagement_score = 0.9 "
        "WHERE id IN (SELECT id FROM profiles ORDER BY id LIMIT 40)"
    )
    whole.sql(
        "UPDATE profiles SET seeking = 'people who keep bees on roofs' WHERE id IN "
        "(SELECT id FROM profiles WHERE length(seeking) > 20 ORDER BY id DESC LIMIT 10)"
    )
    dry = whole.run("nightly", NIGHTLY, published_scores={"dry_run": True})
    assert dry.success
    expected = impact(whole)
    assert stored(whole).keys() == before.keys() - {min(before)}
    assert whole.run(assets=["published_scores"], first="0", last="4").success
    assert impact(whole) == expected
    assert whole.run().success
    shown = impact(whole)
    assert shown == expected

    after = stored(whole)
    both = before.keys() & after.keys()
    states = {"same": len(both), "policy": 0, "version": 0, "new": 1, "gone": 1}
    assert shown["states"] == states
    change = {match: round(after[match] - before[match], 2) for match in both}
    assert shown["moved"]["raised"] == sum(points > 0 for points in change.values()) > 50
    assert shown["moved"]["rescued"] == sum(before[match] < 60 <= after[match] for match in both)
    best = sorted(both, key=lambda match: (-change[match], match))[:20]
    assert [each["id"] for each in shown["gains"]] == [match for match in best if change[match] > 0]
    found = pieces(shown)
    mean_before, mean_now = (sum(of.values()) / len(of) for of in (before, after))
    assert sum(found.values()) == pytest.approx(mean_now - mean_before, abs=1e-9)
    of_both = found["texts and vectors"] + found["other profile data"]
    assert of_both == pytest.approx(sum(change.values()) / len(both), abs=1e-9)
    assert found["texts and vectors"] != 0 != found["other profile data"]
    assert found["policy"] == found["not attributed"] == 0


def test_another_policy_is_another_scale(whole: Pipeline) -> None:
    before = stored(whole)
    switch = {"switch_policy": True, "accept_shift": True}
    assert whole.run(match_scores={"policy": "geometric/impute"}, published_scores=switch).success
    shown = impact(whole)
    of_earlier = shown["states"].pop("gone")  # by the test before: what vanished today
    assert shown["states"] == {"same": 0, "policy": len(before), "version": 0, "new": 0}
    assert of_earlier <= 1
    assert shown["gains"] == shown["losses"] == []
    after = stored(whole)
    found = pieces(shown, "any policy")
    assert found["policy"] == pytest.approx(
        sum(after[match] - before[match] for match in before) / len(before), abs=1e-9
    )
    assert found["texts and vectors"] == found["other profile data"] == found["not attributed"] == 0
    assert impact(whole, hours=1)["states"]["policy"] == len(before)


def test_hours_out_of_bounds_are_one_line(whole: Pipeline) -> None:
    result = whole.run("report", ["production_impact"], production_impact={"hours": 0})
    assert not result.success
