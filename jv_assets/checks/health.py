"""Checks that warn and stop nothing: what drifts slowly, and makes scores worth less without making them wrong."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from sqlalchemy import text

from jv_assets.checks.audit import check_result
from jv_assets.checks.shift import in_words, rise_within, shift_within
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PROFILES
from jv_assets.partitions import keys_of_run
from jv_assets.pipeline.embedding_plan import stale_texts
from jv_assets.pipeline.id_spans import id_spans
from jv_assets.pipeline.model_names import model_of
from jv_assets.pipeline.text_content import meaningless_shares
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.repartition import SKEW
from jv_scoring.analysis.fallbacks import RISE
from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.text import EMBEDDED_FIELDS

FALLBACK, SKIPPED, NORM, DRIFT, MEANINGLESS = 0.10, 0.05, 0.01, 0.05, 0.20
"""The bounds: shares of evaluations and of matches, distance from 1, and shares of profiles."""
LISTED = 100
"""Matches in the list of those without a score."""
FileMetadata = Mapping[str, Mapping[str, Any]]
"""Those of the file of each range."""
_FEWEST = 10
"""Matches a range on average that it takes to call ranges uneven."""


def _spec(asset: str, name: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, blocking=False, description=f"{description} Warns; stops nothing.")


def _warning(asset: str, name: str, problem: str | None, metadata: Mapping[str, Any]) -> dg.AssetCheckResult:
    return check_result(asset, name, problem, metadata, dg.AssetCheckSeverity.WARN)


@dg.multi_asset_check(
    name="health_of_scores",
    specs=[
        _spec(MATCH_SCORES, "no_distribution_shift", "The scores did not move, as a whole, further from those stored "
              "under the same policy and version than an ordinary night moves them. Publishing refuses beyond it."),
        _spec(MATCH_SCORES, "few_fallbacks", f"At most {FALLBACK:.0%} of the text comparisons are by word overlap, "
              f"for want of a vector, and {100 * RISE:g} points more than in the stored scores. Publishing refuses a "
              "rise beyond it."),
        _spec(MATCH_SCORES, "few_skipped", f"At most {SKIPPED:.0%} of the matches cannot be scored: profile gone, or "
              f"matched with itself. Lists which have no score, and why, up to {LISTED} of them."),
        _spec(MATCH_SCORES, "ranges_even", f"No range has more than {SKEW:g} times the matches of the mean one: else "
              "jv repartition takes the bounds from the ids."),
        _spec(MATCH_SCORES, "embeddings_current", "Every text that can be embedded has a vector made from it as it "
              "is now."),
    ],
)  # fmt: skip
def health_of_scores(
    context: dg.AssetCheckExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.AssetCheckResult]:
    keys = files.made(MATCH_SCORES, keys_of_run(context.run))
    metadata = {key: files.metadata(MATCH_SCORES, key) for key in keys}
    shift = shift_within(files, keys)
    yield _warning(MATCH_SCORES, "no_distribution_shift", "; ".join(shift.beyond) or None, vars(shift))
    share, rise = fallback_share(metadata), rise_within(files, keys)
    stored = rise.shares[0] if rise.shares else None
    problem = "; ".join(filter(None, [_above(share, FALLBACK), in_words(rise)])) or None
    yield _warning(MATCH_SCORES, "few_fallbacks", problem, {"share": share, "stored_share": stored})
    share = skipped_share(metadata)
    yield _warning(MATCH_SCORES, "few_skipped", _above(share, SKIPPED), {"share": share, "which": skipped(metadata)})
    yield _ranges_even(MATCH_SCORES, metadata)
    spans = (each for key in keys for each in id_spans(database, "profiles", *files.cut.profiles.bounds(key)))
    stale = sum(stale_texts(database, embedder, low, high) for low, high in spans)
    problem = f"{stale:,} texts have no vector, or an older text's: type jv embed" if stale else None
    yield _warning(MATCH_SCORES, "embeddings_current", problem, {"texts": stale})


@dg.multi_asset_check(
    name="health_of_embeddings",
    specs=[
        _spec(PROFILE_EMBEDDINGS, "unit_vectors", f"Every vector of the configured model has a length of 1, within "
              f"{NORM:g}, as the model's are made."),
    ],
)  # fmt: skip
def health_of_embeddings(
    context: dg.AssetCheckExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.AssetCheckResult]:
    within = map(files.cut.profiles.bounds, keys_of_run(context.run))
    odd = sum(odd_vectors(database, embedder.model, low, high) for low, high in within)
    problem = f"{odd:,} vectors are not of length 1: something else wrote them" if odd else None
    yield _warning(PROFILE_EMBEDDINGS, "unit_vectors", problem, {"vectors": odd})


@dg.multi_asset_check(
    name="health_of_profiles",
    specs=[
        _spec(PROFILES, "coverage_steady", f"The share of profiles with data moved by at most {DRIFT:.0%} in each of "
              "Momentum's four fields since this was last checked over the same ranges."),
        _spec(PROFILES, "texts_meaningful", f"At most {MEANINGLESS:.0%} of the profiles have a text that the "
              "embedding models cannot tell from others: without content, or in another script than Latin."),
        _spec(PROFILES, "ranges_even", f"No range has more than {SKEW:g} times the profiles of the mean one: else jv "
              "repartition takes the bounds from the ids."),
    ],
)  # fmt: skip
def health_of_profiles(
    context: dg.AssetCheckExecutionContext, files: dg.ResourceParam[RangeFiles]
) -> Iterator[dg.AssetCheckResult]:
    keys = files.made(PROFILES, keys_of_run(context.run))
    now = coverage(files, keys)
    before = _last_coverage(context, len(keys))
    moved = {name: now[name] - before[name] for name in now if abs(now[name] - before.get(name, now[name])) > DRIFT}
    problem = ", ".join(f"{name}: {change:+.1%} of the profiles" for name, change in moved.items()) or None
    if before and not now:
        problem = "there is no profile any more"
    yield _warning(PROFILES, "coverage_steady", problem, {"ranges": len(keys), **now})
    shares = meaningless_shares(files, keys)
    problem = ", ".join(f"{name}: {share:.1%} of the profiles" for name, share in shares.items() if share > MEANINGLESS)
    yield _warning(PROFILES, "texts_meaningful", problem or None, shares)
    yield _ranges_even(PROFILES, {key: files.metadata(PROFILES, key) for key in keys})


def fallback_share(metadata: FileMetadata) -> float | None:
    """Of the text comparisons of these ranges' files, by their metadata, 0..1; None of none."""
    by_words, semantic = (sum(of[name] for of in metadata.values()) for name in ("word_overlap", "semantic"))
    return by_words / (by_words + semantic) if by_words + semantic else None


