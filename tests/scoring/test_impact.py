"""Impact: what each input changed is what the reference gives with one put at a time; twelve matches by hand."""

import itertools
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import CURRENT_POLICY, POLICIES
from jv_scoring.analysis.attribution import INPUTS
from jv_scoring.analysis.production_impact import BEFORE, COLUMNS, tally
from jv_scoring.analysis.production_impact_report import report
from jv_scoring.reference import score_pair
from tests.support.profile_strategies import Profile
from tests.support.score_rows import CUTS, merged_in_pieces, nothing_is_nan, population, scored_rows

RANDOM = st.randoms(use_true_random=False)
NAMES = ["harmonic_mean", "policy", "scoring_version", "inputs_hash", "match_context"]


def edited(profiles: list[Profile], texts: bool, others: bool) -> list[Profile]:
    """Every second one with another text, every third with other data."""
    found = []
    for k, profile in enumerate(profiles):
        new = dict(profile)
        if texts and k % 2 == 0:
            new |= {"seeking": f"people who mend {'boats' * (k + 1)}", "embedding_seeking": None}
            new |= {"offering": None, "embedding_offering": None} if k % 4 else {}
        if others and k % 3 == 0:
            new |= {"list_size": 1000 * (k + 1), "current_projects": None, "audience_engagement_score": 0.01}
        found.append(new)
    return found


def then_and_now(
    before: list[Profile], now: list[Profile], places: list[tuple[int, int]], policies: tuple[str, str]
) -> pd.DataFrame:
    rows, then = scored_rows(now, places, policies[1]), scored_rows(before, places, policies[0])
    return rows.assign(**{name: then[old].to_numpy(object) for name, old in zip(BEFORE, NAMES, strict=True)})


TEXTS = ("seeking", "offering", "who_you_serve", "what_you_do")
TEXT_COLUMNS = (*TEXTS, *(f"embedding_{name}" for name in TEXTS))


def plainly(texts: tuple[Profile, Profile], others: tuple[Profile, Profile], policy: str) -> float:
    """The score of two profiles with the texts and vectors of one pair and all other columns of the other."""
    pair = [
        {**other, **{name: of_texts.get(name) for name in TEXT_COLUMNS}}
        for of_texts, other in zip(texts, others, strict=True)
    ]
    return score_pair(pair[0], pair[1], policy).harmonic_mean


def shapley(
    before: tuple[Profile, Profile], now: tuple[Profile, Profile], policies: tuple[str, str]
) -> dict[str, Fraction]:
    """Of one match: each input's mean gain over all orders of putting them, exactly."""
    gains = dict.fromkeys(INPUTS, Fraction(0))
    for order in itertools.permutations(range(3)):
        put = [0, 0, 0]
        score = plainly(before, before, policies[0])
        for place in order:
            put[place] = 1
            pairs = (before, now)
            after = plainly(pairs[put[1]], pairs[put[2]], policies[put[0]])
            gains[INPUTS[place]] += Fraction(round(after * 100) - round(score * 100), 600)
            score = after
    return gains


@settings(deadline=None, max_examples=12)
@given(
    *(st.integers(0, 1000), st.booleans(), st.booleans(), st.sampled_from(list(POLICIES))),
    st.sampled_from([CURRENT_POLICY, "geometric/redistribute", None]),
)
def test_the_attribution_is_that_of_the_reference(
    seed: int, texts: bool, others: bool, policy: str, now: str | None
) -> None:
    profiles, places = population(seed, 5)
    after = edited(profiles, texts, others)
    policies = (policy, now or policy)
    shown = report(tally(then_and_now(profiles, after, places, policies)))
    assert nothing_is_nan(shown)
    expected = dict.fromkeys(INPUTS, Fraction(0))
    for a, b in places:
        of_match = shapley((profiles[a], profiles[b]), (after[a], after[b]), policies)
        expected = {name: expected[name] + of_match[name] for name in INPUTS}
    pieces = {each["piece"]: each["points"] for each in shown["attribution"] if each["scale"] == scale_of(shown)}
    for name in INPUTS:
        assert pieces[name] == pytest.approx(float(expected[name] / len(places)), abs=1e-9)
    assert pieces["not attributed"] == 0
    (means,) = [each for each in shown["means"] if each["scale"] == scale_of(shown)]
    assert sum(pieces.values()) == pytest.approx(means["mean_now"] - means["mean_before"], abs=1e-9)


