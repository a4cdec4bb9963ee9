"""The section on discovery: the older matcher's choice, what is found beyond it, and what spreading costs."""

from jv_assets.names import CANDIDATE_ALLOCATION
from jv_assets.pipeline.candidates import FIGURES, WHOLE
from jv_assets.reports import charts
from jv_assets.reports.figures import Figure, Section, number, of, percent, table
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.tallies import Json

TITLE = "What did the older matcher miss?"


def read(files: RangeFiles) -> Json | None:
    """Return the figures of the last allocation, with its policy and age; None if discovery has not run with a cap."""
    if not files.exists(CANDIDATE_ALLOCATION, WHOLE):
        return None
    metadata = files.metadata(CANDIDATE_ALLOCATION, WHOLE)
    if FIGURES not in metadata:
        return None
    return {**metadata[FIGURES], "policy": metadata["policy"], "as_of": metadata["origin"]["as_of"]}


def sections(numbers: Json | None) -> list[Section]:
    """Return the section; none without figures."""
    if numbers is None or not numbers["places"]:
        return []
    return [Section(TITLE, _answer(numbers), [_choice(numbers), _beyond(numbers), _spreading(numbers)])]


def _answer(numbers: Json) -> str:
    best, missed = numbers["best"], 1 - numbers["suggested"] / numbers["places"]
    existing, discovered = numbers["spreads"][:2]
    beyond = ""
    if None not in (existing["mean"], discovered["mean"]):
        beyond = (
            f" The best {best} pairs that do not exist have a mean value of {number(discovered['mean'])}; the best "
            f"{best} that exist have {number(existing['mean'])}."
        )
    return (
        f"Of each profile's best {best} pairs among all pairs, {percent(missed)} do not exist as matches.{beyond} "
        f"As of {numbers['as_of']}, under {numbers['policy']}."
    )


def _choice(numbers: Json) -> Figure:
    rows = [
        {**each, "share": each["suggested"] / each["places"] if each["places"] else None} for each in numbers["tiers"]
    ]
    total = {"tier": "all", "places": numbers["places"], "suggested": numbers["suggested"]}
    rows.append({**total, "share": numbers["suggested"] / numbers["places"]})
    drawn = [each for each in rows if each["share"] is not None]
    return Figure(
        "How good was the older matcher's choice?",
        table(
            rows,
            {
                "tier": lambda each: str(each["tier"]),
                "best pairs": of("places"),
                "exist as matches": of("suggested"),
                "share": of("share", percent),
            },
        ),
        lambda: charts.rows(drawn, "tier", "share", "of the best pairs, exist as matches"),
        f"Each profile's exact best {numbers['best']} among all pairs, existing or not, by the tier of the pair.",
    )


def _beyond(numbers: Json) -> Figure:
    existing, discovered = numbers["spreads"][:2]
    best = numbers["best"]
    rows = [
        {"what": "all existing pairs", "pairs": numbers["existing_pairs"], "mean": numbers["existing_mean"]},
        {"what": f"existing best {best} of each profile", "pairs": existing["places"], "mean": existing["mean"]},
        {"what": f"discovered best {best} of each profile", "pairs": discovered["places"], "mean": discovered["mean"]},
    ]
    columns = {"what": lambda each: str(each["what"]), "pairs": of("pairs"), "mean value": of("mean")}
    note = "Value is harmonic_mean, 0 to 100. A pair counts once for each profile that has it in its best list."
    return Figure("How much is found beyond it?", table(rows, columns), None, note)


def _spreading(numbers: Json) -> Figure:
    rows = [{**each, "name": _name(each, numbers["best"])} for each in numbers["spreads"]]
    drawn = [each for each in rows if each["mean"] is not None]
    columns = {
        "what": lambda each: str(each["name"]),
        "mean value": of("mean"),
        "Gini": of("gini"),
        "of the top 1 %": of("top_1_percent", percent),
        "most of one profile": of("most"),
        "in none": of("in_none"),
    }
    note = (
        "Gini: 0 if all profiles are named equally often, near 1 if few profiles take all. Under an allocation with "
        "cap C, no profile is in more than C pairs."
    )
    draw = (lambda: charts.rows(drawn, "name", "mean", "mean value", share=False)) if drawn else None
    return Figure("What does spreading cost?", table(rows, columns), draw, note)


def _name(spread: Json, best: int) -> str:
    if spread["cap"] is not None:
        return f"allocation, cap {spread['cap']}"
    return f"{spread['what']} best {best}"
