"""The building blocks: equal to a slow, plain computation, and one pass equal to any split merged in any order."""

import json
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring.analysis import tallies
from jv_scoring.analysis.aggregation_comparison import kendall, migration, spearman
from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.tallies import (
    MOST_PAIRS,
    POINT_CHANGES,
    POINTS,
    SCORE_CHANGES,
    SCORES,
    STEPS,
    Counts,
    Histogram,
    Joint,
    Scale,
    Tally,
    total,
)
from jv_scoring.policy import TIERS, tier

SCALES = {SCORES: (0, 100), POINTS: (0, 10), SCORE_CHANGES: (-100, 100), POINT_CHANGES: (-10, 10)}
FEW = st.integers(0, 5).map(lambda k: k / 4)
"""So few values that many are equal."""
RANDOM = st.randoms(use_true_random=False)


def numbers(scale: Scale) -> st.SearchStrategy[float]:
    low, high = SCALES[scale]
    return st.integers(low * 100, high * 100).map(lambda k: k / 100)


def parts(items: list[Any], rng: Any) -> list[list[Any]]:
    """The items dealt into up to five parts at random, some of them empty."""
    dealt: list[list[Any]] = [[] for _ in range(rng.randint(1, 5))]
    for item in items:
        rng.choice(dealt).append(item)
    return dealt


def kept(part: Any) -> Any:
    """The same after a stay in a file."""
    return type(part).from_json(json.loads(json.dumps(part.to_json())))


def tally_of(part: Any) -> Tally:
    kind = {Histogram: "histograms", Counts: "counts", Largest: "largest", Joint: "joints"}[type(part)]
    return Tally(**{kind: {"it": kept(part)}})


# Histogram


@settings(deadline=None, max_examples=100)
@given(st.data(), st.sampled_from(list(SCALES)))
def test_the_statistics_are_those_of_the_values(data: st.DataObject, scale: Scale) -> None:
    values = np.array(data.draw(st.lists(st.one_of(numbers(scale), FEW), min_size=1, max_size=30)))
    shown = Histogram.of(values, scale).summary()
    expected = {"mean": np.mean(values), "median": np.median(values), "sd": np.std(values)}
    assert shown["count"] == len(values)
    assert (shown["min"], shown["max"]) == (values.min(), values.max())
    assert {name: shown[name] for name in expected} == pytest.approx(expected, abs=1e-9)
    share = data.draw(st.floats(0, 1))
    assert Histogram.of(values, scale).quantile(share) == pytest.approx(np.quantile(values, share), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(numbers(SCORES), FEW, st.just(np.nan)), max_size=30), RANDOM)
def test_histograms_of_any_split_merge_to_that_of_all(values: list[float], rng: Any) -> None:
    merged = total(tally_of(Histogram.of(np.array(part, float))) for part in parts(values, rng)).histograms["it"]
    whole = Histogram.of(np.array(values, float))
    assert merged.to_json() == whole.to_json()
    assert np.array_equal(merged.counts, whole.counts)
    assert merged.count == len(values) - int(np.isnan(values).sum())


@settings(deadline=None, max_examples=60)
@given(st.lists(numbers(SCORE_CHANGES), max_size=30), st.integers(-10_000, 10_000), st.integers(-10_000, 10_000))
def test_values_are_counted_between_limits_and_in_bars(values: list[float], low: int, high: int) -> None:
    histogram = Histogram.of(np.array(values, float), SCORE_CHANGES)
    assert histogram.between(low, high) == sum(low <= round(value * 100) < high for value in values)
    bars = histogram.bars(500)
    assert [bar["from"] for bar in bars] == list(range(-100, 105, 5))
    for bar in bars:
        assert bar["count"] == sum(bar["from"] <= value < bar["to"] for value in values)


def test_a_sum_of_hundredths_has_no_rounding_errors() -> None:
    histogram = Histogram(SCORES, np.zeros(SCORES.bins, np.int64))
    histogram.counts[[1, 9999]] = 10**9
    assert histogram.mean == 50
    assert histogram.sd == 49.99
    assert Histogram.of(np.full(1000, 53.97)).sd == 0


