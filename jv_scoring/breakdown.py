"""Make the match_context of many pairs. Per-profile fragments are made once (`prepare`), and a pair only joins them."""

import json
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from jv_scoring.columns import round2
from jv_scoring.engine import AUDIENCES, OFFERINGS, Pairs, momentum_name, raw_directions
from jv_scoring.inputs import inputs_hashes
from jv_scoring.policy import SCORING_VERSION, Nulls, parse_policy
from jv_scoring.prepare import ROLE_NAMES, TIER_NAMES, Prepared, dimension_json, factor_json
from jv_scoring.reference import counted_score
from jv_scoring.roles import role_compatibility
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP
from jv_scoring.synergy import (
    SYNERGY,
    overlap_detail,
    role_detail,
    semantic_detail,
    tier_detail,
    tier_score,
)
from jv_scoring.vectors import Floats, PairVectors

_OFFERING, _AUDIENCE, _ROLE, _TIER = SYNERGY
_THOUSANDTHS = [f"{k / 1000:.3f}" for k in range(1001)]


def match_contexts(
    prepared: Prepared, scored: pd.DataFrame, *, policy: str, model: str, scored_at: str, version: str = SCORING_VERSION
) -> tuple[list[str], list[str]]:
    """Return the match_context of each row of `scored`, which `score_pairs` made of `prepared` under `policy`.

    Returns the contexts (JSON text, docs/ismc.md, match_context) and their inputs hashes: 32 hex digits of all inputs
    beside policy and version, that is both profiles' features, their vectors or words, and the model. `version`: the
    name of the rules, which is another one under a named calibration.
    """
    chosen = parse_policy(policy)
    pairs = Pairs.of(prepared, scored)
    used, place = np.unique(np.concatenate([pairs.a, pairs.b]), return_inverse=True)
    hashes = inputs_hashes(prepared.input_hashes(used), pairs.a, pairs.b, model)
    a, b = np.split(place, 2)
    intent, momentum, context = (
        prepared.features[name].iloc[used].tolist()
        for name in ("intent_json", f"{momentum_name(chosen.nulls)}_json", "context_json")
    )
    synergy_ab = _synergy_json(pairs, scored, "ab", chosen.nulls)
    synergy_ba = _synergy_json(pairs.swapped(), scored, "ba", chosen.nulls)
    final_ab, final_ba = (round2(score / 10).tolist() for score in raw_directions(scored, chosen))
    stamp = {"scored_at": scored_at, "scoring_version": version, "policy": policy, "embedding_model": model}
    tail = json.dumps(stamp)[1:-1]
    rows = zip(a.tolist(), b.tolist(), synergy_ab, synergy_ba, final_ab, final_ba, hashes, strict=True)
    contexts = [
        f'{{"breakdown_ab": {{"intent": {intent[y]}, "synergy": {s_ab}, "momentum": {momentum[y]}, '
        f'"context": {context[y]}, "final_0_10": {f_ab}}}, '
        f'"breakdown_ba": {{"intent": {intent[x]}, "synergy": {s_ba}, "momentum": {momentum[x]}, '
        f'"context": {context[x]}, "final_0_10": {f_ba}}}, {tail}, "inputs_hash": "{digest}"}}'
        for x, y, s_ab, s_ba, f_ab, f_ba, digest in rows
    ]
    return contexts, hashes


def _synergy_json(pairs: Pairs, scored: pd.DataFrame, direction: str, nulls: Nulls) -> list[str]:
    """Return Synergy of each pair as JSON; `pairs` has the source first, so B first for the direction `ba`."""
    role, tier = pairs.prepared.roles, pairs.prepared.tiers
    roles, tiers = _role_entries(), _tier_entries(nulls)
    entries = zip(
        _similarity_entries(pairs, scored, direction, 0),
        _similarity_entries(pairs, scored, direction, 1),
        [roles[x][y] for x, y in zip(role[pairs.a].tolist(), role[pairs.b].tolist(), strict=True)],
        [tiers[x][y] for x, y in zip(tier[pairs.a].tolist(), tier[pairs.b].tolist(), strict=True)],
        strict=True,
    )
    scores = scored[f"synergy_{direction}"].tolist()
    return [dimension_json(score, pair) for score, pair in zip(scores, entries, strict=True)]


def _similarity_entries(pairs: Pairs, scored: pd.DataFrame, direction: str, factor: int) -> list[str]:
    column, texts = SYNERGY[factor].column, (OFFERINGS, AUDIENCES)[factor]
    scores = scored[f"{column}_{direction}"].tolist()
    cosines = scored[f"{column}_cosine_{direction}"].to_numpy(np.float64)
    shown = _cosine_texts(pairs.vectors(*texts), cosines)
    entries = [_semantic_entry(factor, text, score) for text, score in zip(shown, scores, strict=True)]
    by_words = np.flatnonzero(np.isnan(cosines))
    shares = pairs.take(by_words).overlap_shares(*texts)
    for k, share in zip(by_words.tolist(), shares.tolist(), strict=True):
        detail = overlap_detail(share, scores[k])
        entries[k] = factor_json(SYNERGY[factor], scores[k], detail, WORD_OVERLAP)
    return entries


def _cosine_texts(pairs: PairVectors, cosines: Floats) -> Sequence[str]:
    """Return each cosine with three decimals, as the reference's `format` would; anything for a missing one."""
    cosines = cosines.copy()
    settled = pairs.settle(cosines, lambda values: np.abs(values * 1000 % 1 - 0.5) / 1000)
    thousandths = np.rint(np.nan_to_num(cosines) * 1000).astype(int).tolist()
    texts = [_THOUSANDTHS[k] for k in thousandths]
    for k in settled.tolist():
        texts[k] = f"{cosines[k]:.3f}"
    return texts


@lru_cache(maxsize=2 * 5 * 1001)
def _semantic_entry(factor: int, cosine: str, score: float) -> str:
    return factor_json(SYNERGY[factor], score, semantic_detail(cosine, score), SEMANTIC)


@lru_cache
def _role_entries() -> list[list[str]]:
    return [[factor_json(_ROLE, role_compatibility(a, b), role_detail(a, b)) for b in ROLE_NAMES] for a in ROLE_NAMES]


@lru_cache
def _tier_entries(nulls: Nulls) -> list[list[str]]:
    return [
        [factor_json(_TIER, counted_score(_TIER, tier_score(a, b), nulls), tier_detail(a, b)) for b in TIER_NAMES]
        for a in TIER_NAMES
    ]
