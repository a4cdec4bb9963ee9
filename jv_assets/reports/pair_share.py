"""The section pair_share: how much of a score is about the pair?"""

from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.reports import charts
from jv_assets.reports.figures import NOTHING, Figure, Section, label, number, of, percent, signed, table, words
from jv_assets.reports.sampling import Sample
from jv_assets.reports.tallies import Merged, scored
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import pair_share
from jv_scoring.analysis.aggregation_comparison import current, spearman
from jv_scoring.analysis.clustered import difference, interval, mean_of
from jv_scoring.analysis.pair_share import MEASURES, PAIR_COLUMNS, SIDES, Pairs
from jv_scoring.analysis.tallies import Json
from jv_scoring.factors import FIELDS_COUNTED
from jv_scoring.policy import POLICIES

TITLE = "How much of a score is about the pair?"
MOST_PAIRS = 2_000_000
"""How many matches the fit holds at most, 20 bytes each; of more it takes a sample, drawn by a hash of their ids."""
_NAMES = {"score_ab": "score A→B", "harmonic_mean": "match score"}
_FIGURE_NAMES = {"a": "A alone", "b": "B alone", "both": "A and B apart", "pair": "the pair"}


def numbers(merged: Merged) -> Json:
    """Return what the tallies say: variance by one profile alone, filled fields, and means with intervals by
    profile.
    """
    aggregation = merged.aggregation
    now = current(aggregation)
    histograms, sums, joints = aggregation.histograms, aggregation.sums, aggregation.joints
    return {
        "by_side": [
            {"measure": name, "side": side}
            | pair_share.by_one_side(sums[f"as_{side}"], histograms[f"{now} {name}"], name)
            for name in MEASURES
            for side in SIDES
        ],
        "filled": [
            {"factor": factor, "fields": len(fields), "spearman": spearman(joints[f"filled {factor}"])}
            for factor, fields in FIELDS_COUNTED.items()
        ],
        "means": _means(merged, now),
    }


def _means(merged: Merged, now: str) -> list[Json]:
    histograms, by_profile = merged.aggregation.histograms, merged.aggregation.sums["profiles"]
    of_pairs = [
        mean_of(each.histograms["change_harmonic_mean"], each.sums["profiles"], "change") if each else None
        for each in (merged.isolation, merged.random)
    ]
    means = {
        "mean match score": mean_of(histograms[f"{now} harmonic_mean"], by_profile, "harmonic_mean"),
        "change by embeddings": of_pairs[0],
        "change by embeddings beyond random pairs": difference(*of_pairs),
    }
    means |= {
        f"change under {name}": mean_of(histograms[f"{name} change"], by_profile, name)
        for name in POLICIES
        if name != now
    }
    return [{"mean": name, **interval(mean)} for name, mean in means.items()]


def fit(files: RangeFiles, sample: Json | None) -> list[Json]:
    """Return by measure the share of the variance that both profiles explain apart from each other.

    Reads every match, or those of the report's sample.
    """
    keys = files.made(MATCH_SCORES, ID_RANGES.get_partition_keys())
    chosen = Sample(**sample) if sample else _bounded(files, keys)
    pairs = Pairs.of(rows for key in keys for rows in scored(files, key, PAIR_COLUMNS, chosen))
    return [{"measure": name, "matches": len(pairs.a), **pairs.by_both_sides(name)} for name in MEASURES]


def _bounded(files: RangeFiles, keys: list[str]) -> Sample | None:
    matches = sum(files.metadata(MATCH_SCORES, key)["rows"] for key in keys)
    return Sample(MOST_PAIRS, matches) if matches > MOST_PAIRS else None


def section(report: Json) -> Section:
    """Return the section. Without `pair_fit`, it says nothing of both profiles together."""
    found = report["pair_share"]
    return Section(
        TITLE,
        answer(report),
        [_variance(report), _filled(found), _beyond(found)],
    )


