"""Measure what each dimension costs, and count which one has the lowest number and which data Momentum lacks there."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis import waterfall
from jv_scoring.analysis.rows import (
    BOTH,
    COMBINATIONS,
    DIMENSION_COLUMNS,
    column,
    dimensions,
    policy_of,
    share,
    weakest,
    weakest_counts,
    weakest_report,
)
from jv_scoring.analysis.tallies import POINTS, Counts, Histogram, Json, Tally
from jv_scoring.columns import Floats, round2, weighted_means
from jv_scoring.engine import DIRECTIONS
from jv_scoring.factors import MOMENTUM
from jv_scoring.policy import CURRENT_POLICY, DIMENSIONS, parse_policy

FIELDS = tuple(factor.column for factor in MOMENTUM)
STATES = ("bottleneck", "other")
"""Whether Momentum is the weakest dimension of the direction, alone or tied."""
DATA = ("data", "no data")
BAR = 50
"""Width of a bar of a factor's distribution, in hundredths of a point."""

COLUMNS = ["policy", *DIMENSION_COLUMNS, *waterfall.COLUMNS]
"""The columns of a partition's file that `tally` reads."""


class Momentum(Tally):
    """What `tally` counts, under the null treatment of the policy that scored the rows.

    histograms: `dimension_direction`, and `factor_state` of both directions. counts: `weakest`, direction by
    combination; `costliest`, the same of what each costs; `fields`, direction by field by data by state; `floor`,
    direction by whether any field has data. sums: `lost` and `raised`, as in `waterfall.waterfall`.
    """


class Coverage(Tally):
    """What `tally_profiles` counts. counts: `fields`, field by data; `floor`, whether any field has data."""


def tally(rows: pd.DataFrame) -> Momentum:
    """Tally the rows of a partition's file (`COLUMNS`)."""
    policy = policy_of(rows)
    parsed = parse_policy(policy or CURRENT_POLICY)
    of_direction = {direction: dimensions(rows, direction, parsed.nulls) for direction in DIRECTIONS}
    histograms = {
        f"{name}_{direction}": Histogram.of(scores, POINTS)
        for direction, of in of_direction.items()
        for name, scores in zip(DIMENSIONS, of, strict=True)
    }
    held_back = np.concatenate([_momentum_is_weakest(scores) for scores in of_direction.values()])
    factors = np.array([np.concatenate([column(rows, f"{field}_{of}") for of in DIRECTIONS]) for field in FIELDS])
    for field, scores in zip(FIELDS, factors, strict=True):
        histograms[f"{field}_bottleneck"] = Histogram.of(round2(scores[held_back]), POINTS)
        histograms[f"{field}_other"] = Histogram.of(round2(scores[~held_back]), POINTS)
    direction = np.repeat(np.arange(len(DIRECTIONS)), len(rows))
    sums, costliest = waterfall.waterfall(rows, parsed)
    counts = {
        "weakest": weakest_counts(of_direction),
        "costliest": costliest,
        "fields": _field_counts(factors, direction, held_back),
        "floor": Counts.of((DIRECTIONS, DATA), direction, np.isnan(factors).all(axis=0).astype(np.intp)),
    }
    return Momentum(policy, histograms, counts, sums=sums)


def tally_profiles(features: pd.DataFrame) -> Coverage:
    """Tally profiles, from `profile_features`: one count each, whatever they are matched with."""
    missing = np.isnan(np.array([column(features, field) for field in FIELDS]))
    field = np.repeat(np.arange(len(FIELDS)), len(features))
    return Coverage(
        counts={
            "fields": Counts.of((FIELDS, DATA), field, missing.ravel().astype(np.intp)),
            "floor": Counts.of((DATA,), missing.all(axis=0).astype(np.intp)),
        }
    )


