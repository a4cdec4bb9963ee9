"""The tallies of ranges, kept as one row of JSON each, and what all of them come to."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pandas as pd

from jv_assets.errors import UserError
from jv_assets.partitions import ID_RANGES
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.aggregation import Aggregation
from jv_scoring.analysis.isolation import Isolation
from jv_scoring.analysis.momentum import Coverage, Momentum
from jv_scoring.analysis.tallies import Histogram, Json, Tally, total
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP

TALLIED = ("embedding_isolation", "momentum_bottleneck", "aggregation_comparison")
"""The assets whose tallies make the report."""
_TALLY, _PROFILES = "tally", "profiles"
AnyTally = TypeVar("AnyTally", bound=Tally)


def scored(files: RangeFiles, key: str, columns: list[str]) -> pd.DataFrame:
    """These columns of a range's scores; UserError, the same for all ranges, where they were never made."""
    if not files.exists("match_scores", key):
        raise UserError("no scores: materialize match_scores first (jv rescore makes all)")
    return files.read("match_scores", key, columns)


def keep(files: RangeFiles, asset: str, key: str, tally: Tally, rows: int, *, profiles: Tally | None = None) -> int:
    """Write a range's tally, and that of its profiles where there is one. Returns the bytes written."""
    kept = {_TALLY: tally} | ({_PROFILES: profiles} if profiles else {})
    row = pd.DataFrame({name: [json.dumps(of.to_json(), separators=(",", ":"))] for name, of in kept.items()})
    return files.write(asset, key, row, {"rows": rows, "policy": tally.policy})


@dataclass(frozen=True)
class Merged:
    """All ranges together. fallbacks: a record a range. missing: by asset, the ranges that were never tallied."""

    isolation: Isolation
    momentum: Momentum
    coverage: Coverage
    aggregation: Aggregation
    fallbacks: list[Json]
    missing: Mapping[str, list[str]]


def merge(files: RangeFiles) -> Merged:
    """Of all ranges that were tallied; UserError where a report has none, or they are of several policies.

    A tally whose scores are gone counts as missing.
    """
    every = ID_RANGES.get_partition_keys()
    of_scores = [key for key in every if files.exists("match_scores", key)]
    there = {asset: [key for key in of_scores if files.exists(asset, key)] for asset in TALLIED}
    if empty := [asset for asset, keys in there.items() if not keys]:
        raise UserError(f"no range of {', '.join(empty)} was ever made: type jv report, which makes them")
    _refuse_several_policies(files, there)
    fallbacks: list[Json] = []

    def noted(key: str, tally: Isolation) -> Isolation:
        fallbacks.append(_fallbacks(key, tally))
        return tally

    def of(asset: str, kind: type[AnyTally], column: str = _TALLY, note: Callable[[str, Any], Any] | None = None
           ) -> AnyTally:  # fmt: skip
        def each() -> Iterator[AnyTally]:
            for key in there[asset]:
                tally = kind.from_json(json.loads(files.read(asset, key, [column])[column].iloc[0]))
                yield note(key, tally) if note else tally

        return total(each())

    isolation, momentum, aggregation = TALLIED
    return Merged(
        isolation=of(isolation, Isolation, note=noted),
        momentum=of(momentum, Momentum),
        coverage=of(momentum, Coverage, _PROFILES),
        aggregation=of(aggregation, Aggregation),
        fallbacks=fallbacks,
        missing={asset: [key for key in every if key not in keys] for asset, keys in there.items()},
    )


def _refuse_several_policies(files: RangeFiles, there: Mapping[str, list[str]]) -> None:
    ranges: dict[str, set[str]] = {}
    for asset, keys in there.items():
        for key in keys:
            if policy := files.facts(asset, key)["policy"]:
                ranges.setdefault(policy, set()).add(key)
    if len(ranges) > 1:
        shown = "; ".join(f"{policy}: {_few(sorted(keys))}" for policy, keys in sorted(ranges.items()))
        raise UserError(f"ranges were scored under several policies ({shown}): score all under one (jv rescore) first")


def _few(keys: list[str]) -> str:
    return ", ".join(keys if len(keys) <= 8 else [*keys[:3], "…", keys[-1]])


def _fallbacks(key: str, tally: Isolation) -> Json:
    evaluations = tally.counts["evaluations"]
    by_words, semantic = (evaluations.at(None, None, method) for method in (WORD_OVERLAP, SEMANTIC))
    every = by_words + semantic
    return {"range": key, "evaluations": every, "word_overlap": by_words, "share": by_words / every if every else None}


def bars(histogram: Histogram, width: int) -> list[Json]:
    """A histogram's bars as shares, without the empty ones at both ends."""
    found, count = histogram.bars(width), histogram.count
    filled = [place for place, bar in enumerate(found) if bar["count"]]
    kept = found[filled[0] : filled[-1] + 1] if filled else []
    return [{**bar, "share": bar["count"] / count} for bar in kept]
