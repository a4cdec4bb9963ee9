"""Options for Momentum: against a plain loop, against the comparison of policies, and twelve matches by hand."""

import json
import math
import statistics
from collections import defaultdict
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jv_scoring import CURRENT_POLICY, POLICIES, tier
from jv_scoring.analysis import aggregation_comparison
from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.analysis.momentum_options import ALL, COLUMNS, LOWER_HALF, WHOLE, momentum_options, simulated
from jv_scoring.analysis.momentum_options_data import MEASURES, Filler, Matches, factor_scores
from jv_scoring.analysis.momentum_options_trap import DRAWS
from jv_scoring.analysis.rows import DIMENSION_COLUMNS
from jv_scoring.factors import MOMENTUM
from jv_scoring.policy import DIMENSIONS, TIERS, Nulls, aggregate, match_score, parse_policy
from jv_scoring.prepare import profile_features
from jv_scoring.reference import counted_score, weighted_mean
from tests.support.profile_strategies import Profile, frame
from tests.support.score_rows import nothing_is_nan, population, scored_rows

NAN = math.nan
RANK = {name: -k for k, (name, _) in enumerate(TIERS)}


def of(records: list[dict[str, Any]], **wanted: object) -> dict[str, Any]:
    """The one record with these values."""
    (found,) = [record for record in records if wanted.items() <= record.items()]
    return found


