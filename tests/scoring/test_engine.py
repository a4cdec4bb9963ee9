"""The engine gives what the reference gives, to the last digit, for whatever Hypothesis can think of."""

import math
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import POLICIES, PairScore, calibration_of
from jv_scoring.columns import round2
from jv_scoring.engine import score_pairs
from jv_scoring.factors import TARGET_DIMENSIONS
from jv_scoring.policy import DIMENSIONS
from jv_scoring.prepare import combine_offering, prepare
from jv_scoring.reference import score_pair
from jv_scoring.similarity import OVERLAP_STEPS, SEMANTIC, WORD_OVERLAP, step_score, word_overlap
from jv_scoring.synergy import SYNERGY, offering_text
from jv_scoring.text import words
from jv_scoring.vectors import Vectors
from tests.support.profile_strategies import (
    BGE,
    MINILM,
    TEXTS,
    Profile,
    edge_vectors,
    everyone_with_everyone,
    frame,
    pairs_of,
    populations,
    seeded_population,
)

GROUPS = {**TARGET_DIMENSIONS, "synergy": SYNERGY}
SCORES = ["score_ab", "score_ba", "harmonic_mean"]
SIMILARITIES = [factor.column for factor in SYNERGY[:2]]
MODELS = st.sampled_from([BGE, MINILM])


def nullable(value: Any) -> Any:
    return None if pd.isna(value) else value


def expected_row(scored: PairScore, raw: PairScore) -> dict[str, Any]:
    """What the engine's columns should hold. `raw` is scored under `redistribute`, where no factor is imputed."""
    row: dict[str, Any] = {name: getattr(scored, name) for name in SCORES}
    for direction in ("ab", "ba"):
        breakdown, not_imputed = (getattr(of, f"breakdown_{direction}") for of in (scored, raw))
        row |= {f"{name}_{direction}": breakdown[name]["score"] for name in DIMENSIONS}
        for name, group in GROUPS.items():
            entries = zip(group, not_imputed[name]["factors"], strict=True)
            row |= {f"{factor.column}_{direction}": entry["score"] for factor, entry in entries}
        for column, entry in zip(SIMILARITIES, breakdown["synergy"]["factors"], strict=False):
            row[f"{column}_method_{direction}"] = entry["method"]
    return row


def assert_same(profiles: list[Profile], places: list[tuple[int, int]], model: str, table: pd.DataFrame) -> None:
    """All pairs scored by both engines under the six policies; equality is exact."""
    prepared, calibration = prepare(table), calibration_of(model)
    raws = [score_pair(profiles[a], profiles[b], "harmonic/redistribute", calibration) for a, b in places]
    for policy in POLICIES:
        rows = score_pairs(prepared, pairs_of(*places), policy, calibration).to_dict("records")
        for (a, b), row, raw in zip(places, rows, raws, strict=True):
            found = {name: nullable(value) for name, value in row.items()}
            scored = score_pair(profiles[a], profiles[b], policy, calibration)
            assert expected_row(scored, raw).items() <= found.items()
            for direction in ("ab", "ba"):
                for column in SIMILARITIES:
                    semantic = found[f"{column}_method_{direction}"] == SEMANTIC
                    assert (found[f"{column}_cosine_{direction}"] is not None) is semantic


# Both engines agree


@settings(deadline=None, max_examples=120)
@given(populations(least=2, most=3), MODELS)
def test_every_score_dimension_factor_and_method_is_the_references(profiles: list[Profile], model: str) -> None:
    assert_same(profiles, everyone_with_everyone(len(profiles)), model, frame(profiles))


