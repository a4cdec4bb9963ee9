"""The section similarity_calibration: what does a cosine of the model mean?"""

from collections.abc import Callable, Sequence

import numpy as np

from jv_assets.reports import charts
from jv_assets.reports.figures import NOTHING, Figure, Section, number, of, percent, signed, table
from jv_scoring.analysis.calibration_pairs import NEAR_MISS, PARAPHRASE
from jv_scoring.analysis.similarity_calibration import BINS, ENOUGH
from jv_scoring.analysis.tallies import Ints, Json
from jv_scoring.columns import Floats
from jv_scoring.synergy import SYNERGY

TITLE = "What does a cosine mean?"
NAMES = {factor.column: factor.name for factor in SYNERGY[:2]}
_BAR = 25
"""Bars of 0.001 that one point of the chart adds up."""
_RANDOM = "random pairs"


def sections(report: Json | None) -> list[Section]:
    """Return the section; none if nothing was measured for the model."""
    if report is None:
        return []
    factors = report["factors"]
    figures = [each for factor in factors for each in (_reached(factor), _proposed(factor))]
    return [
        Section(
            TITLE,
            _answer(report),
            [*figures, *_moves(report["moves"]), *_labels(report["labels"]), *_languages(factors)],
        )
    ]


def _answer(report: Json) -> str:
    told = []
    for factor in report["factors"]:
        first = factor["steps"][-1]
        told.append(
            f"{NAMES[factor['factor']]}: {percent(first['random'])} of random pairs reach the first step "
            f"({number(first['limit'], 3)})."
        )
    lacking = [NAMES[each["factor"]] for each in report["factors"] if each["proposal"]["verdict"] != ENOUGH]
    verdict = f"Not enough data to propose steps for {' and '.join(lacking)}." if lacking else (
        "Steps are proposed for both factors; they change no score until somebody saves and uses them."
    )  # fmt: skip
    under = f", under calibration {report['calibration']}" if report["calibration"] else ""
    return f"{' '.join(told)} {verdict} Measured at {report['made_at']} for {report['model']}{under}."


def _reached(factor: Json) -> Figure:
    columns: dict[str, Callable[[Json], str]] = {
        "score": of("score", lambda value: number(value, 1)),
        "from cosine": of("limit", lambda value: number(value, 3)),
        "random pairs": of("random", percent),
        "95 % from": of("low", percent),
        "to": of("high", percent),
        "paraphrases": of("paraphrases", percent),
        "near misses": of("near_misses", percent),
    }
    return Figure(
        f"How many pairs reach each step of {NAMES[factor['factor']]}?",
        table(factor["steps"], columns, texts=()),
        (lambda: _drawn(factor)) if factor["pairs"] else None,
        f"{number(factor['pairs'])} random pairs of {number(factor['profiles'])} profiles, {factor['source']} against "
        f"{factor['target']}. {_aucs(factor)}{_drift(factor)}In the chart, lines are the steps in force, and dashes "
        "the proposed ones.",
    )


def _aucs(factor: Json) -> str:
    told = [
        f"{number(each['value'], 3)} (95 % {number(each['low'], 3)} to {number(each['high'], 3)}) against "
        f"{each['against']}"
        for each in factor["auc"]
        if each["low"] is not None
    ]
    return f"AUC of paraphrases: {', '.join(told)}. " if told else ""


def _drift(factor: Json) -> str:
    drift = factor["drift"]
    if drift is None or drift["distance"] is None:
        return ""
    return (
        f"Since the last measurement, the distribution moved by {number(drift['distance'], 3)} (greatest difference of "
        f"the shares) and its mean by {signed(drift['mean'], 3)}. "
    )


def _drawn(factor: Json) -> str:
    places = np.array(factor["histogram"]["at"], np.int64)
    counts = np.array(factor["histogram"]["counts"], np.float64)
    shares = {_RANDOM: _shares(places, counts)}
    for kind, name in ((PARAPHRASE, "paraphrases"), (NEAR_MISS, "near misses")):
        cosines = np.array(factor["text_cosines"][kind])
        shares[name] = _shares(np.floor(cosines * BINS).astype(np.int64), np.ones(len(cosines)))
    records = [
        {"x": (k + 0.5) * _BAR / BINS, "y": share, "pairs": name}
        for name, values in shares.items()
        for k, share in enumerate(values)
    ]
    steps = [(factor["steps"], False), (factor["proposal"]["steps"], True)]
    rules = [
        {"at": each["limit"], "label": number(each["score"], 1), "dashed": dashed}
        for rungs, dashed in steps
        for each in rungs
    ]
    return charts.lines_with_rules(records, "pairs", rules, ("cosine", "share of pairs"))