def case(seed: int, count: int = 15) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and features of a population where some have more than 10 matches, and each field somebody has."""
    profiles, places = population(seed, count)
    for profile in profiles[::3]:
        profile["current_projects"] = "A summit in the spring"
    return scored_rows(profiles, places), profile_features(frame(profiles))


# Against a plain loop


def plain_momentum(scores: list[float | None], nulls: Nulls) -> float | None:
    counted = [
        (counted_score(factor, score, nulls), factor.weight) for factor, score in zip(MOMENTUM, scores, strict=True)
    ]
    known = [(score, weight) for score, weight in counted if score is not None]
    return weighted_mean([score for score, _ in known], [weight for _, weight in known]) if known else None


def plain_scored(
    rows: pd.DataFrame, policy: str, filled: dict[str, list[float | None]]
) -> tuple[dict[str, float], dict[str, set[str]], int]:
    """harmonic_mean by match, best 10 by profile, and how many directions have Momentum as their weakest."""
    chosen, scores, bottleneck, of_source = parse_policy(policy), {}, 0, defaultdict(list)
    for row in rows.to_dict("records"):
        raw = []
        for direction, target in (("ab", row["suggested_profile_id"]), ("ba", row["profile_id"])):
            names = ["intent", f"synergy_{chosen.nulls}", f"momentum_{chosen.nulls}", "context"]
            values = [row[f"{name}_{direction}"] for name in names]
            dimensions = [None if math.isnan(value) else value for value in values]
            if target in filled:
                dimensions[2] = plain_momentum(filled[target], chosen.nulls)
            raw.append(aggregate(dimensions, chosen.aggregation))
            lowest = min(score for score in dimensions if score is not None)
            bottleneck += dimensions[2] == lowest
        scores[row["id"]] = round(match_score(*raw), 2)
        of_source[row["profile_id"]].append(row["id"])
    best = {
        source: set(sorted(ids, key=lambda match: (-scores[match], match))[:10]) for source, ids in of_source.items()
    }
    return scores, best, bottleneck


def plain_measures(rows: pd.DataFrame, now: Any, then: Any) -> dict[str, float]:
    (scores_now, best_now, _), (scores_then, best_then, bottleneck) = now, then
    ranks = [(RANK[tier(scores_now[match])], RANK[tier(scores_then[match])]) for match in scores_now]
    churn = {source: len(best - best_then[source]) / len(best) for source, best in best_now.items()}
    sizes = rows["profile_id"].value_counts()
    with_more = [value for source, value in churn.items() if sizes[source] > 10]
    mean_now, mean_then = (sum(scores.values()) / len(scores) for scores in (scores_now, scores_then))
    return {
        "mean": mean_then,
        "effect_on_mean": mean_then - mean_now,
        "bottleneck_share": bottleneck / (2 * len(rows)),
        **{name.lower(): sum(then == RANK[name] for _, then in ranks) for name, _ in TIERS},
        "tiers_up": sum(then > now for now, then in ranks),
        "tiers_down": sum(then < now for now, then in ranks),
        "churn": sum(churn.values()) / len(churn),
        "churn_with_more": sum(with_more) / len(with_more),
    }


def plain_fill(features: pd.DataFrame, fields: list[str], share: float, seed: int, repeat: int) -> dict[str, Any]:
    """The factor scores of the profiles that are filled, by id; the generator is asked for the same, in that order."""
    features = features.sort_index()
    known = {
        profile: [None if math.isnan(value) else value for value in values]
        for profile, values in zip(features.index, features[list(FIELDS)].to_numpy().tolist(), strict=True)
    }
    places = [FIELDS.index(field) for field in fields]
    observed = {k: sorted(scores[k] for scores in known.values() if scores[k] is not None) for k in places}
    lacking = [at for at, scores in enumerate(known.values()) if any(scores[k] is None and observed[k] for k in places)]
    rng = np.random.default_rng([seed, sum(2**k for k in places), repeat])
    order = rng.permutation(lacking).tolist()
    filled = {profile: list(scores) for profile, scores in known.items()}
    for k in places:
        gaps = [profile for profile, scores in known.items() if scores[k] is None]
        if observed[k]:
            size = max(1, len(observed[k]) - 3)
            pool = [observed[k][at] for at in rng.integers(len(observed[k]), size=size).tolist()]
            for profile, drawn in zip(gaps, rng.integers(size, size=len(gaps)).tolist(), strict=True):
                filled[profile][k] = pool[drawn]
    return {features.index[at]: filled[features.index[at]] for at in order[: round(share * len(lacking))]}


def plain_interval(values: list[float]) -> list[float]:
    """The values that 2.5 % and 97.5 % of further ones are expected below, between the smallest and the largest."""
    ordered = sorted(values)
    places = [min(max(share * (len(ordered) + 1) - 1, 0), len(ordered) - 1) for share in (0.025, 0.975)]
    return [float(np.interp(place, range(len(ordered)), ordered)) for place in places]


def interval_known(features: pd.DataFrame, fields: list[str]) -> bool:
    """Whether five profiles or more have each field that somebody lacks, and not all the same there."""
    columns = [features[field] for field in fields]
    return all(known.count() >= 5 and known.nunique() > 1 for known in columns if known.isna().any() and known.any())


@pytest.mark.parametrize("policy", [CURRENT_POLICY, "geometric/redistribute"])
def test_the_report_is_what_a_plain_loop_gives(policy: str) -> None:
    rows, features = case(2)
    assert rows["profile_id"].value_counts().max() > 10
    repeats, shares = 4, (0.3, 1.0)
    shown = momentum_options(rows, features, policy=policy, shares=shares, repeats=repeats, grid_repeats=2, seed=7)
    now = plain_scored(rows, policy, {})
    wanted = [(record, record["fields"], policy, repeats) for record in shown["data"]]
    wanted += [(record, ALL, record["policy"], 2) for record in shown["grid"]]
    assert len(wanted) == 5 * 2 + 6 * 2
    for record, name, other, times in wanted:
        fields = list(FIELDS) if name == ALL else [name]
        fills = [plain_fill(features, fields, record["share"], 7, repeat) for repeat in range(times)]
        measured = [plain_measures(rows, now, plain_scored(rows, other, fill)) for fill in fills]
        assert {len(fill) for fill in fills} == {record["profiles_filled"]}
        for measure in MEASURES:
            values = [of_repeat[measure] for of_repeat in measured]
            low, high = plain_interval(values) if interval_known(features, fields) else (None, None)
            error = 1.96 * statistics.stdev(values) / times**0.5
            expected = {"mean": sum(values) / times, "low": low, "high": high, "error": error}
            assert record[measure] == pytest.approx(expected, abs=1e-9), (name, other, measure)
    for record in shown["method"]:
        measured = [plain_measures(rows, now, plain_scored(rows, record["policy"], {}))]
        assert {measure: record[measure] for measure in MEASURES} == pytest.approx(measured[0], abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_trap_is_what_a_plain_loop_gives(seed: int) -> None:
    rows, features = case(seed)
    shown = momentum_options(rows, features, shares=(), repeats=1)["trap"]
    known = [
        [None if math.isnan(value) else value for value in values]
        for values in features[list(FIELDS)].to_numpy().tolist()
    ]
    partly = [scores for scores in known if None in scores and scores != [None] * 4]
    risky = set()
    for k, field in enumerate(FIELDS):
        observed = [scores[k] for scores in known if scores[k] is not None]
        chances, falls = [], []
        for at, scores in enumerate(partly):
            if scores[k] is not None:
                continue
            before = plain_momentum(scores, "redistribute")
            changes = [
                before - plain_momentum([*scores[:k], value, *scores[k + 1 :]], "redistribute") for value in observed
            ]
            chances.append(sum(change > 1e-9 for change in changes) / len(observed))
            falls += [change for change in changes if change > 1e-9]
            risky.update([at] if chances[-1] else [])
        assert of(shown["momentum"], field=field) == pytest.approx({
            "field": field, "profiles": len(chances), "observed": len(observed), "at_risk": sum(map(bool, chances)),
            "share_at_risk": sum(map(bool, chances)) / len(chances), "likely": sum(c > 0.5 for c in chances),
            "expected": sum(chances), "share_of_values": sum(chances) / len(chances),
            "mean_fall": sum(falls) / len(falls) if falls else None, "worst_fall": max(falls) if falls else None,
        })  # fmt: skip
    assert shown["any_field"]["profiles"] == len(partly)
    assert shown["any_field"]["at_risk"] == len(risky)


@pytest.mark.parametrize("field", FIELDS)
def test_what_the_trap_does_to_scores_is_what_a_plain_loop_gives(field: str) -> None:
    rows, features = case(1)
    shown = momentum_options(rows, features, shares=(), repeats=1, seed=3)["trap"]
    features = features.sort_index()
    known = {
        profile: [None if math.isnan(value) else value for value in values]
        for profile, values in zip(features.index, features[list(FIELDS)].to_numpy().tolist(), strict=True)
    }
    k = FIELDS.index(field)
    observed = sorted(scores[k] for scores in known.values() if scores[k] is not None)
    lacking = [profile for profile, scores in known.items() if scores[k] is None and scores != [None] * 4]
    assert lacking
    rng = np.random.default_rng([3, k])
    draws = [dict(zip(lacking, rng.integers(len(observed), size=len(lacking)), strict=True)) for _ in range(DRAWS)]
    for aggregation_name in ("harmonic", "geometric", "arithmetic"):
        directions, worst, falls = 0, 0.0, []
        for row in rows.to_dict("records"):
            for direction, target in (("ab", row["suggested_profile_id"]), ("ba", row["profile_id"])):
                if target not in lacking:
                    continue
                directions += 1
                names = ["intent", "synergy_redistribute", "momentum_redistribute", "context"]
                before = [row[f"{name}_{direction}"] for name in names]

                def fall(
                    value: float, before: list[float] = before, of: str = target, by: Any = aggregation_name
                ) -> Any:
                    momentum = plain_momentum([*known[of][:k], value, *known[of][k + 1 :]], "redistribute")
                    return aggregate(before, by) - aggregate([*before[:2], momentum, before[3]], by)

                worst = max(worst, *map(fall, observed))
                falls += [change for draw in draws if (change := fall(observed[draw[target]])) > 1e-9]
        assert of(shown["scores"], field=field, aggregation=aggregation_name) == pytest.approx({
            "field": field, "aggregation": aggregation_name, "directions": directions,
            "share_lower": len(falls) / (DRAWS * directions), "mean_fall": sum(falls) / len(falls) if falls else None,
            "worst_fall": worst if worst > 1e-9 else None,
        })  # fmt: skip


# The draws


def test_at_share_0_nothing_changes() -> None:
    rows, features = case(1)
    shown = momentum_options(rows, features, shares=(0,), repeats=3)
    for record in shown["data"]:
        assert record["profiles_filled"] == 0
        assert record["points_per_profile"]["mean"] is None
        for measure in MEASURES:
            assert record[measure]["low"] == record[measure]["high"] == shown["today"][measure]
    for record in shown["grid"]:
        for measure in MEASURES:
            assert record[measure]["mean"] == pytest.approx(of(shown["method"], policy=record["policy"])[measure])
    assert shown["today"]["effect_on_mean"] == shown["today"]["churn"] == shown["today"]["tiers_up"] == 0


def test_a_draw_fills_everybody_from_what_others_have_and_a_share_is_its_first() -> None:
    scores = factor_scores(case(4)[1])
    filler = Filler(scores, FIELDS, 1)
    draw = filler.draw(0)
    assert not np.isnan(draw.scores).any()
    after = scores.copy()
    after[:, draw.profiles] = draw.scores
    assert not np.isnan(after).any()
    assert np.array_equal(after[~np.isnan(scores)], scores[~np.isnan(scores)])
    for row, filled in zip(scores, after, strict=True):
        assert set(filled) <= set(row[~np.isnan(row)])
    half = filler.first(draw, 0.5)
    assert len(half.profiles) == filler.count(0.5) == round(len(filler.lacking) / 2)
    assert np.array_equal(half.profiles, draw.profiles[: len(half.profiles)])
    assert not np.array_equal(draw.profiles, filler.draw(1).profiles)
    single = Filler(scores, ["list_size"], 1)
    assert np.array_equal(single.lacking, np.flatnonzero(np.isnan(scores[3])))
    assert np.array_equal(single.draw(0).scores[:3], scores[:3, single.draw(0).profiles], equal_nan=True)


def test_one_seed_gives_one_report_in_any_order_of_rows_and_another_seed_another() -> None:
    rows, features = case(3)
    first = momentum_options(rows, features, shares=(0.5,), repeats=5, seed=4)
    again = momentum_options(rows.iloc[::-1], features.iloc[::-1], shares=(0.5,), repeats=5, seed=4)
    assert json.dumps(first) == json.dumps(again)
    assert first["data"] != momentum_options(rows, features, shares=(0.5,), repeats=5, seed=5)["data"]


# Against the comparison of policies


def test_policies_change_what_the_comparison_of_policies_says() -> None:
    rows, features = case(5)
    shown = momentum_options(rows, features, shares=(), repeats=1)
    compared = aggregation_comparison.report(aggregation_comparison.tally(rows))
    for policy, chosen in POLICIES.items():
        row = of(shown["method"], policy=policy)
        assert row["mean"] == pytest.approx(of(compared["scores"], policy=policy, score="harmonic_mean")["mean"])
        weakest = of(compared["weakest"], nulls=chosen.nulls, direction="both", dimension="momentum")
        assert row["bottleneck_share"] == weakest["share"]
        tiers = of(compared["tiers"], policy=policy, score="harmonic_mean")
        assert all(row[name.lower()] == tiers[name] for name, _ in TIERS)
        if policy == CURRENT_POLICY:
            continue
        against = of(compared["against_current"], policy=policy)
        assert row["churn"] == pytest.approx(1 - against["best_overlap"])
        assert row["churn_with_more"] == pytest.approx(1 - against["best_overlap_with_more"])
        moved = [record for record in compared["migration"] if record["policy"] == policy]
        assert row["tiers_up"] == sum(move["matches"] for move in moved if RANK[move["to"]] > RANK[move["from"]])


# Twelve matches by hand: `a` with each of t01 to t12


def handmade() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Momentum of t01..t06 has no data, of t07..t10 an engagement of 8, of t11, t12 and a four factors of 7."""
    kinds = {
        "nothing": ((NAN, NAN, NAN, NAN), 3.55, NAN, 6.0),  # factors, both Momentums, Context
        "engaged": ((8.0, NAN, NAN, NAN), 4.75, 8.0, 5.0),  # (3 * 8 + 2 * 3 + 2.5 * 4 + 2.5 * 3) / 10
        "full": ((7.0, 7.0, 7.0, 7.0), 7.0, 7.0, 6.0),
    }
    targets = ["nothing"] * 6 + ["engaged"] * 4 + ["full"] * 2
    rows = []
    for k, kind in enumerate(targets, 1):
        row: dict[str, Any] = {"id": f"m{k:02}", "profile_id": "a", "suggested_profile_id": f"t{k:02}"}
        row |= dict.fromkeys(DIMENSION_COLUMNS, 6.0)
        for direction, of_kind in (("ab", kinds[kind]), ("ba", kinds["full"])):
            _, impute, redistribute, context = of_kind
            row |= {f"momentum_impute_{direction}": impute, f"momentum_redistribute_{direction}": redistribute}
            row[f"context_{direction}"] = context
        rows.append(row)
    ids = ["a", *(f"t{k:02}" for k in range(1, 13))]
    features = pd.DataFrame([kinds[kind][0] for kind in ("full", *targets)], pd.Index(ids), columns=list(FIELDS))
    return pd.DataFrame(rows), features


