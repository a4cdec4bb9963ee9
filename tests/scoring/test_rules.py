"""The rules of docs/ismc.md, restated by hand: this fails when a weight, factor, threshold, step or role
score changes.
"""

import hashlib
import json
import math
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from jv_scoring import CURRENT_POLICY, POLICIES, SCORING_VERSION, calibration_of, tier
from jv_scoring import text as text_module
from jv_scoring.factors import TARGET_DIMENSIONS
from jv_scoring.policy import DIMENSION_WEIGHTS, FLOOR, TIERS, aggregate, match_score, parse_policy
from jv_scoring.reference import score_pair, weighted_mean
from jv_scoring.roles import normalise_role, role_compatibility
from jv_scoring.similarity import CALIBRATIONS, LOWEST_SCORE, OVERLAP_STEPS, cosine
from jv_scoring.synergy import SYNERGY
from jv_scoring.text import EMBEDDED_FIELDS, has_text, text_to_embed, words
from tests.support.profile_strategies import BGE, MINILM, Profile

NAN, INF = math.nan, math.inf
TABLE = {
    "intent": [
        ("JV History", 4.0, None),
        ("Booking Link", 3.5, None),
        ("Profile Investment", 3.0, None),
        ("Website", 2.5, None),
    ],
    "synergy": [
        ("Offering↔Seeking", 3.5, None),
        ("Audience Alignment", 3.0, None),
        ("Role Compatibility", 2.5, None),
        ("Revenue Tier", 2.0, 5.0),
    ],
    "momentum": [
        ("Audience Engagement", 3.0, 4.0),
        ("Social Reach", 2.0, 3.0),
        ("Active Projects", 2.5, 4.0),
        ("List Size", 2.5, 3.0),
    ],
    "context": [
        ("Profile Completeness", 3.0, None),
        ("Revenue Known", 2.0, None),
        ("Enrichment Quality", 2.5, None),
        ("Contact Available", 2.5, None),
    ],
}
INVESTMENT = [
    "bio", "what_you_do", "who_you_serve", "offering", "seeking", "niche", "tags", "company", "website", "booking_link",
    "linkedin", "audience_type", "network_role",
]  # fmt: skip
COMPLETENESS = [
    "name", "email", "company", "website", "linkedin", "niche", "what_you_do", "who_you_serve", "seeking", "offering",
    "booking_link", "revenue_tier",
]  # fmt: skip
ENRICHMENT = [
    "what_you_do", "who_you_serve", "niche", "offering", "seeking", "signature_programs", "revenue_tier",
    "content_platforms",
]  # fmt: skip
STOP_WORDS = {
    "that", "this", "with", "from", "they", "them", "their", "have", "been", "were", "will", "would", "could", "should",
    "about", "more", "also", "just", "some", "like", "into", "other", "what", "your", "help",
}  # fmt: skip


def entry(name: str, target: Profile, source: Profile | None = None, policy: str = CURRENT_POLICY) -> dict[str, Any]:
    """A factor of the breakdown from the source, by default a profile of nulls, to the target."""
    breakdown = score_pair(source or {}, target, policy).breakdown_ab
    entries = [factor for dimension in TABLE for factor in breakdown[dimension]["factors"]]
    return next(factor for factor in entries if factor["name"] == name)


def factor(name: str, target: Profile, source: Profile | None = None) -> float:
    """A factor's score, null where it has no data."""
    score: float = entry(name, target, source, "harmonic/redistribute")["score"]
    return score


# The table and the numbers in it


def test_the_factors_have_the_names_weights_and_neutral_values_of_the_spec() -> None:
    dimensions = {"intent": TARGET_DIMENSIONS["intent"], "synergy": SYNERGY} | TARGET_DIMENSIONS
    assert {
        name: [(factor.name, factor.weight, factor.neutral) for factor in dimensions[name]] for name in dimensions
    } == TABLE


@pytest.mark.parametrize("policy", POLICIES)
def test_a_breakdown_shows_every_factor_with_its_weight_in_the_order_of_the_spec(policy: str) -> None:
    for breakdown in (score_pair({}, {}, policy).breakdown_ab, score_pair({}, {}, policy).breakdown_ba):
        assert list(breakdown) == [*TABLE, "final_0_10"]
        assert {
            name: [(factor["name"], factor["weight"]) for factor in breakdown[name]["factors"]] for name in TABLE
        } == {name: [(factor, weight) for factor, weight, _ in group] for name, group in TABLE.items()}


