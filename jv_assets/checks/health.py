"""Checks that only warn: of slow drift, which makes scores less useful without making them wrong."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from sqlalchemy import text

from jv_assets.checks.audit import check_result
from jv_assets.checks.shift import in_words, moved_within
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PROFILES
from jv_assets.partition_cut import every_range
from jv_assets.partitions import keys_of_run
from jv_assets.pipeline.database.profile_spans import profile_spans
from jv_assets.pipeline.reading import read_profiles_of
from jv_assets.pipeline.texts.embedding_plan import stale_texts
from jv_assets.pipeline.texts.profile_columns import IRREGULAR_VALUES, ODD, odd_fields
from jv_assets.pipeline.texts.stored_vectors import model_of
from jv_assets.pipeline.texts.text_content import meaningless_shares
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.repartition import SKEW
from jv_scoring.analysis.fallbacks import RISE
from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.text import EMBEDDED_FIELDS

FALLBACK, SKIPPED, NORM, DRIFT, MEANINGLESS = 0.10, 0.05, 0.01, 0.05, 0.20
"""Bounds: shares of comparisons and of matches, distance of a length from 1, and two shares of profiles."""
ODD_SHARE = 0.10
"""Bound of the share of profiles with a value that cannot be meant."""
LISTED = 100
"""How many rows the list of a check holds at most."""
FileMetadata = Mapping[str, Mapping[str, Any]]
"""By partition, the metadata of its file."""
_FEWEST = 10
"""Below this mean number of rows per partition, uneven partitions do not matter."""


def _spec(asset: str, name: str, description: str) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(name, asset=asset, blocking=False, description=f"{description} A failure only warns.")


def _warning(asset: str, name: str, problem: str | None, metadata: Mapping[str, Any]) -> dg.AssetCheckResult:
    return check_result(asset, name, problem, metadata, dg.AssetCheckSeverity.WARN)


@dg.multi_asset_check(
    name="health_of_scores",
    specs=[
        _spec(MATCH_SCORES, "no_distribution_shift", "The scores as a whole moved no further from the stored scores of "
              "the same policy and version than on an ordinary night. Beyond these bounds, publishing refuses."),
        _spec(MATCH_SCORES, "few_fallbacks", f"At most {FALLBACK:.0%} of the text comparisons fall back to word "
              f"overlap because a vector is missing, and at most {100 * RISE:g} points more than in the stored scores. "
              "Publishing refuses a larger rise."),
        _spec(MATCH_SCORES, "few_skipped", f"At most {SKIPPED:.0%} of the matches cannot be scored (profile gone, or "
              f"matched with itself). Lists up to {LISTED} matches without a score, and why."),
        _spec(MATCH_SCORES, "ranges_even", f"No partition has more than {SKEW:g} times the mean number of matches. If "
              "one has, `jv repartition` makes the partitions even."),
        _spec(MATCH_SCORES, "embeddings_current", "Every text that can be embedded has a vector of its current "
              "wording, not a stale one."),
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
    moved = moved_within(files, keys)
    shift, rise = moved.shift, moved.rise
    yield _warning(MATCH_SCORES, "no_distribution_shift", "; ".join(shift.beyond) or None, vars(shift))
    share = fallback_share(metadata)
    stored = rise.shares[0] if rise.shares else None
    problem = "; ".join(filter(None, [_above(share, FALLBACK), in_words(rise)])) or None
    yield _warning(MATCH_SCORES, "few_fallbacks", problem, {"share": share, "stored_share": stored})
    share = skipped_share(metadata)
    yield _warning(MATCH_SCORES, "few_skipped", _above(share, SKIPPED), {"share": share, "which": skipped(metadata)})
    yield _ranges_even(MATCH_SCORES, metadata)
    within = files.cut.profiles.intervals(keys)
    spans = (span for bounds in within for span in profile_spans(database, *bounds))
    stale = sum(stale_texts(database, embedder, *span) for span in spans)
    problem = f"{stale:,} texts have no vector, or an older text's: type jv embed" if stale else None
    yield _warning(MATCH_SCORES, "embeddings_current", problem, {"texts": stale})


@dg.multi_asset_check(
    name="health_of_embeddings",
    specs=[
        _spec(PROFILE_EMBEDDINGS, "unit_vectors", f"Every vector under the configured model's name has length 1, "
              f"within {NORM:g}. Another length means that another program wrote it."),
    ],
)  # fmt: skip
def health_of_embeddings(
    context: dg.AssetCheckExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.AssetCheckResult]:
    within = map(files.cut.profiles.bounds, keys_of_run(context.run))
    irregular = sum(irregular_vectors(database, embedder.model, low, high) for low, high in within)
    problem = f"{irregular:,} vectors are not of length 1: something else wrote them" if irregular else None
    yield _warning(PROFILE_EMBEDDINGS, "unit_vectors", problem, {"vectors": irregular})


@dg.multi_asset_check(
    name="health_of_profiles",
    specs=[
        _spec(PROFILES, "coverage_steady", f"The share of profiles with data changed by at most {DRIFT:.0%} in each "
              "of the four Momentum fields since the last check of the same number of partitions."),
        _spec(PROFILES, "texts_meaningful", f"At most {MEANINGLESS:.0%} of the profiles have a text that embedding "
              "models cannot tell from others: it has no content, or is not in Latin script."),
        _spec(PROFILES, "values_regular", f"At most {ODD_SHARE:.0%} of the profiles of all partitions have a value "
              "that cannot be meant, and counts as no data: a negative number, NaN, an engagement over 1, a jv_history "
              f"that is no list. Lists up to {LISTED} of them by profile and field."),
        _spec(PROFILES, "ranges_even", f"No partition has more than {SKEW:g} times the mean number of profiles. If "
              "one has, `jv repartition` makes the partitions even."),
    ],
)  # fmt: skip
def health_of_profiles(
    context: dg.AssetCheckExecutionContext,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
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
    yield _values_regular(database, files)
    yield _ranges_even(PROFILES, {key: files.metadata(PROFILES, key) for key in keys})


def _values_regular(database: Database, files: RangeFiles) -> dg.AssetCheckResult:
    """Add up the irregular values of all partitions, not only of this run's."""
    counts, odd, profiles = Counter(dict.fromkeys(IRREGULAR_VALUES, 0)), dict[str, str](), 0
    for key in files.made(PROFILES, every_range()):
        for features in files.chunks(PROFILES, key, ["id", *IRREGULAR_VALUES]):
            profiles += len(features)
            counts.update({name: int(features[name].sum()) for name in IRREGULAR_VALUES})
            odd |= dict.fromkeys(features.loc[(features[list(ODD)] > 0).any(axis=1), "id"], key)
    share = round(len(odd) / profiles, 4) if profiles else None
    rows = [
        dg.TableRecord({"profile": profile, "range": odd[profile], "field": field, "what": kind.replace("_", " ")})
        for profile, field, kind in odd_fields(read_profiles_of(database, list(odd)[:LISTED]))
    ] if odd else []  # fmt: skip
    which = dg.MetadataValue.table(rows[:LISTED]) if rows else None
    metadata = {"profiles": len(odd), "share": share, **counts, "which": which}
    return _warning(PROFILES, "values_regular", _above(share, ODD_SHARE), metadata)