def test_today_of_twelve_matches_by_hand() -> None:
    shown = momentum_options(*handmade(), shares=(1.0,), repeats=3)
    # b to a: 1 / (.8/6 + .2/7) = 6.17647. a to b: 1 / (.8/6 + .2/3.55) = 5.27228, 1 / (.7/6 + .1/5 + .2/4.75) = 5.59372
    # matches: 6 of 56.89, 4 of 58.71, 2 of 61.76
    assert shown["today"] == pytest.approx({
        "mean": 699.70 / 12, "effect_on_mean": 0, "bottleneck_share": 10 / 24, "excellent": 0, "good": 2, "fair": 10,
        "poor": 0, "tiers_up": 0, "tiers_down": 0, "churn": 0, "churn_with_more": 0,
    })  # fmt: skip
    lacking = [(row["fields"], row["profiles_lacking"], row["observed"]) for row in shown["fields"]]
    assert lacking == [
        ("all", 10, 16), ("audience_engagement", 6, 7), ("social_reach", 10, 3), ("active_projects", 10, 3),
        ("list_size", 10, 3),
    ]  # fmt: skip


def test_one_fill_of_twelve_matches_by_hand() -> None:
    shown = momentum_options(*handmade(), shares=(1.0,), repeats=3)
    reach = of(shown["data"], fields="social_reach")
    # Every reach drawn is 7, so Momentum is (12 + 14 + 10 + 7.5) / 10 = 4.35, and (24 + 14 + 10 + 7.5) / 10 = 5.55:
    # no longer below a Context of 5. Matches: 6 of 58.61, 4 of 59.77, 2 of 61.76.
    assert (reach["profiles_lacking"], reach["profiles_filled"]) == (10, 10)
    assert reach["mean"] == pytest.approx({"mean": 714.26 / 12, "low": None, "high": None, "error": 0})
    assert reach["effect_on_mean"]["mean"] == pytest.approx(14.56 / 12)
    assert reach["points_per_profile"]["mean"] == pytest.approx(1.456)
    assert reach["bottleneck_share"]["mean"] == pytest.approx(6 / 24)
    assert (reach["tiers_up"]["mean"], reach["churn"]["mean"]) == (0, 0)
    everything = of(shown["decision"], option="data", fields=ALL)
    # All are 7 but an engagement of 7 or 8: a Momentum of 7 or 7.3, above all else, and matches of 60 or more.
    assert everything["bottleneck_share"] == 0
    assert everything["tiers_up"] == 10
    # The weight times what a 7 adds to neutral: 2.5 * 4, 2 * 4, 2.5 * 3. Engagement, 3 * 3 or more, goes to t01..t06
    # alone: it is worth most for each of them, and least over all matches.
    assert [row["field"] for row in shown["worth"]] == [
        "list_size", "social_reach", "active_projects", "audience_engagement",
    ]  # fmt: skip
    assert max(shown["worth"], key=lambda row: row["points_per_profile"]["mean"])["field"] == "audience_engagement"


