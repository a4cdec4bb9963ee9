"""Edits of texts: what the report says is what the reference gives for the edited profiles, in plain loops."""

from typing import Any

import numpy as np
import pytest

from jv_scoring import POLICIES
from jv_scoring.analysis.text_robustness import COLUMNS, EDITS, Compared, report
from jv_scoring.reference import PairScore, score_pair
from tests.support.profile_strategies import Profile, seeded_population
from tests.support.score_rows import nothing_is_nan, scored_rows

SOURCES, OTHERS = 5, 16


def step(scored: PairScore) -> tuple[bool, float]:
    """Whether Offering↔Seeking A→B is of vectors, and its score."""
    factor = scored.breakdown_ab["synergy"]["factors"][0]
    return factor["method"] == "semantic", factor["score"]


def best(scores: dict[int, float]) -> set[int]:
    """The places of the ten highest; ties go to the smaller id, m0, m1, m10, m2, …"""
    return set(sorted(scores, key=lambda k: (-scores[k], f"m{k}"))[:10])


def made(seed: int, policy: str) -> tuple[dict[str, Any], dict[str, float]]:
    """The report, and the same in plain loops, of an edit that gives A the vector of another profile's text."""
    profiles: list[Profile] = seeded_population(SOURCES + OTHERS, 8, seed)
    places = [(a, b) for a in range(SOURCES) for b in range(SOURCES, SOURCES + OTHERS - a)]
    edited = [each | {"embedding_seeking": profiles[k - 1].get("embedding_seeking")} for k, each in enumerate(profiles)]
    now = [score_pair(profiles[a], profiles[b], policy) for a, b in places]
    then = [score_pair(edited[a], profiles[b], policy) for a, b in places]
    before, after = (
        Compared(np.array([step(each)[0] for each in side]), np.array([step(each)[1] for each in side]))
        for side in (now, then)
    )
    rows = scored_rows(profiles, places, policy)[COLUMNS]
    pairs = [k for k in range(len(places)) if before.there[k] and after.there[k]]
    kept = chance = 0.0
    for source in range(SOURCES):
        mine = [k for k, (a, _) in enumerate(places) if a == source]
        of_now = {k: now[k].harmonic_mean for k in mine}
        of_then = {k: (then if after.there[k] else now)[k].harmonic_mean for k in mine}
        kept += len(best(of_now) & best(of_then)) / 10 / SOURCES
        chance += 10 / len(mine) / SOURCES
    expected = {
        "pairs": len(pairs),
        "moved": sum(step(now[k]) != step(then[k]) for k in pairs) / len(pairs),
        "change": sum(abs(then[k].harmonic_mean - now[k].harmonic_mean) for k in pairs) / len(pairs),
        "kept": kept,
        "by_chance": chance,
        "beyond_chance": (kept - chance) / (1 - chance),
    }
    return report(rows, before, {"an edit": after}), expected


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_report_is_what_plain_loops_give(seed: int, policy: str) -> None:
    found, expected = made(seed, policy)
    (record,) = found["edits"]
    assert {name: record[name] for name in expected} == pytest.approx(expected)
    assert 0 < expected["moved"] < 1
    assert record["moved_low"] <= record["moved"] <= record["moved_high"]
    assert record["kept_low"] <= record["kept"] <= record["kept_high"]
    assert (found["policy"], found["profiles"]) == (policy, SOURCES)
    assert nothing_is_nan(found)


def test_intervals_are_those_of_profiles() -> None:
    """Four profiles of eleven pairs: all steps move in one of them, and none in the others."""
    profiles = seeded_population(15, 8, 1)
    rows = scored_rows(profiles, [(a, b) for a in range(4) for b in range(4, 15)])[COLUMNS]
    there, first = np.ones(44, np.bool_), rows["profile_id"] == rows["profile_id"].iloc[0]
    after = Compared(there, np.where(first, 8.0, 3.0))
    (record,) = report(rows, Compared(there, np.full(44, 3.0)), {"an edit": after})["edits"]
    # Errors of the sums are 11 - 11/4 once and -11/4 three times: of four profiles, with one degree of freedom less.
    error = (((33 / 4) ** 2 + 3 * (11 / 4) ** 2) * 4 / 3) ** 0.5 / 44
    assert record["moved"] == 0.25
    assert (record["moved_low"], record["moved_high"]) == (0.0, pytest.approx(0.25 + 1.959963984540054 * error))


def test_without_matches_there_is_nothing_to_say() -> None:
    rows = scored_rows(seeded_population(3, 8, 1), [(0, 1), (1, 2)])[COLUMNS].iloc[:0]
    nothing = Compared(np.zeros(0, np.bool_), np.zeros(0))
    found = report(rows, nothing, dict.fromkeys(EDITS, nothing))
    assert (found["profiles"], found["matches"]) == (0, 0)
    assert [each["kept"] for each in found["edits"]] == [None, None]
    assert nothing_is_nan(found)
