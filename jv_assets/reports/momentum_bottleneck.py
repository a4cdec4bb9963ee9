"""The section momentum_bottleneck: why are scores low?"""

from jv_assets.names import MOMENTUM_BOTTLENECK
from jv_assets.reports import charts
from jv_assets.reports.figures import SUMMARY, Figure, Section, Table, label, number, of, percent, table, words
from jv_scoring.analysis.rows import BOTH
from jv_scoring.analysis.tallies import Json
from jv_scoring.engine import DIRECTIONS

_NAMES = {"ab": "A→B", "ba": "B→A", BOTH: "both ways"}
_AXES = ("score, 0–10", "share")
_STATES = {"bottleneck": "Momentum is the weakest", "other": "another is"}


def section(report: Json) -> Section:
    numbers = report[MOMENTUM_BOTTLENECK]
    weakest = [each for each in numbers["weakest"] if each["direction"] == BOTH]
    figures = [
        _waterfall(numbers["waterfall"]),
        _dimensions(numbers),
        _weakest(weakest),
        _coverage(numbers),
        _factors(numbers),
        _floor(numbers),
    ]
    return Section("Why are scores low?", answer(numbers), figures)


def answer(numbers: Json) -> str:
    """Return which dimension costs most, and which would win most if it were raised."""
    if not numbers["directions"]:
        return "No match is scored, so nothing can be said."
    lost = numbers["waterfall"]["dimensions"]
    first, second = sorted(lost, key=lambda each: -each["lost"])[:2]
    raised = max(lost, key=lambda each: each["raised"])
    return (
        f"Of 100 points a direction (two a match) loses {number(sum(each['lost'] for each in lost))} on average. "
        f"{first['dimension'].capitalize()} costs most: {number(first['lost'])} points, before "
        f"{second['dimension'].capitalize()} with {number(second['lost'])}; it costs most in "
        f"{percent(first['costliest_share'])} of {number(numbers['directions'])} directions. Raising "
        f"{raised['dimension'].capitalize()} alone to the best that the rules give would win most, "
        f"{number(raised['raised'])} points. {percent(numbers['floor'][f'share_{BOTH}'])} of the directions have no "
        "data at all for Momentum."
    )


def _waterfall(numbers: Json) -> Figure:
    records: list[Json] = []
    heads = []
    for each in numbers["dimensions"]:
        heads.append(len(records))
        records.append({**each, "name": each["dimension"], "best": None})
        records += [
            {**part, "name": f"  {words(part['factor'])}", "raised": None, "costliest_share": None}
            for part in numbers["factors"]
            if part["dimension"] == each["dimension"]
        ]
    shown = table(
        records,
        {
            "points lost by": lambda each: str(each["name"]), "against 10": of("lost"),
            "against the best": of("lost_to_best"), "costs most in": of("costliest_share", percent),
            "won if raised": of("raised"), "best possible": of("best"),
        },
    )  # fmt: skip
    drawn = [
        {"dimension": each["dimension"], "against": against, "points": each[name]}
        for each in numbers["dimensions"]
        for name, against in (("lost", "against 10"), ("lost_to_best", "against the best attainable"))
        if each[name] is not None
    ]
    return Figure(
        "Where are the points lost?",
        Table(shown.columns, shown.rows, shown.texts, heads=frozenset(heads)),
        (lambda: charts.rows(drawn, "dimension", "points", "points of 100", series="against", share=False))
        if drawn
        else None,
        "Mean over directions of the exact waterfall, as jv explain shows it for one match. Factors add up to their "
        f"dimension, and dimensions to what is missing to 100, or to {number(numbers['best'])}: the score with the "
        "best that the rules give each factor. Won if raised: points if this dimension alone had that best.",
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
    return Figure(
        "Which dimension has the lowest number?",
        table(
            weakest,
            {"dimension": label("dimension"), "alone": of("sole"), "tied": of("tied"), "share": of("share", percent)},
        ),
        note="Of directions. A tie counts for each of the tied, so the shares may come to more than 100 %. The lowest "
        "number is not what costs most: a dimension with more weight costs more at a higher number.",
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
