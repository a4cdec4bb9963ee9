"""The average waterfall: what the explanation of each direction says, summed in a plain loop; two matches by hand."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import CURRENT_POLICY, POLICIES
from jv_scoring.analysis.momentum_bottleneck import COLUMNS, report, tally
from jv_scoring.analysis.stored import GROUPS
from jv_scoring.analysis.waterfall import BEST
from jv_scoring.engine import DIRECTIONS
from jv_scoring.explain import waterfall
from jv_scoring.factors import NO_DATA
from jv_scoring.policy import DIMENSION_WEIGHTS, DIMENSIONS, aggregate, parse_policy
from jv_scoring.reference import score_pair, weighted_mean
from jv_scoring.roles import ROLES
from tests.support.score_rows import nothing_is_nan, population, scored_rows

G = {"harmonic": lambda s: 1 / s, "geometric": lambda s: -math.log(s), "arithmetic": lambda s: -s}


def by_name(records: list[dict[str, Any]], name: str, value: str) -> dict[str, float]:
    return {each[name]: each[value] for each in records}


def plain(seed: int, policy: str) -> tuple[dict[str, float], dict[str, float], dict[str, float], float]:
    """Points lost against 10 and against the best, by factor, and won by raising a dimension: means over directions."""
    profiles, places = population(seed, 5)
    aggregation = parse_policy(policy).aggregation
    tops = [weighted_mean([BEST[f.column] for f in group], [f.weight for f in group]) for group in GROUPS.values()]
    lost, short, raised = (dict.fromkeys(names, 0.0) for names in (BEST, BEST, DIMENSIONS))
    breakdowns = [
        getattr(score_pair(profiles[a], profiles[b], policy), f"breakdown_{of}") for a, b in places for of in DIRECTIONS
    ]
    for breakdown in breakdowns:
        scores = {name: breakdown[name]["score"] for name in DIMENSIONS}
        for step in waterfall(scores, policy):
            split(lost, breakdown, step.dimension, step.lost, dict.fromkeys(BEST, 10.0))
        now, best = aggregate(list(scores.values()), aggregation), aggregate(tops, aggregation)
        parts = {
            name: DIMENSION_WEIGHTS[name] * max(0.0, G[aggregation](scores[name]) - G[aggregation](top))
            for name, top in zip(DIMENSIONS, tops, strict=True)
            if scores[name] is not None
        }
        for name, part in parts.items():
            if part:
                split(short, breakdown, name, max(0.0, best - now) * part / sum(parts.values()), BEST)
        for name, top in zip(DIMENSIONS, tops, strict=True):
            higher = scores | {name: max(top, scores[name] or 0.0)}
            raised[name] += max(0.0, aggregate(list(higher.values()), aggregation) - now)
    count = len(breakdowns)
    means = [{name: value / count for name, value in each.items()} for each in (lost, short, raised)]
    return means[0], means[1], means[2], count


def split(lost: dict[str, float], breakdown: Any, dimension: str, points: float, limits: dict[str, float]) -> None:
    """Add what each factor of a dimension costs."""
    parts = {}
    for factor, of in zip(GROUPS[dimension], breakdown[dimension]["factors"], strict=True):
        left_out = of["score"] is None or (of["detail"] == NO_DATA and of["weight"] == 0)
        parts[factor.column] = 0.0 if left_out else factor.weight * max(0.0, limits[factor.column] - of["score"])
    for name, part in parts.items():
        lost[name] += points * part / sum(parts.values()) if sum(parts.values()) else 0.0


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 1000), st.sampled_from(list(POLICIES)))
def test_the_waterfall_is_what_a_plain_loop_over_explanations_gives(seed: int, policy: str) -> None:
    lost, short, raised, count = plain(seed, policy)
    found = report(tally(scored_rows(*population(seed, 5), policy)))["waterfall"]
    assert nothing_is_nan(found)
    assert found["directions"] == count
    assert by_name(found["factors"], "factor", "lost") == pytest.approx(lost, abs=2e-3)
    assert by_name(found["factors"], "factor", "lost_to_best") == pytest.approx(short, abs=2e-3)
    assert by_name(found["dimensions"], "dimension", "raised") == pytest.approx(raised, abs=2e-3)
    for name, group in GROUPS.items():
        (of,) = [each for each in found["dimensions"] if each["dimension"] == name]
        assert of["lost"] == pytest.approx(sum(lost[each.column] for each in group), abs=4e-3)


@pytest.mark.parametrize("policy", list(POLICIES))
def test_what_is_lost_and_the_mean_score_make_a_hundred(policy: str) -> None:
    rows = scored_rows(*population(4), policy)
    found = report(tally(rows))["waterfall"]
    lost = sum(each["lost"] for each in found["dimensions"])
    assert lost + rows[["score_ab", "score_ba"]].to_numpy().mean() == pytest.approx(100, abs=0.01)
    assert sum(each["lost"] for each in found["factors"]) == pytest.approx(lost)


def test_two_matches_by_hand() -> None:
    """Arithmetic: Intent 4 of 10 costs .45 * 60, Momentum 8 costs .2 * 20; all else is perfect. A lost Intent wins
    most: its best is 8.69."""
    rows = pd.DataFrame([dict.fromkeys(COLUMNS, 10.0)] * 2)
    for direction in DIRECTIONS:
        rows[f"intent_{direction}"] = 4.0
        rows[[f"{each.column}_{direction}" for each in GROUPS["intent"]]] = 4.0
        rows[[f"momentum_{nulls}_{direction}" for nulls in ("impute", "redistribute")]] = 8.0
        rows[[f"{each.column}_{direction}" for each in GROUPS["momentum"]]] = 8.0
    found = report(tally(rows.assign(policy="arithmetic/impute")))["waterfall"]
    assert by_name(found["dimensions"], "dimension", "lost") == pytest.approx(
        {"intent": 27, "synergy": 0, "momentum": 4, "context": 0}
    )
    assert by_name(found["dimensions"], "dimension", "costliest_share") == {
        "intent": 1, "synergy": 0, "momentum": 0, "context": 0,
    }  # fmt: skip
    assert by_name(found["dimensions"], "dimension", "raised")["intent"] == pytest.approx(4.5 * (8.88 - 4), abs=0.02)
    factors = by_name(found["factors"], "factor", "lost")
    assert factors["jv_history"] == pytest.approx(27 * 4 / 13)
    assert factors["list_size"] == pytest.approx(1)


def test_no_profile_scores_above_the_best_attainable_and_one_reaches_it() -> None:
    perfect: dict[str, Any] = dict.fromkeys(
        ("bio", "what_you_do", "who_you_serve", "offering", "seeking", "niche", "company", "website", "booking_link",
         "linkedin", "audience_type", "name", "email", "phone", "signature_programs"), "coaching for founders"
    )  # fmt: skip
    perfect |= {"tags": ["a"], "content_platforms": ["b"], "jv_history": [1, 2, 3], "revenue_tier": "premium"}
    perfect |= {"audience_engagement_score": 1.0, "social_reach": 10**6, "list_size": 10**6}
    perfect |= {"current_projects": "a launch next spring"}
    best = dict.fromkeys(BEST, 0.0)
    for role in ROLES:
        for other in ROLES:
            scored = score_pair(perfect | {"network_role": role}, perfect | {"network_role": other})
            for name, group in GROUPS.items():
                for factor, of in zip(group, scored.breakdown_ab[name]["factors"], strict=True):
                    best[factor.column] = max(best[factor.column], of["score"])
    assert best == BEST
    for seed in range(4):
        rows = scored_rows(*population(seed))
        for name, limit in BEST.items():
            assert np.nanmax(rows[[f"{name}_{of}" for of in DIRECTIONS]].to_numpy(np.float64), initial=0) <= limit


def test_of_no_match_nothing_is_lost() -> None:
    rows = scored_rows(*population(1)).head(0)
    found = report(tally(rows))["waterfall"]
    assert found["directions"] == 0
    assert {each["lost"] for each in (*found["dimensions"], *found["factors"])} == {None}
    assert found["best"] == report(tally(scored_rows(*population(1), CURRENT_POLICY)))["waterfall"]["best"]
