"""The asset `profile_embeddings`: keeps the vectors of the profiles' texts up to date."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress

import dagster as dg
import psycopg

from jv_assets import settings
from jv_assets.assets import score_columns
from jv_assets.assets.columns import column_metadata
from jv_assets.assets.profiles import profiles
from jv_assets.errors import UserError
from jv_assets.names import Group
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, keys_of_step, one_line_failure
from jv_assets.pipeline import embedding
from jv_assets.pipeline.database.identity import require_home
from jv_assets.pipeline.database.profile_spans import Span, profile_spans
from jv_assets.pipeline.embedding import NOT_FINITE
from jv_assets.pipeline.embedding_estimate import count_texts, estimate, refuse_too_long
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.writability import require_writable

_SECONDS_BETWEEN_LOG_LINES = 5
_OF_WRITING = ("adopted", "cleared", "older_than_edit", "overwritten", "embedded_texts", "distinct_texts",
               "truncated_texts", "edited_meanwhile", "deleted_meanwhile")  # fmt: skip
"""The counts of what a partition's texts took, which add up over two passes."""
_NAMED = 3
"""How many texts a line names at most."""

_DESCRIPTION = """
One vector for each text of a profile. Vectors let scoring compare meaning: "I help authors" matches "we serve writers".

Embeds the texts seeking, offering, who_you_serve and what_you_do if they are new or edited, if another model made their
vector, or if another program overwrote it. Skips unchanged texts. A text under 5 characters gets no vector. Writes
`embedding_<field>`, `embeddings_model` and `embeddings_updated_at` to the table profiles, and the hash of each embedded
text to `jv.embedded_texts`.

The first run adopts vectors that it finds under the configured model's name, unless the profile was written to after
`embeddings_updated_at`.

Runs every night, in `jv embed`, and when a sensor sees new matches or edited profiles.

With JV_PROFILES=matched, only the profiles that a match names are embedded; otherwise these come first. Before it
begins, a run counts the texts that have no vector and measures the model's speed. It stops if that would take longer
than JV_EMBED_HOURS.

Takes seconds if nothing changed. Otherwise each run loads the model of JV_EMBEDDING_MODEL once; the production model is
a download of 1.3 GB at first use. A new text takes from 2 ms (small model) to 50 ms (production model without a GPU).
Vectors are written batch by batch, so an interrupted run resumes where it stopped.
"""


@dg.asset(
    group_name=Group.PREPARE,
    kinds={"python", "postgres", "huggingface"},
    description=_DESCRIPTION,
    deps=[profiles],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=column_metadata(score_columns.OF_EMBEDDINGS) | {"dagster/table_name": "profiles"},
)
def profile_embeddings(
    context: dg.AssetExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    with one_line_failure():
        require_home(database, files)
        require_writable(database)
    said, first = 0.0, dict[str, dict[str, int]]()

    def say(key: str, done: int, total: int) -> None:
        nonlocal said
        if done == total or time.monotonic() - said > _SECONDS_BETWEEN_LOG_LINES:
            context.log.info(f"range {key}: {done:,} of {total:,} texts embedded")
            said = time.monotonic()

    def embed_some(key: str, span: Span) -> tuple[dict[str, int], Sequence[embedding_plan.Text]]:
        plan = embedding_plan.plan_range(database, embedder, *span)
        embedding.adopt(database, embedder, plan)
        embedding.delete_orphans(database, span.low, span.high)
        cleared = embedding.clear(database, embedder, plan)
        if plan.embed:
            context.log.info(f"range {key}: {len(plan.embed):,} texts to embed; the model is {embedder.place}")
        embedded = embedding.embed(database, embedder, plan, lambda done, total: say(key, done, total))
        counts = {
            "rows": plan.rows,
            "skipped": plan.skipped,
            "current": plan.current,
            "adopted": len(plan.adopt),
            "older_than_edit": len(plan.older),
            "overwritten": len(plan.overwritten),
            "cleared": cleared.texts,
            "embedded_texts": embedded.texts,
            "distinct_texts": embedded.distinct,
            "truncated_texts": embedded.truncated,
            "edited_meanwhile": cleared.edited + embedded.edited,
            "deleted_meanwhile": len(cleared.deleted | embedded.deleted),
        }
        return counts, embedded.not_finite

    def spans(key: str, matched: bool | None = None) -> Iterator[Span]:
        return profile_spans(database, *files.cut.profiles.bounds(key), matched=matched)

    def embed_matched(key: str) -> dict[str, int]:
        """Embed what a match needs; a failure is told when the partition meets it again."""
        counts: Counter[str] = Counter()
        with suppress(UserError, psycopg.Error):
            for span in spans(key, matched=True):
                counts.update(embed_some(key, span)[0])
        return {name: counts[name] for name in _OF_WRITING}

    def work(key: str) -> dict[str, int | str]:
        counts: Counter[str] = Counter(first.get(key, {}))
        counts["current"] -= counts["embedded_texts"] + counts["adopted"]
        not_finite: list[embedding_plan.Text] = []
        for span in spans(key):
            of_some, texts = embed_some(key, span)
            counts.update(of_some)
            not_finite += texts
        if not_finite:
            context.log.error(f"range {key}: {NOT_FINITE.format(_named(not_finite))}")
        return {**counts, "not_finite": len(not_finite), "not_finite_texts": _named(not_finite)}

    with one_line_failure():
        keys = keys_of_step(context)
        every = [Span(*files.cut.profiles.bounds(key)) for key in keys]  # To count them, a span may be of any size.
        named = (span for key in keys for span in spans(key, matched=True))
        whole = estimate(database, embedder, [*named] if settings.matched_only() else every)
        context.log.info(f"{whole}")
        counted = whole.seconds_each is None or settings.matched_only()
        matched = whole.texts if counted else count_texts(database, embedder.model, named)
        refuse_too_long(whole, matched)
        if whole.texts > matched:
            context.log.info(f"first the {matched:,} texts of the profiles that a match names")
            first.update({key: embed_matched(key) for key in keys})
    each_range(context, work)


def _named(texts: Sequence[embedding_plan.Text]) -> str:
    """Return the first texts by profile and field, and how many more there are."""
    shown = ", ".join(f"profile {item.profile_id} {item.field}" for item in texts[:_NAMED])
    return shown + (f" and {len(texts) - _NAMED:,} more" if texts[_NAMED:] else "")
