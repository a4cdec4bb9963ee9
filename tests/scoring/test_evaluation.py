"""Evaluation: every figure is what plain loops give, whatever the ranges; planted truths come out as planted."""

import json
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring.analysis import embedding_isolation, evaluation
from jv_scoring.analysis.evaluation_bootstrap import multiplicities
from jv_scoring.analysis.evaluation_figures import positives_needed
from jv_scoring.analysis.evaluation_labels import FEEDBACK_LABELS, OUTCOME_COLUMNS, feedback_map, labelled, outcomes_of
from jv_scoring.analysis.evaluation_metrics import ndcg, wilson, wins
from jv_scoring.analysis.evaluation_rankings import KEPT, RANKINGS
from jv_scoring.columns import round2
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import CURRENT_POLICY, DIMENSIONS, POLICIES, aggregate, match_score, parse_policy
from tests.support import plain_evaluation
from tests.support.score_rows import CUTS, nothing_is_nan

AT = datetime(2026, 2, 17, 12, tzinfo=UTC)
RANDOM = st.randoms(use_true_random=False)
WORDS = (None, "pending", "viewed", " Viewed", "CONTACTED", "connected", "dismissed ", "ghosted", "")
SAID = (None, None, "good", " Great ", "bad", "not a fit", "later", "")


def seeded(seed: int, count: int, profiles: int, policy: str = CURRENT_POLICY) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows as a range file has them, with many equal scores, and the outcomes of most of their matches."""
    rng = random.Random(seed)
    rows = []
    for k in range(count):
        a, b = rng.sample(range(profiles + 1), 2)
        row: dict[str, Any] = {name: float(rng.randint(2, 9)) for name in evaluation.COLUMNS}
        row |= {name: "semantic" for name in row if "_method_" in name}
        row |= {name: None for name in row if "_redistribute_" in name and rng.random() < 0.1}
        row |= {
            "id": sha256(f"{seed} {k}".encode()).hexdigest(),
            "profile_id": f"p{a}",
            "suggested_profile_id": f"p{b}",
        }
        row |= {"policy": policy, "match_score": rng.choice((None, 50.0, 50.25, 61.5, 70.0))}
        scores = of_policy(row, policy)
        rows.append(
            row | {"score_ab": round(scores[0], 2), "score_ba": round(scores[1], 2), "harmonic_mean": scores[2]}
        )
    outcomes = [
        {"id": row["id"], **{name: moment(rng) for name in evaluation_times()}}
        | {"status": rng.choice(WORDS), "user_feedback": rng.choice(SAID)}
        for row in rows
        if rng.random() < 0.95
    ]
    return (
        pd.DataFrame(rows, columns=evaluation.COLUMNS),
        pd.DataFrame(outcomes, columns=["id", *OUTCOME_COLUMNS], dtype=object),
    )


def evaluation_times() -> Sequence[str]:
    return plain_evaluation.TIMES


def moment(rng: random.Random) -> datetime | None:
    """None, or a time up to 60 days before and 5 days after the time of evaluation, some of them just at a limit."""
    if rng.random() < 0.7:
        return None
    return AT + rng.choice((timedelta(days=-30), timedelta(0), timedelta(hours=rng.randint(-60 * 24, 5 * 24))))


def of_policy(row: dict[str, Any], name: str) -> tuple[float, float, float]:
    """Both directions, not rounded, and the match's score, rounded, by the rules for one pair."""
    policy = parse_policy(name)
    sides = []
    for of in DIRECTIONS:
        names = ("intent", f"synergy_{policy.nulls}", f"momentum_{policy.nulls}", "context")
        sides.append(aggregate([row[f"{each}_{of}"] for each in names], policy.aggregation))
    return sides[0], sides[1], round(match_score(*sides), 2)


def stood_of(rows: pd.DataFrame, seed: int) -> pd.DataFrame:
    """What the log says of some of the matches."""
    rng = random.Random(seed)
    found = [
        {"id": match, "policy": rng.choice((CURRENT_POLICY, CURRENT_POLICY, "geometric/impute", None))}
        | {"score_ab": float(rng.randint(40, 44)), "harmonic_mean": rng.choice((41.0, 42.0, 43.0, None))}
        for match in rows["id"]
        if rng.random() < 0.3
    ]
    return pd.DataFrame(found, columns=["id", *evaluation.STOOD])