def shares(report: Json, measure: str) -> dict[str, Json]:
    """Return by `a`, `b`, `both` and `pair` the share of the variance of a measure, and the same corrected."""
    by_side = {each["side"]: each for each in report["pair_share"]["by_side"] if each["measure"] == measure}
    fitted = {each["measure"]: each for each in report.get("pair_fit", [])}
    both = fitted.get(measure, {"share": None, "corrected": None})
    pair = {name: None if both[name] is None else 1 - both[name] for name in ("share", "corrected")}
    return {**by_side, "both": both, "pair": pair}


def answer(report: Json) -> str:
    """Return how much of both scores depends on one profile alone, and on the pair."""
    ab, match = (shares(report, name) for name in MEASURES)
    if ab["b"]["share"] is None:
        return "The scores do not vary, so nothing can be said."
    filled = max(report["pair_share"]["filled"], key=lambda each: abs(each["spearman"] or 0))
    told = f"Of the variance of score A→B {percent(ab['b']['share'])} is the suggested profile alone, whoever A is."
    if match["both"]["share"] is not None:
        told += (
            f" Of the match score's, {percent(match['both']['share'])} is the two profiles apart from each other, and "
            f"{percent(match['pair']['share'])} is about the pair."
        )
    if filled["spearman"] is None:
        return told
    return (
        f"{told} The rank correlation of score A→B with how many fields of B are filled (of {filled['fields']}) is "
        f"{number(filled['spearman'])}."
    )


def _variance(report: Json) -> Figure:
    records = [
        {"score": _NAMES[measure], "of": _FIGURE_NAMES[name], **share}
        for measure in MEASURES
        for name, share in shares(report, measure).items()
    ]
    drawn = [
        {"score": _NAMES[measure], "part": part, "share": value}
        for measure in MEASURES
        for part, value in _parts(shares(report, measure))
    ]
    matches = max([each["matches"] for each in report.get("pair_fit", [])], default=0)
    return Figure(
        "Which share of the variance is A, B, or the pair?",
        table(
            records,
            {"score": label("score"), "explained by": label("of"), "share": of("share", percent),
             "corrected for chance": of("corrected", percent)},
            texts=(0, 1),
        ),
        (lambda: charts.rows(drawn, "score", "share", "share of the variance", series="part", stack=True))
        if drawn
        else None,
        f"Of {number(matches)} matches. Alone: between profiles on that side. Apart: least squares of one number for "
        "each A plus one for each B; the pair is what they leave. Corrected: less what so many numbers explain by "
        "chance.",
    )  # fmt: skip


def _parts(found: dict[str, Json]) -> list[tuple[str, float]]:
    """Return shares that add up to 1: B alone, what A adds, the pair."""
    b, both = found["b"]["share"], found["both"]["share"]
    if b is None or both is None:
        return []
    return [("B alone", b), ("A beside B", max(both - b, 0.0)), ("the pair", 1 - both)]


def _filled(found: Json) -> Figure:
    return Figure(
        "Does score A→B follow how much of B is filled in?",
        table(
            found["filled"],
            {"filled fields of B": lambda each: words(str(each["factor"])), "of": of("fields"),
             "Spearman": lambda each: number(each["spearman"], 3)},
        ),
        note="Rank correlation over all matches: 1 is the same order, 0 is none.",
    )  # fmt: skip


def _beyond(found: Json) -> Figure:
    return Figure(
        "How far do these means hold for other profiles?",
        table(
            found["means"],
            {"mean": lambda each: str(each["mean"]), "value": of("value", lambda value: signed(value, 3)),
             "95 % from": of("low", lambda value: signed(value, 3)), "to": of("high", lambda value: signed(value, 3)),
             "error by profile": of("error", lambda value: number(value, 3)),
             "by match": of("error_by_match", lambda value: number(value, 3)),
             "profiles": lambda each: NOTHING if each["profiles"] is None else number(each["profiles"])},
        ),
        note="Of these matches the means are exact. For other profiles like these they hold within the interval, which "
        "is clustered by profile: matches that share a profile are not independent. By match: the standard error if "
        "they were. Changes are against the current policy.",
    )  # fmt: skip
