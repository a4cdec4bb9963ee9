"""Simulate more data for Momentum, another policy, or both, on all matches.

A simulation changes the Momentum of profiles and nothing else. Its arithmetic is the engine's, to the last digit.
Nothing here changes weights, scores or production.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.analysis.momentum_options_data import MEASURES, TIER_MEASURES, Filler, Matches, Scored, factor_scores
from jv_scoring.analysis.momentum_options_trap import trap
from jv_scoring.analysis.rows import DIMENSION_COLUMNS
from jv_scoring.analysis.tallies import Json
from jv_scoring.columns import Floats
from jv_scoring.engine import IDS
from jv_scoring.policy import CURRENT_POLICY, POLICIES, parse_policy

ALL = "all"
"""The name of the four fields together."""
SHARES = (0.25, 0.5, 0.75, 1.0)
REPEATS, GRID_REPEATS, SEED = 200, 50, 1
WHOLE, LOWER_HALF = "values of others", "lower half of them"
"""What missing values are drawn from, where it is asked what else they could be."""
_Z = 1.96
"""Standard errors on each side of a 95 % interval."""

COLUMNS = [*IDS, *DIMENSION_COLUMNS]
"""The columns of the partition files that `momentum_options` reads."""


def momentum_options(
    rows: pd.DataFrame,
    features: pd.DataFrame,
    *,
    policy: str = CURRENT_POLICY,
    shares: Sequence[float] = SHARES,
    repeats: int = REPEATS,
    grid_repeats: int = GRID_REPEATS,
    seed: int = SEED,
    of: int | None = None,
) -> Json:
    """Every option against today: these rows under `policy`.

    `of`: how many matches there are, where these are a sample of them. Totals over all matches (points per profile,
    counts of matches and of directions) are then scaled up to them; means, shares and `matches` are of the sample.

    `rows`: the range files of all matches (`COLUMNS`). `features`: `profile_features` of all profiles, indexed by id
    (the four fields of Momentum are read). `shares`: of the profiles that lack a field, how many get it.

    Records under: `fields` (who lacks what), `today` (measures: see `Matches.measures`), `data` (fields filled, by
    share; `profiles_lacking` one that can be filled; each measure as `mean`, `low` and `high`, the 2.5th and 97.5th
    percentile over `repeats`, and `error`, half of the 95 % interval of that mean for want of more repeats; `low` and
    `high` are None where `Filler.has_interval` is false), `worth` (of each single field, at the largest share: points
    a match, and points over all matches per profile filled; the most a match first), `sensitivity` (of each single
    field, if only a share of those who lack it truly has a value, and if that is from the lower half of the others'
    values: the effect on the mean, in points a match), `method` (each policy on today's data), `grid` (shares by
    policies, the same draws under each policy, `grid_repeats` of them), `trap` (`momentum_options_trap.trap`) and
    `decision`, a table of them all. None where there is nothing to measure.
    ValueError for an unknown policy, a share outside 0..1 or no repeat.
    """
    chosen = parse_policy(policy)
    if not all(0 <= share <= 1 for share in shares):
        raise ValueError("shares of profiles are between 0 and 1")
    if min(repeats, grid_repeats) < 1:
        raise ValueError("at least one repeat is needed")
    features = features.sort_index()  # So that the draws do not depend on the order of the partitions.
    scores, matches = factor_scores(features), Matches(rows, pd.Index(features.index, dtype=object), of)
    now = matches.scored(chosen)
    fillers = {ALL: Filler(scores, FIELDS, seed)} | {field: Filler(scores, [field], seed) for field in FIELDS}
    shares, grid_repeats = sorted({float(share) for share in shares}), min(repeats, grid_repeats)
    data = [
        {"fields": fields, **record}
        for fields, filler in fillers.items()
        for record in simulated(matches, now, filler, policy=policy, shares=shares, repeats=repeats)
    ]
    method = [
        {"policy": name, **_plain(matches.measures(now, matches.scored(parse_policy(name))))} for name in POLICIES
    ]
    grid = [
        {"policy": name, **record}
        for name in POLICIES
        for record in simulated(matches, now, fillers[ALL], policy=name, shares=shares, repeats=grid_repeats)
    ]
    # Who lacks a field may truly have nothing, or less than others.
    sensitivity = [
        {"field": field, "draws": draws, "share": record["share"], "profiles_filled": record["profiles_filled"],
         "effect_on_mean": record["effect_on_mean"]}
        for field in FIELDS
        for draws, records in (
            (WHOLE, [each for each in data if each["fields"] == field]),
            (LOWER_HALF, simulated(matches, now, Filler(scores, [field], seed, lower_half=True),
                                   policy=policy, shares=shares, repeats=grid_repeats)),
        )
        for record in records
    ]  # fmt: skip
    today = _plain(matches.measures(now, now))
    return {
        "policy": policy,
        "matches": matches.count,
        "profiles": len(features),
        "profiles_with_matches": matches.sources,
        "profiles_with_more_than_10": matches.sources_with_more,
        "seed": seed,
        "shares": shares,
        "repeats": repeats,
        "grid_repeats": grid_repeats,
        "fields": _field_records(scores),
        "today": today,
        "data": data,
        "worth": _worth(data, shares),
        "sensitivity": sensitivity,
        "method": method,
        "grid": grid,
        "trap": trap(matches, scores, seed),
        "decision": _decision(policy, today, data, method, grid),
    }


def simulated(
    matches: Matches, now: Scored, filler: Filler, *, policy: str, shares: Sequence[float], repeats: int
) -> list[Json]:
    """Return a record a share: how many profiles are filled, every measure, and the points per profile filled."""
    chosen = parse_policy(policy)
    measured_values = np.full((len(shares), repeats, len(MEASURES)), np.nan)
    for repeat in range(repeats if matches.count else 0):
        draw = filler.draw(repeat)
        for k, share in enumerate(shares):
            measured_values[k, repeat] = matches.measures(now, matches.scored(chosen, filler.first(draw, share)))
    records = []
    for share, measured in zip(shares, measured_values, strict=True):
        filled = filler.count(share)
        known = filler.has_interval or not filled
        gained = measured[:, MEASURES.index("effect_on_mean")] * matches.every
        records.append(
            {"share": share, "profiles_lacking": len(filler.lacking), "profiles_filled": filled}
            | {name: _interval(measured[:, j], known) for j, name in enumerate(MEASURES)}
            | {"points_per_profile": _interval(gained / filled if filled else gained * np.nan, known)}
        )
    return records


def _interval(values: Floats, known: bool) -> Json:
    """Over repeats; without `low` and `high` where they are not `known`."""
    if np.isnan(values).any():
        return {"mean": None, "low": None, "high": None, "error": None}
    # By Weibull's rule 95 % of further draws lie between the two; by the usual one, 94 % with 200 repeats.
    low, high = np.percentile(values, [2.5, 97.5], method="weibull").tolist() if known else (None, None)
    error = _Z * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else None
    return {"mean": float(values.mean()), "low": low, "high": high, "error": error}


def _plain(measures: Sequence[float]) -> Json:
    return {name: None if np.isnan(value) else float(value) for name, value in zip(MEASURES, measures, strict=True)}


def _field_records(scores: Floats) -> list[Json]:
    missing = np.isnan(scores)
    lacking = [int(missing.any(axis=0).sum()), *missing.sum(axis=1).tolist()]
    observed = [int((~missing).sum()), *(~missing).sum(axis=1).tolist()]
    means = [None, *(float(row[~np.isnan(row)].mean()) if count else None for row, count in
                     zip(scores, observed[1:], strict=True))]  # fmt: skip
    return [
        {"fields": name, "profiles_lacking": lacks, "observed": count, "observed_mean": mean}
        for name, lacks, count, mean in zip((ALL, *FIELDS), lacking, observed, means, strict=True)
    ]


def _worth(data: list[Json], shares: Sequence[float]) -> list[Json]:
    """Return the single fields at the largest share, most points a match first."""
    records = [
        {"field": record["fields"], "share": record["share"], "profiles_filled": record["profiles_filled"],
         **{name: record[name] for name in ("points_per_profile", "effect_on_mean")}}
        for record in data
        if record["fields"] != ALL and record["share"] == shares[-1]
    ]  # fmt: skip
    points = [record["effect_on_mean"]["mean"] for record in records]
    order = sorted(range(len(records)), key=lambda k: (points[k] is None, -(points[k] or 0.0)))
    return [records[k] for k in order]


def _decision(policy: str, today: Json, data: list[Json], method: list[Json], grid: list[Json]) -> list[Json]:
    """Return one row per option, against today; of simulated ones the mean over repeats, and the interval of the
    effect.
    """
    rows = [_row("today", today, policy)]
    rows += [_row("data", record, policy, record["fields"]) for record in data]
    rows += [_row("method", record, record["policy"]) for record in method if record["policy"] != policy]
    rows += [_row("both", record, record["policy"], ALL) for record in grid if record["policy"] != policy]
    return rows


def _row(option: str, record: Json, policy: str, fields: str | None = None) -> Json:
    """`share` and `profiles_filled` are those of the record, if it is simulated."""
    of = {name: record[name] if isinstance(record[name], dict) else {"mean": record[name]} for name in MEASURES}
    effect = of["effect_on_mean"]
    return {
        "option": option,
        "policy": policy,
        "fields": fields,
        "share": record.get("share"),
        "mean": of["mean"]["mean"],
        "effect_on_mean": effect["mean"],
        "effect_low": effect.get("low", effect["mean"]),
        "effect_high": effect.get("high", effect["mean"]),
        "effect_error": effect.get("error", 0.0),
        **{name: of[name]["mean"] for name in ("bottleneck_share", "tiers_up", "tiers_down", "churn")},
        "churn_with_more": of["churn_with_more"]["mean"],
        **{name: of[name]["mean"] for name in TIER_MEASURES},
        "profiles_to_fill": record.get("profiles_filled", 0),
    }
