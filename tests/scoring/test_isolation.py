"""Isolation: word overlap only is what the reference gives without vectors; twelve matches worked out by hand."""

import statistics
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import CURRENT_POLICY, POLICIES, PairScore
from jv_scoring.analysis.embedding_isolation import (
    COLUMNS,
    COMPARISONS,
    MEASURES,
    Isolation,
    RandomPairs,
    report,
    tally,
    tally_random,
    words_only,
)
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import parse_policy
from jv_scoring.reference import score_pair
from tests.support.profile_strategies import Profile, everyone_with_everyone, populations
from tests.support.score_rows import CUTS, merged_in_pieces, nothing_is_nan, population, scored_rows, without_vectors

RANDOM = st.randoms(use_true_random=False)


def measured(scored: PairScore) -> dict[str, float]:
    """The measures of one pair, of the reference."""
    found = {name: getattr(scored, name) for name in ("score_ab", "score_ba", "harmonic_mean")}
    for k, factor in enumerate(("offering_seeking", "audience_alignment")):
        for direction in DIRECTIONS:
            if (factor, direction) in COMPARISONS:
                breakdown = getattr(scored, f"breakdown_{direction}")
                found[f"{factor}_{direction}"] = breakdown["synergy"]["factors"][k]["score"]
    return found


def both_ways(
    profiles: list[Profile], places: list[tuple[int, int]], policy: str
) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Every pair's measures without vectors and with them."""
    bare = [without_vectors(profile) for profile in profiles]
    return [
        (measured(score_pair(bare[a], bare[b], policy)), measured(score_pair(profiles[a], profiles[b], policy)))
        for a, b in places
    ]


# Against the reference


@settings(deadline=None, max_examples=60)
@given(populations(least=2, most=3), st.sampled_from(list(POLICIES)))
def test_words_only_is_what_the_reference_gives_without_vectors(profiles: list[Profile], policy: str) -> None:
    places = everyone_with_everyone(len(profiles))
    words = words_only(scored_rows(profiles, places, policy), parse_policy(policy))
    found = [{name: float(words[name][k]) for name in MEASURES} for k in range(len(places))]
    assert found == [without for without, _ in both_ways(profiles, places, policy)]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 1000), st.sampled_from(list(POLICIES)))
def test_the_report_is_what_a_plain_computation_gives(seed: int, policy: str) -> None:
    profiles, places = population(seed)
    expected = both_ways(profiles, places, policy)
    shown = report(tally(scored_rows(profiles, places, policy)))
    assert (shown["policy"], shown["matches"]) == (policy, len(places))
    assert nothing_is_nan(shown)
    for record in shown["measures"]:
        name = record["measure"]
        sides = {
            "word_overlap": [words[name] for words, _ in expected],
            "embeddings": [embeddings[name] for _, embeddings in expected],
            "change": [round(embeddings[name] - words[name], 2) for words, embeddings in expected],
        }
        values = sides[record["side"]]
        assert record["mean"] == pytest.approx(statistics.fmean(values))
        assert record["median"] == pytest.approx(statistics.median(values))
        assert record["sd"] == pytest.approx(statistics.pstdev(values), abs=1e-9)
    changes = {
        f"m{k}": round(embeddings["harmonic_mean"] - words["harmonic_mean"], 2)
        for k, (words, embeddings) in enumerate(expected)
    }
    most = sorted(changes, key=lambda name: (-abs(changes[name]), name))[:20]
    assert [(row["id"], row["change"]) for row in shown["most_changed"]] == [(name, changes[name]) for name in most]


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 5), CUTS, RANDOM)
def test_ranges_merge_to_one_pass(seed: int, cuts: list[int], rng: Any) -> None:
    rows = scored_rows(*population(seed), match_score=[(k * 7 + seed) % 13 for k in range(len(population(seed)[1]))])
    assert merged_in_pieces(rows[COLUMNS], tally, cuts, rng).to_json() == tally(rows).to_json()


# Twelve matches by hand

KINDS = {"up": (3.0, 6.0, "semantic"), "down": (10.0, 6.0, "semantic"), "same": (6.0, 6.0, "word_overlap")}
"""Both similarity factors by words and as scored, and the method. All else is 6, so as scored every match has 60.

By words Synergy is (6.5 w + 4.5 * 6) / 11 and the score 10 / (0.75 / 6 + 0.25 / Synergy):
up: 46.5 / 11 = 4.23, 54.32. down: 92 / 11 = 8.36, 64.56. same: 60.
"""


def handmade() -> pd.DataFrame:
    """Five up, three down and three the same in both directions; and m00, up from A to B only: 57.02 by words."""
    kinds = [("up", "same"), *[("up", "up")] * 5, *[("down", "down")] * 3, *[("same", "same")] * 3]
    rows = []
    for k, of in enumerate(kinds):
        row: dict[str, Any] = dict.fromkeys(COLUMNS, 6.0)
        row |= {"id": f"m{k:02}", "profile_id": "a", "suggested_profile_id": f"b{k}", "match_score": 90 - k}
        row |= {"score_ab": 60.0, "score_ba": 60.0, "harmonic_mean": 60.0, "policy": CURRENT_POLICY}
        for direction, kind in zip(DIRECTIONS, of, strict=True):
            words, scored, method = KINDS[kind]
            for factor in ("offering_seeking", "audience_alignment"):
                row |= {f"{factor}_{direction}": scored, f"{factor}_overlap_{direction}": words}
                row[f"{factor}_method_{direction}"] = method
        rows.append(row)
    return pd.DataFrame(rows)


