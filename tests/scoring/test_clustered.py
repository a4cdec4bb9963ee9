"""Intervals by profile hold other populations' means, where those by match do not; sums add up in any order."""

import numpy as np
import pytest

from jv_scoring.analysis.clustered import by_profile, difference, interval, mean_of
from jv_scoring.analysis.sums import Sums
from jv_scoring.analysis.tallies import POINT_CHANGES, SCORES, Histogram, hundredths


def drawn(rng: np.random.Generator) -> tuple[dict[str, float], float]:
    """The interval of one population whose values are mostly the target's own, and the planted mean of all."""
    effect = rng.normal(0, 8, 60)
    a, b = rng.integers(0, 60, (2, 600))
    a, b = a[a != b], b[a != b]
    values = np.round(50 + effect[b] + rng.normal(0, 2, len(b)), 2)
    sums = by_profile(a.astype(str), b.astype(str), {"value": hundredths(values)})
    found = interval(mean_of(Histogram.of(values, SCORES), sums, "value"))
    assert found["value"] == pytest.approx(values.mean())
    assert found["error_by_match"] == pytest.approx(values.std() / len(values) ** 0.5)
    return found, 50.0


def test_the_interval_by_profile_holds_the_planted_mean_and_that_by_match_does_not() -> None:
    rng = np.random.default_rng(11)
    held = {"error": 0, "error_by_match": 0}
    for _ in range(400):
        found, truth = drawn(rng)
        for name in held:
            held[name] += abs(found["value"] - truth) <= 1.96 * found[name]
    assert 0.90 <= held["error"] / 400 <= 0.98
    assert held["error_by_match"] / 400 < 0.6


def test_a_difference_over_the_same_matches_has_no_error() -> None:
    values = np.array([1.0, -2.0, 3.5, 0.0])
    sums = by_profile(["a", "b", "c", "d"], ["b", "c", "d", "a"], {"value": hundredths(values)})
    mean = mean_of(Histogram.of(values, POINT_CHANGES), sums, "value")
    found = difference(mean, mean)
    assert found is not None
    assert found.value == 0
    assert not found.by_profile.to_numpy().any()


def test_of_nothing_and_of_one_match_there_is_no_interval() -> None:
    for count in (0, 1):
        values = np.full(count, 2.0)
        sums = by_profile(["a"] * count, ["b"] * count, {"value": hundredths(values)})
        found = interval(mean_of(Histogram.of(values, SCORES), sums, "value"))
        assert (found["value"], found["low"], found["high"]) == (2.0 if count else None, None, None)


def test_sums_add_up_in_any_order() -> None:
    parts = [Sums.of(["b", "a", "b"], {"x": [1, 2, 3]}), Sums.of(["c", "a"], {"x": [5, 7]}), Sums.of([], {"x": []})]
    one, other = parts[0] + parts[1] + parts[2], parts[2] + (parts[1] + parts[0])
    assert one.to_json() == other.to_json() == {"keys": ["a", "b", "c"], "values": {"x": [9, 4, 5]}}
    assert Sums.from_json(one.to_json()).to_json() == one.to_json()
    with pytest.raises(ValueError, match="different columns"):
        one + Sums.of(["a"], {"y": [1]})