def test_the_dimensions_tiers_and_floor_are_those_of_the_spec() -> None:
    assert list(DIMENSION_WEIGHTS.items()) == [
        ("intent", 0.45),
        ("synergy", 0.25),
        ("momentum", 0.20),
        ("context", 0.10),
    ]
    assert FLOOR == 1e-10
    assert TIERS == (("Excellent", 80), ("Good", 60), ("Fair", 40), ("Poor", 0))


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (100, "Excellent"), (80, "Excellent"), (79.99, "Good"), (60, "Good"), (59.99, "Fair"), (40, "Fair"),
        (39.99, "Poor"), (0, "Poor"),
    ],
)  # fmt: skip
def test_a_tier_begins_at_its_limit(score: float, name: str) -> None:
    assert tier(score) == name


def test_there_are_six_policies_and_the_current_one_is_harmonic_impute() -> None:
    assert list(POLICIES) == [
        "harmonic/impute",
        "harmonic/redistribute",
        "geometric/impute",
        "geometric/redistribute",
        "arithmetic/impute",
        "arithmetic/redistribute",
    ]
    assert [str(policy) for policy in POLICIES.values()] == list(POLICIES)
    assert CURRENT_POLICY == "harmonic/impute"
    default = score_pair({"name": "a"}, {"social_reach": 5})
    assert default == score_pair({"name": "a"}, {"social_reach": 5}, "harmonic/impute")


def test_an_unknown_policy_is_an_error_that_names_the_six() -> None:
    with pytest.raises(ValueError, match="median/impute is unknown; use one of harmonic/impute, harmonic/redistribute"):
        score_pair({}, {}, "median/impute")


def rules_as_data() -> str:
    """All rules that are data, in one line."""
    factors = [
        (name, factor.name, factor.column, factor.weight, factor.neutral)
        for name, group in {**TARGET_DIMENSIONS, "synergy": SYNERGY}.items()
        for factor in group
    ]
    roles = json.loads(files("jv_scoring").joinpath("roles.json").read_text(encoding="utf-8"))
    steps = [(model, calibration_of(model).steps) for model in (BGE, MINILM)]
    rest = [DIMENSION_WEIGHTS, FLOOR, TIERS, OVERLAP_STEPS, LOWEST_SCORE, sorted(text_module._STOP_WORDS)]
    return json.dumps([factors, roles, steps, rest], sort_keys=True)


def test_the_version_names_these_rules_and_no_others() -> None:
    versions = {"ismc_v2_embeddings": "580ea98128129caf"}
    assert SCORING_VERSION in versions, "a new version: add the fingerprint of its rules"
    found = hashlib.sha256(rules_as_data().encode()).hexdigest()[:16]
    assert versions[SCORING_VERSION] == found, "a rule changed, so SCORING_VERSION has to change as well"


# From factors to scores


def test_a_dimension_is_the_weighted_mean_of_its_factors_rounded_to_two_decimals() -> None:
    target = {"jv_history": [{}], "booking_link": "x", "website": "x"}
    intent = score_pair({}, target).breakdown_ab["intent"]
    assert [entry["score"] for entry in intent["factors"]] == [7, 8, pytest.approx(20 / 13), 7]
    assert intent["score"] == round((7 * 4 + 8 * 3.5 + 20 / 13 * 3 + 7 * 2.5) / 13, 2) == 6.01


@pytest.mark.parametrize(
    ("score", "rounded"), [(1.005, 1.0), (2.675, 2.67), (0.125, 0.12), (0.375, 0.38), (4.625, 4.62)]
)
def test_a_half_is_rounded_as_python_rounds_it(score: float, rounded: float) -> None:
    assert round(score, 2) == rounded
    assert weighted_mean([score], [1.0]) == pytest.approx(rounded, abs=1e-12)


def test_the_three_aggregations_are_the_weighted_means_of_their_name() -> None:
    i, s, m, c = 6.25, 5.5, 3.55, 7.0
    harmonic = 1 / (0.45 / i + 0.25 / s + 0.2 / m + 0.1 / c) * 10
    geometric = i**0.45 * s**0.25 * m**0.2 * c**0.1 * 10
    arithmetic = (0.45 * i + 0.25 * s + 0.2 * m + 0.1 * c) * 10
    assert aggregate([i, s, m, c], "harmonic") == pytest.approx(harmonic, abs=1e-10)
    assert aggregate([i, s, m, c], "geometric") == pytest.approx(geometric, abs=1e-10)
    assert aggregate([i, s, m, c], "arithmetic") == pytest.approx(arithmetic, abs=1e-10)


