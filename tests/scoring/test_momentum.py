"""Momentum as bottleneck: against a plain computation over the reference's breakdowns; twelve matches by hand."""

import math
import statistics
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jv_scoring import CURRENT_POLICY, POLICIES
from jv_scoring.analysis.momentum_bottleneck import COLUMNS, FIELDS, Momentum, report, tally, tally_profiles
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import DIMENSIONS
from jv_scoring.prepare import profile_features
from jv_scoring.reference import score_pair
from tests.support.profile_strategies import Profile, frame, populations
from tests.support.score_rows import CUTS, merged_in_pieces, nothing_is_nan, population, scored_rows

RANDOM = st.randoms(use_true_random=False)


def of(records: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    """The one record with these values."""
    (found,) = [record for record in records if wanted.items() <= record.items()]
    return found


# Against a plain computation


def directions_of(
    profiles: list[Profile], places: list[tuple[int, int]], policy: str
) -> list[tuple[str, dict[str, float | None], list[float | None]]]:
    """Of every direction its name, its dimensions, and the four fields' scores, None without data."""
    found = []
    for a, b in places:
        scored, raw = (score_pair(profiles[a], profiles[b], name) for name in (policy, "harmonic/redistribute"))
        for direction in DIRECTIONS:
            breakdown = getattr(scored, f"breakdown_{direction}")
            factors = getattr(raw, f"breakdown_{direction}")["momentum"]["factors"]
            dimensions = {name: breakdown[name]["score"] for name in DIMENSIONS}
            found.append((direction, dimensions, [factor["score"] for factor in factors]))
    return found


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.sampled_from(list(POLICIES)))
def test_the_report_is_what_a_plain_computation_gives(seed: int, policy: str) -> None:
    profiles, places = population(seed, 5)
    every = directions_of(profiles, places, policy)
    shown = report(tally(scored_rows(profiles, places, policy)), tally_profiles(profile_features(frame(profiles))))
    assert nothing_is_nan(shown)
    assert (shown["policy"], shown["directions"]) == (policy, len(every))
    combinations: Counter[tuple[str, str]] = Counter()
    held_back = []
    for direction, dimensions, _ in every:
        lowest = min(score for score in dimensions.values() if score is not None)
        names = [name for name, score in dimensions.items() if score == lowest]
        combinations.update([(direction, "+".join(names)), ("both", "+".join(names))])
        held_back.append("momentum" in names)
    assert {(row["direction"], row["weakest"]): row["count"] for row in shown["combinations"]} == combinations
    for name in DIMENSIONS:
        row = of(shown["weakest"], direction="both", dimension=name)
        assert row["sole"] == combinations["both", name]
        assert row["sole"] + row["tied"] == sum(
            count for (direction, names), count in combinations.items() if direction == "both" and name in names
        )
        scores = [dimensions[name] for _, dimensions, _ in every if dimensions[name] is not None]
        assert of(shown["dimensions"], direction="both", dimension=name)["count"] == len(scores)
        if scores:
            assert of(shown["dimensions"], direction="both", dimension=name)["mean"] == pytest.approx(
                statistics.fmean(scores)
            )
    for k, field in enumerate(FIELDS):
        for state, wanted in (("bottleneck", True), ("other", False)):
            scores = [fields[k] for (_, _, fields), is_it in zip(every, held_back, strict=True) if is_it is wanted]
            values = [round(score, 2) for score in scores if score is not None]
            row = of(shown["factors"], factor=field, momentum=state)
            assert (row["count"], row["without_data"]) == (len(values), len(scores) - len(values))
            assert row["median"] == (pytest.approx(statistics.median(values)) if values else None)
            bars = [bar for bar in shown["factor_bars"] if (bar["factor"], bar["momentum"]) == (field, state)]
            assert sum(bar["count"] for bar in bars) == len(values)
    assert shown["floor"]["both"] == sum(fields == [None] * 4 for _, _, fields in every)


