"""Read the rows of `match_scores`, and count how often each dimension is the weakest of a direction."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.tallies import Counts, Ints, Json
from jv_scoring.columns import Floats
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import DIMENSIONS, Nulls

BOTH = "both"
"""The name of both directions together."""

DIMENSION_COLUMNS = [
    f"{name}_{direction}"
    for name in ("intent", "synergy_impute", "synergy_redistribute", "momentum_impute", "momentum_redistribute",
                 "context")
    for direction in DIRECTIONS
]  # fmt: skip
COMBINATIONS = tuple(
    "+".join(name for k, name in enumerate(DIMENSIONS) if code >> k & 1) or "none"
    for code in range(1 << len(DIMENSIONS))
)
"""Every set of dimensions that can be the weakest together, by its bits."""


def column(rows: pd.DataFrame, name: str) -> Floats:
    """Return a column as float64, null as NaN, whatever type an empty file gave it."""
    return rows[name].to_numpy(np.float64, na_value=np.nan)


def policy_of(rows: pd.DataFrame) -> str | None:
    """Return the policy that scored the rows, None without rows; ValueError for several policies."""
    policies = rows["policy"].unique().tolist()
    if len(policies) > 1:
        raise ValueError(f"the rows were scored under several policies: {', '.join(sorted(map(str, policies)))}")
    return str(policies[0]) if policies else None


def dimensions(rows: pd.DataFrame, direction: str, nulls: Nulls) -> list[Floats]:
    """Return a direction's four dimensions in order, 0..10; NaN if no factor is left."""
    names = ("intent", f"synergy_{nulls}", f"momentum_{nulls}", "context")
    return [column(rows, f"{name}_{direction}") for name in names]


def weakest(scores: list[Floats]) -> npt.NDArray[np.intp]:
    """(rows,) the place in `COMBINATIONS` of the dimensions that share the lowest score; NaN is not among them."""
    lowest = np.fmin.reduce(scores)
    places = np.zeros(len(lowest), np.intp)
    for k, values in enumerate(scores):
        places[values == lowest] += 1 << k
    return places


def weakest_counts(by_direction: dict[str, list[Floats]]) -> Counts:
    """Direction by combination."""
    codes = [weakest(scores) for scores in by_direction.values()]
    directions = [np.full(len(code), k) for k, code in enumerate(codes)]
    return Counts.of((tuple(by_direction), COMBINATIONS), np.concatenate(directions), np.concatenate(codes))


def weakest_report(counts: Counts) -> tuple[list[Json], list[Json]]:
    """How often each dimension is the weakest, by direction and in both; and how often each combination of them is."""
    per_direction: dict[str, Ints] = dict(zip(counts.axes[0], counts.values, strict=True))
    per_direction[BOTH] = counts.values.sum(axis=0)
    by_dimension, by_combination = [], []
    for direction, values in per_direction.items():
        every = int(values.sum())
        for k, name in enumerate(DIMENSIONS):
            alone = int(values[1 << k])
            among = int(values[[code for code in range(len(values)) if code >> k & 1]].sum())
            counted = {"sole": alone, "tied": among - alone}
            shares = {"share": share(among, every), "sole_share": share(alone, every)}
            by_dimension.append({"direction": direction, "dimension": name, **counted, **shares})
        for name, count in zip(COMBINATIONS, values.tolist(), strict=True):
            if count:
                by_combination.append(
                    {"direction": direction, "weakest": name, "count": count, "share": share(count, every)}
                )
    return by_dimension, by_combination


def share(part: int, whole: int) -> float | None:
    """0..1; None of nothing."""
    return part / whole if whole else None
