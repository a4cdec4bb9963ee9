"""The section momentum_options: more data, another policy, or both?"""

import json
from collections.abc import Callable
from pathlib import Path

from jv_assets.names import MOMENTUM_OPTIONS
from jv_assets.reports import charts
from jv_assets.reports.figures import NOTHING, Figure, Section, label, number, of, percent, signed, table, words
from jv_scoring.analysis.momentum_options import LOWER_HALF, WHOLE
from jv_scoring.analysis.momentum_options_data import FEWEST_DONORS
from jv_scoring.analysis.tallies import Json

TITLE = "Should Momentum get more data, another policy, or both?"
_MISSING = "Not made yet: jv report makes it, and so does the asset momentum_options."
_OTHER_POLICY = "Last made under another policy: jv report makes it under this one."
_NO_INTERVAL = (
    f"Where fewer than {FEWEST_DONORS} profiles have a field, or all of them score alike there, no interval can be "
    f"given ({NOTHING})."
)
_STAMP = ("made_at", "policy", "fingerprint")
_CASES = {WHOLE: "", LOWER_HALF: " low"}
_OPTIONS = {"today": "today", "data": "more data", "method": "another policy", "both": "both"}


def read(path: Path, policy: str | None = None) -> Json | None:
    """Return what the asset momentum_options wrote; None if it did not, or if another version did.

    Without its figures if they were measured against another policy than `policy`, because the page shows one policy.
    """
    try:
        options: Json = json.loads(path.read_text(encoding="utf-8"))
        if not {"fingerprint", "sensitivity"} <= options.keys():
            return None
        return options if policy in (None, options["policy"]) else {name: options[name] for name in _STAMP}
    except (OSError, ValueError, TypeError):
        return None


def warnings(report: Json) -> list[str]:
    """Return why these options may not match the rest of the report."""
    options = report.get(MOMENTUM_OPTIONS)
    if not options:
        return []
    if report["policy"] not in (None, options["policy"]):
        return [f"The options for Momentum are not shown: they were measured against {options['policy']}, and this "
                f"report is of {report['policy']}. Type: jv report"]  # fmt: skip
    if options["fingerprint"] != report.get("fingerprint"):
        return [f"The options for Momentum are older than the scores: they were made at {options['made_at']}, and "
                "matches were rescored since. jv report makes them again."]  # fmt: skip
    return []


def section(report: Json) -> Section:
    """Return the section; without figures if the options were never simulated."""
    options = report.get(MOMENTUM_OPTIONS)
    if not options:
        return Section(TITLE, _MISSING, [])
    if report["policy"] not in (None, options["policy"]):
        return Section(TITLE, _OTHER_POLICY, [])
    if not options["matches"]:
        return Section(TITLE, "No match is scored, so nothing can be said.", [])
    return Section(
        TITLE,
        _answer(options),
        [
            _grid(options, "mean", "How would the mean match score change?", signed,
                  "Points against today. Policies are different scales: compare within a row, and by order below."),
            _grid(options, "bottleneck_share", "In how many directions would Momentum be the weakest?", percent),
            _grid(options, "churn_with_more", "How much of profiles' best 10 would be others?", percent,
                  "Against the best 10 of today, over profiles with more than 10 matches."),
            _fields(options),
            _worth(options),
            _sensitivity(options),
            _trap(options),
            _fall(options),
            _decision(options),
        ],
    )  # fmt: skip


def _answer(options: Json) -> str:
    worth = [each for each in options["worth"] if each["points_per_profile"]["mean"] is not None]
    sample = options["sample"]
    matches = (
        f"a sample of {number(options['matches'])} of {number(sample['of'])}" if sample else number(options["matches"])
    )
    told = [
        f"Simulated at {options['made_at']} on {matches} matches under {options['policy']} and the rules "
        f"{options['scoring_version']}, {number(options['repeats'])} times ({number(options['grid_repeats'])} for "
        "the grid)."
    ]
    if sample:
        told.append(
            "Points a profile, tiers, matches and directions are scaled up to all matches; the best 10 are of the "
            "sample. The intervals do not hold what drawing the sample adds."
        )
    if worth:
        best = worth[0]
        least = [each for each in options["sensitivity"] if each["field"] == best["field"]][-len(options["shares"])]
        told.append(
            f"The field worth most is {words(best['field'])}: {signed(best['effect_on_mean']['mean'])} points a match "
            f"if all {number(best['profiles_filled'])} profiles that lack it had values like others'. If only "
            f"{100 * least['share']:g} % of them truly have a value, and from the lower half of the others', it is "
            f"{signed(least['effect_on_mean']['mean'])}."
        )
    risk = options["trap"]["any_field"]
    if risk["profiles"]:
        told.append(
            f"Under redistribute a true value more could lower the Momentum of {number(risk['at_risk'])} of "
            f"{number(risk['profiles'])} profiles that lack a field and have another."
        )
    return " ".join(told)


