"""Calibration of similarity: planted distributions are recovered, by seed, and never from too little data."""

import json
from collections import Counter
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from jv_scoring.analysis import similarity_calibration as analysis
from jv_scoring.analysis.calibration_pairs import (
    FACTORS,
    NEAR_MISS,
    PARAPHRASE,
    RandomPairs,
    Texts,
    cosines_of,
    draw,
    text_pairs,
)
from jv_scoring.analysis.languages import language_of
from jv_scoring.analysis.tallies import Json
from jv_scoring.discovery import discover
from jv_scoring.engine import score_pairs
from jv_scoring.policy import CURRENT_POLICY
from jv_scoring.reference import score_pair
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL
from jv_scoring.text import text_to_embed
from jv_scoring.vectors import Vectors
from tests.support.profile_strategies import everyone_with_everyone, frame, pairs_of
from tests.support.score_rows import population

OFFERING, AUDIENCE = FACTORS
STEPS = CALIBRATIONS[REFERENCE_MODEL].steps
LADDER = analysis.Ladder(STEPS)
NOBODY = np.zeros((0, 2), np.int64)


def some_texts(count: int, seed: int = 0, dimension: int = 16) -> Texts:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, dimension)).astype(np.float32) + 0.5
    return Texts(Vectors.from_matrix(vectors, np.arange(count)), np.arange(count) + 1, np.full(count, None, object))