def test_missing_values_may_be_fewer_and_lower() -> None:
    """Of the donors' 7, 7 and 9 the lower half is 7: what a fill with 7 is worth by hand, and a part of it."""
    rows, features = handmade()
    donors = features.index[features["social_reach"].notna()]
    features.loc[donors, "social_reach"] = [7.0, 7.0, 9.0]
    shown = momentum_options(rows, features, shares=(0.5, 1.0), repeats=30, grid_repeats=30)
    reach = [each for each in shown["sensitivity"] if each["field"] == "social_reach"]
    assert [(each["draws"], each["share"], each["profiles_filled"]) for each in reach] == [
        (WHOLE, 0.5, 5), (WHOLE, 1.0, 10), (LOWER_HALF, 0.5, 5), (LOWER_HALF, 1.0, 10),
    ]  # fmt: skip
    effects = [each["effect_on_mean"]["mean"] for each in reach]
    assert effects[3] == pytest.approx(14.56 / 12)
    assert effects[1] > effects[3] > effects[2] > 0
    assert effects[:2] == [each["effect_on_mean"]["mean"] for each in shown["data"] if each["fields"] == "social_reach"]


def test_the_trap_of_twelve_matches_by_hand() -> None:
    trap = momentum_options(*handmade(), shares=(1.0,), repeats=3)["trap"]
    assert trap["any_field"] == {"profiles": 4, "at_risk": 4, "share_at_risk": 1}
    # t07..t10, 8 from engagement alone: with a reach of 7, (24 + 14) / 5 = 7.6; with projects, (24 + 17.5) / 5.5 = 7.55
    for field, fall in (("social_reach", 0.4), ("active_projects", 0.45), ("list_size", 0.45)):
        assert of(trap["momentum"], field=field) == pytest.approx({
            "field": field, "profiles": 4, "observed": 3, "at_risk": 4, "share_at_risk": 1, "likely": 4, "expected": 4,
            "share_of_values": 1, "mean_fall": fall, "worst_fall": fall,
        })  # fmt: skip
    engagement = of(trap["momentum"], field="audience_engagement")
    assert (engagement["profiles"], engagement["at_risk"], engagement["mean_fall"]) == (0, 0, None)
    harmonic = of(trap["scores"], field="social_reach", aggregation="harmonic")
    # 10 / (.7/6 + .1/5 + .2/8) - 10 / (.7/6 + .1/5 + .2/7.6) = 61.8557 - 61.3563
    assert (harmonic["directions"], harmonic["share_lower"]) == (4, 1)
    assert harmonic["worst_fall"] == pytest.approx(0.4994, abs=1e-4)
    assert harmonic["mean_fall"] == pytest.approx(harmonic["worst_fall"])
    arithmetic = of(trap["scores"], field="social_reach", aggregation="arithmetic")
    assert arithmetic["worst_fall"] == pytest.approx(0.8)  # .2 * .4 * 10