@settings(deadline=None, max_examples=150)
@given(st.lists(edge_vectors(), min_size=2, max_size=4), MODELS)
def test_a_cosine_at_a_step_falls_on_the_same_side(vectors: list[Any], model: str) -> None:
    profiles: list[Profile] = [{"embedding_who_you_serve": vector, "embedding_seeking": vector} for vector in vectors]
    for axis in (np.eye(16)[0], np.eye(16, dtype=np.float32)[0] * np.float32(0.3), np.full(16, 0.1, np.float32)):
        profiles.append({"embedding_who_you_serve": axis, "embedding_what_you_do": axis})
    pairs = everyone_with_everyone(len(profiles))
    calibration = calibration_of(model)
    scored = score_pairs(frame(profiles), pairs_of(*pairs), calibration=calibration)
    for (a, b), *scores in zip(pairs, scored["offering_seeking_ab"], scored["audience_alignment_ab"], strict=True):
        factors = score_pair(profiles[a], profiles[b], calibration=calibration).breakdown_ab["synergy"]["factors"]
        assert scores == [factor["score"] for factor in factors[:2]]


def test_vectors_of_a_real_length_score_the_same() -> None:
    profiles = seeded_population(24, 1024, seed=6)
    places = [(a, b) for a, b in everyone_with_everyone(24) if (a + b) % 9 == 0]
    assert_same(profiles, places, BGE, frame(profiles))


def test_the_seeded_vectors_reach_every_step_and_both_methods() -> None:
    profiles = seeded_population(24, 1024, seed=6)
    scored = score_pairs(frame(profiles), pairs_of(*everyone_with_everyone(24)))
    for column in SIMILARITIES:
        assert set(scored[f"{column}_ab"][scored[f"{column}_method_ab"] == SEMANTIC]) == {3, 4.5, 6, 8, 10}
        assert set(scored[f"{column}_method_ab"]) == {SEMANTIC, WORD_OVERLAP}


def test_columns_of_the_types_that_pandas_makes_of_them_score_the_same() -> None:
    profiles = seeded_population(12, 8, seed=3)
    table = pd.DataFrame(profiles, index=[f"p{k}" for k in range(12)])
    assert {str(dtype) for dtype in table.dtypes} >= {"float64", "str"}
    assert_same(profiles, everyone_with_everyone(12), BGE, table)
    assert_same(profiles, everyone_with_everyone(12), BGE, table.convert_dtypes())


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.floats(0, 100), st.integers(0, 20_000).map(lambda k: k / 200)), min_size=1))
def test_many_values_are_rounded_as_python_rounds_one(values: list[float]) -> None:
    assert round2(np.array(values)).tolist() == [round(value, 2) for value in values]


# Word overlap


@settings(deadline=None, max_examples=120)
@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, TEXTS), min_size=2, max_size=3), st.integers(0, 80))
def test_the_overlap_columns_hold_what_word_overlap_alone_gives(texts: list[Sequence[Any]], seed: int) -> None:
    names = ("seeking", "offering", "who_you_serve", "what_you_do")
    others = seeded_population(len(texts), 4, seed)
    profiles: list[Profile] = [of | dict(zip(names, text, strict=True)) for of, text in zip(others, texts, strict=True)]
    pairs = everyone_with_everyone(len(profiles))
    scored = score_pairs(frame(profiles), pairs_of(*pairs), overlap=True)
    for (a, b), row in zip(pairs, scored.to_dict("records"), strict=True):
        for direction, source, target in (("ab", profiles[a], profiles[b]), ("ba", profiles[b], profiles[a])):
            offering = word_overlap(words(source["seeking"]), words(offering_text(target)))
            audience = word_overlap(words(source["who_you_serve"]), words(target["who_you_serve"]))
            assert row[f"offering_seeking_overlap_{direction}"] == step_score(offering, OVERLAP_STEPS)
            assert row[f"audience_alignment_overlap_{direction}"] == step_score(audience, OVERLAP_STEPS)


def test_the_overlap_columns_change_no_other_column() -> None:
    profiles = frame(seeded_population(12, 8, seed=4))
    pairs = pairs_of(*everyone_with_everyone(12))
    plain, more = score_pairs(profiles, pairs), score_pairs(profiles, pairs, overlap=True)
    added = {f"{column}_overlap_{direction}" for column in SIMILARITIES for direction in ("ab", "ba")}
    assert set(more) - set(plain) == added
    pd.testing.assert_frame_equal(plain, more[plain.columns])