def skipped_share(metadata: FileMetadata) -> float | None:
    """Of the matches of these ranges' files, 0..1; None of none."""
    every, skipped = (sum(of["rows"] for of in metadata.values()), sum(len(of["skipped"]) for of in metadata.values()))
    return skipped / every if every else None


def skipped(metadata: FileMetadata) -> dg.TableMetadataValue | None:
    """The matches of these ranges' files that have no score, and why; None of none, the first `LISTED` of more."""
    rows = [
        dg.TableRecord({"match": match_id, "range": key, "why": str(reason)})
        for key, of in metadata.items()
        for match_id, reason in sorted(of["skipped"].items())
    ]
    return dg.MetadataValue.table(rows[:LISTED]) if rows else None


def _ranges_even(asset: str, metadata: FileMetadata) -> dg.AssetCheckResult:
    skew, uneven = skew_of(metadata), None
    if skew and skew > SKEW:
        uneven = f"the largest range is {skew:.1f} times the mean one: type jv repartition"
    return _warning(asset, "ranges_even", uneven, {"largest_by_mean": skew})


def skew_of(metadata: FileMetadata) -> float | None:
    """The rows of the largest range by those of the mean one; None of few."""
    rows = [of["rows"] for of in metadata.values()]
    return max(rows) * len(rows) / sum(rows) if rows and sum(rows) >= _FEWEST * len(rows) else None


def odd_vectors(database: Database, model: str, low: str, high: str) -> int:
    """How many vectors of these profiles under this model's name are not of length 1."""
    values = {"low": low, "high": high, "model": model, "norm": NORM}
    return int(database.run(lambda connection: connection.execute(text(_ODD_VECTORS), values).scalar_one()))


def coverage(files: RangeFiles, keys: Sequence[str]) -> dict[str, float]:
    """The share, 0..1, of these ranges' profiles with data, by field; {} of no profiles."""
    rows, known = 0, dict.fromkeys(FIELDS, 0)
    for key in keys:
        for features in files.chunks(PROFILES, key, list(FIELDS)):
            rows += len(features)
            known = {name: count + int(features[name].notna().sum()) for name, count in known.items()}
    return {name: round(count / rows, 4) for name, count in known.items()} if rows else {}


def _last_coverage(context: dg.AssetCheckExecutionContext, ranges: int) -> dict[str, float]:
    """What the check said the last time that it looked at as many ranges; {} where it never did."""
    key = dg.AssetCheckKey(dg.AssetKey(PROFILES), "coverage_steady")
    for record in context.instance.event_log_storage.get_asset_check_execution_history(key, limit=5):
        event = record.event.dagster_event if record.event else None
        if event and event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            values = {name: value.value for name, value in event.asset_check_evaluation_data.metadata.items()}
            if values.pop("ranges", None) == ranges:
                return {name: float(str(value)) for name, value in values.items()}
    return {}


def _above(share: float | None, bound: float) -> str | None:
    return f"{share:.1%}, more than {bound:.0%}" if share is not None and share > bound else None


_ODD_VECTORS = f"""
    SELECT count(*) FROM profiles
    CROSS JOIN LATERAL (VALUES {", ".join(f"(embedding_{name}::vector)" for name in EMBEDDED_FIELDS)}) AS v (vector)
    WHERE id BETWEEN :low AND :high AND {model_of("embeddings_model")} = :model AND abs(vector_norm(vector) - 1) > :norm
"""  # noqa: S608 - of our own constants
