"""Figures of people's ratings: published examples, planted truths, and plain recomputation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jv_scoring.analysis.ratings import AT_RANDOM, DISCOVERED, PUBLISHED, figures, ordinal_alpha

POLICY = "harmonic/impute"
# The data of Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: four observers, twelve units.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]


def counts_of(observers: list[list[int]]) -> "np.ndarray":
    return np.array([[unit.count(value) for value in range(1, 6)] for unit in map(list, zip(*observers, strict=True))])


def plain_alpha(units: list[list[int]]) -> float | None:
    """By the definition: observed over expected disagreement, a loop over each pair of ratings."""
    units = [unit for unit in units if len(unit) > 1]
    every = [value for unit in units for value in unit]
    often = {value: every.count(value) for value in range(1, 6)}

    def distance(a: int, b: int) -> float:
        low, high = sorted((a, b))
        return (sum(often[value] for value in range(low, high + 1)) - (often[low] + often[high]) / 2) ** 2

    observed = sum(
        distance(unit[i], unit[j]) / (len(unit) - 1)
        for unit in units
        for i in range(len(unit))
        for j in range(len(unit))
        if i != j
    )
    places = range(len(every))
    expected = sum(distance(every[i], every[j]) for i in places for j in places if i != j)
    return 1 - observed * (len(every) - 1) / expected if expected else None


def test_alpha_of_the_published_example() -> None:
    assert ordinal_alpha(counts_of(OBSERVERS)) == pytest.approx(0.815, abs=0.0005)


@given(st.lists(st.lists(st.integers(1, 5), max_size=4), min_size=1, max_size=8))
def test_alpha_is_that_of_the_definition(units: list[list[int]]) -> None:
    counts = np.array([[unit.count(value) for value in range(1, 6)] for unit in units])
    assert ordinal_alpha(counts) == pytest.approx(plain_alpha(units), abs=1e-12)


def pairs_of(rows: list[tuple[str, float, int | None, int | None]]) -> pd.DataFrame:
    ranks = [{POLICY: score, "popularity": None if source == AT_RANDOM else 1.0} for source, score, *_ in rows]
    return pd.DataFrame({
        "source": [row[0] for row in rows],
        "ranks": ranks,
        "tenth": [row[2] for row in rows],
        "tenth_matches": [row[3] for row in rows],
    })  # fmt: skip


def rated(*ratings: tuple[int, str, int]) -> pd.DataFrame:
    return pd.DataFrame(ratings, columns=["place", "rater", "rating"])


def test_a_planted_order_is_found_and_each_source_has_its_mean() -> None:
    rows = [(PUBLISHED, 40.0 + n, n % 10, 100) for n in range(20)]
    rows += [(DISCOVERED, 70.0, None, None)] * 20 + [(AT_RANDOM, 30.0, None, None)] * 20
    rating = {PUBLISHED: 3, DISCOVERED: 5, AT_RANDOM: 1}
    told = [(place, rater, rating[row[0]]) for place, row in enumerate(rows) for rater in ("a", "b")]
    found = figures(pairs_of(rows), rated(*told), POLICY)
    assert (found["ratings"], found["raters"], found["pairs"], found["pairs_rated_twice"]) == (120, 2, 60, 60)
    assert (found["alpha"], found["agreement"]) == (1.0, None)
    by_name = {each["ranking"]: each for each in found["rankings"]}
    assert by_name[POLICY]["spearman"] > 0.9
    assert by_name["popularity"] == {"ranking": "popularity", "pairs": 40, "spearman": None}
    assert [(each["source"], each["mean"], each["low"], each["high"]) for each in found["sources"]] == [
        (PUBLISHED, 3.0, 3.0, 3.0),
        (DISCOVERED, 5.0, 5.0, 5.0),
        (AT_RANDOM, 1.0, 1.0, 1.0),
    ]


def test_a_tier_weighs_its_tenths_by_their_matches() -> None:
    """Two pairs of a small tenth are liked, one of a large tenth is not; all three are of one tier."""
    rows = [(PUBLISHED, 61.0, 0, 10), (PUBLISHED, 62.0, 0, 10), (PUBLISHED, 63.0, 1, 90), (PUBLISHED, 50.0, 1, 90)]
    found = figures(pairs_of(rows), rated((0, "a", 5), (1, "a", 4), (2, "a", 3), (2, "b", 5)), POLICY)
    good = next(each for each in found["tiers"] if each["tier"] == "Good")
    assert good == {"tier": "Good", "pairs": 3, "share": (5 + 5 + 90 * 0.5) / 100}
    fair = next(each for each in found["tiers"] if each["tier"] == "Fair")
    assert fair == {"tier": "Fair", "pairs": 0, "share": None}


@pytest.mark.parametrize(("pairs", "raters"), [(29, ["a", "b"]), (40, ["a"])])
def test_too_few_for_alpha(pairs: int, raters: list[str]) -> None:
    rows = [(PUBLISHED, 50.0 + n, n % 10, 5) for n in range(pairs)]
    told = [(place, rater, 1 + place % 5) for place in range(pairs) for rater in raters]
    found = figures(pairs_of(rows), rated(*told), POLICY)
    assert (found["alpha"], found["agreement"]) == (None, "too few")


def test_the_interval_of_a_source_holds_the_planted_mean() -> None:
    dice, held = np.random.default_rng(5), 0
    for _ in range(200):
        ratings = dice.integers(1, 6, 40).tolist()
        rows = [(AT_RANDOM, 30.0, None, None)] * 40
        found = figures(pairs_of(rows), rated(*((n, "a", value) for n, value in enumerate(ratings))), POLICY)
        source = found["sources"][2]
        held += source["low"] <= 3.0 <= source["high"]
    assert 0.90 <= held / 200 <= 0.98


def test_figures_are_json_and_do_not_depend_on_the_order_of_the_ratings() -> None:
    rows = [(PUBLISHED, 50.0 + n, n % 10, 5) for n in range(40)]
    told = [(place, rater, 1 + (place * 7 + len(rater)) % 5) for place in range(40) for rater in ("a", "bb")]
    whole = figures(pairs_of(rows), rated(*told), POLICY)
    assert whole == figures(pairs_of(rows), rated(*told[::-1]), POLICY)
    nothing = figures(pairs_of(rows).iloc[:0], rated(), POLICY)
    assert (nothing["ratings"], nothing["alpha"], nothing["agreement"]) == (0, None, "too few")
