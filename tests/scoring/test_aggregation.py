"""The six policies side by side: against the reference and plain rank correlations; twelve matches by hand."""

import math
import statistics
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import CURRENT_POLICY, POLICIES, tier
from jv_scoring.analysis.aggregation_comparison import (
    COLUMNS,
    Aggregation,
    best_matches,
    kendall,
    report,
    spearman,
    tally,
)
from jv_scoring.analysis.rows import DIMENSION_COLUMNS
from jv_scoring.analysis.tallies import Joint
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import TIERS
from jv_scoring.reference import score_pair
from tests.support.profile_strategies import Profile, everyone_with_everyone, populations
from tests.support.score_rows import CUTS, merged_in_pieces, nothing_is_nan, population, scored_rows

RANDOM = st.randoms(use_true_random=False)
OTHERS = tuple(name for name in POLICIES if name != CURRENT_POLICY)
FINAL = ("score_ab", "score_ba", "harmonic_mean")


def of(records: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    """The one record with these values."""
    (found,) = [record for record in records if wanted.items() <= record.items()]
    return found


# Rank correlations


def plain_ranks(values: list[float]) -> list[float]:
    return [sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values]


def plain_spearman(first: list[float], second: list[float]) -> float | None:
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return statistics.correlation(plain_ranks(first), plain_ranks(second))


def plain_kendall(first: list[float], second: list[float]) -> float | None:
    score = untied_first = untied_second = 0
    for i in range(len(first)):
        for j in range(i):
            x, y = (int(np.sign(of[i] - of[j])) for of in (first, second))
            score, untied_first, untied_second = score + x * y, untied_first + abs(x), untied_second + abs(y)
    return score / math.sqrt(untied_first * untied_second) if untied_first and untied_second else None


SCORES = st.one_of(st.integers(0, 4).map(lambda k: k * 2.5), st.integers(0, 10_000).map(lambda k: k / 100))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(SCORES, SCORES), max_size=25))
def test_rank_correlations_are_those_of_the_definitions(scores: list[tuple[float, float]]) -> None:
    first, second = ([pair[k] for pair in scores] for k in (0, 1))
    joint = Joint.of(np.array(first, float), np.array(second, float))
    assert spearman(joint) == pytest.approx(plain_spearman(first, second), abs=1e-12)
    assert kendall(joint) == pytest.approx(plain_kendall(first, second), abs=1e-12)


def test_rank_correlations_do_not_overflow() -> None:
    many = Joint(np.array([0, 10_001 + 1, 2 * 10_001 + 2]), np.array([10**9, 10**9, 10**9]))
    assert spearman(many) == pytest.approx(1)
    assert kendall(many) == pytest.approx(1)


# Against the reference


def expected_scores(profiles: list[Profile], places: list[tuple[int, int]], policy: str) -> dict[str, list[float]]:
    scored = [score_pair(profiles[a], profiles[b], policy) for a, b in places]
    return {name: [getattr(pair, name) for pair in scored] for name in FINAL}


@settings(deadline=None, max_examples=40)
@given(populations(least=2, most=3), st.sampled_from(list(POLICIES)))
def test_every_policys_scores_are_the_references_whatever_policy_scored_the_rows(
    profiles: list[Profile], scored_under: str
) -> None:
    places = everyone_with_everyone(len(profiles))
    tallied = tally(scored_rows(profiles, places, scored_under))
    for policy in POLICIES:
        for name, scores in expected_scores(profiles, places, policy).items():
            counts = tallied.histograms[f"{policy} {name}"].counts
            found = {k / 100: int(counts[k]) for k in np.flatnonzero(counts).tolist()}
            assert found == Counter(scores)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(list(POLICIES)))
def test_the_report_is_what_a_plain_computation_gives(seed: int, scored_under: str) -> None:
    profiles, places = population(seed)
    scores = {policy: expected_scores(profiles, places, policy) for policy in POLICIES}
    shown = report(tally(scored_rows(profiles, places, scored_under)))
    assert nothing_is_nan(shown)
    assert (shown["current"], shown["matches"]) == (scored_under, len(places))
    now = scores[scored_under]["harmonic_mean"]
    others = [policy for policy in POLICIES if policy != scored_under]
    assert [each["policy"] for each in shown["against_current"]] == others
    for policy in POLICIES:
        for name, values in scores[policy].items():
            found = of(shown["scores"], policy=policy, score=name)
            expected = {"mean": statistics.fmean(values), "median": statistics.median(values),
                        "sd": statistics.pstdev(values), "min": min(values), "max": max(values)}  # fmt: skip
            assert {key: found[key] for key in expected} == pytest.approx(expected, abs=1e-9)
            tiers = Counter(map(tier, values))
            assert {key: of(shown["tiers"], policy=policy, score=name)[key] for key, _ in TIERS} == {
                key: tiers[key] for key, _ in TIERS
            }
    for policy in others:
        then = scores[policy]["harmonic_mean"]
        moves = Counter(zip(map(tier, now), map(tier, then), strict=True))
        found_moves = {
            (row["from"], row["to"]): row["matches"]
            for row in shown["migration"]
            if row["policy"] == policy and row["matches"]
        }
        assert found_moves == moves
        row = of(shown["against_current"], policy=policy)
        assert row["spearman"] == pytest.approx(plain_spearman(now, then), abs=1e-12)
        assert row["kendall"] == pytest.approx(plain_kendall(now, then), abs=1e-12)


