"""Discovery finds what scoring of all pairs by the reference would put first, whatever the profiles."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import POLICIES, calibration_of, discovery, discovery_search
from jv_scoring.discovery import COLUMNS, Looked, discover
from jv_scoring.prepare import prepare
from jv_scoring.reference import score_pair
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from tests.support.profile_strategies import BGE, MINILM, Profile, edge_vectors, frame, populations, seeded_population

MODELS = st.sampled_from([BGE, MINILM])
NO_MATCHES = pd.DataFrame({"profile_id": [], "suggested_profile_id": []}, dtype=object)


def matches_of(pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["profile_id", "suggested_profile_id"], dtype=object)


def expected(
    profiles: dict[str, Profile], matches: Sequence[tuple[str, str]], k: int, policy: str, model: str
) -> list[tuple[Any, ...]]:
    """The contract, read from top to bottom: every pair scored by the reference."""
    usable = {
        name for name, profile in profiles.items() if any(text_to_embed(profile.get(of)) for of in EMBEDDED_FIELDS)
    }
    joined = {frozenset(pair) for pair in matches}
    rows = []
    for name in sorted(usable):
        scored = [
            (score_pair(profiles[name], profiles[other], policy, calibration_of(model)), other)
            for other in usable - {name}
            if frozenset((name, other)) not in joined
        ]
        scored.sort(key=lambda pair: (-pair[0].harmonic_mean, pair[1]))
        rows += [
            (name, other, rank, score.harmonic_mean, score.score_ab, score.score_ba)
            for rank, (score, other) in enumerate(scored[:k], start=1)
        ]
    return rows


def found(*arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
    return list(discover(*arguments, **options)[list(COLUMNS)].itertuples(index=False, name=None))


def texts_of_all(profiles: Sequence[Profile]) -> list[Profile]:
    """The same with a usable text each, so that all are eligible."""
    return [{**profile, "seeking": profile.get("seeking") or "speakers"} for profile in profiles]


@settings(deadline=None, max_examples=100)
@given(populations(least=0, most=7), st.integers(0, 7), MODELS, st.sampled_from(sorted(POLICIES)), st.data())
def test_candidates_are_those_of_scoring_every_pair(
    drawn: list[Profile], k: int, model: str, policy: str, data: st.DataObject
) -> None:
    ids = data.draw(st.permutations([f"p{number}" for number in range(len(drawn))]))
    profiles = dict(zip(ids, drawn, strict=True))
    anyone = st.sampled_from([*ids, "gone", "left"])
    matches = data.draw(st.lists(st.tuples(anyone, anyone), max_size=6))
    table = frame(drawn, ids)
    assert found(table, matches_of(matches), k, policy, calibration_of(model)) == expected(
        profiles, matches, k, policy, model
    )


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32),
    st.sampled_from([1, 3, 6]),
    st.sampled_from(sorted(POLICIES)),
    st.sampled_from([1, 3, 8]),
    st.sampled_from([1, 5, 100]),
)
def test_neither_the_tiles_nor_the_order_matter(seed: int, k: int, policy: str, size: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = seeded_population(18, 8, seed)
    ids = [f"p{number:02}" for number in rng.permutation(len(drawn))]
    matches = [(str(a), str(b)) for a, b in rng.choice(ids, (30, 2))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery_search, "_TILE_SIZE", size)
        patch.setattr(discovery, "COLUMNS_AT_ONCE", columns)
        rows = found(frame(drawn, ids), matches_of(matches), k, policy)
    assert rows == expected(dict(zip(ids, drawn, strict=True)), matches, k, policy, BGE)


@settings(deadline=None, max_examples=25)
@given(st.lists(edge_vectors(), min_size=2, max_size=5), MODELS, st.sampled_from(sorted(POLICIES)))
def test_a_cosine_at_a_step_is_settled_as_scoring_does(vectors: list[Any], model: str, policy: str) -> None:
    drawn: list[Profile] = [{"embedding_who_you_serve": vector, "embedding_seeking": vector} for vector in vectors]
    for axis in (np.eye(16)[0], np.eye(16, dtype=np.float32)[0] * np.float32(0.3), np.full(16, 0.1, np.float32)):
        drawn.append({"embedding_who_you_serve": axis, "embedding_what_you_do": axis})
    drawn = texts_of_all(drawn)
    table = frame(drawn)
    assert found(table, NO_MATCHES, 3, policy, calibration_of(model)) == expected(
        dict(zip(table.index, drawn, strict=True)), [], 3, policy, model
    )


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_of_profiles_all_alike_the_lowest_ids_are_best(policy: str) -> None:
    alike = seeded_population(1, 8, 5) * 70
    ids = [f"p{number:02}" for number in reversed(range(70))]
    listed = discover(frame(alike, ids), NO_MATCHES, 4, policy)
    assert listed["candidate_id"].tolist() == [
        other for name in sorted(ids) for other in [other for other in sorted(ids)[:5] if other != name][:4]
    ]
    assert listed["harmonic_mean"].nunique() == 1


def test_only_some_profiles_get_what_all_would() -> None:
    drawn, ids = seeded_population(50, 8, 1), [f"p{number:02}" for number in range(50)]
    matches = matches_of([("p01", "p02"), ("p30", "p04")])
    table = frame(drawn, ids)
    chosen = {"p01", "p30", "p49"}
    all_rows, some = found(table, matches, 6), found(table, matches, 6, only=[*chosen, "gone"])
    assert some == [row for row in all_rows if row[0] in chosen]


def test_prepared_profiles_say_who_is_eligible() -> None:
    drawn = seeded_population(12, 8, 2)
    among = np.arange(12) % 3 > 0
    listed = discover(prepare(frame(drawn)), NO_MATCHES, 20, among=among)
    names = {f"p{number}" for number in range(12) if number % 3}
    assert set(listed["profile_id"]) == names
    assert (listed.groupby("profile_id").size() == len(names) - 1).all()
    assert listed.attrs["looked"] == Looked(possible=28, looked_at=28)


def test_an_unknown_policy_and_a_negative_number_are_refused() -> None:
    table = frame(seeded_population(3, 8, 1))
    with pytest.raises(ValueError, match="policy wild is unknown"):
        discover(table, NO_MATCHES, 2, "wild")
    with pytest.raises(ValueError, match="-1 candidates"):
        discover(table, NO_MATCHES, -1)


def test_more_than_there_are_costs_no_more_than_all() -> None:
    table = frame(seeded_population(5, 8, 1))
    assert found(table, NO_MATCHES, 10**12) == found(table, NO_MATCHES, 4)


def test_matches_of_no_profiles_and_ids_that_are_numbers() -> None:
    nobody = pd.DataFrame({"seeking": []}, dtype=object)  # Indexed by integers, for want of ids.
    assert found(nobody, matches_of([("gone", "left")]), 3) == []
    table = frame(seeded_population(6, 8, 2)).set_axis(range(6))
    matches = pd.DataFrame({"profile_id": [0, 3], "suggested_profile_id": [1, 9]})
    candidates = discover(table, matches, 6)
    assert (0, 1) not in set(zip(candidates["profile_id"], candidates["candidate_id"], strict=True))
    assert len(candidates) == 6 * 5 - 2
