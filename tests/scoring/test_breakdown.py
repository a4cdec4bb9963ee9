"""match_context: the reference's breakdown, whatever the pair, and a hash that tells whether it is still current."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import POLICIES, SCORING_VERSION, calibration_of, match_contexts
from jv_scoring.engine import score_pairs
from jv_scoring.factors import INPUT_COLUMNS
from jv_scoring.prepare import combine_offering, prepare
from jv_scoring.reference import score_pair
from jv_scoring.vectors import Vectors
from tests.support.profile_strategies import (
    BGE,
    COLUMNS,
    MINILM,
    Profile,
    edge_vectors,
    everyone_with_everyone,
    frame,
    pairs_of,
    populations,
    seeded_population,
)

SCORED_AT = "2026-02-17T21:04:11+00:00"
MODELS = st.sampled_from([BGE, MINILM])


def contexts_of(
    table: pd.DataFrame, pairs: pd.DataFrame, policy: str = "harmonic/impute", model: str = BGE
) -> tuple[list[str], list[str]]:
    prepared = prepare(table)
    scored = score_pairs(prepared, pairs, policy, calibration_of(model))
    return match_contexts(prepared, scored, policy=policy, model=model, scored_at=SCORED_AT)


def expected_context(a: Profile, b: Profile, policy: str, model: str, inputs_hash: str) -> str:
    scored = score_pair(a, b, policy, calibration_of(model))
    context = {
        "breakdown_ab": scored.breakdown_ab,
        "breakdown_ba": scored.breakdown_ba,
        "scored_at": SCORED_AT,
        "scoring_version": "ismc_v2_embeddings",
        "policy": policy,
        "embedding_model": model,
        "inputs_hash": inputs_hash,
    }
    return json.dumps(context, ensure_ascii=False)


def assert_same(profiles: list[Profile], places: list[tuple[int, int]], model: str) -> None:
    for policy in POLICIES:
        contexts, hashes = contexts_of(frame(profiles), pairs_of(*places), policy, model)
        assert contexts == [
            expected_context(profiles[a], profiles[b], policy, model, digest)
            for (a, b), digest in zip(places, hashes, strict=True)
        ]


@settings(deadline=None, max_examples=100)
@given(populations(least=2, most=3), MODELS)
def test_every_context_is_the_references_breakdown_to_the_letter(profiles: list[Profile], model: str) -> None:
    assert_same(profiles, everyone_with_everyone(len(profiles)), model)


def test_contexts_of_vectors_of_a_real_length_are_the_same() -> None:
    places = [(a, b) for a, b in everyone_with_everyone(20) if (a + b) % 7 == 0]
    assert_same(seeded_population(20, 384, seed=8), places, MINILM)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 999), st.integers(-3, 3), st.sampled_from([np.float32, np.float64]))
def test_a_cosine_between_two_thousandths_is_shown_as_python_shows_it(k: int, ulps: int, dtype: Any) -> None:
    half = (k + 0.5) / 1000
    vector = np.array([half, math.sqrt(1 - half * half)])
    for _ in range(abs(ulps)):
        vector = np.nextafter(vector, [math.copysign(9, ulps), 0])
    profiles: list[Profile] = [{"embedding_who_you_serve": of.astype(dtype)} for of in (np.array([1.0, 0.0]), vector)]
    contexts, hashes = contexts_of(frame(profiles), pairs_of((0, 1)))
    assert contexts == [expected_context(*profiles, "harmonic/impute", BGE, hashes[0])]


@settings(deadline=None, max_examples=50)
@given(st.lists(edge_vectors(), min_size=2, max_size=3), MODELS)
def test_a_cosine_at_a_step_is_shown_with_the_score_it_got(vectors: list[Any], model: str) -> None:
    profiles: list[Profile] = [{"embedding_seeking": vector, "embedding_offering": vector} for vector in vectors]
    profiles.append({"embedding_seeking": np.eye(16)[0], "embedding_offering": np.full(16, 0.1, np.float32)})
    assert_same(profiles, everyone_with_everyone(len(profiles)), model)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_context_has_the_keys_of_the_spec_in_their_order(policy: str) -> None:
    profiles = seeded_population(5, 8, seed=1)
    contexts, hashes = contexts_of(frame(profiles), pairs_of(*everyone_with_everyone(5)), policy, MINILM)
    for text, digest in zip(contexts, hashes, strict=True):
        context = json.loads(text)
        assert list(context) == [
            "breakdown_ab", "breakdown_ba", "scored_at", "scoring_version", "policy", "embedding_model", "inputs_hash",
        ]  # fmt: skip
        for breakdown in (context["breakdown_ab"], context["breakdown_ba"]):
            assert list(breakdown) == ["intent", "synergy", "momentum", "context", "final_0_10"]
            for name in ("intent", "synergy", "momentum", "context"):
                assert list(breakdown[name]) == ["score", "factors"]
                for place, factor in enumerate(breakdown[name]["factors"]):
                    method = ["method"] if name == "synergy" and place < 2 else []
                    assert list(factor) == ["name", "score", "weight", "detail", *method]
        assert context["scored_at"] == SCORED_AT
        assert context["scoring_version"] == SCORING_VERSION
        assert context["policy"] == policy
        assert context["embedding_model"] == MINILM
        assert context["inputs_hash"] == digest
        assert len(digest) == 32


def test_a_context_is_json_that_postgres_takes_without_nan_or_a_nul_character() -> None:
    odd = {"revenue_tier": "h\x00uge", "network_role": 'a"b', "social_reach": math.nan, "offering": "\x00 \ud800"}
    contexts, _ = contexts_of(frame([odd, {}]), pairs_of((0, 1), (1, 0)), "geometric/redistribute")
    for context in contexts:
        assert "NaN" not in context
        assert "\\u0000" not in context
        assert context.encode().isascii() is False
        json.loads(context)


def test_no_pairs_have_no_contexts() -> None:
    assert contexts_of(frame([{}, {}]), pairs_of()) == ([], [])
    assert contexts_of(frame([]), pairs_of((0, 1))) == ([], [])


# The hash of the inputs

FULL: Profile = seeded_population(1, 8, seed=3)[0] | {
    **dict.fromkeys(["name", "email", "phone", "company", "website", "linkedin", "niche", "bio"], "text"),
    **dict.fromkeys(["audience_type", "signature_programs", "booking_link"], "text"),
    "current_projects": "a summit in May",
    "tags": ["a"],
    "network_role": "coach",
    "revenue_tier": "micro",
    "jv_history": [{}],
    "content_platforms": {"podcast": "p"},
    "audience_engagement_score": 0.5,
    "social_reach": 5_000,
    "list_size": 5_000,
    **{name: np.arange(1, 9, dtype=np.float32) for name in COLUMNS if name.startswith("embedding_")},
}
OTHER: Profile = FULL | {"network_role": "speaker", "embedding_seeking": np.ones(8, np.float32)}
CHANGES: list[tuple[str, Any]] = [
    *((column, None) for column in sorted(INPUT_COLUMNS) if column not in ("phone", "what_you_do", "current_projects")),
    ("what_you_do", " "),
    ("current_projects", "none"),
    ("seeking", "something else entirely"),
    ("offering", "something else entirely"),
    ("who_you_serve", "something else entirely"),
    ("jv_history", [{}, {}]),
    ("network_role", "speaker"),
    ("revenue_tier", "emerging"),
    ("audience_engagement_score", 0.5000001),
    ("social_reach", 5_001),
    ("list_size", 5_001),
    *((f"embedding_{name}", None) for name in ("seeking", "who_you_serve")),
    *((f"embedding_{name}", np.zeros(8, np.float32)) for name in ("seeking", "offering", "who_you_serve")),
    *(
        (f"embedding_{name}", np.nextafter(np.arange(1, 9, dtype=np.float32), np.float32(9)))
        for name in ("seeking", "offering", "who_you_serve")
    ),
]


def hash_of(a: Profile, b: Profile, **options: str) -> str:
    return contexts_of(frame([a, b]), pairs_of((0, 1)), **options)[1][0]


@pytest.mark.parametrize(("column", "value"), CHANGES, ids=[f"{k}-{column}" for k, (column, _) in enumerate(CHANGES)])
def test_the_hash_changes_with_each_input_of_either_profile(column: str, value: Any) -> None:
    before = hash_of(FULL, OTHER)
    assert hash_of(FULL | {column: value}, OTHER) != before
    assert hash_of(FULL, OTHER | {column: value}) != before or OTHER[column] is value or OTHER[column] == value


def test_the_hash_changes_with_the_phone_where_there_is_no_other_contact() -> None:
    unreachable = FULL | {"email": None, "linkedin": None}
    assert hash_of(unreachable | {"phone": None}, OTHER) != hash_of(unreachable, OTHER)


def test_the_hash_changes_with_the_vector_that_stands_in_for_a_missing_offering() -> None:
    missing = FULL | {"embedding_offering": None}
    before = hash_of(missing, OTHER)
    assert hash_of(missing | {"embedding_what_you_do": np.ones(8, np.float32)}, OTHER) != before
    assert hash_of(missing | {"embedding_what_you_do": None}, OTHER) != before
    assert hash_of(FULL | {"embedding_what_you_do": np.ones(8, np.float32)}, OTHER) == hash_of(FULL, OTHER)


@pytest.mark.parametrize("name", ["seeking", "who_you_serve"])
def test_the_hash_changes_with_words_that_count_because_the_partner_lacks_a_vector(name: str) -> None:
    partner = OTHER | {f"embedding_{name}": None, "embedding_offering": None, "embedding_what_you_do": None}
    changed = FULL | {name: "something else entirely"}
    assert score_pair(changed, partner).breakdown_ab != score_pair(FULL, partner).breakdown_ab
    assert hash_of(changed, partner) != hash_of(FULL, partner)


def test_the_hash_changes_with_the_model_and_with_the_direction() -> None:
    assert hash_of(FULL, OTHER, model=MINILM) != hash_of(FULL, OTHER)
    assert hash_of(OTHER, FULL) != hash_of(FULL, OTHER)


def test_the_hash_is_the_same_under_every_policy_and_at_any_time() -> None:
    assert {hash_of(FULL, OTHER, policy=policy) for policy in POLICIES} == {hash_of(FULL, OTHER)}
    prepared = prepare(frame([FULL, OTHER]))
    scored = score_pairs(prepared, pairs_of((0, 1)))
    later = match_contexts(prepared, scored, policy="harmonic/impute", model=BGE, scored_at="2027-01-01T00:00:00+00:00")
    assert later[1] == [hash_of(FULL, OTHER)]


@pytest.mark.parametrize("column", ["notes", "status", "avatar_url", "pagerank_score", "updated_at"])
def test_the_hash_does_not_change_with_a_column_that_is_no_input(column: str) -> None:
    table = frame([FULL, OTHER])
    before = contexts_of(table, pairs_of((0, 1)))
    table[column] = "something"
    assert contexts_of(table, pairs_of((0, 1))) == before
    assert contexts_of(table[sorted(table.columns, reverse=True)], pairs_of((0, 1))) == before


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("bio", "another text"),
        ("tags", ["b", "c"]),
        ("jv_history", [{"partner_name": "p"}]),
        ("network_role", " Coach "),
        ("social_reach", 5_000.0),
        ("embedding_seeking", FULL["embedding_seeking"].tolist()),
    ],
)
def test_the_hash_does_not_change_where_neither_score_nor_breakdown_could(column: str, value: Any) -> None:
    """So a reworded biography, or a number that a null in its column made a float, rewrites nothing."""
    changed = FULL | {column: value}
    assert score_pair(changed, OTHER) == score_pair(FULL, OTHER)
    assert hash_of(changed, OTHER) == hash_of(FULL, OTHER)


@settings(deadline=None, max_examples=60)
@given(populations(least=3, most=4), st.randoms(use_true_random=False))
def test_a_context_and_its_hash_do_not_depend_on_the_other_profiles(profiles: list[Profile], rng: Any) -> None:
    table, pairs = frame(profiles), pairs_of(*everyone_with_everyone(len(profiles)))
    contexts, hashes = contexts_of(table, pairs)
    names = list(table.index)
    rng.shuffle(names)
    assert contexts_of(table.loc[names], pairs) == (contexts, hashes)
    for k in (0, len(pairs) - 1):
        alone = table.loc[pairs.iloc[k][["profile_id", "suggested_profile_id"]].tolist()]
        assert contexts_of(alone, pairs.iloc[[k]]) == ([contexts[k]], [hashes[k]])


@settings(deadline=None, max_examples=150)
@given(populations(least=3, most=3), st.sampled_from(sorted(COLUMNS)))
def test_pairs_of_the_same_hash_have_the_same_scores_and_breakdowns(profiles: list[Profile], column: str) -> None:
    """The pairs differ in one column, so that some of the hashes are equal."""
    one, other, partner = profiles
    changed = one | {column: other.get(column)}
    contexts, hashes = contexts_of(frame([one, changed, partner]), pairs_of((0, 2), (1, 2), (2, 0), (2, 1)))
    assert (contexts[0] == contexts[1]) is (hashes[0] == hashes[1]) is (hashes[2] == hashes[3])
    assert (contexts[2] == contexts[3]) is (hashes[2] == hashes[3])


def test_the_hash_is_the_same_for_vectors_that_come_as_matrices() -> None:
    profiles = seeded_population(6, 8, seed=2)
    table, pairs = frame(profiles), pairs_of(*everyone_with_everyone(6))
    prepared = prepare(table)
    columns = {name: Vectors.from_values(table[f"embedding_{name}"].tolist()) for name in ("offering", "what_you_do")}
    again = type(prepared)(prepared.features, prepared.vectors | {"offering": combine_offering(**columns)})
    found = [
        match_contexts(of, score_pairs(of, pairs), policy="harmonic/impute", model=BGE, scored_at=SCORED_AT)
        for of in (prepared, again)
    ]
    assert found[0] == found[1]
