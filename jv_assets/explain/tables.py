"""The summary and tables of an explanation, as both the terminal and the page show them."""

import math
from collections.abc import Sequence
from typing import Any

from jv_assets.explain.explanation import Explanation, Version
from jv_assets.reports.figures import Table
from jv_scoring.explain import Contribution, null_costs, waterfall
from jv_scoring.policy import DIMENSION_WEIGHTS, DIMENSIONS, POLICIES, tier
from jv_scoring.reference import Breakdown

_DIRECTIONS = (("A → B", "what B is worth to A", "breakdown_ab"), ("B → A", "what A is worth to B", "breakdown_ba"))
_TEXT_COLUMNS = ("detail", "method", "tier", "policy")
_NO: dict[str, Any] = {"score": None, "factors": []}


def summary(explanation: Explanation) -> list[tuple[str, str]]:
    """Return the summary above the notes and the tables: names and values."""
    stored = explanation.stored
    named = [
        ("match", explanation.match_id or "none joins them"),
        *((side, _profile(explanation, place)) for place, side in enumerate("AB")),
        ("policy", explanation.policy),
        ("model", explanation.model),
        ("stored", f"scored at {stored.scored_at or '?'}" if stored else "no score"),
    ]
    named += [] if explanation.now else [("exported", "nowhere, since it can never be scored again")]
    return named + ([("changed", ", ".join(explanation.changes))] if explanation.changes else [])


def tables(explanation: Explanation) -> list[tuple[str, Table]]:
    """Return the tables: scores, then by direction factors, waterfalls and missing data, then the profiles."""
    versions = explanation.versions
    shown = [("Scores, 0 to 100", _score_table(versions))]
    for direction, meaning, attribute in _DIRECTIONS:
        breakdowns: list[Breakdown] = [getattr(version.pair, attribute) for version in versions]
        shown.append((f"{direction}: {meaning}", _factor_table(versions, breakdowns)))
        heading = f"{direction}: points of 100 that each dimension costs"
        for labels, steps in _waterfalls(versions, breakdowns):
            shown.append((f"{heading} ({labels})" if len(versions) > 1 else heading, _waterfall_table(steps)))
        title = f"{direction}: what missing data does to the score"
        if versions[-1].policy in POLICIES:
            shown.append((title, _null_table(breakdowns[-1], versions[-1].policy)))
    fields = [(name, *sizes) for name, sizes in explanation.sizes.items()]
    sizes = ("What the profiles hold", _table(("field", "A", "B"), fields))
    return [*((title, table) for title, table in shown if table.rows), sizes]


def _profile(explanation: Explanation, place: int) -> str:
    named = f", {explanation.names[place] or 'gone'}" if explanation.names else ""
    return f"{explanation.profiles[place]}{named}"


def _score_table(versions: Sequence[Version]) -> Table:
    rows = [
        (version.label, _two(pair.score_ab), _two(pair.score_ba), _two(pair.harmonic_mean),
         tier(pair.harmonic_mean) if pair.harmonic_mean >= 0 else "-", version.policy)
        for version in versions
        for pair in (version.pair,)
    ]  # fmt: skip
    return _table(("", "A → B", "B → A", "harmonic_mean", "tier", "policy"), rows)


def _factor_table(versions: Sequence[Version], breakdowns: Sequence[Breakdown]) -> Table:
    """Return dimensions and factors, one column per version; the detail is that of the last version."""
    by_name = [
        {part["name"]: part for name in DIMENSIONS for part in breakdown.get(name, _NO)["factors"]}
        for breakdown in breakdowns
    ]
    rows: list[tuple[str, ...]] = []
    heads: set[int] = set()
    for name in DIMENSIONS:
        heads.add(len(rows))
        of_dimension = (_two(breakdown.get(name, _NO)["score"]) for breakdown in breakdowns)
        rows.append((name.capitalize(), f"{DIMENSION_WEIGHTS[name]:.0%}", *of_dimension, "", ""))
        for factor in breakdowns[-1][name]["factors"]:
            parts = [factors.get(factor["name"], _NO) for factors in by_name]
            methods = dict.fromkeys(part["method"].replace("_", " ") for part in parts if part.get("method"))
            shown = (_two(part["score"]) for part in parts)
            row = (f"  {factor['name']}", f"{factor['weight']:.1f}", *shown, " → ".join(methods), factor["detail"])
            rows.append(row)
    columns = ("", "weight", *(version.label for version in versions), "method", "detail")
    return _table(columns, rows, heads=frozenset(heads))


def _waterfalls(versions: Sequence[Version], breakdowns: Sequence[Breakdown]) -> list[tuple[str, list[Contribution]]]:
    """Return one waterfall per version; equal ones are merged."""
    waterfalls: list[tuple[str, list[Contribution]]] = []
    for version, breakdown in zip(versions, breakdowns, strict=True):
        if not breakdown or version.policy not in POLICIES:
            continue
        steps = waterfall({name: breakdown[name]["score"] for name in DIMENSIONS}, version.policy)
        if waterfalls and waterfalls[-1][1] == steps:
            waterfalls[-1] = (f"{waterfalls[-1][0]} and {version.label}", steps)
        else:
            waterfalls.append((version.label, steps))
    return waterfalls


def _waterfall_table(steps: Sequence[Contribution]) -> Table:
    """Each cost is the difference of two running totals as shown, so that the shown numbers add up."""
    rows = [("all at 10", "", "", "", "100.00")]
    bars, before = [(0.0, 100.0)], 100.0
    for step in steps:
        after = round(step.left, 2)
        share = f"{step.weight:.0%}"
        rows.append((step.dimension.capitalize(), share, _two(step.score), f"{after - before + 0.0:.2f}", _two(after)))
        bars.append((after, before))
        before = after
    rows.append(("score", "", "", "", _two(before)))
    return _table(("", "share", "score", "points", "left"), rows, [*bars, (0.0, before)])


def _null_table(breakdown: Breakdown, policy: str) -> Table:
    rows = [
        (", ".join(cost.factors) if len(cost.factors) == 1 else "all of these", _two(cost.score),
         *(f"{_two(other)} ({other - cost.score:+.2f})" for other in (cost.neutral, cost.left_out, cost.at_ten)))
        for cost in null_costs(breakdown, policy)
    ]  # fmt: skip
    return _table(("factor without data", "score", "as neutral", "left out", "at 10"), rows)


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    bars: Sequence[tuple[float, float]] = (),
    heads: frozenset[int] = frozenset(),
) -> Table:
    texts = [place for place, name in enumerate(columns) if place == 0 or name in _TEXT_COLUMNS]
    return Table(columns, rows, texts, bars, heads)


def _two(score: float | None) -> str:
    return "-" if score is None or math.isnan(score) else f"{score:.2f}"