def plain_overlaps(owners: list[str], now: list[float], then: list[float]) -> dict[str, float]:
    overlaps = {}
    for owner in set(owners):
        rows = [k for k, of_row in enumerate(owners) if of_row == owner]
        best = [set(sorted(rows, key=lambda k: (-values[k], f"m{k:03}"))[:10]) for values in (now, then)]
        overlaps[owner] = len(best[0] & best[1]) / len(best[0])
    return overlaps


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 1000), st.sampled_from(list(POLICIES)), RANDOM)
def test_the_best_ten_of_each_profile_are_those_of_a_plain_computation(seed: int, scored_under: str, rng: Any) -> None:
    profiles, _ = population(seed, 16)
    places = [(a, b) for a in range(3) for b in range(16) if a != b][: 15 + 15 + 8]
    rows = scored_rows(profiles, places, scored_under).assign(id=[f"m{k:03}" for k in range(len(places))])
    merged = merged_in_pieces(rows[COLUMNS], tally, [7, 20, 33], rng)
    owners, now = rows["profile_id"].tolist(), expected_scores(profiles, places, scored_under)["harmonic_mean"]
    for policy in POLICIES.keys() - {scored_under}:
        then = expected_scores(profiles, places, policy)["harmonic_mean"]
        overlaps = plain_overlaps(owners, now, then)
        row = of(report(merged)["against_current"], policy=policy)
        assert (row["profiles"], row["profiles_with_more"]) == (3, 2)
        assert row["best_overlap"] == pytest.approx(statistics.fmean(overlaps.values()))
        assert row["best_overlap_with_more"] == pytest.approx((overlaps["p0"] + overlaps["p1"]) / 2)
    best = best_matches(merged)
    for owner in ("p0", "p1", "p2"):
        ids = [k for k, of_row in enumerate(owners) if of_row == owner]
        first = sorted(ids, key=lambda k: (-now[k], f"m{k:03}"))[:10]
        found = best[best["profile_id"] == owner].sort_values("place")
        assert found["id"].tolist() == [f"m{k:03}" for k in first]
        assert found["harmonic_mean"].tolist() == [now[k] for k in first]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 5), CUTS, RANDOM)
def test_ranges_merge_to_one_pass(seed: int, cuts: list[int], rng: Any) -> None:
    rows = scored_rows(*population(seed))
    assert merged_in_pieces(rows[COLUMNS], tally, cuts, rng).to_json() == tally(rows).to_json()


# Twelve matches by hand

NAN = math.nan
KINDS = {
    # intent, synergy and context; momentum under impute; under redistribute; matches
    "x": (7.1, 3.55, NAN, 6),
    "y": (6.5, 6.5, 6.5, 5),
    "z": (8.5, 8.5, 8.5, 1),
}
"""Both directions are alike, so the match has the direction's score. y has 65 under every policy and z 85. x has 71
under `redistribute`, and with Momentum half of the others: harmonic 71 / (0.8 + 0.2 * 2) = 59.17, geometric
71 * 0.5 ** 0.2 = 61.81, arithmetic 71 * 0.9 = 63.90."""


def handmade() -> pd.DataFrame:
    """m00 to m05 are x and m06 to m10 y, all of profile p; m11 is z, of profile q."""
    rows = []
    for kind in [name for name, of_kind in KINDS.items() for _ in range(int(of_kind[3]))]:
        others, imputed, redistributed, _ = KINDS[kind]
        row: dict[str, Any] = dict.fromkeys(COLUMNS, others)
        for direction in DIRECTIONS:
            row |= {f"momentum_impute_{direction}": imputed, f"momentum_redistribute_{direction}": redistributed}
        row |= {"id": f"m{len(rows):02}", "profile_id": "q" if kind == "z" else "p", "suggested_profile_id": "s"}
        row |= {"policy": CURRENT_POLICY}
        rows.append(row)
    return pd.DataFrame(rows)


def test_the_scores_and_tiers_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()))
    current = of(shown["scores"], policy="harmonic/impute", score="harmonic_mean")
    assert current["mean"] == pytest.approx(63.7517, abs=1e-4)  # (6 * 59.17 + 5 * 65 + 85) / 12
    assert current["median"] == pytest.approx(62.085)  # between 59.17 and 65
    assert (current["min"], current["max"]) == (59.17, 85)
    least = {policy: of(shown["scores"], policy=policy, score="score_ab")["min"] for policy in POLICIES}
    assert least == {
        "harmonic/impute": 59.17, "geometric/impute": 61.81, "arithmetic/impute": 63.9,
        "harmonic/redistribute": 65, "geometric/redistribute": 65, "arithmetic/redistribute": 65,
    }  # fmt: skip
    tiers = of(shown["tiers"], policy="harmonic/impute", score="harmonic_mean")
    assert [tiers[name] for name, _ in TIERS] == [1, 5, 6, 0]
    moved = {
        (row["from"], row["to"]): row["matches"]
        for row in shown["migration"]
        if row["policy"] == "geometric/impute" and row["matches"]
    }
    assert moved == {("Fair", "Good"): 6, ("Good", "Good"): 5, ("Excellent", "Excellent"): 1}
    assert len(shown["migration"]) == 5 * 16