def test_a_fall_by_half_of_the_values_is_a_risk_and_not_likely() -> None:
    """A reach of 7 lowers the 8 of t07..t10, one of 9 does not: (24 + 18) / 5 = 8.4."""
    rows, features = handmade()
    features.loc[["a", "t11", "t12", "t01"], "social_reach"] = [9.0, 9.0, 7.0, 7.0]
    reach = of(momentum_options(rows, features, shares=(), repeats=1)["trap"]["momentum"], field="social_reach")
    assert (reach["profiles"], reach["at_risk"], reach["likely"], reach["expected"]) == (4, 4, 0, 2)


def test_the_decision_has_a_row_an_option() -> None:
    shown = momentum_options(*handmade(), shares=(0.5, 1.0), repeats=2)
    options = [row["option"] for row in shown["decision"]]
    assert {name: options.count(name) for name in options} == {"today": 1, "data": 10, "method": 5, "both": 10}
    assert {row["share"] for row in shown["worth"]} == {1.0}
    assert len({tuple(row) for row in shown["decision"]}) == 1
    method = of(shown["decision"], option="method", policy="arithmetic/impute")
    assert (method["profiles_to_fill"], method["effect_low"]) == (0, method["effect_on_mean"])
    assert of(shown["decision"], option="both", policy="arithmetic/impute", share=0.5)["profiles_to_fill"] == 5