def test_a_dimension_without_a_score_drops_out_with_its_weight() -> None:
    assert aggregate([6.0, 6.0, None, 6.0], "harmonic") == pytest.approx(60)
    assert aggregate([8.0, 4.0, None, 2.0], "arithmetic") == pytest.approx((0.45 * 8 + 0.25 * 4 + 0.1 * 2) / 0.8 * 10)
    assert aggregate([8.0, 4.0, None, 2.0], "harmonic") == pytest.approx(0.8 / (0.45 / 8 + 0.25 / 4 + 0.1 / 2) * 10)
    assert aggregate([8.0, 4.0, None, 2.0], "geometric") == pytest.approx((8**0.45 * 4**0.25 * 2**0.1) ** 1.25 * 10)


def test_the_floor_lies_under_each_dimension() -> None:
    assert aggregate([0.0] * 4, "arithmetic") == pytest.approx(1e-9)
    assert aggregate([0.0] * 4, "geometric") == pytest.approx(1e-9)
    assert aggregate([0.0, 10.0, 10.0, 10.0], "harmonic") == pytest.approx(1e-9 / 0.45)


def test_a_match_is_the_harmonic_mean_of_its_directions_not_rounded_before() -> None:
    assert match_score(40.0, 60.0) == pytest.approx(48)
    a, b = {"jv_history": [{}, {}], "website": "x"}, {"booking_link": "x", "social_reach": 1, "network_role": "coach"}
    scored = score_pair(a, b)
    ab, ba = (
        aggregate([breakdown[name]["score"] for name in TABLE], "harmonic")
        for breakdown in (scored.breakdown_ab, scored.breakdown_ba)
    )
    assert (scored.score_ab, scored.score_ba) == (round(ab, 2), round(ba, 2))
    assert scored.harmonic_mean == round(2 / (1 / ab + 1 / ba), 2)


@pytest.mark.parametrize("zero", [0.0, 1e-10, 1e-11])
def test_a_match_is_0_where_one_of_its_directions_is(zero: float) -> None:
    assert match_score(zero, 70.0) == match_score(70.0, zero) == 0.0
    assert match_score(1.1e-10, 70.0) > 0


def test_the_final_score_of_a_breakdown_is_the_direction_in_tenths() -> None:
    scored = score_pair({}, {"jv_history": [{}], "website": "x"})
    assert scored.breakdown_ab["final_0_10"] == pytest.approx(scored.score_ab / 10, abs=0.0051)
    assert scored.breakdown_ab["final_0_10"] == round(scored.breakdown_ab["final_0_10"], 2)


def test_only_synergy_looks_at_the_source() -> None:
    target = {"seeking": "authors", "jv_history": [{}], "revenue_tier": "micro", "network_role": "coach"}
    source = {"seeking": "coaches", "revenue_tier": "premium", "network_role": "expert", "social_reach": 10**6}
    alone, partner = (score_pair(of, target).breakdown_ab for of in ({}, source))
    assert [name for name in TABLE if alone[name] != partner[name]] == ["synergy"]


# Nulls


def test_momentum_of_nulls_alone_is_exactly_3_55_under_impute() -> None:
    momentum = score_pair({}, {}).breakdown_ab["momentum"]
    assert momentum["score"] == 3.55
    assert [(factor["score"], factor["detail"]) for factor in momentum["factors"]] == [
        (neutral, "No data") for neutral in (4.0, 3.0, 4.0, 3.0)
    ]


@pytest.mark.parametrize("aggregation", ["harmonic", "geometric", "arithmetic"])
def test_momentum_of_nulls_alone_drops_out_under_redistribute(aggregation: str) -> None:
    scored = score_pair({}, {}, f"{aggregation}/redistribute")
    momentum = scored.breakdown_ab["momentum"]
    assert momentum["score"] is None
    assert [factor["score"] for factor in momentum["factors"]] == [None] * 4
    rest = [scored.breakdown_ab[name]["score"] for name in TABLE]
    assert rest[2] is None
    assert scored.score_ab == round(aggregate(rest, parse_policy(f"{aggregation}/redistribute").aggregation), 2)
    assert scored.score_ab != score_pair({}, {}, f"{aggregation}/impute").score_ab


def test_redistribute_leaves_out_a_factor_without_data_and_its_weight() -> None:
    target = {"audience_engagement_score": 0.5, "list_size": 1_000}
    assert score_pair({}, target, "harmonic/redistribute").breakdown_ab["momentum"]["score"] == round(
        (5 * 3 + 5.5 * 2.5) / 5.5, 2
    )
    assert score_pair({}, target).breakdown_ab["momentum"]["score"] == round(
        (5 * 3 + 3 * 2 + 4 * 2.5 + 5.5 * 2.5) / 10, 2
    )