def test_the_weakest_dimensions_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()))
    momentum = of(shown["weakest"], nulls="impute", direction="ab", dimension="momentum")
    assert (momentum["sole"], momentum["tied"], momentum["share"]) == (6, 6, 1)
    assert of(shown["weakest"], nulls="redistribute", direction="ab", dimension="momentum")["share"] == 0.5
    assert {
        (row["weakest"], row["count"])
        for row in shown["combinations"]
        if (row["nulls"], row["direction"]) == ("redistribute", "both")
    } == {("intent+synergy+context", 12), ("intent+synergy+momentum+context", 12)}


def test_the_ranks_of_twelve_matches_by_hand() -> None:
    """Under the current policy x has middle rank 3.5, y 9 and z 12; where x passes y, y has 3 and x 8.5.

    Less 6.5, the products are 6 * -3 * 2 + 5 * 2.5 * -3.5 + 5.5 * 5.5 = -49.5, the squares 115.5 on both sides. Of 66
    pairs of matches 15 + 10 are equal; of the others 30 (x, y) turn round and 6 + 5, with z, do not.
    """
    shown = report(tally(handmade()))["against_current"]
    for policy in ("harmonic/redistribute", "geometric/redistribute", "arithmetic/redistribute"):
        row = of(shown, policy=policy)
        assert row["spearman"] == pytest.approx(-3 / 7)
        assert row["kendall"] == pytest.approx(-19 / 41)
    for policy in ("geometric/impute", "arithmetic/impute"):
        row = of(shown, policy=policy)
        assert (row["spearman"], row["kendall"]) == (pytest.approx(1), pytest.approx(1))


def test_the_best_ten_of_twelve_matches_by_hand() -> None:
    """p has 11 matches: now its best are five y and m00 to m04; where x passes y, six x and m06 to m09: nine stay."""
    shown = report(tally(handmade()))["against_current"]
    assert of(shown, policy="harmonic/redistribute") == {
        "policy": "harmonic/redistribute", "spearman": pytest.approx(-3 / 7), "kendall": pytest.approx(-19 / 41),
        "profiles": 2, "best_overlap": pytest.approx(0.95), "best_unchanged": 0.5,
        "profiles_with_more": 1, "best_overlap_with_more": pytest.approx(0.9), "best_unchanged_with_more": 0,
        "best_overlap_by_chance": 10 / 11, "best_overlap_beyond_chance": pytest.approx((0.9 - 10 / 11) * 11),
    }  # fmt: skip
    row = of(shown, policy="arithmetic/impute")
    assert (row["best_overlap"], row["best_unchanged_with_more"]) == (1, 1)
    best = best_matches(tally(handmade()))
    assert best["id"].tolist() == [f"m{k:02}" for k in range(12) if k != 5]
    assert best["place"].tolist() == [6, 7, 8, 9, 10, 1, 2, 3, 4, 5, 1]


# Edges


@pytest.mark.parametrize("count", [0, 1])
def test_no_row_and_one_row_are_shown(count: int) -> None:
    for rows in (handmade().head(count), scored_rows(*population(1)).head(count)):
        shown = report(Aggregation.from_json(tally(rows).to_json()))
        assert shown["matches"] == count
        assert shown["against_current"][0]["spearman"] is None
        assert shown["against_current"][0]["kendall"] is None
        assert shown["against_current"][0]["best_overlap"] == (1 if count else None)
        assert nothing_is_nan(shown)
        assert len(best_matches(tally(rows))) == count


def test_an_empty_file_of_untyped_columns_is_shown() -> None:
    assert nothing_is_nan(report(tally(pd.DataFrame({name: np.array([], object) for name in COLUMNS}))))


def test_without_any_momentum_data_or_vector_all_is_shown() -> None:
    shown = report(tally(scored_rows([{"name": "a"}, {"name": "b"}, {}], [(0, 1), (1, 2)])))
    assert nothing_is_nan(shown)
    assert of(shown["weakest"], nulls="redistribute", direction="both", dimension="momentum")["share"] == 0


def test_a_profile_with_ten_matches_has_no_more_than_its_best() -> None:
    for count, more in ((10, 0), (11, 1)):
        row = report(tally(handmade().head(count)))["against_current"][0]
        assert (row["profiles"], row["profiles_with_more"]) == (1, more)
        assert (row["best_overlap_with_more"] is None) == (not more)


def test_eleven_matches_in_the_same_order_under_every_policy_are_more_than_the_best() -> None:
    rows = handmade().head(11).assign(**{name: [(50 + k) / 10 for k in range(11)] for name in DIMENSION_COLUMNS})
    for row in report(tally(rows))["against_current"]:
        assert (row["profiles_with_more"], row["best_overlap_with_more"]) == (1, 1)
