"""A candidate beside production: zero differences of the same scores, and a planted fault found where it is."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from jv_assets.trials.criteria import FAIL, NOT_ENOUGH, OUTCOMES, PASS, Night, hash_of, judge, verdict, written_down
from jv_scoring.analysis.momentum_options_trap import share_at_risk
from jv_scoring.analysis.trial_scores import ALL, NO_MOMENTUM, NO_VECTORS, OTHER_ROLES, Beside, segments, ties

PROFILES, MATCHES = 400, 12_000
ROLES = np.array(["Coach", "Host", "Author", "Agency", "Speaker", "Editor", "Vendor", None], object)


@pytest.fixture(scope="module")
def roles() -> Any:
    """By profile; so few are editors that they count among the other roles."""
    return np.array([ROLES[5] if k == 0 else ROLES[k % 8 if k % 8 != 5 else 0] for k in range(PROFILES)], object)


def drawn() -> Beside:
    rng = np.random.default_rng(7)
    a = rng.integers(0, PROFILES, MATCHES)
    b = (a + 1 + rng.integers(0, PROFILES - 1, MATCHES)) % PROFILES
    production = np.round(rng.uniform(20, 90, MATCHES), 2)
    flags = rng.random((2, MATCHES)) < np.array([[0.2], [0.05]])
    return Beside(a.astype(np.int32), b.astype(np.int32), production, production.copy(), *flags)


def figures(beside: Beside, roles: Any, **more: Any) -> dict[str, Any]:
    """A night's; what is not about ties holds."""
    even = {"production": 0.5, "candidate": 0.5}
    outcomes = [
        {"label": "acted", "enough": True, "difference": 0.0, "difference_low": 0.0, "difference_high": 0.0},
    ]
    found = {"segments": ties(beside, roles), "outcomes": outcomes}
    return found | {"congestion": even, "trap": even, "missing_data": even} | more


def nights(of: dict[str, Any], count: int = 7, **more: Any) -> list[Night]:
    first = date(2026, 11, 1)
    values = {"policy": "harmonic/impute", "version": "v", "why_not_complete": None} | more
    return [Night(f"run{k}", first + timedelta(days=k), figures=of, **values) for k in range(count)]


def test_the_same_scores_pass_every_criterion_with_zero_differences(roles: Any) -> None:
    found = judge(written_down(7), nights(figures(drawn(), roles)))
    assert {each.state for each in found} == {PASS}
    assert verdict(found) == PASS
    names = {each.segment for each in found}
    assert {ALL, NO_MOMENTUM, NO_VECTORS, "role Coach", "role unknown", ""} <= names
    assert "role Editor" not in names
    exact = {"rank correlation": 1.0, "best 10 kept beyond chance": 1.0}
    for each in found[1:]:
        assert set(each.figures.values()) == {exact.get(each.criterion, 0.0)}
        assert len(each.figures) == 7


@pytest.mark.parametrize("segment", ["role Host", "role unknown", NO_VECTORS])
def test_scores_shuffled_in_a_segment_fail_there_and_nowhere_else(roles: Any, segment: str) -> None:
    beside = drawn()
    chosen = np.flatnonzero(dict(segments(beside, roles))[segment])
    beside.candidate[chosen] = beside.candidate[np.random.default_rng(1).permutation(chosen)]
    found = judge(written_down(7), nights(figures(beside, roles)))
    assert verdict(found) == FAIL
    assert {each.segment for each in found if each.state != PASS} == {segment}


def test_a_segment_is_judged_if_it_has_enough_and_small_roles_together(roles: Any) -> None:
    beside = drawn()
    sizes = {name: int(chosen.sum()) for name, chosen in segments(beside, roles)}
    assert min(sizes.values()) >= 100
    assert OTHER_ROLES not in sizes  # The matches of one editor are too few.
    few = beside.taken(np.arange(MATCHES) < 600)
    sizes = {name: int(chosen.sum()) for name, chosen in segments(few, roles)}
    assert OTHER_ROLES in sizes
    assert NO_VECTORS not in sizes
    assert list(segments(beside.taken(np.zeros(MATCHES, np.bool_)), roles)) == []


