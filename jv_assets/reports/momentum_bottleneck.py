"""The section momentum_bottleneck: why are scores low?"""

from jv_assets.names import MOMENTUM_BOTTLENECK
from jv_assets.reports import charts
from jv_assets.reports.figures import SUMMARY, Figure, Section, label, number, of, percent, table, words
from jv_assets.reports.numbers import record
from jv_scoring.analysis.rows import BOTH
from jv_scoring.analysis.tallies import Json
from jv_scoring.engine import DIRECTIONS

_NAMES = {"ab": "A→B", "ba": "B→A", BOTH: "both ways"}
_AXES = ("score, 0–10", "share")
_STATES = {"bottleneck": "Momentum is the weakest", "other": "another is"}


def section(report: Json) -> Section:
    numbers = report[MOMENTUM_BOTTLENECK]
    weakest = [each for each in numbers["weakest"] if each["direction"] == BOTH]
    answer = "No match is scored, so nothing can be said."
    if numbers["directions"]:
        worst = max(weakest, key=lambda each: each["share"])
        mean = record(numbers["dimensions"], dimension=worst["dimension"], direction=BOTH)["mean"]
        answer = (
            f"{worst['dimension'].capitalize()} is the weakest dimension in {percent(worst['share'])} of "
            f"{number(numbers['directions'])} directions (two a match); its mean is {number(mean)} of 10. "
            f"{percent(numbers['floor'][f'share_{BOTH}'])} of the directions have no data at all for Momentum."
        )
    return Section(
        "Why are scores low?",
        answer,
        [_dimensions(numbers), _weakest(weakest), _coverage(numbers), _factors(numbers), _floor(numbers)],
    )


def _dimensions(numbers: Json) -> Figure:
    bars = [{**bar, "middle": (bar["from"] + bar["to"]) / 2} for bar in numbers["dimension_bars"]]
    return Figure(
        "How is each dimension distributed?",
        table(
            [each for each in numbers["dimensions"] if each["direction"] == BOTH],
            {"dimension": label("dimension"), **SUMMARY},
        ),
        (lambda: charts.facets(bars, "middle", "share", "dimension", _AXES)) if bars else None,
        "Of both directions of every match, in bars of a quarter point.",
    )


def _weakest(weakest: list[Json]) -> Figure:
    drawn = [
        {"dimension": each["dimension"], "how": how, "share": share}
        for each in weakest
        if each["share"] is not None
        for how, share in (("alone", each["sole_share"]), ("tied with another", each["share"] - each["sole_share"]))
    ]
    return Figure(
        "Which dimension is the weakest?",
        table(
            weakest,
            {"dimension": label("dimension"), "alone": of("sole"), "tied": of("tied"), "share": of("share", percent)},
        ),
        (lambda: charts.rows(drawn, "dimension", "share", "share of directions", series="how", stack=True))
        if drawn
        else None,
        "A tie counts for each of the tied, so the shares may come to more than 100 %.",
    )


def _coverage(numbers: Json) -> Figure:
    drawn = [
        {"field": words(each["field"]), "of": shown, "share": each[name]}
        for each in numbers["coverage"]
        for name, shown in (("of_profiles", "of profiles"), ("of_directions", "of directions"))
        if each[name] is not None
    ]
    return Figure(
        "How much of the data behind Momentum is there?",
        table(
            numbers["coverage"],
            {"field": label("field"), "of profiles": of("of_profiles", percent),
             "of directions": of("of_directions", percent)},
        ),
        (lambda: charts.rows(drawn, "field", "share", "share with data", series="of")) if drawn else None,
        "Of directions: each profile counts as often as it is matched.",
    )  # fmt: skip


def _factors(numbers: Json) -> Figure:
    counts = {(each["factor"], each["momentum"]): each["count"] for each in numbers["factors"]}
    bars = [
        {"factor": words(bar["factor"]), "state": _STATES[bar["momentum"]], "share": bar["count"] / every,
         "middle": (bar["from"] + bar["to"]) / 2}
        for bar in numbers["factor_bars"]
        if (every := counts[bar["factor"], bar["momentum"]])
    ]  # fmt: skip
    return Figure(
        "What are Momentum's factors where it is the weakest, and where not?",
        table(
            [{**each, "is": "weakest" if each["momentum"] == "bottleneck" else "not"} for each in numbers["factors"]],
            {"factor": label("factor"), "Momentum": label("is"), "with data": of("count"),
             "no data": of("share_without_data", percent), "mean": of("mean"), "median": of("median"), "sd": of("sd")},
            texts=(0, 1),
        ),
        (lambda: charts.facets(bars, "middle", "share", "factor", _AXES, series="state")) if bars else None,
        "Shares are of the directions with data, in bars of half a point.",
    )  # fmt: skip


def _floor(numbers: Json) -> Figure:
    floor = numbers["floor"]
    records = [
        {"of": f"directions {_NAMES[of]}", "count": floor[of], "share": floor[f"share_{of}"]}
        for of in (*DIRECTIONS, BOTH)
    ]
    records.append({"of": "profiles", "count": floor["profiles"], "share": floor["share_profiles"]})
    drawn = [each for each in records if each["share"] is not None]
    note = "Momentum then drops out of the score."
    if floor["momentum"] is not None:
        note = f"Momentum is then {number(floor['momentum'])}, whatever the profile is like."
    return Figure(
        "How often is there no data for Momentum at all?",
        table(records, {"of": label("of"), "no data": of("count"), "share": of("share", percent)}),
        (lambda: charts.rows(drawn, "of", "share", "share without any data")) if drawn else None,
        note,
    )