def planted(pairs: int, profiles: int, seed: int, mean: float = 0.5, sd: float = 0.1) -> RandomPairs:
    """Pairs of profiles whose cosines have a known distribution."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, profiles, (2, pairs))
    cosines = np.clip(rng.normal(mean, sd, pairs), 0, 1)
    return RandomPairs(a, b, cosines, np.full(pairs, None, object))


def of(pairs: RandomPairs, profiles: int, texts: analysis.TextCosines | None = None) -> Json:
    return analysis.figures(OFFERING, pairs, texts, LADDER, profiles)


# Drawing


def test_the_drawn_pairs_are_different_and_none_is_left_out_by_mistake() -> None:
    texts, count = some_texts(40), 40
    same = texts.same.copy()
    same[:5] = 999  # Five profiles with one text.
    texts = Texts(texts.vectors, same, texts.languages)
    suggested = np.array([[10, 11], [12, 10]])
    pairs = draw(OFFERING, (texts, texts), suggested, count=10_000, seed=3)
    found = set(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True))
    matches = {(10, 11), (11, 10), (12, 10), (10, 12)}
    expected = {(a, b) for a in range(count) for b in range(count) if a != b and not (a < 5 and b < 5)} - matches
    assert found == expected
    assert len(pairs.a) == len(expected)
    one_way = draw(AUDIENCE, (texts, texts), suggested, count=10_000, seed=3)
    assert set(zip(one_way.a.tolist(), one_way.b.tolist(), strict=True)) == {(a, b) for a, b in expected if a < b}


def test_profiles_without_a_usable_vector_are_not_drawn() -> None:
    vectors = np.ones((4, 3), np.float32)
    vectors[2] = 0
    row = np.array([0, 1, 2, -1, 3])
    texts = Texts(Vectors.from_matrix(vectors, row), np.arange(5), np.full(5, None, object))
    pairs = draw(OFFERING, (texts, texts), NOBODY, count=100, seed=0)
    assert set(pairs.a.tolist()) == {0, 1, 4}


def test_many_pairs_are_drawn_without_listing_all() -> None:
    texts = some_texts(600)
    pairs = draw(OFFERING, (texts, texts), NOBODY, count=20_000, seed=1)
    assert len({*zip(pairs.a.tolist(), pairs.b.tolist(), strict=True)}) == 20_000
    assert not (pairs.a == pairs.b).any()
    vectors = texts.vectors.matrix / np.linalg.norm(texts.vectors.matrix, axis=1)[:, None]
    expected = (vectors[pairs.a] * vectors[pairs.b]).sum(axis=1)
    assert pairs.cosines == pytest.approx(np.clip(expected, 0, 1), abs=1e-5)


def test_equal_seeds_give_equal_bytes_and_other_seeds_other_pairs() -> None:
    texts = some_texts(300)
    one, again, other = (draw(OFFERING, (texts, texts), NOBODY, count=5_000, seed=seed) for seed in (1, 1, 2))
    assert json.dumps(of(one, 300)) == json.dumps(of(again, 300))
    assert one.a.tobytes() == again.a.tobytes()
    assert one.a.tobytes() != other.a.tobytes()


def test_a_pair_has_a_language_if_both_texts_have_it() -> None:
    texts = some_texts(4)
    texts = Texts(texts.vectors, texts.same, np.array(["en", "en", "de", None], object))
    pairs = draw(OFFERING, (texts, texts), NOBODY, count=100, seed=0)
    english = pairs.of_language("en")
    assert sorted(zip(english.a.tolist(), english.b.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert [each["language"] for each in of(pairs, 4)["languages"]] == ["en"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Looking for podcast hosts who speak to new mothers and the people who help them", "en"),
        ("Ich suche Partner für mein Seminar, die sich mit Gesundheit auskennen und gern reden", "de"),
        ("Busco mujeres que quieran empezar una empresa y sus primeros clientes para los talleres", "es"),
        ("Je cherche des partenaires pour les ateliers avec qui je peux parler de la santé", "fr"),
        ("Procuro parceiros que ajudem as empresas do meu bairro e não cobrem muito", "pt"),
        ("Cerco persone che non hanno tempo per le riunioni della mattina", "it"),
        ("Ik zoek mensen die met mij een podcast maken over gezondheid en het werk", "nl"),
        ("podcast marketing", None),
        ("", None),
        (None, None),
        ("Ищу партнёров для вебинара", None),
    ],
)
def test_a_language_is_known_by_its_commonest_words(text: object, language: str | None) -> None:
    assert language_of(text) == language


# Figures


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.1), (0.62, 0.05), (0.2, 0.12)])
def test_a_planted_distribution_is_recovered(mean: float, sd: float) -> None:
    found = of(planted(40_000, 3_000, seed=5, mean=mean, sd=sd), 3_000)
    proposal = found["proposal"]
    assert proposal["verdict"] == analysis.ENOUGH, proposal["why"]
    limits = [step["limit"] for step in proposal["steps"]]
    assert limits == sorted(limits, reverse=True)
    assert [step["score"] for step in proposal["steps"]] == [score for _, score in STEPS]
    for step in proposal["steps"]:
        assert step["limit"] == pytest.approx(NormalDist(mean, sd).inv_cdf(1 - step["rate"]), abs=0.01)
        assert step["half_width"] <= analysis.MOST_HALF_WIDTH
        assert step["low"] - 0.001 <= step["limit"] <= step["high"] + 0.001
    for step in found["steps"]:
        assert step["random"] == pytest.approx(1 - NormalDist(mean, sd).cdf(step["limit"]), abs=0.01)
        assert step["low"] <= step["random"] <= step["high"]


def test_held_out_false_positive_rates_are_within_one_point() -> None:
    """The steps of half of the profiles have the wanted rates on other pairs of them, and on the other half."""
    vectors = np.random.default_rng(0).normal(size=(5_000, 48)).astype(np.float32) + np.float32(0.8)
    halves = [
        Texts(Vectors.from_matrix(part, np.arange(2_500)), np.arange(2_500), np.full(2_500, None, object))
        for part in (vectors[:2_500], vectors[2_500:])
    ]
    proposal = of(draw(OFFERING, (halves[0], halves[0]), NOBODY, count=30_000, seed=4), 2_500)["proposal"]
    assert proposal["verdict"] == analysis.ENOUGH, proposal["why"]
    for half in halves:
        held_out = draw(OFFERING, (half, half), NOBODY, count=30_000, seed=5).cosines
        for step in proposal["steps"]:
            assert analysis.reached(held_out, step["limit"]) == pytest.approx(step["rate"], abs=0.01)


def test_too_few_pairs_and_too_few_profiles_propose_nothing() -> None:
    few = of(planted(analysis.LEAST_PAIRS - 1, 3_000, seed=1), 3_000)["proposal"]
    assert (few["verdict"], few["why"]) == (analysis.NOT_ENOUGH, "19,999 random pairs, of 20,000 needed")
    rng = np.random.default_rng(2)
    of_profile = rng.normal(0, 0.1, 60)  # The cosine depends on the profile, and there are 60 of them.
    a, b = rng.integers(0, 60, (2, 30_000))
    cosines = np.clip(0.5 + of_profile[a] + of_profile[b], 0, 1)
    known = of(RandomPairs(a, b, cosines, np.full(30_000, None, object)), 60)["proposal"]
    assert known["verdict"] == analysis.NOT_ENOUGH
    assert "± 0.01 is needed" in known["why"]
    nothing = of(planted(0, 10, seed=1), 10)
    assert nothing["proposal"]["verdict"] == analysis.NOT_ENOUGH
    assert [step["random"] for step in nothing["steps"]] == [None] * 4


def test_steps_that_coincide_are_not_proposed() -> None:
    alike = planted(20_000, 2_000, seed=1, mean=0.4, sd=0.0)
    assert of(alike, 2_000)["proposal"]["why"] == "two steps fall on the same cosine"


def test_text_pairs_are_counted_over_each_step_and_their_auc_has_an_interval() -> None:
    texts = analysis.TextCosines(np.array([0.8, 0.7, 0.6, 0.9]), np.array([0.55, 0.7, 0.4, 0.3]))
    pairs = planted(20_000, 2_000, seed=8)
    found = of(pairs, 2_000, texts)
    assert [step["paraphrases"] for step in found["steps"]] == [0.5, 0.75, 1.0, 1.0]
    assert [step["near_misses"] for step in found["steps"]] == [0.0, 0.25, 0.25, 0.5]
    random, near = found["auc"]
    assert near["value"] == pytest.approx((4 + 3.5 + 3 + 4) / 16)
    expected = np.mean([np.mean(pairs.cosines < each) for each in texts.paraphrases])
    assert random["value"] == pytest.approx(expected, abs=1e-9)
    for auc in found["auc"]:
        assert auc["low"] <= auc["value"] <= auc["high"]
    json.dumps(found, allow_nan=False)


def test_the_histogram_holds_every_pair_on_its_side_of_each_step() -> None:
    cosines = np.array([0.0, 0.53, 0.5299999, 0.65, 0.75, 1.0, 0.999999])
    counts = analysis.histogram(cosines)
    assert counts.sum() == len(cosines)
    for limit, _ in STEPS:
        assert analysis.share_over(counts, limit) == analysis.reached(cosines, limit)


def test_drift_is_zero_of_the_same_and_the_distance_of_another() -> None:
    now, moved = (of(planted(20_000, 2_000, seed=1, mean=mean), 2_000) for mean in (0.5, 0.55))
    still = analysis.drift(now, now)
    assert (still["distance"], still["mean"]) == (0, 0)
    assert {step["change"] for step in still["steps"]} == {0}
    drift = analysis.drift(moved, now)
    assert drift["mean"] == pytest.approx(0.05, abs=0.005)
    assert drift["distance"] == pytest.approx(0.197, abs=0.02)  # Two normal curves, half a standard deviation apart.


# The file of text pairs


def test_the_file_has_240_varied_pairs_with_a_source_each() -> None:
    pairs = text_pairs()
    for kind in (PARAPHRASE, NEAR_MISS):
        of_kind = [pair for pair in pairs if pair.kind == kind]
        assert len(of_kind) == 120
        assert {factor: sum(pair.factor == factor for pair in of_kind) for factor in FACTORS} == dict.fromkeys(
            FACTORS, 60
        )
    assert all(pair.source.strip() and pair.topic.strip() for pair in pairs)
    assert all(bool(pair.contrast) == (pair.kind == NEAR_MISS) for pair in pairs)
    uses = Counter(text.lower() for pair in pairs for text in {pair.first, pair.second})
    assert len(uses) >= 400
    assert max(uses.values()) == 2  # A near miss may turn around the first text of a paraphrase.
    assert len({frozenset((pair.first, pair.second)) for pair in pairs}) == len(pairs)
    assert all(text_to_embed(text) == text for pair in pairs for text in (pair.first, pair.second))
    assert len({pair.topic for pair in pairs}) >= 40


def test_cosines_of_rows_come_two_by_two() -> None:
    vectors = np.array([[1, 0], [1, 0], [1, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    assert cosines_of(vectors) == pytest.approx([1, 0, 2**-0.5])


# Steps of their own for each factor


@pytest.mark.parametrize("seed", range(4))
def test_both_engines_and_discovery_use_the_steps_of_each_factor(seed: int) -> None:
    measured = (
        (OFFERING, ((0.9, 10.0), (0.5, 8.0), (0.2, 6.0), (0.1, 4.5))),
        (AUDIENCE, ((0.99, 10.0), (0.95, 8.0), (0.9, 6.0), (0.4, 4.5))),
    )
    calibration = replace(CALIBRATIONS[REFERENCE_MODEL], name="own", measured=measured)
    profiles, _ = population(seed, 9)
    places = everyone_with_everyone(len(profiles))
    pairs = pairs_of(*places)
    scored = score_pairs(frame(profiles), pairs, CURRENT_POLICY, calibration)
    expected = [score_pair(profiles[a], profiles[b], CURRENT_POLICY, calibration) for a, b in places]
    assert scored["harmonic_mean"].tolist() == [each.harmonic_mean for each in expected]
    own = [score_pair(profiles[a], profiles[b], CURRENT_POLICY).harmonic_mean for a, b in places]
    assert own != scored["harmonic_mean"].tolist()
    found = discover(frame(profiles), pairs.iloc[:0], 100, CURRENT_POLICY, calibration)
    values = {frozenset((f"p{a}", f"p{b}")): each.harmonic_mean for (a, b), each in zip(places, expected, strict=True)}
    assert len(found)
    for row in found.itertuples():
        assert row.harmonic_mean == values[frozenset((row.profile_id, row.candidate_id))]