def _shares(places: Ints, counts: Floats) -> list[float]:
    bars = np.bincount(places // _BAR, counts, BINS // _BAR + 1)
    shares: list[float] = (bars / max(bars.sum(), 1)).tolist()
    return shares


def _proposed(factor: Json) -> Figure:
    proposal = factor["proposal"]
    now = {each["score"]: each["limit"] for each in factor["steps"]}
    columns: dict[str, Callable[[Json], str]] = {
        "score": of("score", lambda value: number(value, 1)),
        "wanted rate": of("rate", percent),
        "cosine now": lambda each: number(now[each["score"]], 3),
        "proposed": of("limit", lambda value: number(value, 3)),
        "95 % ±": of("half_width", lambda value: number(value, 4)),
        "paraphrases": of("paraphrases", percent),
        "near misses": of("near_misses", percent),
    }
    verdict = "" if proposal["verdict"] == ENOUGH else f"Not enough data, so these are no proposal: {proposal['why']}. "
    return Figure(
        f"Which steps would have the wanted rates for {NAMES[factor['factor']]}?",
        table(proposal["steps"], columns, texts=()),
        None,
        f"{verdict}The rate is the share of random pairs that reach the step.",
    )


def _moves(moves: Json | None) -> list[Figure]:
    if moves is None:
        return []
    rows = [{"what": f"{NAMES[each['factor']]}, comparisons", **each} for each in moves["factors"]]
    rows.append({"what": "match score", **moves["matches"]})
    columns: dict[str, Callable[[Json], str]] = {
        "what": lambda each: str(each["what"]),
        "raised": of("raised"),
        "same": of("same"),
        "lowered": of("lowered"),
        "mean now": of("mean_now"),
        "mean then": of("mean_then"),
    }
    matches = sum(moves["matches"][name] for name in ("raised", "same", "lowered"))
    tiers = moves["tiers"]
    note = (
        f"Of {number(matches)} of {number(moves['of'])} matches, under {moves['matches']['policy']}, if all proposed "
        f"steps were used: {number(tiers['raised'])} matches would rise to a higher tier and "
        f"{number(tiers['lowered'])} fall to a lower one. A mean that moves is no better or worse score: the steps say "
        "how strict the scale is."
    )
    return [Figure("What moves if the steps move?", table(rows, columns), None, note)]


def _labels(labels: Sequence[Json]) -> list[Figure]:
    if not any(each["labels"] for each in labels):
        return []
    columns: dict[str, Callable[[Json], str]] = {
        "factor": lambda each: NAMES[each["factor"]],
        "labels": of("labels"),
        "label 1": of("positive"),
        "fall of log loss": of("improvement", lambda value: signed(value, 4)),
        "95 % from": of("low", lambda value: signed(value, 4)),
        "to": of("high", lambda value: signed(value, 4)),
        "verdict": lambda each: f"{each['verdict']}: {each['why']}" if each["why"] else str(each["verdict"]),
    }
    note = (
        "Isotonic regression of people's actions along the cosine, against one rate for each step in force. Both are "
        "fitted on some profiles and judged on others. It is accepted only if the whole interval is above 0."
    )
    shown = table(labels, columns, texts=(0, 6))
    return [Figure("Do people's actions follow the cosine more closely?", shown, None, note)]


def _languages(factors: Sequence[Json]) -> list[Figure]:
    rows = [
        {"factor": NAMES[factor["factor"]], **each, "first": each["steps"][-1]["random"]}
        for factor in factors
        for each in factor["languages"]
    ]
    if not rows:
        return []
    columns: dict[str, Callable[[Json], str]] = {
        "factor": lambda each: str(each["factor"]),
        "language": lambda each: str(each["language"]),
        "random pairs": of("pairs"),
        "mean cosine": of("mean", lambda value: number(value, 3)),
        "reach the first step": of("first", percent),
    }
    note = "Random pairs of two texts in one language, as their commonest words tell it; other pairs are in no row."
    return [Figure("Does it depend on the language?", table(rows, columns, texts=(0, 1)), None, note)]


def proposal_rows(report: Json) -> tuple[list[str], list[list[str]]]:
    """Return columns and cells of the steps in force beside the proposed ones."""
    columns = ["factor", "score", "cosine now", "random pairs", "wanted", "proposed", "±", "verdict"]
    rows = []
    for factor in report["factors"]:
        proposal = factor["proposal"]
        then = {each["score"]: each for each in proposal["steps"]}
        for step in factor["steps"]:
            new = then.get(step["score"])
            cells = [NAMES[factor["factor"]], number(step["score"], 1), number(step["limit"], 3)]
            cells.append(percent(step["random"]))
            cells += [percent(new["rate"]), number(new["limit"], 3)] if new else [NOTHING, NOTHING]
            cells += [number(new["half_width"], 4) if new else NOTHING, proposal["verdict"]]
            rows.append(cells)
    return columns, rows
