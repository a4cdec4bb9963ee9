"""Make the one dict that page, text and JSON show."""

from dataclasses import asdict
from datetime import UTC, datetime

from jv_assets import settings
from jv_assets.names import AGGREGATION_COMPARISON, EMBEDDING_ISOLATION, MOMENTUM_BOTTLENECK, PRODUCTION_IMPACT
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.rules import in_force
from jv_assets.reports import pair_share
from jv_assets.reports.congestion_numbers import baselines, congestion
from jv_assets.reports.exactness import intervals
from jv_assets.reports.tallies import Merged, bars
from jv_scoring.analysis import (
    aggregation_comparison,
    embedding_isolation,
    momentum_bottleneck,
    production_impact_report,
)
from jv_scoring.analysis.production_impact import Impact
from jv_scoring.analysis.rows import BOTH
from jv_scoring.analysis.tallies import Json
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import DIMENSIONS

_POINT, _HALF, _QUARTER = 100, 50, 25
"""Widths of bars, in hundredths."""


def report_of(merged: Merged, *, old_sample: bool = False) -> Json:
    """Return all numbers, plain: no NaN, None if there is no value.

    `old_sample`: also the means over the 50 best by the older matcher's match_score.
    """
    histograms = merged.isolation.histograms
    best = embedding_isolation.BEST if old_sample else 0
    embeddings = embedding_isolation.report(merged.isolation, best, merged.random) | {
        "score_bars": [
            {"side": side, **bar}
            for side, name in (("word overlap only", "words"), ("with embeddings", "embeddings"))
            for bar in bars(histograms[f"{name}_harmonic_mean"], _POINT)
        ],
        "change_bars": bars(histograms["change_harmonic_mean"], _HALF),
    }
    dimensions = merged.momentum.histograms
    low = momentum_bottleneck.report(merged.momentum, merged.coverage) | {
        "dimension_bars": [
            {"dimension": name, **bar}
            for name in DIMENSIONS
            for bar in bars(dimensions[f"{name}_{DIRECTIONS[0]}"] + dimensions[f"{name}_{DIRECTIONS[1]}"], _QUARTER)
        ],
    }
    profiles = merged.coverage.counts["floor"].at(None)
    report = {
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "scoring_version": in_force(settings.embedding_model()).version,
        "policy": embeddings["policy"],
        "ranges": len(ID_RANGES.get_partition_keys()),
        "missing_ranges": {asset: list(keys) for asset, keys in merged.missing.items() if keys},
        "stale_ranges": {asset: list(keys) for asset, keys in merged.stale.items() if keys},
        "sample": asdict(merged.sample) if merged.sample else None,
        "profiles": profiles,
        EMBEDDING_ISOLATION: embeddings,
        MOMENTUM_BOTTLENECK: low,
        AGGREGATION_COMPARISON: aggregation_comparison.report(merged.aggregation),
        PRODUCTION_IMPACT: impact_numbers(merged.impact, merged.hours, merged.compared),
        "pair_share": pair_share.numbers(merged),
        "fallbacks": merged.fallbacks,
        "congestion": {
            "policy": aggregation_comparison.current(merged.aggregation),
            **congestion(aggregation_comparison.best_matches(merged.aggregation), profiles),
            **baselines(merged.aggregation, profiles),
        },
    }
    return report | {"headline": headline(report), "intervals": intervals(report) if merged.sample else []}


def impact_numbers(tally: Impact, hours: float, compared: Json | None = None) -> Json:
    """Return the numbers of the section production_impact. `hours` 0: the moments are those in `compared`.

    Without `compared`, the stored scores of this moment are compared with the computed ones.
    """
    return production_impact_report.report(tally) | {
        "hours": hours,
        "compared_moments": compared or None,
        "score_bars": [
            {"side": side, **bar}
            for side in ("before", "now")
            for bar in bars(tally.histograms[f"{side} same"], _POINT)
        ],
    }


def headline(report: Json) -> Json:
    """Return the numbers at the top of the page, which the UI plots over the nights."""
    embeddings, low = report[EMBEDDING_ISOLATION], report[MOMENTUM_BOTTLENECK]
    score = record(embeddings["measures"], measure="harmonic_mean", side="embeddings")
    change = record(embeddings["measures"], measure="harmonic_mean", side="change")
    policies = report[AGGREGATION_COMPARISON]
    tiers = record(policies["tiers"], policy=policies["current"], score="harmonic_mean")
    evaluations = record(embeddings["evaluations"], direction=BOTH, factor=BOTH)
    return {
        "matches": embeddings["matches"],
        "profiles": report["profiles"],
        "mean": score["mean"],
        "median": score["median"],
        "sd": score["sd"],
        "change_by_embeddings": change["mean"],
        "embeddings_beyond_random": embeddings["beyond_random"]["value"],
        **{name.lower(): count for name, count in tiers.items() if isinstance(count, int)},
        "fallback_share": evaluations["word_overlap_share"],
        "momentum_bottleneck_share": record(low["weakest"], direction=BOTH, dimension="momentum")["share"],
        **{f"lost_{each['dimension']}": each["lost"] for each in low["waterfall"]["dimensions"]},
        "floor_share": low["floor"][f"share_{BOTH}"],
        "target_share": record(report["pair_share"]["by_side"], measure="score_ab", side="b")["share"],
        "congestion_gini": report["congestion"]["gini"],
        "missing_ranges": len({key for keys in report["missing_ranges"].values() for key in keys}),
    }


def record(records: list[Json], **labels: str) -> Json:
    """Return the one record with these labels."""
    (only,) = [each for each in records if all(each[name] == label for name, label in labels.items())]
    return only
