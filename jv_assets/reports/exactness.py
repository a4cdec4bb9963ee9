"""The section on exactness: how exact are the figures of a sample?"""

from collections.abc import Callable

from jv_assets.names import AGGREGATION_COMPARISON, EMBEDDING_ISOLATION, MOMENTUM_BOTTLENECK
from jv_assets.reports.figures import Figure, Section, number, percent, table
from jv_assets.reports.sampling import of_mean, of_share
from jv_scoring.analysis.rows import BOTH
from jv_scoring.analysis.tallies import Json


def intervals(report: Json) -> list[Json]:
    """Return one record per figure: `figure`, `kind` (mean or share), `value`, and its 95 % interval `low` and `high`.

    Directions and comparisons of one match are alike, so they count as one observation. The intervals are rather too
    wide than too narrow.
    """
    embeddings, low, policies = (
        report[name] for name in (EMBEDDING_ISOLATION, MOMENTUM_BOTTLENECK, AGGREGATION_COMPARISON)
    )
    matches = embeddings["matches"]
    means = [
        (name, of)
        for name, side in (("mean match score", "embeddings"), ("change by embeddings", "change"))
        for of in embeddings["measures"]
        if (of["measure"], of["side"]) == ("harmonic_mean", side)
    ]
    means += [(f"mean of {of['dimension']}", of) for of in low["dimensions"] if of["direction"] == BOTH]
    means += [
        (f"mean match score under {of['policy']}", of)
        for of in policies["scores"]
        if of["score"] == "harmonic_mean" and of["policy"] != report["policy"]
    ]
    shares = [(f"{of['dimension']} is the weakest", of["share"]) for of in low["weakest"] if of["direction"] == BOTH]
    shares.append(("no data for Momentum", low["floor"][f"share_{BOTH}"]))
    shares += [
        ("comparisons by word overlap", of["word_overlap_share"])
        for of in embeddings["evaluations"]
        if (of["direction"], of["factor"]) == (BOTH, BOTH)
    ]
    return [
        *({"figure": name, "kind": "mean", **of_mean(of["mean"], of["sd"], matches)} for name, of in means),
        *({"figure": name, "kind": "share", **of_share(share, matches)} for name, share in shares),
    ]


def section(report: Json) -> list[Section]:
    """Return the section for a report of a sample; none for a report of all matches, whose figures are exact."""
    sample = report["sample"]
    if not sample:
        return []
    show: dict[str, Callable[[float | None], str]] = {"mean": number, "share": percent}
    shown = table(
        report["intervals"],
        {
            "figure": lambda each: str(each["figure"]),
            "in the sample": lambda each: show[each["kind"]](each["value"]),
            "95 % from": lambda each: show[each["kind"]](each["low"]),
            "to": lambda each: show[each["kind"]](each["high"]),
        },
    )
    matches = number(report[EMBEDDING_ISOLATION]["matches"])
    answer = (
        f"This report is of {matches} of {number(sample['of'])} matches, drawn by a hash of their ids: the same ones "
        "each time. So its figures are estimates of those of all matches, each with its 95 % interval."
    )
    note = (
        "Means by the normal approximation, shares after Wilson, from the number of matches in the sample. Best 10, "
        "congestion and the most changed matches are those of the matches in it, and no estimate for all."
    )
    figure = Figure("Between which bounds are the figures of all matches?", shown, note=note)
    return [Section("How exact are these figures?", answer, [figure])]
