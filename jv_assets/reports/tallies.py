"""Store the tally of each partition as one row of JSON, and merge the tallies of all."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import pandas as pd

from jv_assets.errors import UserError
from jv_assets.names import (
    AGGREGATION_COMPARISON,
    EMBEDDING_ISOLATION,
    MATCH_SCORES,
    MOMENTUM_BOTTLENECK,
    PRODUCTION_IMPACT,
)
from jv_assets.partition_cut import listed
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.changes import fingerprint_of
from jv_assets.reports.sampling import Sample
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.aggregation_comparison import Aggregation
from jv_scoring.analysis.embedding_isolation import Isolation, RandomPairs
from jv_scoring.analysis.evaluation import Evaluation
from jv_scoring.analysis.momentum_bottleneck import Coverage, Momentum
from jv_scoring.analysis.production_impact import Impact
from jv_scoring.analysis.tallies import Histogram, Json, Tally, total
from jv_scoring.policy import SCORING_VERSION
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP

TALLIED = (EMBEDDING_ISOLATION, MOMENTUM_BOTTLENECK, AGGREGATION_COMPARISON, PRODUCTION_IMPACT)
"""The assets whose tallies make the report."""
FORMAT = 2
"""The form of the tallies that this version keeps. Tallies of another form do not add up with them."""
_TALLY, _PROFILES, _RANDOM = "tally", "profiles", "random"
AnyTally = TypeVar("AnyTally", bound=Tally)


def no_scores() -> UserError:
    """Return the error for a report before anything was scored."""
    return UserError("no scores: materialize match_scores first (jv rescore makes all)")


def scored(
    files: RangeFiles, key: str, columns: list[str], sample: Sample | None = None, rows: int | None = None
) -> Iterator[pd.DataFrame]:
    """Yield these columns of a partition's scores, or of a sample of them, in chunks; at least once.

    Without scores, raises a UserError that is the same for all partitions.
    """
    if not files.exists(MATCH_SCORES, key):
        raise no_scores()
    if sample is None:
        yield from files.chunks(MATCH_SCORES, key, columns, rows=rows)
        return
    for chunk in files.chunks(MATCH_SCORES, key, list({"id", *columns}), rows=rows):
        yield sample.draw(chunk)[columns]


def tallied(chunks: Iterable[pd.DataFrame], tally: Callable[[pd.DataFrame], AnyTally]) -> tuple[AnyTally, int]:
    """Return the tally of all rows, and the number of rows."""
    count = 0

    def each() -> Iterator[AnyTally]:
        nonlocal count
        for rows in chunks:
            count += len(rows)
            yield tally(rows)

    return total(each()), count


def keep(
    files: RangeFiles,
    asset: str,
    key: str,
    tally: Tally | Evaluation,
    rows: int,
    *,
    profiles: Tally | None = None,
    random: Tally | None = None,
    sample: Sample | None = None,
    hours: float | None = None,
    compared: Json | None = None,
) -> int:
    """Write a partition's tally, and those of its profiles and of random pairs if there are. Return the bytes written.

    The metadata name the scores: `fingerprint` of all scores of the partition, and `sample` if it is a sample. A tally
    that looks back also has how many `hours`, or which moments are `compared`.
    """
    beside = {_PROFILES: profiles, _RANDOM: random}
    kept: dict[str, Tally | Evaluation] = {_TALLY: tally} | {name: of for name, of in beside.items() if of is not None}
    row = pd.DataFrame({name: [json.dumps(of.to_json(), separators=(",", ":"))] for name, of in kept.items()})
    # With another policy, if the moment had another one.
    policy = None if compared and compared["until"] else tally.policy
    metadata = {"rows": rows, "policy": policy, "fingerprint": fingerprint_of(files, key), "format": FORMAT}
    if policy is not None:
        metadata["scoring_version"] = files.metadata(MATCH_SCORES, key).get("scoring_version")
    metadata[_RANDOM] = random is not None
    more = {"sample": asdict(sample) if sample else None, "hours": hours, "compared": compared}
    return files.write(asset, key, row, metadata | more)


def one_policy(files: RangeFiles, keys: Sequence[str]) -> str:
    """Return the policy of all these partitions; UserError for several."""
    metadata = {MATCH_SCORES: {key: files.metadata(MATCH_SCORES, key) for key in keys}}
    refuse_several_policies(metadata)
    return str(metadata[MATCH_SCORES][keys[0]]["policy"])


@dataclass(frozen=True)
class Merged:
    """The merged tallies of all partitions. random: None if no random pairs were scored. fallbacks: one record per
    partition. sample: None for all matches. hours: how far impact looks back.

    By asset: `missing`, the partitions that were never tallied, and `stale`, those that were rescored since.
    """

    isolation: Isolation
    random: RandomPairs | None
    momentum: Momentum
    coverage: Coverage
    aggregation: Aggregation
    impact: Impact
    hours: float
    compared: Json
    fallbacks: list[Json]
    sample: Sample | None
    missing: Mapping[str, list[str]]
    stale: Mapping[str, list[str]]


def merge(files: RangeFiles) -> Merged:
    """Merge all tallied partitions; UserError if a report has none, or if policies or samples differ.

    A tally without its scores counts as missing. So does one that an older version made (`FORMAT`), and a comparison
    that names no policy.
    """
    every = ID_RANGES.get_partition_keys()
    of_scores = files.made(MATCH_SCORES, every)
    made = {asset: {key: files.metadata(asset, key) for key in files.made(asset, of_scores)} for asset in TALLIED}
    metadata = {asset: {key: of for key, of in keys.items() if _usable(asset, of)} for asset, keys in made.items()}
    there = {asset: list(keys) for asset, keys in metadata.items()}
    if empty := [asset for asset, keys in there.items() if not keys]:
        raise UserError(f"no range of {', '.join(empty)} was ever made: type jv report, which makes them")
    refuse_several_policies(metadata)
    sample = _one_sample(metadata)
    scores = {key: fingerprint_of(files, key) for key in of_scores}
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

    isolation, momentum, aggregation, impact = TALLIED
    _refuse_policies_of_then(metadata[impact])
    return Merged(
        isolation=of(isolation, Isolation, note=noted),
        random=of(isolation, RandomPairs, _RANDOM)
        if all(each[_RANDOM] for each in metadata[isolation].values())
        else None,
        momentum=of(momentum, Momentum),
        coverage=of(momentum, Coverage, _PROFILES),
        aggregation=of(aggregation, Aggregation),
        impact=of(impact, Impact),
        hours=_one_look_back(metadata[impact]),
        compared=_compared(metadata[impact]),
        fallbacks=fallbacks,
        sample=sample,
        missing={asset: [key for key in every if key not in keys] for asset, keys in there.items()},
        stale={
            asset: [key for key, of in of_asset.items() if of.get("fingerprint") != scores[key]]
            for asset, of_asset in metadata.items()
        },
    )


def _usable(asset: str, metadata: Mapping[str, Any]) -> bool:
    named = asset != AGGREGATION_COMPARISON or metadata["policy"] is not None or not metadata["rows"]
    return named and metadata.get("format") == FORMAT


_FileMetadata = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""By asset and partition, the metadata of the tally."""


