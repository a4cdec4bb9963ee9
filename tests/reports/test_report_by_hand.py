"""The whole report of twelve matches whose figures are worked out by hand: what its sections say, and their tables."""

from collections import Counter
from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

from jv_assets.reports.congestion_numbers import congestion, uniform
from jv_assets.reports.figures import Table
from jv_assets.reports.numbers import report_of
from jv_assets.reports.sampling import Sample, of_mean, of_share
from jv_assets.reports.sections import sections
from jv_assets.reports.tallies import keep, merge
from jv_assets.resources.range_files import RangeFiles
from jv_scoring import CURRENT_POLICY
from jv_scoring.analysis import aggregation_comparison, embedding_isolation, momentum_bottleneck, production_impact
from jv_scoring.policy import DIMENSION_WEIGHTS, SCORING_VERSION

NAN = np.nan
ALL = [9, 7, 7, 7, 5, 5, 5, 5, 5, 3, 3, 5]
"""Every dimension and factor of m00 to m11, both ways, but for what follows: so each scores ten times that."""
SCORES = [85.71, 70, 70, 56, 50, 50, 50, 50, 50, 30, 30, 50]
"""m00 has a Momentum of 6 from A to B, 10 / (.8/9 + .2/6) = 81.82, and with 90 back 85.71; m03 one of 2, 46.67, and
with 70 back 56. Under redistribute m03 has none there, so 70, and m04 and m05 have .5: 17.86 (geometric 31.55,
arithmetic 41), and with 50 back 26.32 (38.69, 45.05).

By words both similarities of m04 to m08 are 3 both ways: Synergy 42 / 11 = 3.82, 10 / (.75/5 + .25/3.82) = 46.42. Those
of m11 from A to B alone: 48.14. Those of m01 are 10: Synergy 96.5 / 11 = 8.77, 73.72.
"""
WORDS = [85.71, 73.72, 70, 56, *[46.42] * 5, 30, 30, 48.14]
BEFORE = [79, 59, 70, 56, 50, 50, 50, 50, 50, 45, NAN, 50]
"""m10 is new; m08 was scored by older rules, m11 under another policy."""
OF_A = ["a"] * 11 + ["b"]
SUGGESTED = ["s0"] * 5 + ["s1"] * 3 + ["s2"] * 2 + ["s3", "s0"]
BY_WORDS = {"offering_seeking_ab": 3, "audience_alignment_ab": 1, "offering_seeking_ba": 5, "audience_alignment_ba": 0}
"""How many of the first matches fell back."""
NO_DATA = {"ab": 4, "ba": 1}
"""How many of the last have no data for Momentum."""