FULL = {
    "name": "a", "bio": "b", "company": "c", "website": "d", "niche": "e", "tags": ["f"], "booking_link": "g",
    "linkedin": "h", "network_role": "Coach", "revenue_tier": "premium", "seeking": "coaches who mend wooden boats",
    "offering": "courses about wooden boats", "who_you_serve": "sailors with wooden boats",
    "what_you_do": "teach sailors about boats", "list_size": 20_000,
}  # fmt: skip
GONE = [("offering",), ("seeking",), ("who_you_serve",), ("what_you_do",), ("offering", "what_you_do"), TEXTS]


@pytest.mark.parametrize("gone", GONE)
@pytest.mark.parametrize("back", [False, True])
def test_a_text_that_goes_or_comes_is_booked_to_the_texts_alone(gone: tuple[str, ...], back: bool) -> None:
    """It counts as a filled field in three factors too, and `what_you_do` takes the place of `offering`."""
    without = {**FULL, **dict.fromkeys(gone)}
    then, now = (without, FULL) if back else (FULL, without)
    partner = {**FULL, "offering": "boats for coaches", "seeking": "teach courses about wooden boats"}
    shown = report(tally(then_and_now([partner, then], [partner, now], [(0, 1)], (CURRENT_POLICY, CURRENT_POLICY))))
    pieces = {each["piece"]: each["points"] for each in shown["attribution"]}
    assert pieces["other profile data"] == pieces["not attributed"] == 0
    assert pieces["texts and vectors"] == pytest.approx(shown["means"][0]["change"])
    assert (pieces["texts and vectors"] > 0) == back


@pytest.mark.parametrize(
    "change",
    [{"list_size": None}, {"website": None}, {"bio": None, "name": None}, {"revenue_tier": None}, {"tags": []},
     {"company": "", "linkedin": None}],
)  # fmt: skip
def test_other_data_that_goes_is_not_booked_to_the_texts(change: Profile) -> None:
    now = {**FULL, **change}
    shown = report(tally(then_and_now([FULL, FULL], [FULL, now], [(0, 1)], (CURRENT_POLICY, CURRENT_POLICY))))
    pieces = {each["piece"]: each["points"] for each in shown["attribution"]}
    assert pieces["texts and vectors"] == pieces["not attributed"] == 0
    assert pieces["other profile data"] == pytest.approx(shown["means"][0]["change"]) != 0


def scale_of(shown: dict[str, Any]) -> str:
    return str(shown["means"][-1]["scale"])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 1000), CUTS, RANDOM)
def test_any_split_merged_in_any_order_equals_one_pass(seed: int, cuts: list[int], rng: Any) -> None:
    profiles, places = population(seed)
    rows = then_and_now(profiles, edited(profiles, True, True), places, (CURRENT_POLICY, CURRENT_POLICY))
    rows.loc[rows.index % 5 == 0, BEFORE] = None
    assert report(merged_in_pieces(rows, tally, cuts, rng)) == report(tally(rows))


# Twelve matches by hand: (before, policy then, version then, now); the first six are of one scale.
TWELVE: list[tuple[float | None, str | None, str, float | None]] = [
    (50.00, CURRENT_POLICY, "ismc_v2_embeddings", 50.00),
    (59.99, CURRENT_POLICY, "ismc_v2_embeddings", 60.00),  # rescued, a tier up
    (60.00, CURRENT_POLICY, "ismc_v2_embeddings", 59.00),  # lost, a tier down
    (30.00, CURRENT_POLICY, "ismc_v2_embeddings", 41.50),  # Poor to Fair
    (85.00, CURRENT_POLICY, "ismc_v2_embeddings", 79.00),  # Excellent to Good
    (70.00, CURRENT_POLICY, "ismc_v2_embeddings", 72.00),
    (55.00, "geometric/impute", "ismc_v2_embeddings", 54.00),
    (90.00, CURRENT_POLICY, "older", 40.00),
    (None, None, "", 61.00),
    (None, None, "", 39.00),
    (20.00, CURRENT_POLICY, "ismc_v2_embeddings", None),
    (None, None, "", None),
]


