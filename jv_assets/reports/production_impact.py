"""The section production_impact: what changed in production, for whom?"""

from jv_assets.names import PRODUCTION_IMPACT
from jv_assets.reports import charts
from jv_assets.reports.figures import SUMMARY, Figure, Section, label, number, of, percent, signed, table
from jv_scoring.analysis.production_impact_report import ONE_SCALE, TWO_SCALES
from jv_scoring.analysis.tallies import Json
from jv_scoring.policy import TIERS

_SHARES = {"texts": "texts_and_vectors", "other data": "other_profile_data", "not attributed": "not_attributed"}


def section(report: Json) -> Section:
    numbers = report[PRODUCTION_IMPACT]
    figures = [
        _distribution(numbers), _migration(numbers), _attribution(numbers), _most(numbers, "gains"),
        _most(numbers, "losses"), _methods(numbers), _order(numbers), _scales(numbers),
    ]  # fmt: skip
    said = [*_answer(numbers), *_moments(numbers.get("compared_moments"))]
    return Section("What changed in production, for whom?", " ".join(said), figures)


def _moments(compared: Json | None) -> list[str]:
    """Return which moments are compared, and how far it is known what stood then."""
    if not compared:
        return []
    then = "the scores computed last" if compared["until"] is None else f"production at {compared['until']}"
    said = [f"Compared: production at {compared['since']}, and {then}."]
    if compared["late"]:
        began = f"begins at {compared['log_begins']}, later than that" if compared["log_begins"] else "has not begun"
        said.append(
            f"The log of published scores {began}, in {number(compared['late'])} ranges: what stood there is told by "
            "what the last runs replaced, and may be of a later moment."
        )
    if lost := compared["cause_not_known_any_more"]:
        said.append(
            f"Of {number(lost)} changed matches the cause is not known any more: what their score was made of is kept "
            "for the last JV_KEPT_RUNS runs only."
        )
    return said


def _answer(numbers: Json) -> list[str]:
    states, moved = numbers["states"], numbers["moved"]
    then = f"{numbers['hours']:g} hours ago" if numbers["hours"] else "before"
    if not numbers["matches"] and not states["gone"]:
        return ["No match is scored, so nothing can be said."]
    other = states["policy"] + states["version"]
    said = []
    if not numbers["compared"] and not other:
        said.append(f"Production held no score of these matches {then}: there is nothing to compare with.")
    elif numbers["compared"] and not (moved["raised"] or moved["lowered"]):
        said.append(f"Nothing changed: {number(numbers['compared'])} matches score as {then}.")
    elif numbers["compared"]:
        said.append(
            f"Of {number(numbers['compared'])} matches {number(moved['raised'])} score higher than {then} and "
            f"{number(moved['lowered'])} lower; {number(moved['tiers_up'])} went up a tier or more, "
            f"{number(moved['tiers_down'])} down, and {number(moved['rescued'])} came from below 60 to 60 and over."
        )
    if other:
        said.append(
            f"{number(other)} were scored under another policy or version of the rules before, which is another scale: "
            "they are counted, not compared."
        )
    if states["new"] or states["gone"]:
        said.append(f"{number(states['new'])} are new, {number(states['gone'])} are not scored any more.")
    return said


def _distribution(numbers: Json) -> Figure:
    points = [{**bar, "middle": (bar["from"] + bar["to"]) / 2} for bar in numbers["score_bars"]]
    return Figure(
        "How are match scores distributed, before and now?",
        table(numbers["scores"], {"match score": label("side"), "matches": of("count"), **SUMMARY}),
        (lambda: charts.lines(points, "middle", "share", "side", ("match score", "matches"))) if points else None,
        "The same matches twice, under the same policy and version. Change: match by match.",
    )