def plainly(rows: pd.DataFrame, outcomes: pd.DataFrame, stood: pd.DataFrame, policy: str) -> dict[str, Any]:
    words = embedding_isolation.words_only(rows, parse_policy(policy))["harmonic_mean"].tolist()
    by_id = {record["id"]: record for record in outcomes.to_dict("records")}
    logged = {record["id"]: record for record in stood.to_dict("records")}
    matches = []
    for k, read in enumerate(rows.to_dict("records")):
        row = {name: none(value) for name, value in read.items()}
        became = by_id.get(row["id"], dict.fromkeys(OUTCOME_COLUMNS))
        then = logged.get(row["id"])
        nulls = parse_policy(policy).nulls
        dimension = {"synergy": f"synergy_{nulls}_ab", "momentum": f"momentum_{nulls}_ab"}
        values = {name: of_policy(row, name)[2] for name in POLICIES}
        values |= {name: row[dimension.get(name, f"{name}_ab")] for name in DIMENSIONS}
        values |= {"score_ab": row["score_ab"], "match_score": row["match_score"], "word_overlap": words[k]}
        entry = then and (then["policy"], then["score_ab"], none(then["harmonic_mean"]))
        outcome = {name: none(became[name]) for name in OUTCOME_COLUMNS}
        ids = {name: row[name] for name in ("id", "profile_id", "suggested_profile_id")}
        matches.append({**ids, **outcome, "values": values, "stood": entry})
    return plain_evaluation.evaluate(matches, policy, RANKINGS, at=AT, days=30, labels=FEEDBACK_LABELS)


def none(value: Any) -> Any:
    return None if pd.isna(value) else value


def flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict):
        return {at: one for name, part in value.items() for at, one in flat(part, f"{path}/{name}").items()}
    if isinstance(value, list):
        return {at: one for k, part in enumerate(value) for at, one in flat(part, f"{path}/{k}").items()}
    return {path: value}


ROUNDED = ("ndcg_10", "auc_weighted", "effective", "tiers", "tenths")
"""Where a plain sum may differ in the last bit."""


def assert_same(shown: dict[str, Any], expected: dict[str, Any]) -> None:
    one, other = flat(shown), flat(expected)
    assert one.keys() == other.keys()
    for path, value in one.items():
        if isinstance(value, float) and any(name in path for name in ROUNDED):
            assert value == pytest.approx(other[path], rel=1e-12, abs=1e-12), path
        else:
            assert value == other[path], path


# Against plain loops


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.integers(0, 45), st.integers(1, 5), st.sampled_from(list(POLICIES)))
def test_every_figure_is_what_plain_loops_give(seed: int, count: int, profiles: int, policy: str) -> None:
    rows, outcomes = seeded(seed, count, profiles, policy)
    stood = stood_of(rows, seed) if seed % 2 else pd.DataFrame(columns=["id", *evaluation.STOOD])
    shown = evaluation.report(evaluation.tally(rows, outcomes, stood), AT)
    assert nothing_is_nan(shown)
    assert_same(shown["analyses"], plainly(rows, outcomes, stood, policy if count else CURRENT_POLICY))


def test_every_figure_of_many_matches_is_what_plain_loops_give() -> None:
    rows, outcomes = seeded(2, 300, 24)
    stood = pd.DataFrame(columns=["id", *evaluation.STOOD])
    shown = evaluation.report(evaluation.tally(rows, outcomes), AT)
    assert shown["analyses"]["retrospective"]["labels"]["acted"]["verdict"] != "too few"
    assert_same(shown["analyses"], plainly(rows, outcomes, stood, CURRENT_POLICY))


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 20), CUTS, RANDOM)
def test_ranges_merge_to_one_pass(seed: int, cuts: list[int], rng: Any) -> None:
    rows, outcomes = seeded(seed, 45, 5)
    stood = stood_of(rows, seed)
    order = list(range(len(rows)))
    rng.shuffle(order)
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [
        evaluation.tally(rows.iloc[order[first:last]].reset_index(drop=True), outcomes, stood)
        for first, last in pairwise(edges)
    ]
    rng.shuffle(pieces)
    kept = [evaluation.Evaluation.from_json(json.loads(json.dumps(piece.to_json()))) for piece in pieces]
    whole = evaluation.report(evaluation.tally(rows, outcomes, stood), AT)
    assert json.dumps(evaluation.report(evaluation.total(kept), AT)) == json.dumps(whole)