def refuse_several_policies(metadata: _FileMetadata) -> None:
    """Raise UserError if the partitions were scored under several policies; `metadata` by asset and partition."""
    ranges = _ranges_by(metadata, _rules_of)
    if len(ranges) > 1:
        raise UserError(
            f"ranges were scored under several policies ({_listed(ranges)}): score all under one (jv rescore) first"
        )


def _rules_of(metadata: Mapping[str, Any]) -> str | None:
    """Return the policy of a file, with the version of the rules if a named calibration scored it."""
    policy, version = metadata["policy"], metadata.get("scoring_version") or SCORING_VERSION
    return policy if version == SCORING_VERSION or policy is None else f"{policy} of {version}"


def _refuse_policies_of_then(metadata: Mapping[str, Mapping[str, Any]]) -> None:
    ranges = _ranges_by({PRODUCTION_IMPACT: metadata}, _policy_of_then)
    if len(ranges) > 1:
        raise UserError(
            f"production held scores of several policies then ({_listed(ranges)}): give another --until to jv report"
        )


def _policy_of_then(metadata: Mapping[str, Any]) -> str | None:
    compared = metadata.get("compared") or {}
    return compared["policy"] if compared.get("until") else None


def _one_sample(metadata: _FileMetadata) -> Sample | None:
    def told(of: Mapping[str, Any]) -> str:
        return f"{of['sample']['wanted']:,} of {of['sample']['of']:,} matches" if of.get("sample") else "all matches"

    ranges = _ranges_by(metadata, told)
    if len(ranges) > 1:
        raise UserError(f"reports are of different samples ({_listed(ranges)}): make all again (jv report)")
    (of_asset, *_) = metadata.values()
    (first, *_) = of_asset.values()
    return Sample(**first["sample"]) if first.get("sample") else None