def handmade() -> pd.DataFrame:
    rows = pd.DataFrame(index=range(12), columns=[*COLUMNS, *BEFORE], dtype=object)
    for k, (before, policy, version, now) in enumerate(TWELVE):
        rows.loc[k, ["id", "profile_id", "suggested_profile_id"]] = [f"m{k:02}", f"a{k}", f"b{k}"]
        rows.loc[k, ["match_score", "harmonic_mean"]] = [float(k), np.nan if now is None else now]
        if now is not None:
            rows.loc[k, ["policy", "scoring_version", "inputs_hash"]] = [CURRENT_POLICY, "ismc_v2_embeddings", "now"]
        if before is not None:
            rows.loc[k, BEFORE[:4]] = [before, policy, version, "then"]
    return rows


@pytest.fixture(scope="module")
def twelve() -> dict[str, Any]:
    shown = report(tally(handmade()))
    assert nothing_is_nan(shown)
    return shown


def test_twelve_what_became_of_them(twelve: dict[str, Any]) -> None:
    assert twelve["states"] == {"same": 6, "policy": 1, "version": 1, "new": 2, "gone": 1}
    assert (twelve["matches"], twelve["compared"]) == (10, 6)


def test_twelve_who_moved(twelve: dict[str, Any]) -> None:
    assert twelve["moved"] == {
        "raised": 3,
        "unchanged": 1,
        "lowered": 2,
        "tiers_up": 2,
        "tiers_down": 2,
        "rescued": 1,
        "lost": 1,
    }
    assert [(each["id"], each["change"]) for each in twelve["gains"]] == [("m03", 11.5), ("m05", 2.0), ("m01", 0.01)]
    assert [(each["id"], each["change"]) for each in twelve["losses"]] == [("m04", -6.0), ("m02", -1.0)]
    tiers = {each["side"]: [each[name] for name in ("Excellent", "Good", "Fair", "Poor")] for each in twelve["tiers"]}
    assert tiers == {"before": [1, 2, 2, 1], "now": [0, 3, 3, 0]}


def test_twelve_the_mean_taken_apart(twelve: dict[str, Any]) -> None:
    """Before: 354.99 of six and 20 of the one that is gone; now: 361.50 of six and 100 of two that are new."""
    means = twelve["means"][0]
    assert means["mean_before"] == pytest.approx(374.99 / 7)
    assert means["mean_now"] == pytest.approx(461.5 / 8)
    pieces = {each["piece"]: each["points"] for each in twelve["attribution"] if each["scale"] == means["scale"]}
    assert pieces["not attributed"] == pytest.approx(6.51 / 6)  # no breakdown was kept
    assert pieces["new matches"] == pytest.approx(461.5 / 8 - 361.5 / 6)
    assert pieces["gone matches"] == pytest.approx(354.99 / 6 - 374.99 / 7)
    assert sum(pieces.values()) == pytest.approx(461.5 / 8 - 374.99 / 7)


def test_twelve_match_score_is_compared_by_rank_alone(twelve: dict[str, Any]) -> None:
    order = {each["side"]: each for each in twelve["order"]}
    older, before, now = range(6), [50, 59.99, 60, 30, 85, 70], [50, 60, 59, 41.5, 79, 72]
    for side, scores in (("before", before), ("now", now)):
        assert order[side]["spearman"] == pytest.approx(pd.Series(older).corr(pd.Series(scores).rank() - 1))
    assert order["all"]["matches"] == 10


def test_nothing_at_all() -> None:
    shown = report(tally(pd.DataFrame(columns=[*COLUMNS, *BEFORE], dtype=object)))
    assert nothing_is_nan(shown)
    assert (shown["matches"], shown["compared"], shown["gains"]) == (0, 0, [])


def moved(before: list[float], now: list[float]) -> pd.DataFrame:
    """As many of the twelve that are of one scale, with these scores."""
    return handmade().head(len(now)).assign(before_harmonic_mean=before, harmonic_mean=now)


def test_rescued_are_those_from_below_60() -> None:
    found = report(tally(moved([60, 59.99, 60, 60], [65, 60, 59.99, 60])))["moved"]
    assert (found["rescued"], found["lost"]) == (1, 1)