def test_redistribute_leaves_out_revenue_tier_and_nothing_else_of_synergy() -> None:
    scores = [
        factor["score"] for factor in score_pair({}, {}, "harmonic/redistribute").breakdown_ab["synergy"]["factors"]
    ]
    assert scores == [3, 3, 5, None]
    assert score_pair({}, {}, "harmonic/redistribute").breakdown_ab["synergy"]["score"] == round(
        (3 * 3.5 + 3 * 3 + 5 * 2.5) / 9, 2
    )
    assert score_pair({}, {}).breakdown_ab["synergy"]["score"] == round((3 * 3.5 + 3 * 3 + 5 * 2.5 + 5 * 2) / 11, 2)


@pytest.mark.parametrize("value", [None, NAN, INF, -INF, -1, -0.001, np.float64(NAN), np.float32(-2)])
@pytest.mark.parametrize(
    ("column", "name", "neutral"),
    [
        ("audience_engagement_score", "Audience Engagement", 4),
        ("social_reach", "Social Reach", 3),
        ("list_size", "List Size", 3),
    ],
)
def test_what_is_no_number_from_0_up_is_no_data(column: str, name: str, neutral: float, value: object) -> None:
    assert factor(name, {column: value}) is None
    assert entry(name, {column: value})["score"] == neutral
    assert score_pair({}, {column: value}).breakdown_ab == score_pair({}, {}).breakdown_ab


# Intent


@pytest.mark.parametrize(
    ("history", "score"),
    [
        ([{}] * 4, 10), ([{}] * 3, 10), ([{}] * 2, 7), ([{}], 7), (["none yet"], 7), ([], 4), (None, 4), (NAN, 4),
        ({"partner": "a", "year": 2021, "kind": "swap", "size": 3}, 4), ("two summits and a swap", 4), ("", 4), (3, 4),
        (True, 4),
    ],
)  # fmt: skip
def test_jv_history_counts_the_entries_of_a_list_and_nothing_else(history: object, score: float) -> None:
    assert factor("JV History", {"jv_history": history}) == score


@pytest.mark.parametrize(
    ("value", "has"),
    [
        ("x", True), (" x ", True), ("", False), (" \t\n", False), ("\u3000", False), (None, False), (NAN, False),
        (1, False), (["x"], False),
    ],
)  # fmt: skip
def test_has_text_means_a_string_that_is_not_blank(value: object, has: bool) -> None:
    assert has_text(value) is has
    assert factor("Booking Link", {"booking_link": value}) == (8 if has else 3)
    assert factor("Website", {"website": value}) == (7 if has else 2)


def test_profile_investment_is_the_share_of_thirteen_fields_that_are_filled() -> None:
    assert factor("Profile Investment", {}) == 0
    assert factor("Profile Investment", dict.fromkeys(INVESTMENT, "x")) == 10
    assert [factor("Profile Investment", dict.fromkeys(INVESTMENT[:k], "x")) for k in range(14)] == [
        10 * k / 13 for k in range(14)
    ]
    assert all(factor("Profile Investment", {column: "x"}) == 10 / 13 for column in INVESTMENT)
    assert factor("Profile Investment", dict.fromkeys(["name", "email", "phone", "notes", "revenue_tier"], "x")) == 0


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        (["a"], True), ([""], True), (np.array(["a"], object), True), ([], False), ("a", True), ("  ", False),
        (None, False), (NAN, False), ({"a": 1}, False), (7, False),
    ],
)  # fmt: skip
def test_a_field_of_profile_investment_is_filled_by_text_or_a_list_with_something_in_it(
    value: object, filled: bool
) -> None:
    assert factor("Profile Investment", {"tags": value}) == (10 / 13 if filled else 0)


# Synergy, but for similarity


@pytest.mark.parametrize(
    ("a", "b", "score"),
    [
        ("product creator", "Affiliate/Promoter", 9.0),
        ("coach", "MEDIA/PUBLISHER", 8.5),
        (" Hub ", "coach / mentor", 8.0),
        ("speaker", "bridge", 8.5),
        ("community builder", "connector", 7.0),
        ("coach", "coach", 5.5),
        ("connector", "hub", 6.0),
        ("coach", "wizard of words", 5.0),
        ("coach", "", 5.0),
        ("coach", None, 5.0),
        (None, None, 5.0),
        (NAN, 3, 5.0),
    ],
)
def test_role_compatibility_is_looked_up_both_ways_round(a: object, b: object, score: float) -> None:
    assert factor("Role Compatibility", {"network_role": a}, {"network_role": b}) == score
    assert factor("Role Compatibility", {"network_role": b}, {"network_role": a}) == score