# Edges


def nobody() -> list[Profile]:
    return [{"name": "a"}, {"name": "b"}]


@pytest.mark.parametrize("policy", list(POLICIES))
def test_no_row_no_profile_all_null_and_all_known_are_shown(policy: str) -> None:
    rows, features = handmade()
    without, everything = features * NAN, features.fillna(7.0)
    empty = pd.DataFrame({name: np.array([], object) for name in COLUMNS})
    null_rows = scored_rows(nobody(), [(0, 1), (1, 0)])
    cases = [
        (empty, features), (rows.head(0), features), (empty, features.head(0)), (rows, features.head(0)),
        (rows, without), (rows, everything), (rows.head(1), features), (null_rows, profile_features(frame(nobody()))),
    ]  # fmt: skip
    for some_rows, some_features in cases:
        shown = momentum_options(some_rows, some_features, policy=policy, shares=(0.5, 1.0), repeats=2)
        assert nothing_is_nan(shown)
        json.dumps(shown, allow_nan=False)
        assert (shown["today"]["mean"] is None) == (not len(some_rows))
    for some_features in (without, everything):
        shown = momentum_options(rows, some_features, policy=policy, shares=(1.0,), repeats=2)
        assert {record["profiles_filled"] for record in shown["data"]} == {0}
        assert {record["effect_on_mean"]["mean"] for record in shown["data"]} == {0}
        assert shown["trap"]["any_field"]["profiles"] == 0


