"""Publish: write the scores of a partition that differ from the stored ones, in short transactions.

A batch is one transaction. It takes the lock on its ids, compares with what is stored at that moment, copies the rows
that differ into a temporary table, and updates from there. So a batch is idempotent: resuming, retrying and publishing
again are the same operation, even after a connection that was lost at COMMIT. Score, breakdown, policy and version are
written together.

The same transaction keeps what it replaces in schema jv under the run's id, so that `jv undo` can restore it. It also
logs what it wrote, so that the score at any moment is known.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import datetime
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.pipeline.changes import COMPARED, is_stored
from jv_assets.pipeline.database.counted_writes import (
    Update,
    copy_rows,
    require_all_seen,
    require_count,
    seeing_all,
    update_rows,
)
from jv_assets.pipeline.database.id_locks import lock_ids
from jv_assets.pipeline.matches.published_ranges import note_published, refuse_older
from jv_assets.pipeline.matches.score_log import (
    ensure_months,
    logging_update,
    refuse_uncounted,
    require_seeded,
    run_seeded,
)
from jv_assets.pipeline.matches.stored_rules import refusal
from jv_assets.pipeline.reading import matches_within
from jv_assets.resources.database import Database
from jv_assets.tables import stored_four
from jv_scoring.stored_rules import STAMP, rules_among

BATCH_ROWS = 5_000
"""How many rows one transaction writes at most."""
COMPARED_PER_WRITTEN = 10
"""How many unchanged rows, which are only compared, count as one row of a transaction."""
KEPT_RUNS = settings.kept_runs()
TABLE = "match_suggestions"
LOCKED = "published_scores"
"""The name of the locks on ids."""
NEEDED = ("id", "profile_id", "suggested_profile_id", *COMPARED, "reused")
"""The columns that publishing needs, beside `match_context` of the rows that differ."""


@dataclass(frozen=True)
class Published:
    """How many rows of a partition were written (in a dry run: would be), and why the others were not.

    `kept`: has a score, and only missing ones were asked for. `moved`: names other profiles than when it was scored.
    `overtaken`: reused because production held this score; production has changed since.
    """

    rows: int = 0
    written: int = 0
    unchanged: int = 0
    kept: int = 0
    deleted: int = 0
    moved: int = 0
    overtaken: int = 0

    def __add__(self, other: "Published") -> "Published":
        return Published(*(mine + yours for mine, yours in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class PublishOptions:
    """The options of a publish."""

    only_missing: bool = False
    dry_run: bool = False
    switch_policy: bool = False


Chunk = tuple[pd.DataFrame, Callable[[], pd.Series]]
"""Scored rows with the columns `NEEDED`, in order of id, and `STORED_COLUMNS` if they were read; and a function that
returns `match_context` of the same rows, which is called only if something is to be written.
"""


def publish_range(
    database: Database,
    within: tuple[str, str],
    chunks: Iterable[Chunk],
    options: PublishOptions,
    *,
    run_id: str | None = None,
    as_of: datetime | None = None,
) -> Published:
    """Publish the scores of the matches whose id is `within` these two (both included).

    `as_of`: the age of the data behind the scores. The chunks are in order of id. What is replaced is kept under
    `run_id`; without one, nothing is kept. UserError if the stored scores have another policy or version of the rules,
    unless `switch_policy`; if scores of newer data are published; if not exactly the rows asked for were updated; and
    whatever `Database.run` raises.
    """
    whole = Published()
    for scored, contexts in chunks:
        for batch in _batches(scored):

            def work(
                connection: Connection, batch: pd.DataFrame = batch, contexts: Callable[[], pd.Series] = contexts
            ) -> Published:
                if not options.dry_run:
                    lock_ids(connection, LOCKED, batch["id"].iloc[0], batch["id"].iloc[-1])
                    require_seeded(connection, *within)
                return _publish_batch(connection, within, batch, contexts, options, run_id=run_id, as_of=as_of)

            whole += run_seeded(database, work, *within)
    if not whole.rows and not options.dry_run:  # The log begins in every partition.
        run_seeded(database, lambda connection: require_seeded(connection, *within), *within)
    if run_id and whole.written and not options.dry_run:
        prune(database, within, run_id)
    return whole


def _publish_batch(
    connection: Connection,
    within: tuple[str, str],
    batch: pd.DataFrame,
    contexts: Callable[[], pd.Series],
    options: PublishOptions,
    *,
    run_id: str | None,
    as_of: datetime | None,
) -> Published:
    stored = matches_within(connection, batch["id"].iloc[0], batch["id"].iloc[-1], known=batch).set_index("id")
    counts, differing = _compare(batch, stored, options)
    if len(differing) and as_of:
        refuse_older(connection, within, as_of)
    if counts.deleted:
        require_all_seen(connection)
    if len(differing) and not options.dry_run:
        write_scores(connection, batch.loc[differing].assign(match_context=contexts()), run_id)
        if as_of:
            note_published(connection, within, as_of)
    return counts


def prune(database: Database, within: tuple[str, str], run_id: str) -> None:
    """Evict what all but the last `JV_KEPT_RUNS` runs replaced of these ids; only runs before `run_id`.

    A run is deleted first, and then its rows, partition by partition, so that no partly evicted run can be undone.
    """
    low, high = within

    def work(connection: Connection) -> None:
        connection.execute(text(_FORGET_RUNS), {"count": KEPT_RUNS, "run": run_id})
        connection.execute(text(_FORGET_ROWS), {"low": low, "high": high})

    # A hidden run would look like an evicted one.
    database.run(seeing_all(work))


def _batches(scored: pd.DataFrame) -> Iterator[pd.DataFrame]:
    cost = np.where(scored["reused"].to_numpy(bool), 1, COMPARED_PER_WRITTEN)
    batch = (np.cumsum(cost) - cost) // (COMPARED_PER_WRITTEN * BATCH_ROWS)
    for start, end in pairwise([*np.flatnonzero(np.diff(batch, prepend=-1)).tolist(), len(scored)]):
        yield scored.iloc[start:end]


def _compare(batch: pd.DataFrame, stored: pd.DataFrame, options: PublishOptions) -> tuple[Published, pd.Index]:
    """Return the counts, and the index in `batch` of the rows to write."""
    now = stored.reindex(batch["id"])
    deleted = now["profile_id"].isna().to_numpy()
    names = ("profile_id", "suggested_profile_id")
    moved = ~deleted & np.logical_or(*((batch[name].to_numpy() != now[name].to_numpy()) for name in names))
    present = ~(deleted | moved)
    scored_before = present & now["stored_harmonic_mean"].notna().to_numpy()
    same = present & is_stored(batch, now)
    kept = scored_before & ~same if options.only_missing else np.zeros(len(batch), dtype=np.bool_)
    overtaken = present & ~same & ~kept & batch["reused"].to_numpy()
    differing = present & ~same & ~kept & ~overtaken
    may_mix = options.dry_run or (options.switch_policy and not options.only_missing)
    if not may_mix and differing.any() and (affected := scored_before & (differing | kept)).any():
        _refuse_mixing(batch, now, affected)
    counts = (mask.sum() for mask in (differing, same, kept, deleted, moved, overtaken))
    return Published(len(batch), *map(int, counts)), batch.index[differing]


def _refuse_mixing(batch: pd.DataFrame, now: pd.DataFrame, affected: npt.NDArray[np.bool_]) -> None:
    """Raise UserError if the batch's rows would stand beside, or replace, stored scores of other rules."""
    made = batch.loc[affected, ["policy", "scoring_version"]].reset_index(drop=True)
    both = list(rules_among(pd.concat([made, now.loc[affected, STAMP].reset_index(drop=True)], axis=1)))
    for _, mine in both:
        if {stored for stored, _ in both} - {mine}:
            raise refusal({mine, *(stored for stored, _ in both)}, mine)