def test_the_role_table_is_the_one_of_the_spec() -> None:
    roles = json.loads(files("jv_scoring").joinpath("roles.json").read_text(encoding="utf-8"))
    canonical = json.dumps(roles, sort_keys=True, separators=(",", ":"))
    assert (
        hashlib.sha256(canonical.encode()).hexdigest()
        == "2f8a46a84825f4814acca602c5b33fefbc64750dbde3b2691619cc618bec0d0d"
    )
    for spelling, role in roles["normalise"].items():
        assert normalise_role(f"\t{spelling.upper()} ") == role
    for row in roles["compatibility"]:
        assert role_compatibility(row["roles"][0], row["roles"][-1]) == row["score"]
        assert role_compatibility(row["roles"][-1], row["roles"][0]) == row["score"]
    listed = {frozenset(row["roles"]) for row in roles["compatibility"]}
    names = set(roles["normalise"].values())
    others = [(a, b) for a in names for b in names if frozenset([a, b]) not in listed]
    assert {role_compatibility(a, b) for a, b in others} <= {5.0}


TIER_NAMES = ["micro", "emerging", "established", "premium", "enterprise"]


@pytest.mark.parametrize("a", range(5))
@pytest.mark.parametrize("b", range(5))
def test_revenue_tiers_score_by_the_steps_between_them(a: int, b: int) -> None:
    score = factor("Revenue Tier", {"revenue_tier": TIER_NAMES[a]}, {"revenue_tier": TIER_NAMES[b]})
    assert score == {0: 9, 1: 7, 2: 5, 3: 2, 4: 2}[abs(a - b)]


@pytest.mark.parametrize("unlisted", ["huge", "Unknown", "Micro", " micro", "six figures"])
def test_a_known_tier_that_is_not_in_the_list_scores_5_and_counts_as_data(unlisted: str) -> None:
    for other in ("micro", "enterprise", unlisted):
        assert factor("Revenue Tier", {"revenue_tier": unlisted}, {"revenue_tier": other}) == 5
        assert factor("Revenue Tier", {"revenue_tier": other}, {"revenue_tier": unlisted}) == 5


@pytest.mark.parametrize("unknown", [None, NAN, "", "  ", "unknown", 3])
@pytest.mark.parametrize("other", ["micro", "huge", None])
def test_a_tier_that_is_not_known_on_either_side_is_no_data(unknown: object, other: str | None) -> None:
    for a, b in ((unknown, other), (other, unknown)):
        assert factor("Revenue Tier", {"revenue_tier": a}, {"revenue_tier": b}) is None
        assert entry("Revenue Tier", {"revenue_tier": a}, {"revenue_tier": b})["score"] == 5


# Momentum


@pytest.mark.parametrize(
    ("value", "score"),
    [
        (0.0, 0), (0.05, 0.5), (0.875, 8.75), (1, 10), (1.7, 10), (37.0, 10), (np.float32(0.5), 5),
    ],
)  # fmt: skip
def test_audience_engagement_is_times_ten_and_at_most_10(value: float, score: float) -> None:
    assert factor("Audience Engagement", {"audience_engagement_score": value}) == score


@pytest.mark.parametrize(
    ("value", "reach", "size"),
    [
        (10**9, 10, 9), (100_000, 10, 9), (99_999, 8, 8), (50_000, 8, 8), (49_999, 6.5, 7), (10_000, 6.5, 7),
        (9_999, 5, 5.5), (1_000, 5, 5.5), (999, 4, 4), (1, 4, 4), (0.5, 4, 4), (np.int64(1_000), 5, 5.5),
    ],
)  # fmt: skip
def test_reach_and_list_size_score_by_steps(value: float, reach: float, size: float) -> None:
    assert factor("Social Reach", {"social_reach": value}) == reach
    assert factor("List Size", {"list_size": value}) == size


@pytest.mark.parametrize("value", [0, 0.0, -0.0, np.int64(0)])
@pytest.mark.parametrize(("column", "name"), [("social_reach", "Social Reach"), ("list_size", "List Size")])
def test_a_reach_or_list_of_0_is_no_data(column: str, name: str, value: object) -> None:
    assert entry(name, {column: value})["score"] == 3
    assert factor(name, {column: value}) is None


@pytest.mark.parametrize(
    ("value", "score"),
    [
        ("0123456789a", 8), ("  0123456789a\n", 8), ("0123456789", None), ("  0123456789  ", None), ("", None),
        (None, None), (["0123456789a"], None), (NAN, None),
    ],
)  # fmt: skip
def test_active_projects_are_more_than_ten_characters_after_strip(value: object, score: float | None) -> None:
    assert factor("Active Projects", {"current_projects": value}) == score
    assert entry("Active Projects", {"current_projects": value})["score"] == (score or 4)


