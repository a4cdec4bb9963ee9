"""The section congestion: is everybody sent to the same few?"""

from jv_assets.reports import charts
from jv_assets.reports.figures import Figure, Section, label, number, of, percent, table
from jv_scoring.analysis.tallies import Json

_BASELINES = {"supply": "all matches (supply)", "random": "ten at random", "uniform": "places for anybody"}


def section(report: Json) -> Section:
    numbers = report["congestion"]
    answer = "Nobody is in anybody's best 10."
    if numbers["places"]:
        answer = (
            f"All profiles' best 10 are {number(numbers['places'])} places. {number(numbers['in_none'])} of "
            f"{number(numbers['profiles'])} profiles have none of them, the one with the most has "
            f"{number(numbers['most_places'])}. Gini coefficient: {number(numbers['gini'])} (0: all have the same, 1: "
            f"one has all), where {_beside(numbers)}. {percent(numbers['no_choice_share'])} of the places involve no "
            "choice: their A has 10 matches or fewer."
        )
    return Section("Is everybody sent to the same few?", answer, [_lorenz(numbers), _times(numbers), _most(numbers)])


def gini_of(numbers: Json, baseline: str) -> float | None:
    """Return the Gini coefficient of a baseline."""
    (found,) = [each["gini"] for each in numbers["baselines"] if each["baseline"] == baseline]
    gini: float | None = found
    return gini


def _beside(numbers: Json) -> str:
    supply, at_random, uniform = (number(gini_of(numbers, name)) for name in _BASELINES)
    return f"the supply of matches alone gives {supply}, ten at random {at_random}, and places for anybody {uniform}"


def _lorenz(numbers: Json) -> Figure:
    curves = [{"of": "best 10", **point} for point in numbers["lorenz"]]
    curves += [
        {"of": _BASELINES[each["baseline"]], **point} for each in numbers["baselines"] for point in each["lorenz"]
    ]
    rows = (
        {"what": "profiles", "value": number(numbers["profiles"])},
        {"what": "places in best 10", "value": number(numbers["places"])},
        {"what": "profiles in nobody's best 10", "value": number(numbers["in_none"])},
        {"what": "most places of one profile", "value": number(numbers["most_places"])},
        {"what": "places of the top 1 % of profiles", "value": percent(numbers["top_1_percent"])},
        {"what": "places of the top 10 %", "value": percent(numbers["top_10_percent"])},
        {"what": "Gini coefficient", "value": number(numbers["gini"], 3)},
        *(
            {"what": f"Gini of {_BASELINES[each['baseline']]}", "value": number(each["gini"], 3)}
            for each in numbers["baselines"]
        ),
        {"what": "places that involve no choice", "value": percent(numbers["no_choice_share"])},
    )
    return Figure(
        "How evenly are places in others' best 10 spread?",
        table(rows, {"": label("what"), "value": lambda each: str(each["value"])}),
        (lambda: charts.lorenz(curves, "profiles", "places", "of", ("profiles, those with the fewest first", "places")))
        if numbers["lorenz"]
        else None,
        f"Best 10 under {numbers['policy']}. Lorenz curves; the dashed line is what they would be if all profiles had "
        "the same number of places. Only what lies beyond supply and ten at random is due to the scores.",
    )


def _times(numbers: Json) -> Figure:
    drawn = numbers["times"] if numbers["places"] else []
    return Figure(
        "How often is a profile in others' best 10?",
        table(numbers["times"], {"times": label("times"), "profiles": of("profiles")}),
        (lambda: charts.columns(drawn, "times", "profiles", ("in so many best 10", "profiles"), share=False))
        if drawn
        else None,
    )


def _most(numbers: Json) -> Figure:
    return Figure(
        "Which profiles are in the most?",
        table(numbers["most"], {"profile": lambda each: str(each["profile_id"]), "in best 10 of": of("places")}),
    )
