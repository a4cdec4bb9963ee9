"""The asset checks between scoring and publishing. A failed one stops the run before it publishes."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import keys_of_run
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.engine import SCORES
from jv_scoring.policy import POLICIES

_ASSET = MATCH_SCORES
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
    """Return the rules that the rows of a partition break, and how many rows break each. The chunks are in
    order of id.
    """
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


@dg.multi_asset_check(
    name="audit",
    specs=[
        dg.AssetCheckSpec(
            name,
            asset=_ASSET,
            blocking=True,
            description=f"{rule.__doc__} If any partition of the run fails this check, the run publishes nothing.",
        )
        for name, rule in RULES.items()
    ],
)
def audit(context: dg.AssetCheckExecutionContext, files: dg.ResourceParam[RangeFiles]) -> Iterator[dg.AssetCheckResult]:
    keys = files.made(_ASSET, keys_of_run(context.run))
    broken: dict[str, dict[str, int]] = {name: {} for name in RULES}
    for key in keys:
        for name, count in broken_rules(files.chunks(_ASSET, key, AUDITED), files.metadata(_ASSET, key)).items():
            broken[name][key] = count
    for name, ranges in broken.items():
        problem = f"broken in {', '.join(ranges)}: materialize match_scores again" if ranges else None
        numbers = {"ranges": len(keys), "rows_that_break_it": sum(ranges.values()), "broken_ranges": list(ranges)}
        yield check_result(_ASSET, name, problem, numbers)


def check_result(
    asset: str,
    name: str,
    problem: str | None,
    metadata: Mapping[str, Any],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """Return the result of a check, which failed if there is a `problem`. Leaves out metadata that is None."""
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(asset),
        check_name=name,
        passed=problem is None,
        severity=severity,
        description=problem,
        metadata={key: value for key, value in metadata.items() if value is not None},
    )