# Context


def test_profile_completeness_is_the_share_of_twelve_fields_with_text() -> None:
    assert [factor("Profile Completeness", dict.fromkeys(COMPLETENESS[:k], "x")) for k in range(13)] == [
        10 * k / 12 for k in range(13)
    ]
    assert all(factor("Profile Completeness", {column: "x"}) == 10 / 12 for column in COMPLETENESS)
    assert factor("Profile Completeness", dict.fromkeys(COMPLETENESS, "  ")) == 0
    assert factor("Profile Completeness", {column: ["x"] for column in COMPLETENESS}) == 0
    assert factor("Profile Completeness", dict.fromkeys(["bio", "tags", "phone", "network_role"], "x")) == 0


def test_enrichment_quality_is_the_share_of_eight_fields_that_are_not_empty() -> None:
    assert [factor("Enrichment Quality", dict.fromkeys(ENRICHMENT[:k], "x")) for k in range(9)] == [
        10 * k / 8 for k in range(9)
    ]
    assert all(factor("Enrichment Quality", {column: "x"}) == 1.25 for column in ENRICHMENT)
    assert factor("Enrichment Quality", dict.fromkeys(["name", "bio", "tags", "company"], "x")) == 0


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ("  ", True), ({"podcast": "p"}, True), (["p"], True), ("", False), ({}, False), ([], False), (None, False),
        (NAN, False),
    ],
)  # fmt: skip
def test_blank_strings_count_for_enrichment_quality_and_empty_values_do_not(value: object, counts: bool) -> None:
    assert factor("Enrichment Quality", {"content_platforms": value}) == (1.25 if counts else 0)


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ("micro", True), ("huge", True), ("Unknown", True), ("  ", True), ("", False), ("unknown", False),
        (None, False), (NAN, False),
    ],
)  # fmt: skip
def test_revenue_is_known_unless_null_empty_or_unknown_so_a_blank_is_known_here_and_no_tier_there(
    value: object, known: bool
) -> None:
    assert factor("Revenue Known", {"revenue_tier": value}) == (8 if known else 3)
    if value == "  ":
        assert factor("Revenue Tier", {"revenue_tier": value}, {"revenue_tier": "micro"}) is None


@pytest.mark.parametrize(
    ("contacts", "score"),
    [
        ({"email": "e", "linkedin": "l", "phone": "p"}, 9),
        ({"email": " ", "linkedin": "l", "phone": "p"}, 7),
        ({"email": None, "linkedin": "", "phone": "p"}, 6),
        ({"phone": "\t", "website": "w"}, 2),
        ({}, 2),
    ],
)
def test_contact_available_goes_by_email_then_linkedin_then_phone(contacts: Profile, score: float) -> None:
    assert factor("Contact Available", contacts) == score


# Similarity


def with_cosine(value: float) -> list[float]:
    """A vector with that cosine to [1, 0]."""
    return [value, math.sqrt(1 - value * value)]


def semantic(cosine: float, model: str = BGE) -> dict[str, Any]:
    source = {"embedding_seeking": [1.0, 0.0], "embedding_who_you_serve": [1.0, 0.0]}
    target = {"embedding_offering": with_cosine(cosine), "embedding_who_you_serve": with_cosine(cosine)}
    synergy = score_pair(source, target, calibration=calibration_of(model)).breakdown_ab["synergy"]["factors"]
    assert synergy[0]["score"] == synergy[1]["score"]
    assert synergy[0]["method"] == synergy[1]["method"] == "semantic"
    first: dict[str, Any] = synergy[0]
    return first


@pytest.mark.parametrize(
    ("model", "limits"),
    [(BGE, [0.75, 0.65, 0.60, 0.53]), (MINILM, [0.509, 0.339, 0.255, 0.136])],
)
def test_each_models_steps_are_those_of_the_spec(model: str, limits: list[float]) -> None:
    assert calibration_of(model).steps == tuple(zip(limits, [10, 8, 6, 4.5], strict=True))
    for limit, score, below in zip(limits, [10, 8, 6, 4.5], [8, 6, 4.5, 3], strict=True):
        assert semantic(limit + 1e-9, model)["score"] == score
        assert semantic(limit - 1e-9, model)["score"] == below
    assert semantic(1.0, model)["score"] == 10
    assert semantic(0.0, model)["score"] == 3


