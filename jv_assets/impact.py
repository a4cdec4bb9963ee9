"""What production held a while ago, beside what is computed now."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.former_rows import read_gone
from jv_assets.partitions import bounds
from jv_assets.reporting.sampling import Sample
from jv_assets.reporting.tallies import scored
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.scoring import STORED_BEFORE
from jv_scoring.analysis.impact import BEFORE, COLUMNS

_CHUNK = 5_000
"""Contexts, of some 3 KB each, that one statement reads."""

# What the first run since then replaced is what was there; what no run replaced is there still.
_THEN = """
    WITH kept AS (
        SELECT DISTINCT ON (match_id) match_id, harmonic_mean, match_context
        FROM jv.replaced_scores
        WHERE match_id BETWEEN :low AND :high AND replaced_at >= :since
        ORDER BY match_id, replaced_at, run_id
    ), present AS (
        SELECT id, harmonic_mean, match_context FROM match_suggestions WHERE id BETWEEN :low AND :high
    ), before AS (
        SELECT coalesce(id, match_id) AS id,
            CASE WHEN match_id IS NULL THEN present.harmonic_mean ELSE kept.harmonic_mean END AS harmonic_mean,
            CASE WHEN match_id IS NULL THEN present.match_context ELSE kept.match_context END AS match_context
        FROM present FULL JOIN kept ON match_id = id
    )
"""
_BEFORE = f"""{_THEN}
    SELECT id::text, harmonic_mean::float8, c.policy, c.scoring_version, c.inputs_hash
    FROM before
    LEFT JOIN LATERAL jsonb_to_record(CASE jsonb_typeof(match_context) WHEN 'object' THEN match_context END)
        AS c (policy text, scoring_version text, inputs_hash text) ON true
"""  # noqa: S608 - of our own constants
_CONTEXTS = f"{_THEN} SELECT id::text, match_context::text FROM before WHERE id = ANY(CAST(:ids AS uuid[]))"  # noqa: S608 - of our own constants


def rows_of(
    database: Database, files: RangeFiles, key: str, since: datetime, sample: Sample | None = None
) -> pd.DataFrame:
    """The matches of a range with `COLUMNS` and `BEFORE`: those that are scored now, and those not any more.

    A match whose row is gone, of which nothing was kept either, had what its file said last.
    """
    now = scored(files, key, [*COLUMNS, *STORED_BEFORE[1:]])
    gone = read_gone(files, key)
    vanished = pd.to_datetime(gone["gone_at"], utc=True, format="ISO8601") >= since
    gone = gone.loc[vanished & ~gone["id"].isin(now["id"])]
    absent = pd.DataFrame({"id": gone["id"].to_numpy(object)}).reindex(columns=COLUMNS)
    rows = now[COLUMNS] if absent.empty else pd.concat([now[COLUMNS].astype(object), absent.astype(object)])
    last_known = pd.concat([now[STORED_BEFORE].set_axis(_NAMES, axis=1), gone.reindex(columns=_NAMES)])
    rows, last_known = rows.reset_index(drop=True), last_known.reset_index(drop=True)
    if sample:
        rows = sample.draw(rows)
    low, high = bounds(key)

    def work(connection: Connection) -> pd.DataFrame:
        asked = {"low": low, "high": high, "since": since}
        then = _frame(connection.execute(text(_BEFORE), asked).all())
        found = _with_before(rows, then, last_known)
        ids = found.loc[_asked_for(found), "id"].tolist()
        contexts: dict[str, str | None] = {}
        for start in range(0, len(ids), _CHUNK):
            chunk = {**asked, "ids": ids[start : start + _CHUNK]}
            contexts |= {row[0]: row[1] for row in connection.execute(text(_CONTEXTS), chunk)}
        return found.assign(before_context=found["id"].map(contexts).astype(object))

    return database.run(work)


def hours_ago(hours: float) -> datetime:
    """In UTC."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - hours * 3600, UTC)


_NAMES = ["id", "harmonic_mean", "policy", "scoring_version", "inputs_hash"]


def _frame(rows: Sequence[object]) -> pd.DataFrame:
    return pd.DataFrame(list(map(tuple, rows)), columns=_NAMES, dtype=object)  # type: ignore[arg-type]


def _with_before(rows: pd.DataFrame, then: pd.DataFrame, last_known: pd.DataFrame) -> pd.DataFrame:
    """With `BEFORE`, but for the context: of `then`, and of `last_known` where that has no such match."""
    unknown = last_known.loc[~last_known["id"].isin(then["id"])].astype(object)
    before = pd.concat([then, unknown]).drop_duplicates("id").set_index("id").reindex(rows["id"])
    columns = {name: before[old].to_numpy(object) for name, old in zip(BEFORE, _NAMES[1:], strict=False)}
    return rows.assign(**columns)


def _asked_for(rows: pd.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Those scored then and now, of which anything but the scores is another now."""
    pairs = [("before_policy", "policy"), ("before_version", "scoring_version"), ("before_inputs_hash", "inputs_hash")]
    same = np.ones(len(rows), np.bool_)
    for before, now in pairs:
        same &= (rows[before].astype(object) == rows[now].astype(object)).to_numpy(np.bool_)
    both = rows["before_harmonic_mean"].notna() & rows["harmonic_mean"].notna()
    asked: np.ndarray[tuple[int], np.dtype[np.bool_]] = both.to_numpy(np.bool_) & ~same
    return asked