def test_a_profile_that_is_gone_keeps_the_momentum_of_its_rows() -> None:
    rows, features = handmade()
    matches = Matches(rows, features.index[:-1])
    fill = Filler(factor_scores(features.iloc[:-1]), FIELDS, 1).draw(0)
    ab, _ = matches.momenta("impute", fill)
    assert ab[-1] == 7
    assert DIMENSIONS[2] == "momentum"


@pytest.mark.parametrize("wrong", [{"shares": (1.5,)}, {"repeats": 0}, {"policy": "harmonic"}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        momentum_options(*handmade(), **wrong)


# Intervals


def with_donors(*values: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The twelve matches, where these and nobody else have a reach."""
    rows, features = handmade()
    reach = [*values, *[NAN] * (len(features) - len(values))]
    return rows, features.assign(social_reach=reach)


@pytest.mark.parametrize(
    ("donors", "known"),
    [([7.0], False), ([7.0] * 6, False), ([3.0, 7.0, 5.0, 8.0], False), ([3.0, 7.0, 5.0, 8.0, 5.0], True)],
)
def test_donors_that_are_few_or_alike_give_no_interval(donors: list[float], known: bool) -> None:
    shown = momentum_options(*with_donors(*donors), shares=(1.0,), repeats=60)
    for record in (of(shown["data"], fields="social_reach"), of(shown["worth"], field="social_reach")):
        for measure in ("effect_on_mean", "points_per_profile"):
            assert record[measure]["mean"] is not None
            assert (record[measure]["low"] is not None) == (record[measure]["high"] is not None) == known
    decided = of(shown["decision"], option="data", fields="social_reach")
    assert (decided["effect_low"] is not None) == known
    assert of(shown["decision"], option="data", fields=ALL)["effect_low"] is None  # list_size has three donors, alike


def test_the_interval_is_wider_than_that_of_the_donors_taken_as_they_are() -> None:
    """Five donors say less of the mean than fifty of the same values."""
    rows, features = with_donors(3.0, 7.0, 5.0, 8.0, 5.0)
    few = of(momentum_options(rows, features, shares=(1.0,))["data"], fields="social_reach")["effect_on_mean"]
    more = [features.assign(social_reach=features["social_reach"].fillna(NAN)), *[features.head(5)] * 9]
    named = [each.set_axis([f"{name}{k}" if k else name for name in each.index]) for k, each in enumerate(more)]
    many = of(momentum_options(rows, pd.concat(named), shares=(1.0,))["data"], fields="social_reach")["effect_on_mean"]
    assert few["high"] - few["low"] > 1.2 * (many["high"] - many["low"])


def test_the_error_of_a_mean_is_what_more_repeats_take_away() -> None:
    rows, features = case(2)
    scores, matches = (
        factor_scores(features.sort_index()),
        Matches(rows, pd.Index(features.sort_index().index, dtype=object)),
    )
    now = matches.scored(parse_policy(CURRENT_POLICY))
    shown = []
    for seed in range(30):
        filler = Filler(scores, FIELDS, seed)
        shown += simulated(matches, now, filler, policy=CURRENT_POLICY, shares=[1.0], repeats=20)
    effects = [record["effect_on_mean"] for record in shown]
    middle = statistics.fmean(effect["mean"] for effect in effects)
    assert sum(abs(effect["mean"] - middle) <= effect["error"] for effect in effects) >= 25


# Of a sample


def test_totals_of_a_sample_are_scaled_up_and_means_are_left() -> None:
    rows, features = case(2)
    part, whole = (
        momentum_options(rows, features, shares=(0.5, 1.0), repeats=6, of=of) for of in (None, 7 * len(rows))
    )
    total = ("points_per_profile", "tiers_up", "tiers_down", *(name.lower() for name, _ in TIERS))
    for before, after in zip((*part["data"], *part["grid"]), (*whole["data"], *whole["grid"]), strict=True):
        for name in (*MEASURES, "points_per_profile"):
            factor = 7 if name in total else 1
            scaled = {of: None if value is None else factor * value for of, value in before[name].items()}
            assert after[name] == pytest.approx(scaled), name
    for before, after in zip(part["trap"]["scores"], whole["trap"]["scores"], strict=True):
        assert after == {**before, "directions": 7 * before["directions"]}
    assert part["trap"]["momentum"] == whole["trap"]["momentum"]
    for before, after in zip(part["decision"], whole["decision"], strict=True):
        assert after["tiers_up"] == pytest.approx(7 * before["tiers_up"])
        assert (after["mean"], after["profiles_to_fill"]) == (before["mean"], before["profiles_to_fill"])


def test_points_per_profile_of_a_sample_are_near_those_of_all_matches() -> None:
    rows, features = case(3, 24)
    everything = momentum_options(rows, features, shares=(1.0,), repeats=40)["worth"]
    drawn = rows.sample(len(rows) // 2, random_state=1)
    found = momentum_options(drawn, features, shares=(1.0,), repeats=40, of=len(rows))["worth"]
    for record in everything:
        sampled = of(found, field=record["field"])["points_per_profile"]["mean"]
        assert sampled == pytest.approx(record["points_per_profile"]["mean"], rel=0.35, abs=0.3)