def test_a_step_begins_at_its_limit() -> None:
    nine = [1.0] * 9 + [0.0] * 7
    assert factor("Offering↔Seeking", {"embedding_offering": nine}, {"embedding_seeking": [2.0] * 16}) == 10
    assert factor("Offering↔Seeking", {"embedding_offering": [3.0, 4.0]}, {"embedding_seeking": [1.0, 0.0]}) == 6


def test_a_cosine_is_clamped_to_0_and_1() -> None:
    assert semantic(-0.9)["detail"] == "Cosine similarity: 0.000 → 3.0/10"
    tenth = {"embedding_seeking": [0.1, 0.1, 0.1]}
    assert entry("Offering↔Seeking", {"embedding_offering": [0.3, 0.3, 0.3]}, tenth)["detail"] == (
        "Cosine similarity: 1.000 → 10.0/10"
    )


def test_a_cosine_is_never_above_1_by_a_rounding() -> None:
    vectors = np.random.default_rng(1).standard_normal((300, 5))
    assert {cosine(vector, vector * 0.1) > 1 for vector in vectors} == {False}
    assert min(cosine(vector, vector * 0.1) for vector in vectors) > 1 - 1e-12


def test_the_models_with_a_calibration_are_these_with_these_means() -> None:
    assert {
        model: (calibration.dimension, calibration.random, calibration.synonym)
        for model, calibration in CALIBRATIONS.items()
    } == {BGE: (1024, 0.53, 0.75), MINILM: (384, 0.136, 0.509)}


def test_a_model_without_a_calibration_is_an_error_that_says_so() -> None:
    with pytest.raises(
        ValueError, match="some/model has no calibration, so it cannot score; use one of BAAI/bge-large"
    ):
        calibration_of("some/model")


ONE: Profile = {"embedding_seeking": [1.0, 0.0], "seeking": "podcast authors"}


def of_offering(**target: object) -> tuple[float, str]:
    found = entry("Offering↔Seeking", target, ONE)
    return found["score"], found["method"]


def test_offering_falls_back_to_the_vector_of_what_you_do_where_its_own_is_missing() -> None:
    other = {"embedding_what_you_do": [1.0, 0.0], "offering": "podcast authors"}
    for missing in (None, NAN, [NAN, 1.0], [INF, 1.0], [-INF, 0.0]):
        assert of_offering(embedding_offering=missing, **other) == (10, "semantic")
    assert of_offering(embedding_offering=[0.0, 1.0], **other) == (3, "semantic")
    assert of_offering(embedding_offering=[0.0, 0.0], **other) == (3, "semantic")
    assert of_offering(embedding_offering=[1.0, 0.0, 0.0], **other) == (3, "semantic")
    for both in (None, [NAN, 1.0]):
        assert of_offering(embedding_offering=None, embedding_what_you_do=both, offering="podcast") == (
            10,
            "word_overlap",
        )


def test_audience_alignment_compares_who_you_serve_of_both_and_falls_back_to_no_other_vector() -> None:
    source = {"embedding_who_you_serve": [1.0, 0.0], "who_you_serve": "busy mothers"}
    target = {"embedding_who_you_serve": None, "who_you_serve": "mothers", "embedding_what_you_do": [0.0, 1.0]}
    found = entry("Audience Alignment", target, source)
    assert (found["score"], found["method"]) == (10, "word_overlap")
    assert entry("Audience Alignment", source, source)["method"] == "semantic"


@pytest.mark.parametrize(
    ("u", "v"), [([0.0, 0.0], [1.0, 0.0]), ([0.0, 0.0], [0.0, 0.0]), ([1.0, 0.0], [1.0, 0.0, 0.0]), ([1.0], [1.0, 0.0])]
)
def test_the_cosine_is_0_if_a_norm_is_0_or_the_lengths_differ(u: list[float], v: list[float]) -> None:
    found = entry("Audience Alignment", {"embedding_who_you_serve": u}, {"embedding_who_you_serve": v})
    assert found["detail"] == "Cosine similarity: 0.000 → 3.0/10"
    assert found["method"] == "semantic"


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_a_vector_with_a_nan_or_an_infinity_counts_as_missing(value: float) -> None:
    texts = {"who_you_serve": "busy mothers"}
    for convert in (list, np.array):
        broken: Profile = texts | {"embedding_who_you_serve": convert([1.0, value])}
        for pair in ((broken, texts | {"embedding_who_you_serve": [1.0, 0.0]}), (broken, broken)):
            found = entry("Audience Alignment", *pair)
            assert (found["score"], found["method"]) == (10, "word_overlap")