def test_no_character_is_both_of_a_word_and_blank() -> None:
    """The engine keeps a profile's words as one string, with blanks between."""
    for character in map(chr, range(sys.maxunicode + 1)):
        assert not (words(character * 4) and character.isspace())


# Which pairs are scored


def test_a_pair_whose_profile_is_gone_or_that_is_one_profile_twice_is_reported_not_scored() -> None:
    pairs = pd.DataFrame(
        [
            ("m0", "p0", "p1"),
            ("m1", "p0", "nobody"),
            ("m2", "nobody", "p1"),
            ("m3", "p1", "p1"),
            ("m4", "nobody", "nobody"),
            ("m5", None, "p0"),
            ("m6", "p1", "p0"),
        ],
        columns=["id", "profile_id", "suggested_profile_id"],
    )
    scored = score_pairs(frame([{}, {"name": "x"}]), pairs)
    assert scored["id"].tolist() == ["m0", "m6"]
    assert scored.attrs["unscorable"] == {
        "m1": "profile gone",
        "m2": "profile gone",
        "m3": "matched with itself",
        "m4": "profile gone",
        "m5": "profile gone",
    }


def test_without_unscorable_pairs_the_report_is_empty() -> None:
    assert score_pairs(frame([{}, {}]), pairs_of((0, 1))).attrs["unscorable"] == {}


@pytest.mark.parametrize("overlap", [False, True])
@pytest.mark.parametrize("profiles", [[], [{}, {}], seeded_population(3, 4, seed=1)])
def test_no_pairs_give_a_table_without_rows_and_with_the_usual_columns(profiles: list[Profile], overlap: bool) -> None:
    usual = score_pairs(frame([{}, {}]), pairs_of((0, 1)), overlap=overlap)
    for policy in POLICIES:
        empty = score_pairs(frame(profiles), pairs_of(), policy, overlap=overlap)
        assert len(empty) == 0
        assert list(empty) == list(usual)
        assert empty.attrs["unscorable"] == {}


def test_without_profiles_every_pair_is_reported_gone() -> None:
    scored = score_pairs(frame([]), pairs_of((0, 1), (1, 1)))
    assert len(scored) == 0
    assert scored.attrs["unscorable"] == {"m0": "profile gone", "m1": "profile gone"}


def test_profiles_without_any_column_are_profiles_of_nulls() -> None:
    table = pd.DataFrame(index=["p0", "p1"])
    assert score_pairs(table, pairs_of((0, 1)))["score_ab"].tolist() == [score_pair({}, {}).score_ab]


def test_profiles_with_an_id_twice_are_an_error() -> None:
    with pytest.raises(ValueError, match="an id is there twice"):
        score_pairs(frame([{}, {}], ["p0", "p0"]), pairs_of())


def test_an_unknown_policy_is_an_error() -> None:
    with pytest.raises(ValueError, match="policy best is unknown; use one of harmonic/impute"):
        score_pairs(frame([{}, {}]), pairs_of((0, 1)), "best")


# What a score does not depend on


def but_for_cosines(scored: pd.DataFrame) -> pd.DataFrame:
    """Cosines are within float error; all that is made of them is exact."""
    return scored[[name for name in scored if "_cosine_" not in name]]


@settings(deadline=None, max_examples=40)
@given(populations(least=3, most=5), st.randoms(use_true_random=False))
def test_a_score_depends_neither_on_the_order_of_profiles_and_pairs_nor_on_their_company(
    profiles: list[Profile], rng: Any
) -> None:
    places = everyone_with_everyone(len(profiles))
    table, pairs = frame(profiles), pairs_of(*places)
    scored = but_for_cosines(score_pairs(table, pairs))
    order, names = list(range(len(places))), list(table.index)
    rng.shuffle(order)
    rng.shuffle(names)
    shuffled = but_for_cosines(score_pairs(table.loc[names], pairs.iloc[order]))
    assert shuffled["id"].tolist() == [f"m{k}" for k in order]
    pd.testing.assert_frame_equal(shuffled, scored.iloc[order].reset_index(drop=True))
    for k, (a, b) in enumerate(places[:4]):
        alone = but_for_cosines(score_pairs(table.iloc[[b, a]], pairs.iloc[[k]]))
        pd.testing.assert_frame_equal(alone, scored.iloc[[k]].reset_index(drop=True))