def test_ranges_of_two_policies_do_not_add_up() -> None:
    parts = [evaluation.tally(*seeded(seed, 5, 3, policy)) for seed, policy in enumerate(list(POLICIES)[:2])]
    with pytest.raises(ValueError, match="different policies"):
        evaluation.total(parts)


# Against libraries


@given(
    st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30).filter(
        lambda x: any(p for _, p in x)
    )
)
def test_ndcg_is_what_scikit_learn_gives(matches: list[tuple[int, bool]]) -> None:
    from sklearn.metrics import ndcg_score

    values, ones = np.array([value for value, _ in matches], np.float64), np.array([one for _, one in matches])
    found, profiles = ndcg(np.zeros(len(ones), np.int64), values, ones, 1)
    assert profiles == 1
    assert found == pytest.approx(ndcg_score([ones.astype(float)], [values], k=10), abs=1e-12)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=40).filter(
        lambda x: len({one for _, one in x}) == 2
    )
)
def test_wins_over_pairs_is_the_area_that_scikit_learn_gives(matches: list[tuple[int, bool]]) -> None:
    from sklearn.metrics import roc_auc_score

    values, ones = np.array([value for value, _ in matches], np.float64), np.array([one for _, one in matches])
    (twice,), (pairs,) = wins(np.zeros(len(ones), np.int64), values, ones, 1)
    assert twice / 2 / pairs == pytest.approx(roc_auc_score(ones, values), abs=1e-12)


@pytest.mark.parametrize(("part", "whole"), [(0, 1), (1, 1), (0, 40), (7, 40), (40, 40), (1234, 56789)])
def test_intervals_of_shares_are_what_scipy_gives(part: int, whole: int) -> None:
    from scipy.stats import binomtest

    expected = binomtest(part, whole).proportion_ci(method="wilson")
    assert wilson(part, whole) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize("profiles", [1, 2, 3, 64, 1000, 5001])
def test_draws_are_those_of_one_call(profiles: int) -> None:
    drawn = np.random.default_rng(20260217).integers(0, profiles, (1000, profiles))
    start = 0
    for block in multiplicities(profiles):
        for row in block:
            assert (row == np.bincount(drawn[start], minlength=profiles)).all()
            start += 1
    assert start == 1000


# Outcomes


def outcome(**given: Any) -> pd.DataFrame:
    return pd.DataFrame([dict.fromkeys(OUTCOME_COLUMNS) | given], dtype=object)


def before(days: float) -> datetime:
    return AT - timedelta(days=days)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"status": "pending"}, {}),
        ({"status": " Viewed"}, {"exposed": 1, "undated": 1}),
        ({"status": "connected"}, {"exposed": 1, "undated": 1}),
        ({"viewed_at": before(-0.1)}, {"exposed": 1, "future": 1}),
        ({"viewed_at": before(0)}, {"exposed": 1, "censored": 1}),
        ({"viewed_at": before(29.99)}, {"exposed": 1, "censored": 1}),
        ({"viewed_at": before(30)}, {"exposed": 1, "used": 1}),
        ({"viewed_at": before(1), "status": "DISMISSED"}, {"exposed": 1, "used": 1}),
        ({"viewed_at": before(1), "status": "Contacted"}, {"exposed": 1, "used": 1, "positive": 1}),
        ({"draft_intro_clicked_at": before(1)}, {"exposed": 1, "used": 1, "positive": 1}),
        ({"contacted_at": before(1), "status": "dismissed"}, {"exposed": 1, "used": 1, "positive": 1}),
        ({"feedback_at": before(1)}, {"exposed": 1, "censored": 1}),
    ],
)
def test_who_is_labelled_acted(given: dict[str, Any], expected: dict[str, int]) -> None:
    names = ("exposed", "undated", "future", "censored", "unmapped", "used", "positive")
    found = labelled(outcomes_of(outcome(**given)).rows, "acted", AT)
    assert found.counts == dict.fromkeys(names, 0) | expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"feedback_at": before(1)}, {"exposed": 1}),
        ({"feedback_at": before(1), "user_feedback": " Not A Fit"}, {"exposed": 1, "used": 1}),
        ({"viewed_at": before(1), "user_feedback": "good"}, {"exposed": 1, "used": 1, "positive": 1}),
        ({"viewed_at": before(1), "user_feedback": "later"}, {"exposed": 1, "unmapped": 1}),
        ({"feedback_at": before(-1), "user_feedback": "later"}, {"exposed": 1, "future": 1}),
        ({"status": "viewed", "user_feedback": "good"}, {"exposed": 1, "undated": 1}),
        ({"user_feedback": "good"}, {}),
    ],
)
def test_who_is_labelled_by_feedback(given: dict[str, Any], expected: dict[str, int]) -> None:
    names = ("exposed", "undated", "future", "censored", "unmapped", "used", "positive")
    found = labelled(outcomes_of(outcome(**given)).rows, "feedback", AT)
    assert found.counts == dict.fromkeys(names, 0) | expected