def test_words_have_four_characters_or_more_and_are_no_stop_words() -> None:
    text = "With THEIR coaches, co-host of naïve 2024 they_them (list-building) a.b abc курсы コーチング café's"
    assert words(text) == {
        "coaches",
        "host",
        "naïve",
        "2024",
        "they_them",
        "list",
        "building",
        "курсы",
        "コーチング",
        "café",
    }
    assert all(words(word) == words(word.upper()) == frozenset() for word in STOP_WORDS)
    assert words(" ".join(f"{word}s" for word in STOP_WORDS)) == {f"{word}s" for word in STOP_WORDS}
    assert len(STOP_WORDS) == 25


def numbered(*numbers: int) -> str:
    return " ".join(f"word{number}" for number in numbers)


@pytest.mark.parametrize(
    ("common", "of", "score"),
    [
        (2, 5, 10), (39, 98, 8), (1, 4, 8), (12, 49, 6), (3, 20, 6), (14, 94, 4.5), (1, 20, 4.5), (1, 21, 3),
        (0, 5, 3), (5, 5, 10),
    ],
)  # fmt: skip
def test_word_overlap_is_the_share_of_the_smaller_set(common: int, of: int, score: float) -> None:
    smaller, larger = numbered(*range(of)), numbered(*range(of - common, 3 * of))
    for a, b in ((smaller, larger), (larger, smaller)):
        found = entry("Audience Alignment", {"who_you_serve": a}, {"who_you_serve": b})
        assert (found["score"], found["method"]) == (score, "word_overlap")
        assert entry("Offering↔Seeking", {"offering": a}, {"seeking": b})["score"] == score


def test_the_overlap_steps_are_those_of_the_spec() -> None:
    assert OVERLAP_STEPS == ((0.40, 10), (0.25, 8), (0.15, 6), (0.05, 4.5))
    assert LOWEST_SCORE == 3


@pytest.mark.parametrize("text", ["", "   ", None, NAN, "with that your", "a b c", 7])
def test_a_blank_text_or_one_without_words_scores_3(text: object) -> None:
    for a, b in ((text, "coaches"), ("coaches", text), (text, text)):
        assert factor("Audience Alignment", {"who_you_serve": a}, {"who_you_serve": b}) == 3


@pytest.mark.parametrize(("offering", "score"), [(None, 10), (NAN, 10), ("", 10), (" ", 3), ("speakers", 3)])
def test_the_text_of_offering_falls_back_to_what_you_do_where_null_or_empty_but_not_where_blank(
    offering: object, score: float
) -> None:
    target = {"offering": offering, "what_you_do": "coaches"}
    assert factor("Offering↔Seeking", target, {"seeking": "coaches"}) == score


@pytest.mark.parametrize(
    ("text", "embedded"),
    [
        ("12345", "12345"), (" 12345\n", "12345"), ("1234", None), (" 1234 ", None), ("", None), (None, None),
        (NAN, None),
    ],
)  # fmt: skip
def test_text_is_embedded_stripped_from_five_characters_on(text: object, embedded: str | None) -> None:
    assert text_to_embed(text) == embedded


def test_four_fields_are_embedded() -> None:
    assert EMBEDDED_FIELDS == ("seeking", "offering", "who_you_serve", "what_you_do")


@pytest.mark.parametrize(
    ("target", "source", "name", "detail"),
    [
        ({"jv_history": [{}, {}]}, {}, "JV History", "2 past partnerships"),
        ({"jv_history": [{}]}, {}, "JV History", "1 past partnership"),
        ({"embedding_offering": [0.683, math.sqrt(1 - 0.683**2)]}, ONE, "Offering↔Seeking",
         "Cosine similarity: 0.683 → 8.0/10"),
    ],
)  # fmt: skip
def test_details_are_worded_as_in_the_spec(target: Profile, source: Profile, name: str, detail: str) -> None:
    assert entry(name, target, source)["detail"] == detail


IMPORTED = "import sys; {}; print('\\n'.join(name.split('.')[0] for name in sys.modules))"


def test_importing_the_rules_imports_numpy_pandas_and_nothing_more() -> None:
    imported: Callable[[str], set[str]] = lambda code: set(  # noqa: E731
        subprocess.run([sys.executable, "-c", IMPORTED.format(code)], check=True, capture_output=True, text=True)
        .stdout.split()
    )  # fmt: skip
    rules = imported("import jv_scoring, jv_scoring.engine, jv_scoring.breakdown, jv_scoring.reference")
    assert rules - imported("import numpy, pandas") - sys.stdlib_module_names == {"jv_scoring"}
    assert not rules & {"torch", "sentence_transformers", "dagster", "sqlalchemy", "psycopg", "jv_assets"}