def _grid(options: Json, measure: str, question: str, show: Callable[[float | None], str], note: str = "") -> Figure:
    """Return policies by the share of profiles filled; 0 %: the policy on today's data."""
    now = options["today"][measure] if measure == "mean" else 0.0
    records = [
        {"policy": each["policy"], "share": each.get("share", 0.0), "filled": f"{100 * each.get('share', 0.0):g} %",
         "value": value - now}
        for each in (*options["method"], *options["grid"])
        for value in (_middle(each[measure]),)
        if value is not None
    ]  # fmt: skip
    records.sort(key=lambda each: each["share"])
    columns = list(dict.fromkeys(each["filled"] for each in records))
    values = {(each["policy"], each["filled"]): each["value"] for each in records}
    rows = [{"policy": each["policy"]} | {name: values.get((each["policy"], name)) for name in columns}
            for each in options["method"]]  # fmt: skip
    drawn = [{**each, "shown": show(each["value"])} for each in records]
    errors = [each[measure]["error"] for each in options["grid"] if each[measure]["error"] is not None]
    exactness = (
        f"Means of {number(options['grid_repeats'])} simulations, each exact to ±{show(max(errors)).lstrip('+')} in "
        "95 % of cases."
        if errors
        else "Of one simulation: how exact it is cannot be said."
    )
    return Figure(
        question,
        table(rows, {"policy": label("policy"), **{name: of(name, show) for name in columns}}),
        (lambda: charts.heat(drawn, "filled", "policy", ("profiles that lack a field and get it", "")))
        if drawn
        else None,
        f"{note} {exactness}".strip(),
    )


def _fields(options: Json) -> Figure:
    records = [each for each in options["data"] if each["effect_on_mean"]["mean"] is not None]
    drawn = [
        {"field": words(each["fields"]), "filled": f"{100 * each['share']:g} %", **each["effect_on_mean"]}
        for each in records
    ]
    return Figure(
        "What would filling each field do to the mean match score?",
        table(
            records,
            {"field": label("fields"), "filled": lambda each: f"{100 * each['share']:g} %",
             "profiles": of("profiles_filled"), "effect": lambda each: signed(each["effect_on_mean"]["mean"]),
             "95 % from": lambda each: signed(each["effect_on_mean"]["low"]),
             "to": lambda each: signed(each["effect_on_mean"]["high"]),
             "Momentum weakest": _of_mean("bottleneck_share", percent),
             "best 10 changed": _of_mean("churn_with_more", percent)},
            texts=(0, 1),
        ),
        (lambda: charts.intervals(drawn, "field", "points of the mean match score", series="filled"))
        if drawn else None,
        f"Under {options['policy']}, of the profiles that lack the field. Lines are 95 % intervals. {_NO_INTERVAL}",
    )  # fmt: skip


def _worth(options: Json) -> Figure:
    records = [each for each in options["worth"] if each["points_per_profile"]["mean"] is not None]
    drawn = [{"field": words(each["field"]), **each["effect_on_mean"]} for each in records]
    return Figure(
        "Which single field is worth most?",
        table(
            records,
            {"field": label("field"), "profiles": of("profiles_filled"),
             "points a match": lambda each: signed(each["effect_on_mean"]["mean"]),
             "95 % from": lambda each: signed(each["effect_on_mean"]["low"]),
             "to": lambda each: signed(each["effect_on_mean"]["high"]),
             "points a profile": lambda each: signed(each["points_per_profile"]["mean"])},
        ),
        (lambda: charts.intervals(drawn, "field", "points of the mean match score")) if drawn else None,
        "All that lack it are filled, with values like others'. Points a profile: over all matches, by the number of "
        f"profiles. {_NO_INTERVAL}",
    )  # fmt: skip


