"""How far scores moved under the same rules: against pandas and plain loops, at the bounds, and over any split."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jv_scoring.analysis.shift import FEWEST, joint_of, shift_of
from jv_scoring.analysis.tallies import Joint
from jv_scoring.policy import CURRENT_POLICY, tier

SCORES = st.integers(0, 10_000).map(lambda hundredths: hundredths / 100)


def rows(before: list[float | None], now: list[float], policy: str = "p", version: str = "v") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "harmonic_mean": now,
            "policy": "p",
            "scoring_version": "v",
            "stored_harmonic_mean": before,
            "stored_policy": policy,
            "stored_version": version,
            "stored_fits": None,
        }
    )


@given(st.lists(st.tuples(SCORES, SCORES), min_size=2, max_size=40), st.integers(0, 40))
def test_it_is_what_a_plain_count_gives_however_the_ranges_are_cut(pairs: list[tuple[float, float]], cut: int) -> None:
    before, now = [first for first, _ in pairs], [second for _, second in pairs]
    whole = rows(list(before), now)
    shift = shift_of(joint_of(whole.iloc[:cut]) + joint_of(whole.iloc[cut:]))
    assert shift.matches == len(pairs)
    assert shift.mean_shift == pytest.approx(sum(b - a for a, b in pairs) / len(pairs), abs=1e-9)
    assert shift.reclassified == sum(tier(a) != tier(b) for a, b in pairs) / len(pairs)
    expected = pd.Series(before).rank().corr(pd.Series(now).rank()) if len(set(before)) > 1 < len(set(now)) else None
    assert shift.spearman == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_what_is_on_another_scale_or_new_is_not_compared() -> None:
    for other in (rows([10.0], [90.0], policy="q"), rows([10.0], [90.0], version="w"), rows([None], [90.0])):
        shift = shift_of(joint_of(other))
        assert (shift.matches, shift.mean_shift, shift.spearman, shift.reclassified, shift.beyond) == (
            *(0, None, None, None), [],
        )  # fmt: skip


@pytest.mark.parametrize(
    ("fits", "matches"), [(CURRENT_POLICY, 1), (f"{CURRENT_POLICY},q", 1), ("geometric/impute", 0), ("", 0), (None, 0)]
)
def test_a_score_that_names_no_policy_was_made_under_one_that_its_breakdown_tells(fits: str, matches: int) -> None:
    unnamed = rows([10.0], [90.0]).assign(policy=CURRENT_POLICY, stored_policy=None, stored_fits=fits)
    assert shift_of(joint_of(unnamed)).matches == matches


def spread(shift: float) -> Joint:
    """Fifty matches between 40 and 49.8, none near a tier's limit that `shift` would take it over."""
    before = [40 + k / 5 for k in range(50)]
    return joint_of(rows(list(before), [score + shift for score in before]))


@pytest.mark.parametrize(("moved", "broken"), [(5.0, False), (-5.0, False), (5.01, True), (-5.01, True)])
def test_the_mean_may_move_by_five_points(moved: float, broken: bool) -> None:
    assert any("mean" in line for line in shift_of(spread(moved)).beyond) == broken


def test_the_order_may_change_a_little() -> None:
    before = [40 + k / 5 for k in range(50)]
    turned = shift_of(joint_of(rows(list(before), before[::-1])))
    assert turned.spearman == pytest.approx(-1)
    assert turned.beyond == ["the rank correlation is -1.00 (at least 0.7)"]
    assert shift_of(spread(0)).beyond == []


@pytest.mark.parametrize(("moving", "broken"), [(10, False), (11, True)])
def test_a_quarter_may_change_tier(moving: int, broken: bool) -> None:
    before: list[float | None] = [59.9] * moving + [float(k) for k in range(10, 50)][: 40 - moving]
    now = [60.1] * moving + [float(k) for k in range(10, 50)][: 40 - moving]
    assert shift_of(joint_of(rows(before, now))).beyond == (["27.5% change their tier (at most 25%)"] if broken else [])


def test_a_few_matches_are_no_distribution() -> None:
    assert shift_of(joint_of(rows([10.0] * (FEWEST - 1), [90.0] * (FEWEST - 1)))).beyond == []
    assert len(shift_of(joint_of(rows([10.0] * FEWEST, [90.0] * FEWEST))).beyond) == 2


@pytest.mark.parametrize("odd", [1e300, float("inf"), -3.0, 100.5])
def test_a_stored_score_off_the_scale_is_not_compared(odd: float) -> None:
    """Another program may store any number under our policy's name: one of them must not stop every publish."""
    scores: list[float] = [float(score) for score in range(1, 2 * FEWEST)]
    shift = shift_of(joint_of(rows([odd, *scores[1:]], scores)))
    assert shift == shift_of(joint_of(rows([None, *scores[1:]], scores)))
    assert not shift.beyond
