"""The profiles that the pipeline reads and embeds: all, or those that a match names (`JV_PROFILES`)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.id_spans import FIRST, LAST, ROWS, after, id_spans
from jv_assets.resources.database import Database

WITHIN = "BETWEEN :low AND :high AND (CAST(:ids AS uuid[]) IS NULL OR {id} = ANY(CAST(:ids AS uuid[])))"
"""SQL, with `{id}` for the column before it: the id is in a span, whose three fields are the parameters."""
# By the indexes that `jv migrate` makes, each reads the matches of this interval only.
_NAMED = """
    SELECT id::text FROM (
        SELECT profile_id AS id FROM match_suggestions WHERE profile_id BETWEEN :low AND :high
        UNION SELECT suggested_profile_id FROM match_suggestions WHERE suggested_profile_id BETWEEN :low AND :high
    ) AS named ORDER BY id
"""


class Span(NamedTuple):
    """The profiles whose id is in low..high (both included); if `ids` is given, only those among them."""

    low: str
    high: str
    ids: Sequence[str] | None = None


def profile_spans(
    database: Database, low: str = FIRST, high: str = LAST, *, matched: bool | None = None
) -> Iterator[Span]:
    """Yield spans that cover low..high (both included), of at most `ROWS` profiles each; at least one.

    `matched`: only the profiles that a match names, existing or not; by default as `JV_PROFILES` says. UserError if
    matches may be hidden, because their profiles would be left out.
    """
    if not (settings.matched_only() if matched is None else matched):
        yield from (Span(*each) for each in id_spans(database, "profiles", low, high))
        return
    ids = database.run(seeing_all(lambda connection: _named(connection, low, high)))
    for start in range(0, len(ids), ROWS):
        some = ids[start : start + ROWS]
        is_last = start + ROWS >= len(ids)
        yield Span(low, high if is_last else some[-1], some)
        low = high if is_last else after(some[-1])
    if not ids:
        yield Span(low, high, ids)


def _named(connection: Connection, low: str, high: str) -> Sequence[str]:
    return connection.scalars(text(_NAMED), {"low": low, "high": high}).all()