def test_nothing_has_no_statistics() -> None:
    nothing = {"count": 0, "mean": None, "median": None, "sd": None, "min": None, "max": None}
    assert Histogram.of(np.array([])).summary() == nothing
    assert Histogram.of(np.array([np.nan])).summary() == nothing


@pytest.mark.parametrize("value", [-0.01, 10.01, 1e300, np.inf])
def test_a_value_off_the_scale_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="a value is not between 0 and 10"):
        Histogram.of(np.array([5.0, value]), POINTS)


# Counts


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2))), RANDOM)
def test_counts_of_any_split_merge_to_those_of_all(codes: list[tuple[int, int]], rng: Any) -> None:
    axes = (("ab", "ba"), ("x", "y", "z"))

    def counted(some: list[tuple[int, int]]) -> Counts:
        return Counts.of(axes, *np.array(some, np.intp).reshape(-1, 2).T)

    merged = total(tally_of(counted(part)) for part in parts(codes, rng)).counts["it"]
    assert merged.to_json() == counted(codes).to_json()
    expected = Counter((axes[0][d], axes[1][k]) for d, k in codes)
    for first in axes[0]:
        for second in axes[1]:
            assert merged.at(first, second) == expected[first, second]
        assert merged.at(first, None) == sum(expected[first, second] for second in axes[1])
    assert merged.at(None, None) == len(codes)


# Largest


@st.composite
def ranked_rows(draw: st.DrawFn) -> list[tuple[str, str, float, float]]:
    ids = draw(st.lists(st.integers(0, 40).map(lambda k: f"m{k:02}"), unique=True, max_size=25))
    return [(name, draw(st.sampled_from("pqr")), draw(FEW), draw(FEW)) for name in ids]


def table(rows: list[tuple[str, str, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["id", "profile_id", "one", "other"])


@settings(deadline=None, max_examples=100)
@given(ranked_rows(), st.integers(1, 4), st.booleans(), RANDOM)
def test_the_largest_of_any_split_are_the_largest_of_all(
    rows: list[tuple[str, str, float, float]], n: int, grouped: bool, rng: Any
) -> None:
    within = "profile_id" if grouped else None
    made = (Largest.of(table(part), n, ["one", "other"], within) for part in parts(rows, rng))
    merged = total(map(tally_of, made)).largest["it"]
    expected = set()
    for key in (2, 3):
        for group in "pqr" if grouped else [None]:
            of_group = [row for row in rows if group in (None, row[1])]
            expected |= set(sorted(of_group, key=lambda row: (-row[key], row[0]))[:n])
    assert list(merged.rows.itertuples(index=False, name=None)) == sorted(expected)
    assert merged.to_json() == Largest.of(table(rows), n, ["one", "other"], within).to_json()


def test_places_are_by_key_then_id_within_the_group() -> None:
    rows = [("c", "p", 1.0, 0), ("a", "p", 1.0, 0), ("b", "q", 9.0, 0), ("d", "p", 2.0, 0)]
    largest = Largest.of(table(rows), 5, ["one"], "profile_id")
    assert dict(zip(largest.rows["id"], largest.places("one").tolist(), strict=True)) == {
        "a": 1,
        "b": 0,
        "c": 2,
        "d": 0,
    }
    assert Largest.of(table(rows), 2, ["one"]).rows["id"].tolist() == ["b", "d"]


def test_rows_without_a_key_are_left_out() -> None:
    rows = table([("a", "p", np.nan, 1.0), ("b", "p", 2.0, 1.0)])
    assert Largest.of(rows, 5, ["one"]).rows["id"].tolist() == ["b"]


# Joint


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.one_of(numbers(SCORES), FEW), FEW)), RANDOM)
def test_joint_counts_of_any_split_merge_to_those_of_all(scores: list[tuple[float, float]], rng: Any) -> None:
    def joint(some: list[tuple[float, float]]) -> Joint:
        return Joint.of(*np.array(some, float).reshape(-1, 2).T)

    merged = total(tally_of(joint(part)) for part in parts(scores, rng)).joints["it"]
    first, second = merged.scores
    pairs = zip((first / 100).tolist(), (second / 100).tolist(), strict=True)
    assert dict(zip(pairs, merged.counts.tolist(), strict=True)) == Counter(scores)
    assert merged.to_json() == joint(scores).to_json()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(numbers(SCORES), numbers(SCORES)), max_size=30), st.integers(2, 12), RANDOM)
