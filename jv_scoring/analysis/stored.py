"""Read the factors from a stored match_context: the inputs of a score, long after it was made."""

import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.columns import Floats, aggregates, match_scores, round2, weighted_means
from jv_scoring.engine import DIRECTIONS
from jv_scoring.factors import CONTEXT, INTENT, MOMENTUM, NO_DATA, Factor
from jv_scoring.policy import POLICIES, Policy
from jv_scoring.reference import Breakdown
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP
from jv_scoring.stored_rules import OTHER_RULES
from jv_scoring.synergy import SYNERGY

GROUPS: dict[str, tuple[Factor[Any], ...]] = {
    "intent": INTENT,
    "synergy": SYNERGY,
    "momentum": MOMENTUM,
    "context": CONTEXT,
}
"""The dimensions in order, and the factors of each."""
SIMILARITIES = tuple(factor.column for factor in SYNERGY[:2])
"""The two factors that compare texts, by their vectors or their words."""
FACTORS = [f"{factor.column}_{of}" for of in DIRECTIONS for group in GROUPS.values() for factor in group]
ONE_WAY = SIMILARITIES[1]
"""Audience Alignment compares the same two texts in both directions, so it is counted once, from A to B."""
COMPARISONS = tuple(
    (factor, direction)
    for factor in SIMILARITIES
    for direction in (DIRECTIONS[:1] if factor == ONE_WAY else DIRECTIONS)
)
"""The three comparisons of texts of a match."""
METHODS = [f"{factor}_method_{direction}" for factor, direction in COMPARISONS]
"""The columns that name the method of each comparison."""

Factors = dict[str, Floats]
"""The sixteen factors of both directions by `FACTORS`: (rows,) 0..10, NaN where a nullable factor has no data."""


def stored_factors(contexts: Iterable[object]) -> pd.DataFrame:
    """A row for each match_context, which is JSON text or null: `FACTORS`, `METHODS` and `readable`.

    Under `impute` a breakdown has the neutral score of a factor without data; its detail tells it from a value. A
    context that cannot be read, or that lacks a factor, has no values and is not `readable`.
    """
    rows = [_of(context) for context in contexts]
    values = {name: [row.get(name, np.nan) for row in rows] for name in FACTORS}
    methods = {name: pd.Series([row.get(name) for row in rows], dtype=object) for name in METHODS}
    readable = np.array([bool(row) for row in rows], np.bool_)
    return pd.DataFrame({**{k: np.array(v, np.float64) for k, v in values.items()}, **methods, "readable": readable})


def scores(factors: Factors, policy: Policy) -> Floats:
    """(rows,) harmonic_mean of these factors, 0..100 with 2 decimals: the same that the engine gives."""
    raw = []
    for of in DIRECTIONS:
        dimensions = [
            weighted_means([factors[f"{factor.column}_{of}"] for factor in group], group, policy.nulls)
            for group in GROUPS.values()
        ]
        raw.append(aggregates(dimensions, policy.aggregation))
    return round2(match_scores(*raw))


def told_policies(
    named: pd.Series, contexts: pd.Series, stored: Floats, preferred: pd.Series
) -> npt.NDArray[np.object_]:
    """Return the policy of each stored score: (rows,), null where nothing was stored.

    Where none is `named`, the breakdown in the context tells it: the `preferred` policy where that makes the stored
    score of it, else the first one that does; `OTHER_RULES` where none does, or where there is no breakdown.
    """
    told = named.astype(object).to_numpy(copy=True)
    at = np.flatnonzero(named.isna().to_numpy() & ~np.isnan(stored))
    factors = stored_factors(contexts.iloc[at])
    readable = factors["readable"].to_numpy(np.bool_)
    values: Factors = {name: np.where(readable, factors[name].to_numpy(np.float64), 0.0) for name in FACTORS}
    makes = {name: readable & (scores(values, policy) == stored[at]) for name, policy in POLICIES.items()}
    told[at] = OTHER_RULES
    for name in reversed(POLICIES):
        told[at[makes[name]]] = name
    for name in POLICIES:
        told[at[makes[name] & (preferred.iloc[at] == name).to_numpy(np.bool_)]] = name
    return told


def read_context(context: object) -> dict[str, Any]:
    """Return a stored match_context, which is JSON text or null; {} if it is no JSON object."""
    try:
        whole = json.loads(context) if isinstance(context, str) else {}
    except (ValueError, RecursionError):
        return {}
    return whole if isinstance(whole, dict) else {}


def read_breakdown(breakdown: Any) -> Breakdown:
    """Return scores, weights and methods of a stored breakdown; {} if it is invalid or has no score.

    The details are left out, except that data is missing: those of other programs may quote the profiles.
    """
    try:
        dimensions = {name: _dimension(breakdown[name]) for name in GROUPS}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}
    return dimensions if any(part["score"] is not None for part in dimensions.values()) else {}


def _dimension(dimension: Any) -> dict[str, Any]:
    factors = [
        {
            "name": str(factor["name"]),
            "score": _score(factor["score"]),
            "weight": _weight(factor["weight"]),
            "method": _method(factor.get("method")) or "",
            "detail": NO_DATA if factor.get("detail") == NO_DATA else "",
        }
        for factor in dimension["factors"]
    ]
    return {"score": _score(dimension["score"]), "factors": factors}


def _of(context: object) -> dict[str, Any]:
    """Return the factors and methods of one match_context by column; {} if it cannot be read."""
    whole, factors = read_context(context), dict[str, Any]()
    try:
        for of in DIRECTIONS:
            for dimension, group in GROUPS.items():
                entries = {entry["name"]: entry for entry in whole[f"breakdown_{of}"][dimension]["factors"]}
                for factor in group:
                    factors[f"{factor.column}_{of}"] = _factor_score(factor, entries[factor.name])
                    if factor.column in SIMILARITIES:
                        factors[f"{factor.column}_method_{of}"] = _method(entries[factor.name].get("method"))
    except (KeyError, TypeError, ValueError):
        return {}
    return factors


def _factor_score(factor: Factor[Any], entry: dict[str, Any]) -> float:
    """Return the factor's score, NaN if it has no data; ValueError if it is invalid."""
    score = entry["score"]
    if factor.neutral is not None and (score is None or entry.get("detail") == NO_DATA):
        return np.nan
    if (valid := _score(score)) is None:
        raise ValueError("no score")
    return valid


def _score(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10:
        raise ValueError("not a score")
    return float(value)


def _weight(value: object) -> float:
    weight = _score(value)
    if not weight:
        raise ValueError("not a weight")
    return weight


def _method(value: object) -> str | None:
    return value if isinstance(value, str) and value in (SEMANTIC, WORD_OVERLAP) else None