def _one_look_back(metadata: Mapping[str, Mapping[str, Any]]) -> float:
    def told(of: Mapping[str, Any]) -> str | None:
        words = of.get("compared") or {}
        return f"{of['hours']:g} hours" if of["hours"] else f"{words['since']} until {words['until'] or 'now'}"

    ranges = _ranges_by({PRODUCTION_IMPACT: metadata}, told)
    if len(ranges) > 1:
        raise UserError(f"ranges look back differently ({_listed(ranges)}): make all again (jv report)")
    return float(next(iter(metadata.values()))["hours"] or 0)


def _compared(metadata: Mapping[str, Mapping[str, Any]]) -> Json:
    """Return what all partitions compare: the first of the moments, because they are tallied one after the other, and
    the sum of counts.

    `late`: how many partitions have a log that begins after the first moment; `log_begins`: when the last log begins,
    None if one has none yet.
    """
    every = [of["compared"] for of in metadata.values() if of.get("compared")]
    if not every:
        return {}
    late = [of["log_begins"] for of in every if of["log_begins_later"]]
    return {
        **{name: min(of[name] for of in every) if every[0][name] else None for name in ("since", "until")},
        "cause_not_known_any_more": sum(of["cause_not_known_any_more"] for of in every),
        "late": len(late),
        "log_begins": max(late) if late and all(late) else None,
    }


def _ranges_by(metadata: _FileMetadata, told: Callable[[Mapping[str, Any]], str | None]) -> dict[str, set[str]]:
    ranges: dict[str, set[str]] = {}
    for of_asset in metadata.values():
        for key, of in of_asset.items():
            if name := told(of):
                ranges.setdefault(name, set()).add(key)
    return ranges


def _listed(ranges: Mapping[str, set[str]]) -> str:
    return "; ".join(f"{name}: {listed(sorted(keys))}" for name, keys in sorted(ranges.items()))


def _fallbacks(key: str, tally: Isolation) -> Json:
    evaluations = tally.counts["evaluations"]
    by_words, semantic = (evaluations.at(None, None, method) for method in (WORD_OVERLAP, SEMANTIC))
    every = by_words + semantic
    return {"range": key, "evaluations": every, "word_overlap": by_words, "share": by_words / every if every else None}


def bars(histogram: Histogram, width: int) -> list[Json]:
    """Return a histogram's bars as shares, without the empty ones at both ends."""
    bins, count = histogram.bars(width), histogram.count
    filled = [place for place, bar in enumerate(bins) if bar["count"]]
    kept = bins[filled[0] : filled[-1] + 1] if filled else []
    return [{**bar, "share": bar["count"] / count} for bar in kept]
