"""The sections of the report, in the order of their questions."""

from dataclasses import replace

from jv_assets.names import (
    EMBEDDING_ISOLATION,
    EVALUATION,
    MATCH_CANDIDATES,
    PRODUCTION_IMPACT,
    SIMILARITY_CALIBRATION,
    TRIAL_SCORES,
)
from jv_assets.reports import (
    aggregation_comparison,
    congestion,
    embedding_isolation,
    evaluation,
    exactness,
    match_candidates,
    momentum_bottleneck,
    momentum_options,
    nights,
    pair_share,
    production_impact,
    similarity_calibration,
    text_robustness,
    trial_scores,
)
from jv_assets.reports.figures import NOTHING, Figure, Section, number, percent, with_interval
from jv_assets.reports.tallies import TALLIED
from jv_scoring.analysis.tallies import Json
from jv_scoring.policy import DIMENSIONS

TITLE = "What the match scores mean"


def sections(report: Json) -> list[Section]:
    """Return all sections."""
    return [
        *exactness.section(report),
        *evaluation.sections(report.get(EVALUATION)),
        *_of_sample(report, [embedding_isolation.section(report)]),
        *text_robustness.sections(report),
        *_of_sample(
            report,
            [
                momentum_bottleneck.section(report),
                pair_share.section(report),
                aggregation_comparison.section(report),
            ],
        ),
        momentum_options.section(report),
        *_of_sample(
            report,
            [embedding_isolation.fallbacks(report), production_impact.section(report), congestion.section(report)],
        ),
        *nights.sections(report.get("nights")),
        *match_candidates.sections(report.get(MATCH_CANDIDATES)),
        *similarity_calibration.sections(report.get(SIMILARITY_CALIBRATION)),
        *trial_scores.sections(report.get(TRIAL_SCORES)),
    ]


def _of_sample(report: Json, sections: list[Section]) -> list[Section]:
    """Say above the first figure of each section of a sampled report that it counts the sample only."""
    sample = report["sample"]
    if not sample:
        return sections
    told = f"Counts are of the sample alone, {number(report['headline']['matches'])} of {number(sample['of'])} matches."

    def first(figure: Figure) -> Figure:
        return replace(figure, note=f"{told} {figure.note}".strip())

    return [replace(each, figures=[first(each.figures[0]), *each.figures[1:]]) for each in sections]


def headlines(report: Json) -> list[tuple[str, str]]:
    """Return names and values of the numbers at the top."""
    headline = report["headline"]
    tiers = ", ".join(f"{number(headline[name])} {name.capitalize()}" for name in ("excellent", "good", "fair", "poor"))
    sample = report["sample"]
    here = ", in the sample" if sample else ""
    return [
        ("Matches in the sample", f"{number(headline['matches'])} of {number(sample['of'])}")
        if sample
        else ("Matches scored", number(headline["matches"])),
        ("Profiles", number(headline["profiles"])),
        (
            "Match score",
            f"mean {number(headline['mean'])}, median {number(headline['median'])}, sd {number(headline['sd'])}",
        ),
        (f"Tiers{here}", tiers),
        ("Embeddings beyond random", with_interval(report[EMBEDDING_ISOLATION]["beyond_random"])),
        ("Comparisons by word overlap", percent(headline["fallback_share"])),
        ("Points lost a direction", _lost(headline)),
        ("No data for Momentum", percent(headline["floor_share"])),
        (f"Gini of places in best 10{here}", number(headline["congestion_gini"])),
    ]


def _lost(headline: Json) -> str:
    if headline["lost_intent"] is None:
        return NOTHING
    return ", ".join(f"{name.capitalize()} {number(headline[f'lost_{name}'], 1)}" for name in DIMENSIONS)


def summary(report: Json) -> list[tuple[str, str]]:
    """Return the summary: what the report is about."""
    return [
        ("Made at", report["made_at"]),
        ("Policy", report["policy"] or "no match was scored"),
        ("Rules", report["scoring_version"]),
        ("Ranges", str(report["ranges"])),
    ]


def warnings(report: Json) -> list[str]:
    """Return warnings about missing and stale parts."""
    missing: dict[tuple[str, ...], list[str]] = {}
    for asset, keys in report["missing_ranges"].items():
        missing.setdefault(tuple(keys), []).append(asset)
    lines = [
        f"{len(keys)} of {report['ranges']} ranges ({', '.join(keys)}) are missing in {', '.join(assets)}: what is "
        "said here is of the others."
        for keys, assets in missing.items()
    ]
    stale: dict[tuple[str, ...], list[str]] = {}
    for asset, keys in report["stale_ranges"].items():
        stale.setdefault(tuple(keys), []).append(asset)
    lines += [
        f"{len(keys)} of {report['ranges']} ranges ({', '.join(keys)}) were rescored since {', '.join(assets)} "
        "tallied them: this report describes the older scores. jv report makes all again."
        for keys, assets in stale.items()
    ]
    if sample := report["sample"]:
        lines.append(
            f"All this is of a sample of {number(report['embedding_isolation']['matches'])} of {number(sample['of'])} "
            "matches, drawn by id hash: estimates, of which the report gives the 95 % intervals."
        )
    lines += momentum_options.warnings(report)
    moments = report[PRODUCTION_IMPACT].get("compared_moments")
    of_now = [asset for asset in TALLIED if asset != PRODUCTION_IMPACT or not (moments and moments["until"])]
    counts = {asset: report[asset]["matches"] for asset in of_now}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{asset} {number(count)}" for asset, count in counts.items())
        lines.append(f"The reports are not of the same matches ({told}): make all of them again: jv report.")
    return lines