@settings(deadline=None, max_examples=40)
@given(populations(least=1, most=4))
def test_coverage_of_profiles_is_the_share_with_data(profiles: list[Profile]) -> None:
    features = profile_features(frame(profiles))
    merged = tally_profiles(features.iloc[:1]) + tally_profiles(features.iloc[1:])
    assert merged.to_json() == tally_profiles(features).to_json()
    shown = report(tally(scored_rows(profiles, [(0, 0)])), merged)
    for field in FIELDS:
        assert of(shown["coverage"], field=field)["of_profiles"] == features[field].notna().mean()
        assert of(shown["coverage"], field=field)["of_directions"] is None
    assert shown["floor"]["profiles"] == int(features[list(FIELDS)].isna().all(axis=1).sum())


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 5), CUTS, RANDOM)
def test_ranges_merge_to_one_pass(seed: int, cuts: list[int], rng: Any) -> None:
    rows = scored_rows(*population(seed))
    assert merged_in_pieces(rows[COLUMNS], tally, cuts, rng).to_json() == tally(rows).to_json()


# Twelve matches by hand

NAN = math.nan
KINDS: dict[str, tuple[tuple[float, float, float, float], tuple[float, float, float, float]]] = {
    # intent, synergy, momentum, context; and engagement, reach, projects, list size
    "floor": ((6, 6, 3.55, 6), (NAN, NAN, NAN, NAN)),
    "tie": ((5.15, 6, 5.15, 7), (8, 5, NAN, NAN)),  # (3 * 8 + 2 * 5 + 2.5 * 4 + 2.5 * 3) / 10
    "context": ((6, 5, 7.45, 2), (NAN, 10, 8, 9)),  # (3 * 4 + 2 * 10 + 2.5 * 8 + 2.5 * 9) / 10
}
AB = ["floor"] * 6 + ["tie"] * 4 + ["context"] * 2
BA = ["floor"] * 2 + ["context"] * 10


def handmade() -> pd.DataFrame:
    rows = []
    for kinds in zip(AB, BA, strict=True):
        row: dict[str, Any] = dict.fromkeys(COLUMNS, 6.0) | {"policy": CURRENT_POLICY}
        for direction, kind in zip(DIRECTIONS, kinds, strict=True):
            (intent, synergy, momentum, context), fields = KINDS[kind]
            row |= {f"intent_{direction}": intent, f"context_{direction}": context}
            for nulls in ("impute", "redistribute"):
                row |= {f"synergy_{nulls}_{direction}": synergy, f"momentum_{nulls}_{direction}": momentum}
            row |= {f"{field}_{direction}": score for field, score in zip(FIELDS, fields, strict=True)}
        rows.append(row)
    return pd.DataFrame(rows)


def test_the_weakest_dimensions_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()))
    assert (shown["matches"], shown["directions"]) == (12, 24)
    assert of(shown["weakest"], direction="ab", dimension="momentum") == {
        "direction": "ab", "dimension": "momentum", "sole": 6, "tied": 4, "share": 10 / 12, "sole_share": 6 / 12,
    }  # fmt: skip
    assert of(shown["weakest"], direction="ab", dimension="intent")["tied"] == 4
    assert of(shown["weakest"], direction="ba", dimension="context")["sole"] == 10
    both = of(shown["weakest"], direction="both", dimension="momentum")
    assert (both["sole"], both["tied"], both["share"]) == (8, 4, 0.5)
    assert [(row["direction"], row["weakest"], row["count"]) for row in shown["combinations"]] == [
        ("ab", "momentum", 6), ("ab", "intent+momentum", 4), ("ab", "context", 2),
        ("ba", "momentum", 2), ("ba", "context", 10),
        ("both", "momentum", 8), ("both", "intent+momentum", 4), ("both", "context", 12),
    ]  # fmt: skip