def test_many_pairs_in_one_call_are_scored_as_in_many() -> None:
    profiles = prepare(frame(seeded_population(40, 64, seed=2)))
    pairs = pairs_of(*everyone_with_everyone(40))
    at_once = score_pairs(profiles, pairs)
    parts = [score_pairs(profiles, pairs.iloc[first : first + 97]) for first in range(0, len(pairs), 97)]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), at_once)


def test_a_pair_matched_from_both_sides_mirrors_its_directions() -> None:
    there, back = score_pairs(frame(seeded_population(2, 8, seed=1)), pairs_of((0, 1), (1, 0))).to_dict("records")
    for name in [name for name in there if name.endswith("_ab")]:
        mirrored = f"{name.removesuffix('_ab')}_ba"
        assert (nullable(there[name]), nullable(there[mirrored])) == (nullable(back[mirrored]), nullable(back[name]))
    assert there["harmonic_mean"] == back["harmonic_mean"]


def test_neither_the_profiles_nor_the_pairs_are_changed() -> None:
    profiles, pairs = frame(seeded_population(4, 8, seed=1)), pairs_of(*everyone_with_everyone(4))
    before = profiles.copy(deep=True), pairs.copy(deep=True)
    score_pairs(profiles, pairs, overlap=True)
    pd.testing.assert_frame_equal(profiles, before[0])
    pd.testing.assert_frame_equal(pairs, before[1])


# Vectors that come as one matrix


def test_an_offering_combined_of_two_matrices_is_what_prepare_makes_of_columns() -> None:
    profiles = seeded_population(30, 8, seed=6)
    profiles[3]["embedding_offering"], profiles[4]["embedding_what_you_do"] = None, np.full(8, 1e-20, np.float32)
    profiles[4]["embedding_offering"], profiles[5]["embedding_offering"] = None, np.zeros(8, np.float32)
    table = frame(profiles)
    combined = combine_offering(
        Vectors.from_values(table["embedding_offering"].tolist()),
        Vectors.from_values(table["embedding_what_you_do"].tolist()),
    )
    expected = prepare(table).vectors["offering"]
    for profile in range(len(profiles)):
        one, other = combined.vector(profile), expected.vector(profile)
        assert (one is None) is (other is None)
        assert one is None or other is None or np.array_equal(one, other)


@settings(deadline=None, max_examples=100)
@given(populations(least=2, most=4))
def test_combining_offerings_agrees_with_prepare_whatever_the_vectors(profiles: list[Profile]) -> None:
    table = frame(profiles)
    prepared = prepare(table)
    combined = combine_offering(
        Vectors.from_values(table["embedding_offering"].tolist()),
        Vectors.from_values(table["embedding_what_you_do"].tolist()),
    )
    pairs = pairs_of(*everyone_with_everyone(len(profiles)))
    again = type(prepared)(prepared.features, prepared.vectors | {"offering": combined})
    pd.testing.assert_frame_equal(
        but_for_cosines(score_pairs(again, pairs)), but_for_cosines(score_pairs(prepared, pairs))
    )


@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e20, math.ldexp(1, -140)])
def test_a_vector_of_any_length_has_the_cosine_of_its_direction(scale: float) -> None:
    u = np.array([3.0, 4.0, 0.0], np.float32)
    v = (np.array([1.0, 0.0, 0.0]) * scale).astype(np.float32)
    assert v[0] > 0
    profiles: list[Profile] = [{"embedding_who_you_serve": u}, {"embedding_who_you_serve": v}]
    scored = score_pairs(frame(profiles), pairs_of((0, 1)))
    assert scored["audience_alignment_ab"].tolist() == [6.0]
    assert scored["audience_alignment_cosine_ab"].tolist() == [pytest.approx(0.6)]
