"""The values by which evaluation ranks matches: six policies, parts of the score, the older matcher's, and
baselines.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from jv_scoring.analysis import aggregation_comparison, embedding_isolation
from jv_scoring.analysis.evaluation_metrics import Values
from jv_scoring.analysis.rows import column, dimensions, policy_of
from jv_scoring.columns import Floats
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import CURRENT_POLICY, DIMENSIONS, POLICIES, parse_policy
from jv_scoring.prepare import NULLS

KEPT = (*POLICIES, "score_ab", *DIMENSIONS, "word_overlap", "match_score")
"""The rankings whose values a tally keeps of each exposed match."""
RANKINGS = (*KEPT, "popularity", "random")
COLUMNS = list(dict.fromkeys([*aggregation_comparison.COLUMNS, *embedding_isolation.COLUMNS]))
"""The columns of a partition's file of `match_scores` that `values_of` reads."""


def values_of(rows: pd.DataFrame) -> dict[str, Floats]:
    """Return (rows,) values by the rankings of `KEPT`; NaN if a match lacks one.

    `score_ab`, dimensions and word overlap are those of the policy that scored the rows.
    """
    policy = parse_policy(policy_of(rows) or CURRENT_POLICY)
    of_nulls = {nulls: {of: dimensions(rows, of, nulls) for of in DIRECTIONS} for nulls in NULLS}
    by_policy = {
        name: aggregation_comparison.finals(of_nulls[each.nulls], each)["harmonic_mean"]
        for name, each in POLICIES.items()
    }
    return {
        **by_policy,
        "score_ab": column(rows, "score_ab"),
        **dict(zip(DIMENSIONS, of_nulls[policy.nulls]["ab"], strict=True)),
        "word_overlap": embedding_isolation.words_only(rows, policy)["harmonic_mean"],
        "match_score": column(rows, "match_score"),
    }


def at_seen(rows: pd.DataFrame, policy: str) -> dict[str, Floats]:
    """Return the values that stood when each match was seen: `rows` has what the log of published scores says.

    The log has only the score of the policy that stood, without dimensions and word overlap.
    """
    columns = {name: np.full(len(rows), np.nan) for name in KEPT} | {"match_score": column(rows, "match_score")}
    stood = rows["stood_policy"].to_numpy()
    for name in POLICIES:
        columns[name] = np.where(stood == name, column(rows, "stood_harmonic_mean"), np.nan)
    return columns | {"score_ab": np.where(stood == policy, column(rows, "stood_score_ab"), np.nan)}


def baselines(rows: pd.DataFrame, places: Mapping[str, int]) -> dict[str, Values]:
    """Return `popularity` and `random` of these matches; `places` says in how many matches each profile stands."""
    popular = np.array([places.get(profile, 0) for profile in rows["suggested_profile_id"].tolist()], np.float64)
    random = np.array([aggregation_comparison.random_place(match) for match in rows["id"].tolist()], np.uint64)
    return {"popularity": popular, "random": random}