def measure(shown: dict[str, Any], name: str, side: str) -> dict[str, Any]:
    return next(record for record in shown["measures"] if (record["measure"], record["side"]) == (name, side))


def test_scores_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()))
    words = measure(shown, "harmonic_mean", "word_overlap")
    assert words["mean"] == pytest.approx(58.525)  # (57.02 + 5 * 54.32 + 3 * 64.56 + 3 * 60) / 12
    assert words["median"] == pytest.approx(58.51)  # between 57.02 and 60
    assert (words["min"], words["max"]) == (54.32, 64.56)
    embeddings = measure(shown, "harmonic_mean", "embeddings")
    assert (embeddings["mean"], embeddings["median"], embeddings["sd"]) == (60, 60, 0)
    change = measure(shown, "harmonic_mean", "change")
    assert change["mean"] == pytest.approx(1.475)  # (2.98 + 5 * 5.68 - 3 * 4.56) / 12
    assert change["median"] == pytest.approx(1.49)  # between 0 and 2.98
    assert measure(shown, "score_ab", "word_overlap")["mean"] == pytest.approx((6 * 54.32 + 3 * 64.56 + 3 * 60) / 12)
    assert measure(shown, "score_ba", "word_overlap")["mean"] == pytest.approx((5 * 54.32 + 3 * 64.56 + 4 * 60) / 12)
    assert {"measure": "harmonic_mean", "raised": 6, "unchanged": 3, "lowered": 3} in shown["changes"]


def test_factors_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()))
    words = measure(shown, "offering_seeking_ab", "word_overlap")
    assert words["mean"] == 5.5  # (6 * 3 + 3 * 10 + 3 * 6) / 12
    assert words["sd"] == pytest.approx(8.25**0.5)
    assert words["median"] == 4.5  # between 3 and 6
    assert measure(shown, "offering_seeking_ab", "change")["mean"] == 0.5
    assert measure(shown, "offering_seeking_ba", "change")["mean"] == 0.25  # (5 * 3 - 3 * 4) / 12
    assert [each["measure"] for each in shown["changes"] if "audience" in each["measure"]] == ["audience_alignment_ab"]


def test_evaluations_of_twelve_matches_by_hand() -> None:
    counted = {
        (record["direction"], record["factor"]): (record["semantic"], record["word_overlap"], record["semantic_share"])
        for record in report(tally(handmade()))["evaluations"]
    }
    assert counted["ab", "offering_seeking"] == (9, 3, 9 / 12)
    assert counted["ba", "offering_seeking"] == (8, 4, 8 / 12)
    assert counted["both", "offering_seeking"] == (17, 7, 17 / 24)
    assert counted["both", "audience_alignment"] == (9, 3, 9 / 12)  # the same two texts both ways: once
    assert counted["both", "both"] == (26, 10, 26 / 36)


def test_the_most_changed_and_the_best_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()), best=2)
    changes = [(row["id"], row["change"]) for row in shown["most_changed"]]
    assert changes == [
        *((f"m0{k}", 5.68) for k in range(1, 6)),
        *((f"m0{k}", -4.56) for k in range(6, 9)),
        ("m00", 2.98), ("m09", 0), ("m10", 0), ("m11", 0),
    ]  # fmt: skip
    first = shown["most_changed"][0]
    assert (first["profile_id"], first["suggested_profile_id"]) == ("a", "b1")
    assert (first["words_harmonic_mean"], first["embeddings_harmonic_mean"]) == (54.32, 60)
    means = {record["measure"]: record for record in shown["best_by_match_score"]["means"]}
    assert shown["best_by_match_score"]["matches"] == 2
    assert means["harmonic_mean"]["word_overlap"] == pytest.approx(55.67)  # m00 and m01: (57.02 + 54.32) / 2
    assert means["harmonic_mean"]["change"] == pytest.approx(4.33)
    assert (means["offering_seeking_ba"]["word_overlap"], means["offering_seeking_ba"]["embeddings"]) == (4.5, 6)


# Beside pairs at random


def planted(pairs: list[tuple[str, str]], changes: list[float]) -> pd.DataFrame:
    """Matches whose score is 60 with embeddings, and by words what makes these changes of 0 or 5.68 points."""
    kinds = {5.68: "up", 0.0: "same"}
    rows = handmade().head(1).loc[[0] * len(pairs)].reset_index(drop=True)
    rows["id"] = [f"r{k}" for k in range(len(pairs))]
    rows["profile_id"], rows["suggested_profile_id"] = zip(*pairs, strict=True)
    for k, change in enumerate(changes):
        words, _, method = KINDS[kinds[change]]
        for direction in DIRECTIONS:
            for factor in ("offering_seeking", "audience_alignment"):
                rows.loc[k, [f"{factor}_overlap_{direction}", f"{factor}_method_{direction}"]] = [words, method]
    return rows