def twelve() -> pd.DataFrame:
    columns = [
        *aggregation_comparison.COLUMNS,
        *embedding_isolation.COLUMNS,
        *momentum_bottleneck.COLUMNS,
        *production_impact.COLUMNS,
        *production_impact.BEFORE,
    ]
    rows = pd.DataFrame({name: np.array(ALL, np.float64) for name in dict.fromkeys(columns)})
    for name, count in BY_WORDS.items():
        factor, _, of = name.rpartition("_")
        rows[f"{factor}_method_{of}"] = ["word_overlap"] * count + ["semantic"] * (12 - count)
        rows.loc[[*range(4, 9), *([11] if of == "ab" else [])], f"{factor}_overlap_{of}"] = 3.0
        rows.loc[1, f"{factor}_overlap_{of}"] = 10.0
    for name in ("momentum_impute_ab", "momentum_redistribute_ab"):
        rows.loc[[0, 3], name] = [6.0, 2.0]
    rows.loc[3:5, "momentum_redistribute_ab"] = [NAN, 0.5, 0.5]
    for of, count in NO_DATA.items():
        rows.loc[12 - count :, [f"{field}_{of}" for field in momentum_bottleneck.FIELDS]] = NAN
    rows = rows.assign(score_ab=rows["intent_ab"] * 10, score_ba=rows["intent_ba"] * 10, harmonic_mean=SCORES)
    rows.loc[[0, 3], "score_ab"] = [81.82, 46.67]
    versions = [SCORING_VERSION] * 8 + ["older", SCORING_VERSION, None, SCORING_VERSION]
    stamps = {"policy": CURRENT_POLICY, "scoring_version": SCORING_VERSION, "inputs_hash": "now", "match_score": 1.0}
    then = [BEFORE, [CURRENT_POLICY] * 10 + [None, "geometric/impute"], versions, ["then"] * 12, [None] * 12]
    ids = {"id": [f"m{k:02}" for k in range(12)], "profile_id": OF_A, "suggested_profile_id": SUGGESTED}
    return rows.assign(**ids, **stamps, **dict(zip(production_impact.BEFORE, then, strict=True)))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Of two ranges, as if they were a sample of 100 matches; and of 8 profiles."""
    files, rows = RangeFiles(str(tmp_path_factory.mktemp("twelve")), 4), twelve()
    data = [[1.0] * count + [NAN] * (8 - count) for count in (2, 4, 6, 8)]
    features = pd.DataFrame(dict(zip(momentum_bottleneck.FIELDS, data, strict=True)))
    for key, some, of_profiles in (("0", rows.iloc[:8], features.iloc[:3]), ("4", rows.iloc[8:], features.iloc[3:])):
        files.write("match_scores", key, some, {"rows": len(some), "policy": CURRENT_POLICY, "fingerprint": key})
        shared: dict[str, Any] = {"rows": len(some), "sample": Sample(12, 100)}
        at_random = embedding_isolation.tally_random(
            some.loc[some["id"].isin(("m04", "m09"))].assign(suggested_profile_id="s9")
        )
        keep(files, "embedding_isolation", key, embedding_isolation.tally(some), random=at_random, **shared)
        low = momentum_bottleneck.tally(some)
        keep(files, "momentum_bottleneck", key, low, profiles=momentum_bottleneck.tally_profiles(of_profiles), **shared)
        keep(files, "aggregation_comparison", key, aggregation_comparison.tally(some), **shared)
        keep(files, "production_impact", key, production_impact.tally(some), hours=24.0, **shared)
    return report_of(merge(files))


def answer(report: dict[str, Any], title: str) -> str:
    (found,) = [each for each in sections(report) if each.title == title]
    return found.answer


def table(report: dict[str, Any], question: str) -> Table:
    (found,) = [each.table for section in sections(report) for each in section.figures if each.question == question]
    return found


def bars(records: list[dict[str, Any]], **labels: str) -> dict[float, int]:
    """Where each bar begins, and its count."""
    return {each["from"]: each["count"] for each in records if labels.items() <= each.items() and each["count"]}


def test_headline(report: dict[str, Any]) -> None:
    found = report["headline"]
    assert (found["matches"], found["profiles"]) == (12, 8)
    assert (found["mean"], found["median"]) == (pytest.approx(641.71 / 12), 50)
    assert found["change_by_embeddings"] == pytest.approx(16.04 / 12)  # 5 * 3.58 + 1.86 - 3.72
    assert [found[name] for name in ("excellent", "good", "fair", "poor")] == [1, 2, 7, 2]
    assert (found["fallback_share"], found["floor_share"]) == (9 / 36, 5 / 24)
    assert found["momentum_bottleneck_share"] == 1  # alone or tied
    assert found["congestion_gini"] == pytest.approx(2 * (6 * 2 + 7 * 3 + 8 * 6) / (8 * 11) - 9 / 8)


def test_embeddings(report: dict[str, Any]) -> None:
    """Pairs at random, m04 and m09 with another B: 3.58 and 0, on average 1.79."""
    assert answer(report, "Did embeddings help?").startswith(
        "Embeddings change the mean match score by +1.34 points for suggested pairs, and by +1.79 for pairs at random: "
        "that much is an offset between two ladders of steps. What they change for suggested pairs beyond that is −0.45"
    )
    beside = table(report, "What do embeddings change, for suggested pairs and for random ones?").rows
    assert [row[:2] + row[-2:] for row in beside if row[0] == "match score"] == [
        ("match score", "suggested", "+1.34", "12"), ("match score", "at random", "+1.79", "2"),
        ("match score", "difference", "−0.45", "–"),
    ]  # fmt: skip
    assert sum(row[0] == "audience alignment" for row in beside) == 3
    found = report["embedding_isolation"]
    assert bars(found["score_bars"], side="word overlap only") == {30: 2, 46: 5, 48: 1, 56: 1, 70: 1, 73: 1, 85: 1}
    assert bars(found["score_bars"], side="with embeddings") == {30: 2, 50: 6, 56: 1, 70: 2, 85: 1}
    assert bars(found["change_bars"]) == {-4: 1, 0: 5, 1.5: 1, 3.5: 5}
    changed = table(report, "Which matches change the most?").rows
    assert [row[:4] for row in changed[:3]] == [
        ("m01", "73.72", "70.00", "−3.72"), ("m04", "46.42", "50.00", "+3.58"), ("m05", "46.42", "50.00", "+3.58"),
    ]  # fmt: skip
    scores = table(report, "By how many points do embeddings change a match score?").rows
    assert scores == (("score A→B", "6", "5", "1"), ("score B→A", "5", "6", "1"), ("match score", "6", "5", "1"))


def test_fallbacks(report: dict[str, Any]) -> None:
    assert answer(report, "Where do fallbacks come from?") == (
        "9 of 36 comparisons of texts (25.0 %) fell back to word overlap, because one of the two texts has no vector."
    )
    assert report["fallbacks"] == [
        {"range": "0", "evaluations": 24, "word_overlap": 9, "share": 9 / 24},
        {"range": "4", "evaluations": 12, "word_overlap": 0, "share": 0},
    ]
    assert table(report, "Which comparisons fall back?").rows == (
        ("offering seeking A→B", "9", "3", "25.0 %"), ("offering seeking B→A", "7", "5", "41.7 %"),
        ("offering seeking both ways", "16", "8", "33.3 %"), ("audience alignment", "11", "1", "8.3 %"),
        ("all", "27", "9", "25.0 %"),
    )  # fmt: skip


def test_low_scores(report: dict[str, Any]) -> None:
    """All dimensions of a direction that scores ten times n are n, and cost by weight: (100 - 10 n) * .45 for Intent.

    Only m00 and m03 from A to B differ: 18.18 and 53.33 lost, in the shares .45/90, .25/90, .2 * 4/60, .1/90 and
    .45 * 3/70, …, .2 * 8/20. Of the others (2 * 561 - 90 - 70) / 22 directions of 22 are lost alike.
    """
    found = table(report, "Where are the points lost?")
    lost = {row[0].strip(): float(row[1]) for row in found.rows}
    rest = 100 * 22 - sum(20 * n for n in ALL) + 90 + 70
    expected = {"intent": 0.45 * rest, "synergy": 0.25 * rest, "momentum": 0.2 * rest, "context": 0.1 * rest}
    for points, here, momentum in ((100 - 81.818, 9, 6), (100 - 46.667, 7, 2)):
        scores = dict.fromkeys(DIMENSION_WEIGHTS, here) | {"momentum": momentum}
        parts = {name: weight * (10 - scores[name]) / scores[name] for name, weight in DIMENSION_WEIGHTS.items()}
        for name, part in parts.items():
            expected[name] += points * part / sum(parts.values())
    for name, points in expected.items():
        assert lost[name] == pytest.approx(points / 24, abs=0.0051)
    assert [found.row_kind(place) for place in range(6)] == ["head", *["part"] * 4, "head"]
    assert sum(lost[name] for name in ("jv history", "booking link", "profile investment", "website")) == pytest.approx(
        lost["intent"], abs=0.021
    )
    said = answer(report, "Why are scores low?")
    assert said.startswith(
        f"Of 100 points a direction (two a match) loses {sum(expected.values()) / 24:.2f} on average. Intent costs "
        f"most: {expected['intent'] / 24:.2f} points, before "
    )
    assert said.endswith("20.8 % of the directions have no data at all for Momentum.")
    assert table(report, "Which dimension has the lowest number?").rows == (
        ("intent", "0", "22", "91.7 %"), ("synergy", "0", "22", "91.7 %"), ("momentum", "2", "22", "100.0 %"),
        ("context", "0", "22", "91.7 %"),
    )  # fmt: skip
    found = report["momentum_bottleneck"]["dimension_bars"]
    assert bars(found, dimension="momentum") == {2: 1, 3: 4, 5: 12, 6: 1, 7: 5, 9: 1}
    assert bars(found, dimension="intent") == {3: 4, 5: 12, 7: 6, 9: 2}
    assert table(report, "How much of the data behind Momentum is there?").rows == (
        ("audience engagement", "25.0 %", "79.2 %"), ("social reach", "50.0 %", "79.2 %"),
        ("active projects", "75.0 %", "79.2 %"), ("list size", "100.0 %", "79.2 %"),
    )  # fmt: skip
    assert table(report, "How often is there no data for Momentum at all?").rows == (
        ("directions A→B", "4", "33.3 %"), ("directions B→A", "1", "8.3 %"), ("directions both ways", "5", "20.8 %"),
        ("profiles", "0", "0.0 %"),
    )  # fmt: skip


def test_policies(report: dict[str, Any]) -> None:
    """Harmonic/redistribute: 641.71, and 14 of m03, less 2 * 23.68; arithmetic/impute: 1.19 of m00 and 8.62 of m03.

    With tiers of equal sizes, under redistribute two of the three with 70 are Good, so one of them moves on average of
    4/3, and m04 and m05 change places with m09 and m10: 16/3.
    """
    assert answer(report, "What would another aggregation do?") == (
        "Under the current policy, harmonic/impute, the mean is 53.48. The lowest of the six is 50.70 "
        "(harmonic/redistribute), the highest 54.29 (arithmetic/impute). Of 12 matches 1 to 3 would change their tier "
        "at the fixed limits, which were set for one policy, and 0 to 5 if the tiers kept their sizes. Of the best 10 "
        "at least 90.0 % stay, where a random order keeps 90.9 %: −10.0 % beyond chance."
    )
    moves = [row for row in table(report, "Which matches would change their tier?").rows if row[1] != row[2]]
    up = ("Fair", "Good", "1")
    assert sorted(moves) == sorted([
        ("geometric/impute", *up), ("arithmetic/impute", *up),
        ("harmonic/redistribute", *up), ("harmonic/redistribute", "Fair", "Poor", "2"),
        ("geometric/redistribute", *up), ("geometric/redistribute", "Fair", "Poor", "2"),
        ("arithmetic/redistribute", *up),
    ])  # fmt: skip


def test_pairs(report: dict[str, Any]) -> None:
    """Score A→B by suggested profile: s0 81.82, 70, 70, 46.67, 50, 50; s1 three of 50; s2 50, 30; s3 30."""
    by_side = {(each["measure"], each["side"]): each for each in report["pair_share"]["by_side"]}
    groups = [[81.82, 70, 70, 46.67, 50, 50], [50, 50, 50], [50, 30], [30]]
    every = [score for group in groups for score in group]
    within = sum((score - np.mean(group)) ** 2 for group in groups for score in group)
    share = 1 - within / (np.var(every) * 12)
    assert by_side["score_ab", "b"]["share"] == pytest.approx(share)
    assert report["headline"]["target_share"] == pytest.approx(share)
    assert answer(report, "How much of a score is about the pair?").startswith(
        f"Of the variance of score A→B {100 * share:.1f} % is the suggested profile alone, whoever A is."
    )
    means = {each["mean"]: each for each in report["pair_share"]["means"]}
    assert means["mean match score"]["value"] == pytest.approx(641.71 / 12)
    assert means["mean match score"]["error_by_match"] == pytest.approx(np.std(SCORES) / 12**0.5)
    assert means["change under arithmetic/impute"]["value"] == pytest.approx((1.19 + 8.62) / 12, abs=0.01)


def test_places_for_anybody_are_those_of_a_simulation() -> None:
    rng = np.random.default_rng(8)
    drawn = [rng.multinomial(400, np.full(80, 1 / 80)) for _ in range(200)]
    ginis = [
        congestion(pd.DataFrame({"suggested_profile_id": np.repeat(np.arange(80), of)}), 80)["gini"] for of in drawn
    ]
    expected = uniform(400, 80)
    assert expected["gini"] == pytest.approx(np.mean(ginis), abs=0.005)
    curve = expected["lorenz"]
    under = sum((b["profiles"] - a["profiles"]) * (a["places"] + b["places"]) for a, b in pairwise(curve))
    assert 1 - under == pytest.approx(expected["gini"], abs=0.01)


def test_impact(report: dict[str, Any]) -> None:
    assert answer(report, "What changed in production, for whom?") == (
        "Of 9 matches 2 score higher than 24 hours ago and 1 lower; 2 went up a tier or more, 1 down, and 1 came from "
        "below 60 to 60 and over. 2 were scored under another policy or version of the rules before, which is another "
        "scale: they are counted, not compared. 1 are new, 0 are not scored any more."
    )
    found = report["production_impact"]["score_bars"]
    assert bars(found, side="before") == {45: 1, 50: 4, 56: 1, 59: 1, 70: 1, 79: 1}
    assert bars(found, side="now") == {30: 1, 50: 4, 56: 1, 70: 2, 85: 1}
    gains = table(report, "Which matches have the largest gains?").rows
    assert [row[:4] for row in gains] == [("m01", "59.00", "70.00", "+11.00"), ("m00", "79.00", "85.71", "+6.71")]
    losses = table(report, "Which matches have the largest losses?").rows
    assert [row[:4] for row in losses] == [("m09", "45.00", "30.00", "−15.00")]
    assert set(table(report, "Under which policies and versions were these matches scored before?").rows) == {
        ("harmonic/impute", "same version", "9"), ("harmonic/impute", "another version", "1"),
        ("geometric/impute", "same version", "1"),
    }  # fmt: skip


def test_congestion(report: dict[str, Any]) -> None:
    """Of a's eleven m10 is not among the best 10, being equal to m09: s0 has 6 places, s1 3, s2 2, five nobody's.

    All matches: s0 6, s1 3, s2 2, s3 1. Ten at random: a's match with the lowest hash of its id is not among them.
    """
    least = min((f"m{k:02}" for k in range(11)), key=lambda match: sha256(match.encode()).digest()[:8])
    counts = Counter(suggested for k, suggested in enumerate(SUGGESTED) if f"m{k:02}" != least)
    ranked = sorted([*counts.values(), *[0] * (8 - len(counts))])
    at_random = 2 * sum(place * count for place, count in enumerate(ranked, start=1)) / (8 * 11) - 9 / 8
    assert answer(report, "Is everybody sent to the same few?") == (
        "All profiles' best 10 are 11 places. 5 of 8 profiles have none of them, the one with the most has 6. Gini "
        "coefficient: 0.72 (0: all have the same, 1: one has all), where the supply of matches alone gives 0.67, "
        f"ten at random {at_random:.2f}, and places for anybody 0.40. 9.1 % of the places involve no choice: their A "
        "has 10 matches or fewer."
    )
    found = report["congestion"]
    assert found["top_1_percent"] == found["top_10_percent"] == 6 / 11
    times = [(each["times"], each["profiles"]) for each in found["times"]]
    assert times == [("0", 5), ("1", 0), ("2", 1), ("3–5", 1), ("6–10", 1)]
    assert table(report, "Which profiles are in the most?").rows == (("s0", "6"), ("s1", "3"), ("s2", "2"))
    assert found["lorenz"][-4:] == [
        {"profiles": 5 / 8, "places": 0}, {"profiles": 6 / 8, "places": 2 / 11},
        {"profiles": 7 / 8, "places": 5 / 11}, {"profiles": 1, "places": 1},
    ]  # fmt: skip


def test_of_equally_wanted_profiles_the_twenty_with_the_smaller_ids_are_named() -> None:
    names = [f"p{k:02}" for k in range(25)]
    found = congestion(pd.DataFrame({"suggested_profile_id": [*names[::-1], "p24"]}), 25)["most"]
    assert [each["profile_id"] for each in found] == ["p24", *names[:19]]


def test_exactness(report: dict[str, Any]) -> None:
    found = {each["figure"]: each for each in report["intervals"]}
    assert found["mean match score"]["value"] == pytest.approx(641.71 / 12)
    assert found["change by embeddings"]["value"] == pytest.approx(16.04 / 12)
    assert found["mean of momentum"]["value"] == pytest.approx(124 / 24)
    assert found["mean match score under arithmetic/redistribute"]["value"] == pytest.approx(
        (641.71 + 1.19 + 14 - 2 * 4.95) / 12
    )
    spread = of_mean(np.mean(SCORES), np.std(SCORES), 12)
    assert {name: found["mean match score"][name] for name in spread} == pytest.approx(spread)
    for figure, share in (("intent is the weakest", 22 / 24), ("momentum is the weakest", 1),
                          ("no data for Momentum", 5 / 24), ("comparisons by word overlap", 9 / 36)):  # fmt: skip
        assert {name: found[figure][name] for name in ("value", "low", "high")} == of_share(share, 12)