def fallback_share(metadata: FileMetadata) -> float | None:
    """Return the share of text comparisons by word overlap, 0..1; None if there are no comparisons."""
    by_words, semantic = (sum(of[name] for of in metadata.values()) for name in ("word_overlap", "semantic"))
    return by_words / (by_words + semantic) if by_words + semantic else None


def skipped_share(metadata: FileMetadata) -> float | None:
    """Return the share of matches without a score, 0..1; None if there are no matches."""
    every, skipped = (sum(of["rows"] for of in metadata.values()), sum(len(of["skipped"]) for of in metadata.values()))
    return skipped / every if every else None


def skipped(metadata: FileMetadata) -> dg.TableMetadataValue | None:
    """Return the first `LISTED` matches that have no score, and why; None if there are none."""
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
    """Return how many times the mean number of rows the largest partition has; None if there are few rows."""
    rows = [of["rows"] for of in metadata.values()]
    return max(rows) * len(rows) / sum(rows) if rows and sum(rows) >= _FEWEST * len(rows) else None


def irregular_vectors(database: Database, model: str, low: str, high: str) -> int:
    """Return how many vectors of these profiles under this model's name do not have length 1."""
    values = {"low": low, "high": high, "model": model, "norm": NORM}
    return int(database.run(lambda connection: connection.execute(text(_IRREGULAR_VECTORS), values).scalar_one()))


def coverage(files: RangeFiles, keys: Sequence[str]) -> dict[str, float]:
    """Return by field the share of profiles with data, 0..1; {} if there are no profiles."""
    rows, known = 0, dict.fromkeys(FIELDS, 0)
    for key in keys:
        for features in files.chunks(PROFILES, key, list(FIELDS)):
            rows += len(features)
            known = {name: count + int(features[name].notna().sum()) for name, count in known.items()}
    return {name: round(count / rows, 4) for name, count in known.items()} if rows else {}


def _last_coverage(context: dg.AssetCheckExecutionContext, ranges: int) -> dict[str, float]:
    """Return the result of the last check of as many partitions; {} if there is none."""
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


_IRREGULAR_VECTORS = f"""
    SELECT count(*) FROM profiles
    CROSS JOIN LATERAL (VALUES {", ".join(f"(embedding_{name}::vector)" for name in EMBEDDED_FIELDS)}) AS v (vector)
    WHERE id BETWEEN :low AND :high AND {model_of("embeddings_model")} = :model AND abs(vector_norm(vector) - 1) > :norm
"""  # noqa: S608 - of our own constants
