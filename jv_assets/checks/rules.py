"""The rules that the scores of a partition must meet before they are published."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from jv_scoring.engine import SCORES
from jv_scoring.policy import POLICIES

AUDITED = ("id", *SCORES, "policy", "scoring_version", "inputs_hash")
"""The columns that the rules need."""

Rule = Callable[[pd.DataFrame, dict[str, Any]], int]


def _row_counts_agree(rows: pd.DataFrame, metadata: dict[str, Any]) -> int:
    """Every match that was read is either scored or skipped, and appears once."""
    read, skipped = int(metadata["rows"]), len(metadata["skipped"])
    return abs(read - len(rows) - skipped) + int(rows["id"].duplicated().sum())


def _scores_in_range(rows: pd.DataFrame, metadata: dict[str, Any]) -> int:
    """All three scores are finite numbers from 0 to 100."""
    scores = rows[SCORES].to_numpy(np.float64)
    return int((~((scores >= 0) & (scores <= 100))).any(axis=1).sum())


def _harmonic_below_arithmetic(rows: pd.DataFrame, metadata: dict[str, Any]) -> int:
    """harmonic_mean is at most the arithmetic mean of score_ab and score_ba, within rounding to 2 decimals."""
    mean = (rows["score_ab"] + rows["score_ba"]) / 2
    return int(np.count_nonzero(rows["harmonic_mean"] > mean + 0.01))


def _stamped(rows: pd.DataFrame, metadata: dict[str, Any]) -> int:
    """Every score names a known policy, the version of the rules, and the hash of its inputs."""
    unknown = ~rows["policy"].isin(POLICIES)
    return int(np.count_nonzero(unknown | rows["scoring_version"].isna() | rows["inputs_hash"].isna()))


RULES: dict[str, Rule] = {
    "row_counts_agree": _row_counts_agree,
    "scores_in_range": _scores_in_range,
    "harmonic_below_arithmetic": _harmonic_below_arithmetic,
    "policy_and_version_present": _stamped,
}
"""By name of the asset check: how many rows break it. The file `metadata` says how many were read and skipped."""


def broken_rules(chunks: Iterable[pd.DataFrame], metadata: dict[str, Any]) -> dict[str, int]:
    """The rules that the rows of a range break, with how many do. The chunks are in order of id."""
    counts: Counter[str] = Counter()
    scored, last = 0, None
    for rows in chunks:
        counts.update({name: rule(rows, {"rows": len(rows), "skipped": {}}) for name, rule in RULES.items()})
        if len(rows):
            counts["row_counts_agree"] += int(rows["id"].iloc[0] == last)
            last = rows["id"].iloc[-1]
        scored += len(rows)
    counts["row_counts_agree"] += abs(int(metadata["rows"]) - scored - len(metadata["skipped"]))
    return {name: counts[name] for name in RULES if counts[name]}