def test_unknown_words_are_counted() -> None:
    found = outcomes_of(
        pd.DataFrame({"status": ["Ghosted", "ghosted ", "viewed", None], "user_feedback": ["meh", "good", None, "MEH"]})
    )
    assert found.unknown_status == {"ghosted": 2}
    assert found.unmapped_feedback == {"meh": 2}
    assert found.missing == ("viewed_at", "contacted_at", "draft_intro_clicked_at", "feedback_at")


def test_what_a_person_wrote_freely_is_counted_and_not_repeated() -> None:
    rows, outcomes = seeded(3, 12, 4)
    said = ["later"] * 3 + ["call me"] * 2 + ["a long story of a person and how to reach them"] * 3
    outcomes = pd.DataFrame({"id": rows["id"][:8], "user_feedback": said, "status": ["ghosted"] * 8})
    shown = evaluation.report(evaluation.tally(rows, outcomes), AT)
    assert shown["unmapped_feedback"] == {"later": 3, "other texts": 5}
    assert shown["unknown_status"] == {"ghosted": 8}


def test_without_any_outcome_column_there_are_too_few() -> None:
    rows, outcomes = seeded(3, 30, 4)
    shown = evaluation.report(evaluation.tally(rows, outcomes[["id"]]), AT)
    assert shown["missing_columns"] == list(OUTCOME_COLUMNS)
    assert nothing_is_nan(shown)
    for analysis in shown["analyses"].values():
        for label in analysis["labels"].values():
            assert (label["exposed"], label["verdict"]) == (0, "too few")
            assert [record["ranking"] for record in label["rankings"]] == list(RANKINGS)


def test_labels_of_feedback_are_stripped_and_lower_cased() -> None:
    assert feedback_map({" Yes ": 1, "no": 0.0}) == {"yes": 1, "no": 0}


@pytest.mark.parametrize("labels", [[], "good", None, {"good": 2}, {"good": True}, {"good": "1"}, {"a": 1, "A ": 0}])
def test_what_is_no_map_of_feedback_is_refused(labels: object) -> None:
    with pytest.raises(ValueError):
        feedback_map(labels)


# Planted truths


def planted(profiles: int, score: Any, acted: Any) -> dict[str, Any]:
    """The label `acted` where every profile has ten matches; score and label are functions of profile and place."""
    rows, outcomes = [], []
    for p in range(profiles):
        for k in range(10):
            row: dict[str, Any] = dict.fromkeys(evaluation.COLUMNS, 6.0)
            row |= {"id": f"m{p:03}-{k}", "profile_id": f"p{p:03}", "suggested_profile_id": f"q{k}"}
            level = score(p, k)
            row |= {f"{name}_{of}": level for name in ("intent", "context") for of in DIRECTIONS}
            row |= {f"{name}_{null}_{of}": level for name in ("synergy", "momentum") for of in DIRECTIONS
                    for null in ("impute", "redistribute")}  # fmt: skip
            rows.append(row | {"policy": CURRENT_POLICY, "match_score": 50.0 + k})
            when = before(40)
            outcomes.append(outcome(viewed_at=when, contacted_at=when if acted(p, k) else None).assign(id=row["id"]))
    shown = evaluation.report(evaluation.tally(pd.DataFrame(rows), pd.concat(outcomes)), AT)
    assert nothing_is_nan(shown)
    found: dict[str, Any] = shown["analyses"]["retrospective"]["labels"]["acted"]
    return found


def ranking(label: dict[str, Any], name: str) -> dict[str, Any]:
    return next(record for record in label["rankings"] if record["ranking"] == name)