def test_the_dimensions_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()))
    momentum = of(shown["dimensions"], dimension="momentum", direction="ab")
    assert momentum["mean"] == pytest.approx(4.7333, abs=1e-4)  # (6 * 3.55 + 4 * 5.15 + 2 * 7.45) / 12
    assert momentum["median"] == pytest.approx(4.35)  # between 3.55 and 5.15
    assert of(shown["dimensions"], dimension="context", direction="both")["mean"] == pytest.approx(100 / 24)


def test_the_factors_of_twelve_matches_by_hand() -> None:
    shown = report(tally(handmade()))
    engagement = of(shown["factors"], factor="audience_engagement", momentum="bottleneck")
    assert (engagement["count"], engagement["without_data"], engagement["mean"]) == (4, 8, 8)
    assert engagement["share_without_data"] == 8 / 12
    other = of(shown["factors"], factor="audience_engagement", momentum="other")
    assert (other["count"], other["without_data"], other["mean"], other["median"]) == (0, 12, None, None)
    assert of(shown["factors"], factor="social_reach", momentum="other")["mean"] == 10
    bar = [row for row in shown["factor_bars"] if row["factor"] == "social_reach" and row["count"]]
    assert [(row["momentum"], row["from"], row["count"]) for row in bar] == [("bottleneck", 5, 4), ("other", 10, 12)]


def test_the_coverage_of_twelve_matches_by_hand() -> None:
    features = pd.DataFrame({field: [5, NAN, NAN, 5, NAN] for field in FIELDS} | {"list_size": [4, 4, 4, 4, NAN]})
    shown = report(tally(handmade()), tally_profiles(features))
    assert shown["coverage"] == [
        {"field": "audience_engagement", "of_directions": 4 / 24, "of_profiles": 0.4},
        {"field": "social_reach", "of_directions": 16 / 24, "of_profiles": 0.4},
        {"field": "active_projects", "of_directions": 12 / 24, "of_profiles": 0.4},
        {"field": "list_size", "of_directions": 12 / 24, "of_profiles": 0.8},
    ]
    assert shown["floor"] == {
        "ab": 6, "share_ab": 0.5, "ba": 2, "share_ba": 2 / 12, "both": 8, "share_both": 8 / 24,
        "profiles": 1, "share_profiles": 0.2, "momentum": 3.55,
    }  # fmt: skip


# Edges


@pytest.mark.parametrize("count", [0, 1])
def test_no_row_and_one_row_are_shown(count: int) -> None:
    for rows in (handmade().head(count), scored_rows(*population(1)).head(count)):
        shown = report(Momentum.from_json(tally(rows).to_json()))
        assert shown["matches"] == count
        assert shown["floor"]["profiles"] is None
        assert nothing_is_nan(shown)
    shown = report(tally(handmade().head(count)), tally_profiles(profile_features(frame([]))))
    assert nothing_is_nan(shown)
    assert shown["floor"]["share_profiles"] is None


def test_an_empty_file_of_untyped_columns_is_shown() -> None:
    shown = report(tally(pd.DataFrame({name: np.array([], object) for name in COLUMNS})))
    assert shown["floor"]["share_both"] is None
    assert nothing_is_nan(shown)


@pytest.mark.parametrize(("policy", "floor"), [("harmonic/impute", 3.55), ("geometric/redistribute", None)])
def test_without_any_momentum_data_every_direction_is_at_the_floor(policy: str, floor: float | None) -> None:
    shown = report(tally(scored_rows([{"name": "a"}, {"name": "b"}], [(0, 1), (1, 0)], policy)))
    assert nothing_is_nan(shown)
    assert (shown["floor"]["both"], shown["floor"]["momentum"]) == (4, floor)
    momentum = of(shown["dimensions"], dimension="momentum", direction="both")
    assert (momentum["min"], momentum["max"], momentum["count"]) == (floor, floor, 4 if floor else 0)
    assert of(shown["weakest"], dimension="momentum", direction="both")["sole"] == 0
