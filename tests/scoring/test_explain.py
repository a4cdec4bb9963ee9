"""Explanations add up: the waterfall to the score, nulls to the other null treatment, what-ifs to the rules."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jv_scoring import POLICIES
from jv_scoring.explain import direction_score, explain_pair, null_cost, null_costs, waterfall, with_changes
from jv_scoring.policy import DIMENSION_WEIGHTS, DIMENSIONS, aggregate, parse_policy
from jv_scoring.reference import score_pair
from tests.support.profile_strategies import PROFILES, Profile

NAMES = st.sampled_from(sorted(POLICIES))
SCORES = st.one_of(st.floats(0, 10), st.integers(0, 1000).map(lambda hundredths: hundredths / 100))
DIMENSION_SCORES = st.fixed_dictionaries(
    dict.fromkeys(("intent", "synergy", "context"), SCORES) | {"momentum": st.none() | SCORES}
)
FULL: Profile = {"audience_engagement_score": 0.8, "social_reach": 20_000, "current_projects": "a summit in May",
                 "list_size": 20_000, "revenue_tier": "premium"}  # fmt: skip


def score_of(dimensions: dict[str, float | None], policy: str) -> float:
    return aggregate([dimensions[name] for name in DIMENSIONS], parse_policy(policy).aggregation)


@given(DIMENSION_SCORES, NAMES)
def test_what_the_dimensions_cost_adds_up(dimensions: dict[str, float | None], policy: str) -> None:
    steps, score = waterfall(dimensions, policy), score_of(dimensions, policy)
    assert [step.dimension for step in steps] == [name for name in DIMENSIONS if dimensions[name] is not None]
    assert math.isclose(100 - sum(step.lost for step in steps), score, abs_tol=1e-9)
    assert math.isclose(sum(step.weight for step in steps), 1)
    assert steps[-1].left == score
    left = 100.0
    for step in steps:
        assert step.lost >= 0
        assert step.lost == 0 if step.score == 10 else step.lost > 0 or score > 100 - 1e-9
        left -= step.lost
        assert math.isclose(step.left, left, abs_tol=1e-9)


@given(DIMENSION_SCORES, NAMES, st.sampled_from(DIMENSIONS), SCORES)
def test_a_lower_dimension_costs_more(
    dimensions: dict[str, float | None], policy: str, name: str, other: float
) -> None:
    if dimensions[name] is None:
        return
    low, high = (dimensions | {name: score} for score in sorted((dimensions[name] or 0.0, other)))
    lost = [next(step.lost for step in waterfall(case, policy) if step.dimension == name) for case in (high, low)]
    assert lost[0] <= lost[1] + 1e-9


def test_of_equal_dimensions_each_costs_its_weight() -> None:
    for policy in POLICIES:
        for step in waterfall(dict.fromkeys(DIMENSIONS, 4.0), policy):
            assert math.isclose(step.lost, 60 * DIMENSION_WEIGHTS[step.dimension])


def test_the_spaces_of_the_three_means() -> None:
    """By hand, of Intent 5 and Momentum 2: the further from linear, the more the weaker one is to blame."""
    dimensions = {"intent": 5.0, "synergy": 10.0, "momentum": 2.0, "context": 10.0}

    def lost(policy: str) -> dict[str, float]:
        return {step.dimension: round(step.lost, 2) for step in waterfall(dimensions, policy)}

    assert lost("arithmetic/impute") == {"intent": 22.5, "synergy": 0.0, "momentum": 16.0, "context": 0.0}
    # ln(10/5) * 0.45 = 0.3119 and ln(10/2) * 0.20 = 0.3219, of 100 - 53.06
    assert lost("geometric/impute") == {"intent": 23.10, "synergy": 0.0, "momentum": 23.84, "context": 0.0}
    # (1/5 - 1/10) * 0.45 = 0.045 and (1/2 - 1/10) * 0.20 = 0.080, of 100 - 44.44
    assert lost("harmonic/impute") == {"intent": 20.0, "synergy": 0.0, "momentum": 35.56, "context": 0.0}


def test_nothing_is_lost_of_perfect_tens_and_all_but_all_by_a_zero() -> None:
    for policy in POLICIES:
        assert [step.lost for step in waterfall(dict.fromkeys(DIMENSIONS, 10.0), policy)] == [0.0] * 4
    steps = waterfall({"intent": 10.0, "synergy": 10.0, "momentum": 10.0, "context": 0.0}, "harmonic/impute")
    assert [round(step.lost, 6) for step in steps] == [0.0, 0.0, 0.0, 100.0]
    assert waterfall(dict.fromkeys(DIMENSIONS)) == []


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="policy best/impute is unknown"):
        waterfall(dict.fromkeys(DIMENSIONS, 5.0), "best/impute")


@given(PROFILES, PROFILES, NAMES)
def test_what_nulls_cost_is_what_the_rules_say(a: Profile, b: Profile, policy: str) -> None:
    scored = score_pair(a, b, policy)
    aggregation = parse_policy(policy).aggregation
    imputed, redistributed = (score_pair(a, b, f"{aggregation}/{nulls}") for nulls in ("impute", "redistribute"))
    assert direction_score(scored.breakdown_ab, policy) == scored.score_ab
    costs = null_costs(scored.breakdown_ab, policy)
    for cost in costs:
        assert cost.score == scored.score_ab
        assert cost.score == (cost.neutral if policy.endswith("impute") else cost.left_out)
        assert cost.at_ten >= max(cost.neutral, cost.score)
    missing = {name for cost in costs for name in cost.factors}
    if not missing:
        assert imputed.score_ab == redistributed.score_ab
        return
    assert set(costs[-1].factors) == missing
    assert (costs[-1].neutral, costs[-1].left_out) == (imputed.score_ab, redistributed.score_ab)


def test_factors_with_data_are_not_among_the_nulls() -> None:
    assert null_costs(score_pair(FULL, FULL).breakdown_ab) == []
    (cost,) = null_costs(score_pair(FULL, FULL | {"list_size": 0}).breakdown_ab)
    assert cost.factors == ("List Size",)
    assert cost.left_out > cost.score  # imputed as 3, below the others' mean
    assert null_cost(score_pair(FULL, FULL).breakdown_ab, "harmonic/impute", ["List Size"]).neutral < cost.left_out


def test_a_momentum_of_nulls_can_only_be_left_out_whole() -> None:
    bare = score_pair({}, {}, "harmonic/redistribute")
    costs = null_costs(bare.breakdown_ab, "harmonic/redistribute")
    assert [cost.factors for cost in costs[:-1]] == [
        ("Revenue Tier",), ("Audience Engagement",), ("Social Reach",), ("Active Projects",), ("List Size",)
    ]  # fmt: skip
    assert {cost.left_out for cost in costs} == {bare.score_ab}
    assert costs[1].at_ten > costs[1].neutral > bare.score_ab  # even the neutral 4 is above the other dimensions


@given(PROFILES, PROFILES, NAMES, st.fixed_dictionaries({}, optional={
    "current_projects": st.sampled_from(["", "a summit in May"]), "list_size": st.integers(0, 200_000),
    "network_role": st.sampled_from(["Coach", "Affiliate"]), "booking_link": st.sampled_from([None, "https://x.org"]),
}))  # fmt: skip
def test_a_what_if_is_the_score_of_the_changed_profile(
    a: Profile, b: Profile, policy: str, changes: dict[str, Any]
) -> None:
    explained = explain_pair(a, b, policy, changes=changes)
    assert explained.before == score_pair(a, b, policy)
    assert explained.after == score_pair(a, b | changes, policy)
    assert explain_pair(a, b, policy, changes_a=changes).after == score_pair(a | changes, b, policy)


def test_an_edited_text_does_not_keep_its_vector() -> None:
    vector = np.ones(4)
    profile = {"seeking": "podcast hosts", "embedding_seeking": vector, "niche": "health"}
    assert with_changes(profile, {"seeking": "affiliates"})["embedding_seeking"] is None
    assert with_changes(profile, {"seeking": " podcast hosts\n"})["embedding_seeking"] is vector
    assert with_changes(profile, {"niche": "wealth"})["embedding_seeking"] is vector
    assert with_changes(profile, {"seeking": "affiliates", "embedding_seeking": [1.0]})["embedding_seeking"] == [1.0]
    assert profile["embedding_seeking"] is vector