def test_joints_of_too_many_pairs_are_rounded_alike_whatever_the_split(
    scores: list[tuple[float, float]], most: int, rng: Any
) -> None:
    def joint(some: list[tuple[float, float]]) -> Joint:
        return Joint.of(*np.array(some, float).reshape(-1, 2).T)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "MOST_PAIRS", most)
        merged = total(tally_of(joint(part)) for part in parts(scores, rng)).joints["it"]
        assert merged.to_json() == joint(scores).to_json()
    hundredths = [(round(first * 100), round(second * 100)) for first, second in scores]
    few = (step for step in STEPS if len({(a // step, b // step) for a, b in hundredths}) <= most)
    step = next(few, STEPS[-1])
    assert merged.step == step
    expected = Counter((a - a % step, b - b % step) for a, b in hundredths)
    places = zip(*(of.tolist() for of in merged.scores), strict=True)
    assert dict(zip(places, merged.counts.tolist(), strict=True)) == expected
    moves = Counter((tier(a), tier(b)) for a, b in scores)
    assert {(of["from"], of["to"]): of["matches"] for of in migration(merged) if of["matches"]} == moves


def test_a_joint_of_any_number_of_rows_is_bounded_and_its_correlations_hardly_differ() -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(55, 8, 600_000).clip(0, 100)
    second = (first + rng.normal(0, 5, len(first))).clip(0, 100)
    bounded = Joint.of(first.round(2), second.round(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tallies, "MOST_PAIRS", len(first))
        exact = Joint.of(first.round(2), second.round(2))
    assert len(bounded.pairs) <= MOST_PAIRS < len(exact.pairs)
    assert (bounded.step, exact.step) == (10, 1)
    assert bounded.counts.sum() == len(first)
    assert spearman(bounded) == pytest.approx(spearman(exact), abs=1e-4)
    assert kendall(bounded) == pytest.approx(kendall(exact), abs=3e-3)


def test_the_last_step_leaves_few_enough_pairs_and_each_makes_the_next_and_every_tier() -> None:
    assert (10_000 // STEPS[-1] + 1) ** 2 <= MOST_PAIRS
    for step, following in pairwise(STEPS):
        assert following % step == 0
    assert all(round(least * 100) % STEPS[-1] == 0 for _, least in TIERS)


# What does not add up


def test_parts_of_different_kinds_do_not_add_up() -> None:
    none, codes = np.array([]), np.array([], np.intp)
    with pytest.raises(ValueError, match="different scales"):
        Histogram.of(none, SCORES) + Histogram.of(none, POINTS)
    with pytest.raises(ValueError, match="different labels"):
        Counts.of([["a"]], codes) + Counts.of([["b"]], codes)
    with pytest.raises(ValueError, match="different keys"):
        Largest.of(table([]), 2, ["one"]) + Largest.of(table([]), 3, ["one"])
    with pytest.raises(ValueError, match="different reports"):
        Tally(histograms={"a": Histogram.of(none)}) + Tally()


def test_scores_of_different_policies_do_not_add_up_but_empty_ranges_add_to_any() -> None:
    with pytest.raises(ValueError, match="policies do not add up: arithmetic/impute, harmonic/impute"):
        Tally("harmonic/impute") + Tally("arithmetic/impute")
    assert (Tally() + Tally("harmonic/impute") + Tally()).policy == "harmonic/impute"


@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 47, 100])
def test_any_number_of_tallies_is_merged_each_once(count: int) -> None:
    merged = total(Tally(histograms={"it": Histogram.of(np.array([k / 100]))}) for k in range(count))
    assert merged.histograms["it"].counts[: count + 1].tolist() == [1] * count + [0]


def test_no_tally_at_all_is_an_error() -> None:
    with pytest.raises(ValueError, match="no tally to merge"):
        total(iter(()))