def report(momentum: Momentum, coverage: Coverage | None = None) -> Json:
    """What holds scores back. Shares are of directions, two a match, unless said otherwise.

    Records under: `waterfall` (points lost by dimension and factor), `weakest` (alone and tied, by direction),
    `combinations` (every tie), `dimensions`, `factors` (the scores of those with data, where Momentum is the bottleneck
    and where not), `factor_bars` (the same as bars), `coverage` (of directions, so each profile counts as often as it
    is matched, and of profiles), and `floor`: directions and profiles with no data at all, and what Momentum is then.
    """
    nulls = parse_policy(momentum.policy or CURRENT_POLICY).nulls
    by_dimension, by_combination = weakest_report(momentum.counts["weakest"])
    nothing = float(weighted_means([np.array([np.nan])] * len(MOMENTUM), MOMENTUM, nulls)[0])
    directions = momentum.counts["floor"].at(None, None)
    return {
        "policy": momentum.policy,
        "matches": directions // len(DIRECTIONS),
        "directions": directions,
        "waterfall": waterfall.waterfall_report(
            momentum.sums["lost"], momentum.sums["raised"], momentum.counts["costliest"], momentum.policy
        ),
        "weakest": by_dimension,
        "combinations": by_combination,
        "dimensions": _dimension_records(momentum),
        "factors": [_factor_record(momentum, field, state) for field in FIELDS for state in STATES],
        "factor_bars": [
            {"factor": field, "momentum": state, **bar}
            for field in FIELDS
            for state in STATES
            for bar in momentum.histograms[f"{field}_{state}"].bars(BAR)
        ],
        "coverage": _coverage_records(momentum, coverage),
        "floor": _floor(momentum, coverage) | {"momentum": None if np.isnan(nothing) else nothing},
    }


def _momentum_is_weakest(scores: list[Floats]) -> npt.NDArray[np.bool_]:
    among = np.array(["momentum" in name for name in COMBINATIONS], np.bool_)
    return among[weakest(scores)]


def _field_counts(factors: Floats, direction: npt.NDArray[np.intp], held_back: npt.NDArray[np.bool_]) -> Counts:
    """Of (fields, directions) factor scores, NaN without data."""
    missing = np.isnan(factors)
    field = np.broadcast_to(np.arange(len(FIELDS))[:, None], missing.shape)
    codes = (np.broadcast_to(direction, missing.shape), field, missing.astype(np.intp),
             np.broadcast_to((~held_back).astype(np.intp), missing.shape))  # fmt: skip
    return Counts.of((DIRECTIONS, FIELDS, DATA, STATES), *(code.ravel() for code in codes))


def _dimension_records(momentum: Momentum) -> list[Json]:
    records = []
    for name in DIMENSIONS:
        ab, ba = (momentum.histograms[f"{name}_{direction}"] for direction in DIRECTIONS)
        for direction, histogram in zip((*DIRECTIONS, BOTH), (ab, ba, ab + ba), strict=True):
            records.append({"dimension": name, "direction": direction, **histogram.summary()})
    return records


def _factor_record(momentum: Momentum, field: str, state: str) -> Json:
    without = momentum.counts["fields"].at(None, field, "no data", state)
    summary = momentum.histograms[f"{field}_{state}"].summary()
    data = {"without_data": without, "share_without_data": share(without, without + summary["count"])}
    return {"factor": field, "momentum": state, **data, **summary}


def _coverage_records(momentum: Momentum, coverage: Coverage | None) -> list[Json]:
    records = []
    for field in FIELDS:
        matched = [momentum.counts["fields"].at(None, field, data, None) for data in DATA]
        record = {"field": field, "of_directions": share(matched[0], sum(matched)), "of_profiles": None}
        if coverage is not None:
            profiles = [coverage.counts["fields"].at(field, data) for data in DATA]
            record |= {"of_profiles": share(profiles[0], sum(profiles))}
        records.append(record)
    return records


def _floor(momentum: Momentum, coverage: Coverage | None) -> Json:
    floor: Json = {}
    for direction in (*DIRECTIONS, BOTH):
        axis = None if direction == BOTH else direction
        without = momentum.counts["floor"].at(axis, "no data")
        floor |= {direction: without, f"share_{direction}": share(without, momentum.counts["floor"].at(axis, None))}
    profiles = coverage.counts["floor"].values.tolist() if coverage is not None else None
    of_profiles = {"profiles": profiles[1], "share_profiles": share(profiles[1], sum(profiles))} if profiles else {}
    return floor | ({"profiles": None, "share_profiles": None} | of_profiles)
