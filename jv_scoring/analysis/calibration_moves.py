"""What would move if the steps of the similarity factors moved: levels, match scores and tiers of scored matches."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from jv_scoring.analysis import embedding_isolation
from jv_scoring.analysis.rows import column, policy_of
from jv_scoring.analysis.stored import COMPARISONS, SIMILARITIES
from jv_scoring.analysis.tallies import Json, hundredths
from jv_scoring.columns import Floats
from jv_scoring.engine import DIRECTIONS, step_scores
from jv_scoring.policy import CURRENT_POLICY, parse_policy, tier
from jv_scoring.similarity import SEMANTIC, Steps

COLUMNS = [
    *embedding_isolation.COLUMNS,
    *(f"{factor}_cosine_{direction}" for factor in SIMILARITIES for direction in DIRECTIONS),
]
"""The columns of a partition's file that `moves` reads."""


def moves(rows: pd.DataFrame, steps: Mapping[str, Steps]) -> Json:
    """Return what these steps, by factor, would change of scored matches; a factor without steps stays.

    `factors`: by factor, how many comparisons of vectors would get a higher, the same and a lower score, and both
    means. `matches`: the same of `harmonic_mean`. `tiers`: how many matches would change to another one.
    """
    values = similarities_under(rows, steps)
    policy = parse_policy(policy_of(rows) or CURRENT_POLICY)
    then = embedding_isolation.with_similarities(rows, policy, values)["harmonic_mean"]
    now = column(rows, "harmonic_mean")
    known = ~np.isnan(now)
    changed = [(tier(a), tier(b)) for a, b in zip(now[known].tolist(), then[known].tolist(), strict=True)]
    return {
        "matches": {**_compared(now[known], then[known]), "policy": str(policy)},
        "tiers": {
            "raised": sum(_rank(b) > _rank(a) for a, b in changed),
            "lowered": sum(_rank(b) < _rank(a) for a, b in changed),
        },
        "factors": [{"factor": factor} | _compared(*_of_factor(rows, values, factor)) for factor in SIMILARITIES],
    }


def similarities_under(rows: pd.DataFrame, steps: Mapping[str, Steps]) -> dict[str, Floats]:
    """Return the scores of the similarity factors, both ways, under these steps; a factor without steps stays."""
    return {
        f"{factor}_{direction}": _values(rows, factor, direction, steps)
        for factor in SIMILARITIES
        for direction in DIRECTIONS
    }


def _values(rows: pd.DataFrame, factor: str, direction: str, steps: Mapping[str, Steps]) -> Floats:
    """Return a factor's scores under its steps: where the words decide, and without steps, they stay."""
    now = column(rows, f"{factor}_{direction}")
    if factor not in steps:
        return now
    semantic = (rows[f"{factor}_method_{direction}"] == SEMANTIC).to_numpy(np.bool_)
    return np.where(semantic, step_scores(column(rows, f"{factor}_cosine_{direction}"), steps[factor]), now)


def _of_factor(rows: pd.DataFrame, values: Mapping[str, Floats], factor: str) -> tuple[Floats, Floats]:
    ways = [direction for name, direction in COMPARISONS if name == factor]
    both = [
        (column(rows, f"{factor}_{way}")[chosen], values[f"{factor}_{way}"][chosen])
        for way in ways
        for chosen in [(rows[f"{factor}_method_{way}"] == SEMANTIC).to_numpy(np.bool_)]
    ]
    return np.concatenate([now for now, _ in both]), np.concatenate([then for _, then in both])


def _compared(now: Floats, then: Floats) -> Json:
    change = hundredths(then) - hundredths(now)
    counts = {"raised": int((change > 0).sum()), "same": int((change == 0).sum()), "lowered": int((change < 0).sum())}
    means = {"mean_now": float(now.mean()), "mean_then": float(then.mean())} if len(now) else {}
    return {**counts, "mean_now": None, "mean_then": None, **means}


def _rank(name: str) -> int:
    return ("Poor", "Fair", "Good", "Excellent").index(name)