def test_no_night_and_few_nights_are_not_enough(roles: Any) -> None:
    (only,) = judge(written_down(7), [])
    assert (only.state, only.limit) == (NOT_ENOUGH, "0 of 7")
    good = figures(drawn(), roles)
    found = judge(written_down(7), nights(good, 6))
    assert [each.criterion for each in found if each.state != PASS] == ["complete nights"]
    assert verdict(found) == NOT_ENOUGH
    cut = [*nights(good, 6), *nights({}, 9, why_not_complete="4 ranges have no scores")[6:]]
    found = judge(written_down(7), cut)
    assert found[0].why == "1 more to come; the last night does not count: 4 ranges have no scores"
    twice = nights(good, 6) + nights(good, 6)
    assert judge(written_down(7), twice)[0].limit == "6 of 7"  # Two runs of a day are one night.


def test_nights_under_other_rules_of_production_do_not_count(roles: Any) -> None:
    good = figures(drawn(), roles)
    switched = nights(good, 5) + nights(good, 8, policy="geometric/impute")[5:]
    assert judge(written_down(7), switched)[0].limit == "3 of 7"


@pytest.mark.parametrize(
    ("outcomes", "state", "why"),
    [
        ([], NOT_ENOUGH, "no evidence of better: too few outcomes"),
        ([("acted", False, 0.3, 0.2, 0.4)], NOT_ENOUGH, "no evidence of better: too few outcomes"),
        ([("acted", True, -0.05, -0.08, -0.01)], FAIL, "acted: -0.050 (95 % -0.080 to -0.010)"),
        ([("acted", True, -0.01, -0.06, 0.04)], NOT_ENOUGH, "acted: -0.010 (95 % -0.060 to +0.040)"),
        ([("acted", True, 0.01, -0.01, 0.03)], PASS, "acted: +0.010 (95 % -0.010 to +0.030)"),
        ([("acted", True, 0.05, 0.01, 0.09), ("feedback", True, -0.2, -0.3, -0.1)], FAIL, "acted: +0.050"),
    ],
)
def test_outcomes_are_a_pass_only_with_evidence(roles: Any, outcomes: Any, state: str, why: str) -> None:
    names = ("label", "enough", "difference", "difference_low", "difference_high")
    records = [dict(zip(names, each, strict=True)) for each in outcomes]
    found = judge(written_down(7), nights(figures(drawn(), roles, outcomes=records)))
    (judged,) = [each for each in found if each.criterion == OUTCOMES]
    assert judged.state == state
    assert judged.why.startswith(why)
    assert verdict(found) == state


@pytest.mark.parametrize(
    ("name", "candidate", "state"),
    [("congestion", 0.515, PASS), ("congestion", 0.53, FAIL), ("trap", 0.54, PASS), ("trap", 0.56, FAIL),
     ("missing_data", 0.54, PASS), ("missing_data", 0.56, FAIL), ("missing_data", None, NOT_ENOUGH)],
)  # fmt: skip
def test_a_rise_beyond_its_limit_fails(roles: Any, name: str, candidate: float | None, state: str) -> None:
    more = {name: {"production": 0.5, "candidate": candidate}}
    assert verdict(judge(written_down(7), nights(figures(drawn(), roles, **more)))) == state


def test_one_bad_night_of_seven_fails(roles: Any) -> None:
    bad = figures(drawn(), roles, trap={"production": 0.1, "candidate": 0.9})
    seven = [*nights(bad, 1), *nights(figures(drawn(), roles))[1:]]
    assert verdict(judge(written_down(7), seven)) == FAIL
    eight = [*nights(bad, 1), *nights(figures(drawn(), roles), 8)[1:]]
    assert verdict(judge(written_down(7), eight)) == PASS  # It is no more among the last seven.


def test_criteria_have_one_hash_whatever_the_order() -> None:
    criteria = written_down(7)
    assert hash_of(dict(reversed(criteria.items()))) == hash_of(criteria)
    assert hash_of(criteria | {"trap_rise": 0.06}) != hash_of(criteria)
    assert hash_of(written_down(8)) != hash_of(criteria)


def test_a_true_value_lowers_under_either_null_treatment() -> None:
    unknown = np.nan
    # A row for each field. The first profile knows all fields, so their values are observed; the last one knows none.
    scores = np.array(
        [[2.0, unknown, 9.0, unknown], [9.0, 5.0, unknown, unknown], [8.0, 8.0, 8.0, unknown], [9.0, 9.0, 9.0, unknown]]
    )
    # 2 lowers the second profile, and 5 the third one, which has 8.7 without it.
    assert share_at_risk(scores, "redistribute") == (2, 1.0)
    # Only 2 is below the neutral score, 4 and 3, that stands for no data.
    assert share_at_risk(scores, "impute") == (2, 0.5)
    assert share_at_risk(np.empty((4, 0)), "impute") == (0, None)