def test_a_stored_score_off_the_scale_is_of_no_version() -> None:
    shown = report(tally(moved([0, 100, -0.01, 100.01], [0, 100, 50, 50])))
    assert (shown["states"]["same"], shown["states"]["version"]) == (2, 2)


def test_another_score_of_the_same_inputs_is_not_attributed() -> None:
    rows = moved([50, 70], [52, 70]).assign(before_inputs_hash="now")
    shown = report(tally(rows))
    assert shown["unattributed"] == 1
    pieces = {each["piece"]: each["points"] for each in shown["attribution"]}
    assert pieces == dict.fromkeys(pieces, 0.0) | {"not attributed": 1.0}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_policy_that_is_not_named_is_told_by_the_breakdown(policy: str) -> None:
    """The platform's later engine names none. Where several make the score, it is the policy of now, or the first."""
    profiles, places = population(1, 5)
    rows = then_and_now(profiles, profiles, places, (policy, CURRENT_POLICY))
    makes = [
        [name for name in POLICIES if score_pair(profiles[a], profiles[b], name).harmonic_mean == score]
        for (a, b), score in zip(places, rows["before_harmonic_mean"], strict=True)
    ]
    told = [CURRENT_POLICY if CURRENT_POLICY in names else names[0] for names in makes]
    assert report(tally(rows.assign(before_policy=None))) == report(tally(rows.assign(before_policy=told)))
    gone = rows.assign(harmonic_mean=None, policy=None, scoring_version=None, inputs_hash=None)
    first = [names[0] for names in makes]
    assert report(tally(gone.assign(before_policy=None))) == report(tally(gone.assign(before_policy=first)))


def test_a_score_that_nothing_tells_the_policy_of_is_of_none_of_ours() -> None:
    profiles, places = population(1, 5)
    rows = then_and_now(profiles, profiles, places, (CURRENT_POLICY, CURRENT_POLICY))
    shown = report(tally(rows.assign(before_policy=None, before_context=None)))
    assert shown["states"] == dict.fromkeys(shown["states"], 0) | {"version": len(rows)}
    assert [(each["policy"], each["matches"]) for each in shown["scales"]] == [("another policy", len(rows))]


def test_what_is_gone_counts_on_the_scale_it_was_scored_on() -> None:
    rows = handmade().head(5)
    gone = rows.index[2:]
    rows.loc[gone, ["harmonic_mean", "policy", "scoring_version", "inputs_hash"]] = None
    rows["before_harmonic_mean"] = [50.0, 60.0, 20.0, 30.0, 90.0]
    rows["before_policy"] = [CURRENT_POLICY] * 3 + ["geometric/impute", CURRENT_POLICY]
    rows.loc[4, "before_version"] = "older"
    shown = report(tally(rows))
    assert shown["states"]["gone"] == 3
    means = {each["scale"]: (each["before"], each["mean_before"]) for each in shown["means"]}
    assert means == {"same policy": (3, pytest.approx(130 / 3)), "any policy": (4, 40)}


def test_the_methods_of_then_are_those_of_the_stored_breakdowns() -> None:
    profiles, places = population(1, 5)
    after = edited(profiles, True, False)
    rows = then_and_now(profiles, after, places, (CURRENT_POLICY, CURRENT_POLICY))
    rows.loc[0, BEFORE] = None
    shown = report(tally(rows))
    sides = {"before": (profiles, places[1:]), "now": (after, places[1:]), "new": (after, places[:1])}
    expected = []
    for side, (of_side, some) in sides.items():
        scored = [score_pair(of_side[a], of_side[b]) for a, b in some]
        both = [of for pair in scored for of in (pair.breakdown_ab, pair.breakdown_ba)]
        once = [pair.breakdown_ab for pair in scored]  # the same two texts both ways
        for k, (factor, breakdowns) in enumerate((("offering_seeking", both), ("audience_alignment", once))):
            methods = Counter(of["synergy"]["factors"][k]["method"] for of in breakdowns)
            expected.append((side, factor, methods["semantic"], methods["word_overlap"], 0))
    names = ("side", "factor", "semantic", "word_overlap", "not_known")
    assert [tuple(each[name] for name in names) for each in shown["evaluations"]] == expected
    assert expected[0][2:] != expected[2][2:]