def write_scores(connection: Connection, rows: pd.DataFrame, run_id: str | None = None, *, logged: bool = True) -> None:
    """Update the matches of `rows`, and keep under `run_id` what they held; log the scores unless not `logged`."""
    columns = ["id", "profile_id", "suggested_profile_id", "score_ab", "score_ba", "harmonic_mean", "match_context"]
    # One run scores a partition with one model, and its rows name policy and version.
    model = json.loads(rows["match_context"].iloc[0]).get("embedding_model")
    made_by = rows.reindex(columns=["policy", "scoring_version"]).astype(object)
    pairs = list(zip(*(made_by[name].where(made_by[name].notna(), None) for name in made_by), strict=True))
    known = {pair: json.dumps([*pair, model]) for pair in set(pairs)}
    values = {name: rows[name].tolist() for name in columns} | {"made_by": [known[pair] for pair in pairs]}
    connection.execute(text(CREATE_BATCH))
    copy_rows(connection, TABLE, list(values), list(zip(*values.values(), strict=True)))
    write_batch(connection, rows["id"].min(), rows["id"].max(), run_id, logged=logged)


def write_batch(connection: Connection, low: str, high: str, run_id: str | None, *, logged: bool = True) -> int:
    """Update from the temporary table `batch`, ids in low..high, by one UPDATE; return how many rows.

    MiscountedError if it updates fewer, for example because a row was deleted meanwhile.
    """
    ids = {"low": low, "high": high}
    asked = int(connection.scalar(text("SELECT count(*) FROM batch")) or 0)
    locked = connection.execute(text(_LOCK_ROWS), ids).scalars().all()
    require_count(connection, TABLE, "locked", asked, len(locked))
    if not locked:
        return 0
    if run_id:
        _keep(connection, {**ids, "run": run_id}, asked)
    update = Update(_UPDATE, ids, asked)
    if logged:
        ensure_months(connection)
        update = Update(logging_update(_UPDATE), {**ids, "run": run_id}, asked)
    [counts] = update_rows(connection, TABLE, locked, [update], _OTHERWISE)
    if logged:
        refuse_uncounted(counts[1], asked)
    return asked


