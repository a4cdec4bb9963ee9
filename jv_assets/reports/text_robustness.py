"""The section text_robustness: do harmless edits of a text change the best matches?"""

import json
from pathlib import Path

from jv_assets.names import TEXT_ROBUSTNESS
from jv_assets.reports import charts
from jv_assets.reports.figures import Answer, Figure, Section, number, of, percent, table
from jv_scoring.analysis.tallies import Json

TITLE = "Does a harmless edit of a text change the best matches?"
FILE = "text_robustness.json"
_MUCH = 0.9
"""Up to this share of the best 10 kept beyond chance, an edit that says nothing new matters to a reader."""


def read(path: Path, policy: str | None) -> Json | None:
    """Return what the asset text_robustness wrote; None if it did not, or measured nothing, or under another policy."""
    try:
        found: Json = json.loads(path.read_text(encoding="utf-8"))
        return found if found["edits"] and found["profiles"] and found["policy"] == policy else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def sections(report: Json) -> list[Section]:
    """Return the section; none if nothing was measured."""
    found = report.get(TEXT_ROBUSTNESS)
    if not found:
        return []
    return [Section(TITLE, _sentence(found), [_figure(found, report.get("fingerprint"))])]


def answer(report: Json) -> Answer | None:
    """Return the answer for the box at the top of the page."""
    found = report.get(TEXT_ROBUSTNESS)
    if not found:
        return None
    worst = min(each["beyond_chance"] for each in found["edits"])
    action = "Read the order of a profile's best matches as it is; a harmless edit hardly changes it."
    if worst <= _MUCH:
        action = "Do not read much into small differences of scores: the wording of a text alone makes such ones."
    return Answer(TITLE, _sentence(found), action, TITLE)


def _sentence(found: Json) -> str:
    kept = ", and ".join(
        f"{each['edit']} keeps {percent(each['kept'])} of the places in best 10" for each in found["edits"]
    )
    by_chance = percent(found["edits"][0]["by_chance"])
    return f"{kept[0].upper()}{kept[1:]}; a random order keeps {by_chance}."


def _figure(found: Json, fingerprint: str | None) -> Figure:
    drawn = [
        {"edit": each["edit"], "what": what, "share": each[name]}
        for each in found["edits"]
        for name, what in (("kept", "best 10 kept"), ("beyond_chance", "kept beyond chance"), ("moved", "steps moved"))
        if each[name] is not None
    ]
    age = ""
    if found["fingerprint"] != fingerprint:
        age = f" Measured at {found['made_at']}; matches were rescored since, and jv report measures again."
    return Figure(
        "What do harmless edits of what a profile seeks change?",
        table(
            found["edits"],
            {"edit": lambda each: str(each["edit"]), "best 10 kept": of("kept", percent),
             "95 % from": of("kept_low", percent), "to": of("kept_high", percent),
             "in random order": of("by_chance", percent), "beyond chance": of("beyond_chance", percent),
             "pairs": of("pairs"), "steps moved": of("moved", percent), "from": of("moved_low", percent),
             "to ": of("moved_high", percent), "points a match": of("change")},
        ),
        lambda: charts.rows(drawn, "edit", "share", "share", series="what"),
        f"A sample of {number(found['profiles'])} profiles with more than 10 matches each, {number(found['matches'])} "
        f"in all, with {found['model']}. Steps moved: the pairs whose Offering↔Seeking comes to another step. Points: "
        f"how far their match scores move on average. Intervals are clustered by profile.{age}",
    )  # fmt: skip