def _sensitivity(options: Json) -> Figure:
    records = [each for each in options["sensitivity"] if each["effect_on_mean"]["mean"] is not None]
    drawn = [
        {
            "field": words(each["field"]),
            "case": f"{100 * each['share']:g} %{_CASES[each['draws']]}",
            **each["effect_on_mean"],
        }
        for each in records
        if each["share"] in (options["shares"][0], options["shares"][-1])
    ]
    return Figure(
        "What if those who lack a field have less of it?",
        table(
            records,
            {"field": label("field"), "truly have a value": lambda each: f"{100 * each['share']:g} %",
             "drawn from": lambda each: str(each["draws"]), "profiles": of("profiles_filled"),
             "points a match": lambda each: signed(each["effect_on_mean"]["mean"]),
             "95 % from": lambda each: signed(each["effect_on_mean"]["low"]),
             "to": lambda each: signed(each["effect_on_mean"]["high"])},
            texts=(0, 1, 2),
        ),
        (lambda: charts.intervals(drawn, "field", "points of the mean match score", series="case")) if drawn else None,
        "Data is not missing at random: no text often means no projects. So only a share of those who lack a field may "
        f"truly have a value, and it may be one of the lower half of the others' values (low). {_NO_INTERVAL}",
    )  # fmt: skip


def _trap(options: Json) -> Figure:
    records = options["trap"]["momentum"]
    drawn = [
        {"field": words(each["field"]), "how": how, "share": each[name] / each["profiles"]}
        for each in records
        if each["profiles"]
        for name, how in (("at_risk", "some true value would"), ("likely", "most would"))
    ]
    return Figure(
        "Under redistribute, whose Momentum would a true value lower?",
        table(
            records,
            {"field": label("field"), "lack it": of("profiles"), "at risk": of("at_risk"),
             "share": of("share_at_risk", percent), "most values lower": of("likely"),
             "expected": lambda each: number(each["expected"], 0), "mean fall": of("mean_fall"),
             "worst": of("worst_fall")},
        ),
        (lambda: charts.rows(drawn, "field", "share", "share of those who lack it", series="how")) if drawn else None,
        "Of profiles that lack the field and have another. A true value is one that others have. Momentum is 0–10. "
        "Whoever would be lowered does better by leaving the field empty.",
    )  # fmt: skip


def _fall(options: Json) -> Figure:
    records = [each for each in options["trap"]["scores"] if each["mean_fall"] is not None]
    drawn = [{"field": words(each["field"]), "aggregation": each["aggregation"], "fall": each["mean_fall"]}
             for each in records]  # fmt: skip
    return Figure(
        "And by how much would it lower a direction's score?",
        table(
            records,
            {"field": label("field"), "aggregation": label("aggregation"), "directions": of("directions"),
             "lowered": of("share_lower", percent), "mean fall": of("mean_fall"), "worst": of("worst_fall")},
            texts=(0, 1),
        ),
        (lambda: charts.rows(drawn, "field", "fall", "points of 100, mean of those lowered", series="aggregation",
                             share=False)) if drawn else None,
        "The harmonic mean falls furthest: it follows the lowest dimension, and where an engagement near 0 is all that "
        "is known of a profile, redistribute makes that its whole Momentum.",
    )  # fmt: skip


def _decision(options: Json) -> Figure:
    return Figure(
        "What does each option come to?",
        table(
            options["decision"],
            {"option": lambda each: _OPTIONS[each["option"]], "policy": label("policy"),
             "fields": lambda each: words(each["fields"] or NOTHING),
             "filled": lambda each: NOTHING if each["share"] is None else f"{100 * each['share']:g} %",
             "profiles": of("profiles_to_fill"), "mean": of("mean"), "effect": of("effect_on_mean", signed),
             "95 % from": of("effect_low", signed), "to": of("effect_high", signed),
             "Momentum weakest": of("bottleneck_share", percent), "tiers up": _whole("tiers_up"),
             "tiers down": _whole("tiers_down"), "best 10 changed": of("churn_with_more", percent)},
            texts=(0, 1, 2),
        ),
        None,
        "All against today. Effects within a policy compare; across policies only order does: Momentum weakest, and "
        "the best 10. What it costs to have a field filled is not in it.",
    )  # fmt: skip


def _middle(value: Json | float | None) -> float | None:
    """Return the mean over repeats of a simulated value."""
    middle: float | None = value["mean"] if isinstance(value, dict) else value
    return middle


def _of_mean(name: str, show: Callable[[float | None], str]) -> Callable[[Json], str]:
    return lambda record: show(record[name]["mean"])


def _whole(name: str) -> Callable[[Json], str]:
    """Return a count, which as a mean over repeats need not be whole."""
    return lambda record: number(record[name], 0)