def _keep(connection: Connection, values: dict[str, str], asked: int) -> None:
    kept = connection.execute(text(_KEEP), values).rowcount
    if kept < asked:  # The rows that this run has replaced before are kept already.
        kept = int(connection.scalar(text(_KEPT), values) or 0)
    require_count(connection, "jv.replaced_scores", "kept", asked, kept)
    runs = int(connection.scalar(text("SELECT count(*) FROM jv.publish_runs WHERE run_id = :run"), values) or 0)
    require_count(connection, "jv.publish_runs", "kept", 1, runs)


CREATE_BATCH = """
    CREATE TEMP TABLE batch (
        id uuid, profile_id uuid, suggested_profile_id uuid,
        score_ab numeric, score_ba numeric, harmonic_mean numeric, match_context jsonb, made_by jsonb
    ) ON COMMIT DROP
"""
# The bounds keep the planner, which has no statistics of `batch`, from reading the whole table for each batch.
_SAME_MATCH = """
    b.id = m.id AND b.profile_id = m.profile_id AND b.suggested_profile_id = m.suggested_profile_id
    AND m.id BETWEEN :low AND :high
"""
# The order prevents deadlocks with others who lock several matches.
_LOCK_ROWS = f"""
    SELECT m.id::text FROM match_suggestions m WHERE EXISTS (SELECT FROM batch b WHERE {_SAME_MATCH})
    ORDER BY m.id FOR NO KEY UPDATE
"""  # noqa: S608 - of our own constants
# The clock, not now(): a transaction may begin before another one, and wait for it.
_KEEP = f"""
    WITH run AS (INSERT INTO jv.publish_runs (run_id) VALUES (:run) ON CONFLICT DO NOTHING)
    INSERT INTO jv.replaced_scores (match_id, run_id, replaced_at, score_ab, score_ba, harmonic_mean, match_context)
    SELECT m.id, :run, clock_timestamp(), {stored_four("m")}
    FROM match_suggestions m JOIN batch b ON {_SAME_MATCH}
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - of our own constants
_KEPT = """
    SELECT count(*) FROM jv.replaced_scores k JOIN batch b ON k.match_id = b.id
    WHERE k.run_id = :run AND k.match_id BETWEEN :low AND :high
"""
_UPDATE = f"""
    UPDATE match_suggestions m
    SET score_ab = b.score_ab, score_ba = b.score_ba, harmonic_mean = b.harmonic_mean, match_context = b.match_context
    FROM batch b
    WHERE {_SAME_MATCH}
"""  # noqa: S608 - of our own constants
# As numeric(5,2), because a column of another type may hold the same number in another way.
_OTHERWISE = """
    SELECT count(*) FROM match_suggestions m JOIN batch b ON b.id = m.id
    WHERE m.id = ANY(CAST(:ids AS uuid[])) AND
        (m.score_ab::numeric(5,2), m.score_ba::numeric(5,2), m.harmonic_mean::numeric(5,2), m.match_context::jsonb)
        IS DISTINCT FROM (b.score_ab, b.score_ba, b.harmonic_mean, b.match_context)
"""
_FORGET_RUNS = """
    DELETE FROM jv.publish_runs
    WHERE run_id NOT IN (SELECT run_id FROM jv.publish_runs ORDER BY started_at DESC, run_id LIMIT :count)
        AND started_at < (SELECT started_at FROM jv.publish_runs WHERE run_id = :run)
"""
_FORGET_ROWS = """
    DELETE FROM jv.replaced_scores
    WHERE match_id BETWEEN :low AND :high AND run_id NOT IN (SELECT run_id FROM jv.publish_runs)
"""