def _migration(numbers: Json) -> Figure:
    records = [each for each in numbers["migration"] if each["matches"]]
    drawn = [
        {"side": each["side"], "tier": name, "share": each[name] / numbers["compared"]}
        for each in numbers["tiers"]
        for name, _ in TIERS
        if numbers["compared"]
    ]
    return Figure(
        "Which matches changed their tier?",
        table(records, {"from": label("from"), "to": label("to"), "matches": of("matches")}, texts=(0, 1)),
        (
            lambda: charts.rows(
                drawn, "side", "share", "share of matches", series="tier", stack=True, colors=(3, 1, 2, 4)
            )
        )
        if drawn
        else None,
    )


def _attribution(numbers: Json) -> Figure:
    records = [each for each in numbers["attribution"] if each["matches"]]
    drawn = [each for each in records if each["points"] is not None and each["scale"] == numbers["means"][-1]["scale"]]
    sums = [{**each, "piece": "all together", "points": each["change"], "matches": each["now"]} for each in
            numbers["means"]]  # fmt: skip
    one, two = (f"“{scale}”" for scale in (ONE_SCALE, TWO_SCALES))
    note = (
        "Points of the mean match score over all matches. One input at a time is put from what it was to what it is, "
        "in all orders, and the average taken: so the pieces add up to the change."
    )
    if len(numbers["means"]) > 1:
        note += f" {one} leaves out what was scored under another policy; {two} has it, and so compares two scales."
    return Figure(
        "What did the change come from?",
        table(
            [*records, *sums],
            {"matches of": label("scale"), "from": label("piece"),
             "points": of("points", lambda value: signed(value, 3)), "matches": of("matches")},
            texts=(0, 1),
        ),
        (lambda: charts.rows(drawn, "piece", "points", "points of the mean", share=False)) if drawn else None,
        note,
    )  # fmt: skip


def _most(numbers: Json, which: str) -> Figure:
    shown = table(
        numbers[which],
        {
            "match": lambda each: str(each["id"]), "before": of("before"), "now": of("now"),
            "change": of("change", signed), **{name: of(column, signed) for name, column in _SHARES.items()},
            "A": lambda each: str(each["profile_id"]), "B": lambda each: str(each["suggested_profile_id"]),
        },
        texts=(0, 7, 8),
    )  # fmt: skip
    return Figure(f"Which matches have the largest {which}?", shown, note="And what of it comes from which input.")


def _methods(numbers: Json) -> Figure:
    records = [{**each, "name": f"{each['factor']}, {each['side']}"} for each in numbers["evaluations"]]
    drawn = [each for each in records if each["word_overlap_share"] is not None]
    return Figure(
        "How many comparisons of texts were made by which method?",
        table(
            records,
            {"comparison": label("name"), "semantic": of("semantic"), "word overlap": of("word_overlap"),
             "not known": of("not_known"), "fallback share": of("word_overlap_share", percent)},
        ),
        (lambda: charts.rows(drawn, "name", "word_overlap_share", "share by word overlap")) if drawn else None,
        "Before and now: of matches that were scored then and are now; new: of the others. Audience Alignment counts "
        "once, because it compares the same two texts in both directions.",
    )  # fmt: skip


def _order(numbers: Json) -> Figure:
    shown = {"before": "before", "now": "now, the same matches", "all": "now, all matches"}
    return Figure(
        "Is the order that of match_score?",
        table(
            numbers["order"],
            {"match score": lambda each: shown[each["side"]], "matches": of("matches"),
             "Spearman": lambda each: number(each["spearman"], 4), "Kendall": lambda each: number(each["kendall"], 4)},
        ),
        note="Rank correlation with match_score. They are different scales: no difference of the two means anything.",
    )  # fmt: skip


def _scales(numbers: Json) -> Figure:
    return Figure(
        "Under which policies and versions were these matches scored before?",
        table(
            numbers["scales"],
            {"policy": label("policy"), "rules": label("version"), "matches": of("matches")},
            texts=(0, 1),
        ),
    )