def test_a_perfect_score_predicts() -> None:
    found = planted(25, lambda p, k: 1.0 + k / 2, lambda p, k: k >= 7)
    current = ranking(found, CURRENT_POLICY)
    assert found["verdict"] == "predicts"
    assert (current["auc_within"], current["low"], current["high"], current["ndcg_10"]) == (1, 1, 1, 1)
    assert (current["pairs"], current["profiles"]) == (25 * 21, 25)
    assert ranking(found, "match_score")["compared"] == "no difference shown"
    assert ranking(found, "random")["compared"] == "worse"
    assert found["auc_weighted"] == 1
    assert found["effective"] == 250


def test_a_score_upside_down_misleads() -> None:
    found = planted(25, lambda p, k: 8.0 - k / 2, lambda p, k: k >= 7)
    assert found["verdict"] == "misleads"
    assert ranking(found, CURRENT_POLICY)["auc_within"] == 0
    assert ranking(found, "match_score")["compared"] == "better"


def test_one_score_for_all_is_no_evidence() -> None:
    found = planted(25, lambda p, k: 5.0, lambda p, k: k >= 7)
    assert found["verdict"] == "no evidence"
    assert ranking(found, CURRENT_POLICY)["auc_within"] == 0.5
    assert [(each["from"], each["used"]) for each in found["tenths"]] == [(50.0, 250)]


def test_popular_people_alone_are_not_taken_for_prediction() -> None:
    """Between profiles the score tells all, within a profile nothing."""
    found = planted(40, lambda p, k: 8.0 if p < 20 else 3.0, lambda p, k: (k + p) % 10 < (9 if p < 20 else 1))
    current = ranking(found, CURRENT_POLICY)
    assert current["auc_within"] == 0.5
    assert current["auc_pooled"] == pytest.approx(0.9)
    assert found["verdict"] == "no evidence"


@pytest.mark.parametrize("label", [True, False])
def test_one_label_alone_is_too_few(label: bool) -> None:
    found = planted(25, lambda p, k: 1.0 + k / 2, lambda p, k: label)
    assert found["verdict"] == "too few"
    assert (found["used"], found["positive"]) == (250, 250 * label)
    current = ranking(found, CURRENT_POLICY)
    assert current["auc_within"] is current["low"] is current["high"] is current["auc_pooled"] is None
    assert current["profiles"] == current["pairs"] == 0
    assert (current["ndcg_10"], current["ndcg_profiles"]) == ((1.0, 25) if label else (None, 0))


@pytest.mark.parametrize(("profiles", "verdict"), [(19, "too few"), (20, "predicts")])
def test_so_many_profiles_are_enough(profiles: int, verdict: str) -> None:
    assert planted(profiles, lambda p, k: 1.0 + k / 2, lambda p, k: k >= 7)["verdict"] == verdict


@pytest.mark.parametrize(("more", "verdict"), [(9, "too few"), (10, "predicts")])
def test_so_many_matches_are_enough(more: int, verdict: str) -> None:
    found = planted(40, lambda p, k: 1.0 + k / 2, lambda p, k: k == 9 or (k == 8 and p < more))
    assert (found["positive"], found["verdict"]) == (40 + more, verdict)


def test_a_profile_that_stands_in_all_matches_is_one_profile() -> None:
    rows, outcomes = seeded(5, 200, 30)
    shown = evaluation.report(evaluation.tally(rows.assign(profile_id="everybody"), outcomes), AT)
    found = shown["analyses"]["retrospective"]["labels"]["acted"]
    current = ranking(found, CURRENT_POLICY)
    assert found["verdict"] == "too few"
    assert current["profiles"] == 1
    assert current["auc_within"] == current["auc_pooled"] == current["low"] == current["high"]
    assert nothing_is_nan(shown)


def test_scores_under_every_policy_are_those_of_the_rules() -> None:
    rows, _ = seeded(7, 40, 5)
    outcomes = pd.DataFrame({"id": rows["id"], "viewed_at": AT})
    kept = evaluation.tally(rows, outcomes).rows
    for name in POLICIES:
        expected = [
            of_policy({at: none(value) for at, value in row.items()}, name)[2] for row in rows.to_dict("records")
        ]
        assert round2(kept[name].to_numpy()).tolist() == expected
    assert set(KEPT) < set(kept)


def test_fewer_matches_are_needed_for_more_even_labels() -> None:
    assert positives_needed(0.5) < positives_needed(0.9)
    assert positives_needed(0.01) == 50