def test_an_offset_of_both_kinds_of_pairs_is_no_difference() -> None:
    """All change by 5.68, whoever they are."""
    pairs = [(f"p{k}", f"q{k % 3}") for k in range(8)]
    same = planted(pairs, [5.68] * 8)
    shown = report(tally(same), random=tally_random(planted([(a, "z") for a, _ in pairs], [5.68] * 8)))
    assert measure(shown, "harmonic_mean", "change")["mean"] == pytest.approx(5.68)
    assert shown["beyond_random"]["value"] == pytest.approx(0)
    random = next(record for record in shown["random"] if record["measure"] == "harmonic_mean")
    assert (random["pairs"], random["change"]) == (8, pytest.approx(5.68))


def test_the_interval_beyond_random_is_that_of_a_plain_double_loop() -> None:
    rng = np.random.default_rng(3)
    names = [f"p{k}" for k in range(7)]
    kinds = {}
    for kind, count in (("suggested", 23), ("random", 17)):
        pairs = [tuple(rng.choice(names, 2, replace=False).tolist()) for _ in range(count)]
        kinds[kind] = pairs, rng.choice([0.0, 5.68], count).tolist()
    shown = report(tally(planted(*kinds["suggested"])), random=tally_random(planted(*kinds["random"])))["beyond_random"]
    errors = []
    for sign, (pairs, changes) in zip((1, -1), kinds.values(), strict=True):
        mean = statistics.fmean(changes)
        errors += [(set(pair), sign * (each - mean) / len(pairs)) for pair, each in zip(pairs, changes, strict=True)]
    variance = sum(
        one * other * (1 if i == j else len(a & b))
        for i, (a, one) in enumerate(errors)
        for j, (b, other) in enumerate(errors)
    )
    by_match = sum(error**2 for _, error in errors)
    error = (max(variance, by_match) * 7 / 6) ** 0.5
    means = [statistics.fmean(changes) for _, changes in kinds.values()]
    assert shown["value"] == pytest.approx(means[0] - means[1])
    assert (shown["error"], shown["error_by_match"]) == pytest.approx((error, by_match**0.5))
    assert (shown["low"], shown["high"]) == pytest.approx(
        (shown["value"] - 1.959964 * error, shown["value"] + 1.959964 * error)
    )


def test_without_random_pairs_there_is_no_headline() -> None:
    for random in (None, tally_random(handmade().head(0))):
        shown = report(tally(handmade()), random=random)
        assert (shown["random"], shown["beyond_random"]["value"]) == ([], None)
        assert nothing_is_nan(shown)


@settings(deadline=None, max_examples=5)
@given(CUTS, RANDOM)
def test_random_pairs_merge_to_one_pass(cuts: list[int], rng: Any) -> None:
    rows = scored_rows(*population(2))[COLUMNS]
    merged = merged_in_pieces(rows, tally_random, cuts, rng)
    assert isinstance(merged, RandomPairs)
    assert merged.to_json() == tally_random(rows).to_json()


# Edges


def assert_shown(isolation: Isolation, matches: int) -> None:
    shown = report(Isolation.from_json(isolation.to_json()))
    assert shown["matches"] == matches
    assert nothing_is_nan(shown)


@pytest.mark.parametrize("count", [0, 1])
def test_no_row_and_one_row_are_shown(count: int) -> None:
    assert_shown(tally(handmade().head(count)), count)
    assert_shown(tally(scored_rows(*population(1)).head(count)), count)
    assert_shown(tally(handmade().head(count)) + tally(handmade().iloc[4:4]), count)


def test_an_empty_file_of_untyped_columns_is_shown() -> None:
    assert_shown(tally(pd.DataFrame({name: np.array([], object) for name in COLUMNS})), 0)


def test_without_any_embedding_nothing_changes() -> None:
    profiles, places = population(2)
    shown = report(tally(scored_rows([without_vectors(profile) for profile in profiles], places)))
    assert nothing_is_nan(shown)
    assert all(record["max"] == record["min"] == 0 for record in shown["measures"] if record["side"] == "change")
    assert all(record["semantic_share"] == 0 for record in shown["evaluations"])
    assert shown["best_by_match_score"] == {"matches": 0, "means": []}


def test_rows_of_two_policies_are_an_error() -> None:
    rows = handmade().assign(policy=[CURRENT_POLICY, "arithmetic/impute"] * 6)
    with pytest.raises(ValueError, match="several policies: arithmetic/impute, harmonic/impute"):
        tally(rows)


def test_more_of_the_best_than_are_kept_is_an_error() -> None:
    with pytest.raises(ValueError, match="the 50 highest by match_score are kept, not 51"):
        report(tally(handmade()), best=51)
