"""Golden test: 60 pairs with their scores under all six policies. Equality is exact: these are the stored scores."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from jv_scoring import POLICIES, match_contexts, prepare, score_pair, score_pairs
from jv_scoring.policy import DIMENSIONS
from jv_scoring.synergy import SYNERGY
from tests.support.profile_strategies import BGE, frame, pairs_of

PAIRS: list[dict[str, Any]] = json.loads(Path(__file__).with_name("ismc_pairs.json").read_text(encoding="utf-8"))
SCORES = ("score_ab", "score_ba", "harmonic_mean")
SIMILARITIES = ("offering_seeking", "audience_alignment")


def test_there_are_sixty_pairs_with_six_policies_each() -> None:
    assert len(PAIRS) == 60
    assert all(set(pair["expected"]) == set(POLICIES) for pair in PAIRS)


def direction(breakdown: dict[str, Any]) -> dict[str, Any]:
    """A breakdown as the golden file gives it: there a factor without data is null whatever it counts as."""
    factors = breakdown["synergy"]["factors"]
    return {name: breakdown[name]["score"] for name in DIMENSIONS} | {
        "methods": [factor["method"] for factor in factors[:2]],
        "synergy_factors": [None if factor["detail"] == "No data" else factor["score"] for factor in factors],
    }


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("pair", PAIRS, ids=[str(pair["id"]) for pair in PAIRS])
def test_score_pair_gives_the_golden_scores_and_breakdown(pair: dict[str, Any], policy: str) -> None:
    scored = score_pair(pair["a"], pair["b"], policy)
    assert {name: getattr(scored, name) for name in SCORES} | {
        "ab": direction(scored.breakdown_ab),
        "ba": direction(scored.breakdown_ba),
    } == pair["expected"][policy]


@pytest.fixture(scope="module")
def profiles() -> pd.DataFrame:
    return frame([pair[side] for pair in PAIRS for side in "ab"])


@pytest.fixture(scope="module")
def pairs() -> pd.DataFrame:
    return pairs_of(*((2 * k, 2 * k + 1) for k in range(len(PAIRS))))


def nullable(value: Any) -> Any:
    return None if pd.isna(value) else value


def row_direction(row: dict[str, Any], suffix: str) -> dict[str, Any]:
    return {name: nullable(row[f"{name}_{suffix}"]) for name in DIMENSIONS} | {
        "methods": [row[f"{name}_method_{suffix}"] for name in SIMILARITIES],
        "synergy_factors": [nullable(row[f"{factor.column}_{suffix}"]) for factor in SYNERGY],
    }


@pytest.mark.parametrize("policy", POLICIES)
def test_score_pairs_gives_the_golden_scores_and_factors(
    profiles: pd.DataFrame, pairs: pd.DataFrame, policy: str
) -> None:
    rows = score_pairs(profiles, pairs, policy).to_dict("records")
    found = [
        {name: row[name] for name in SCORES} | {suffix: row_direction(row, suffix) for suffix in ("ab", "ba")}
        for row in rows
    ]
    assert found == [pair["expected"][policy] for pair in PAIRS]


@pytest.mark.parametrize("policy", POLICIES)
def test_match_contexts_holds_the_golden_breakdowns(profiles: pd.DataFrame, pairs: pd.DataFrame, policy: str) -> None:
    prepared = prepare(profiles)
    scored = score_pairs(prepared, pairs, policy)
    contexts, _ = match_contexts(prepared, scored, policy=policy, model=BGE, scored_at="2026-02-17T21:04:11+00:00")
    for context, pair in zip(contexts, PAIRS, strict=True):
        read = json.loads(context)
        assert direction(read["breakdown_ab"]) == pair["expected"][policy]["ab"]
        assert direction(read["breakdown_ba"]) == pair["expected"][policy]["ba"]
        for name, score in (("breakdown_ab", "score_ab"), ("breakdown_ba", "score_ba")):
            assert read[name]["final_0_10"] == pytest.approx(pair["expected"][policy][score] / 10, abs=0.0051)
