"""Undo a publish by the same protocol as publishing: an undo is itself a publish.

`jv.replaced_scores` keeps the rows that a run replaced. A match gets the kept values back while it still holds what the
run wrote. If a later run replaced the row, compare with what that run saved.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import dagster as dg
from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.pipeline import publishing
from jv_assets.pipeline.database.counted_writes import require_all_seen, seeing_all
from jv_assets.pipeline.database.id_locks import lock_ids
from jv_assets.pipeline.database.id_spans import id_spans
from jv_assets.pipeline.matches.match_states import context_of, fits
from jv_assets.pipeline.matches.score_log import made_by, require_seeded, run_seeded
from jv_assets.pipeline.matches.undo_units import parts_of
from jv_assets.pipeline.publishing import CREATE_BATCH, LOCKED, prune, write_batch
from jv_assets.resources.database import Database
from jv_assets.tables import stored_four
from jv_scoring.stored_rules import OTHER_RULES, told_policy

_COUNTED_AT_ONCE = 50_000
"""How many kept rows are handled at a time."""


SHORTEST = 8
"""How many characters of a run's id are shown, as in the UI."""


@dataclass(frozen=True)
class KeptRun:
    """A run that can be undone."""

    run_id: str
    started_at: datetime


@dataclass
class Undone:
    """What an undo did with the matches that the run had replaced.

    `unchanged`: held the old values already. `replaced_since`: a later run replaced them again, so the undo left them;
    `replaced_by` names these runs. `deleted`: the match is gone.
    """

    restored: int = 0
    unchanged: int = 0
    replaced_since: int = 0
    deleted: int = 0
    replaced_by: set[str] = field(default_factory=set)


def kept_runs(database: Database) -> list[KeptRun]:
    """Return the runs that can be undone, the latest first."""
    rows = database.run(lambda connection: connection.execute(text(_RUNS)).all())
    return [KeptRun(*row) for row in rows]


def count_kept(database: Database) -> dict[str, int]:
    """Return, by run, how many matches it replaced. Reads all kept rows, one span of ids at a time."""
    counts: dict[str, int] = {}
    for low, high in id_spans(database, "jv.replaced_scores", column="match_id", rows=_COUNTED_AT_ONCE):
        ids = {"low": low, "high": high}
        for run_id, count in database.run(lambda connection: connection.execute(text(_COUNT), ids).all()):  # noqa: B023
            counts[run_id] = counts.get(run_id, 0) + count
    return counts


def find_run(database: Database, given: str, instance: dg.DagsterInstance | None = None) -> str:
    """Return the full id of the run that `given`, an id or its beginning, names; UserError if there is none.

    With Dagster's `instance`, the id of any run that belongs to the unit names it too.
    """
    runs = kept_runs(database)
    wanted = given.strip().lower()
    known = {run.run_id: run.run_id for run in runs}
    if instance:
        known = parts_of(instance, [run.run_id for run in runs]) | known
    matching = {unit for run_id, unit in known.items() if run_id.startswith(wanted)}
    if wanted in known:
        return known[wanted]
    if len(wanted) >= SHORTEST and len(matching) == 1:
        return matching.pop()
    listed = ", ".join(f"{run.run_id[:SHORTEST]} of {run.started_at:%Y-%m-%d %H:%M} UTC" for run in runs)
    these = f"those that can be are {listed}" if listed else "no run can be: none has written a score"
    if len(wanted) < SHORTEST:
        raise UserError(f"run {wanted or '(empty)'}: give at least {SHORTEST} characters of the run's id; {these}")
    cause = "is the beginning of several" if matching else "is none that can be undone"
    raise UserError(f"run {wanted} {cause}; {these}")


@dataclass
class Preview:
    """What an undo would do: by policy, how many scores come back (None: no score), and how many it would leave.

    If a stored context names no policy, its breakdown tells it; `OTHER_RULES` if that tells none.
    """

    restored: Counter[str | None] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


def preview_undo(database: Database, run_id: str) -> Preview:
    """Return what undoing run `run_id` would do now. Writes nothing."""
    preview = Preview()
    for low, high in id_spans(database, "jv.replaced_scores", column="match_id", rows=_COUNTED_AT_ONCE):
        values = {"low": low, "high": high, "run": run_id}
        for row in database.run(lambda connection: connection.execute(text(_PREVIEW), values).all()):  # noqa: B023
            told = told_policy(row.policy, row.fits, preferred=settings.policy()) or OTHER_RULES
            if row.state == "restored":
                preview.restored[told if row.has_score else None] += row.matches
            else:
                preview.left[row.state] += row.matches
    return preview


def undo_range(database: Database, within: tuple[str, str], run_id: str, own_id: str) -> Undone:
    """Restore what run `run_id` replaced of the matches `within` two ids; keep what this replaces under `own_id`."""
    low, high = within
    values = {"low": low, "high": high, "run": run_id}
    ids = database.run(seeing_all(lambda connection: connection.execute(text(_IDS), values).scalars().all()))
    whole = Undone()
    for start in range(0, len(ids), publishing.BATCH_ROWS):
        batch = ids[start : start + publishing.BATCH_ROWS]

        def work(connection: Connection, low: str = batch[0], high: str = batch[-1]) -> Undone:
            lock_ids(connection, LOCKED, low, high)
            require_seeded(connection, *within)
            return _undo_batch(connection, low, high, run_id, own_id)

        _add(whole, run_seeded(database, work, *within))
    if whole.restored:
        prune(database, within, run_id)
    return whole


def _undo_batch(connection: Connection, low: str, high: str, run_id: str, own_id: str) -> Undone:
    ids = {"low": low, "high": high}
    connection.execute(text(CREATE_BATCH))
    connection.execute(text("ALTER TABLE batch ADD COLUMN state text, ADD COLUMN last_run text"))
    connection.execute(text(_FILL_BATCH), {**ids, "run": run_id})
    done = Undone()
    for state, last_run, count in connection.execute(text(_TAKE_THE_OTHERS_OUT)):
        setattr(done, state, getattr(done, state) + count)
        if state == "replaced_since":
            done.replaced_by.add(last_run)
    if done.deleted:
        require_all_seen(connection)
    done.restored = write_batch(connection, low, high, own_id)
    return done


def _add(whole: Undone, batch: Undone) -> None:
    whole.restored += batch.restored
    whole.unchanged += batch.unchanged
    whole.replaced_since += batch.replaced_since
    whole.deleted += batch.deleted
    whole.replaced_by |= batch.replaced_by


_RUNS = "SELECT run_id, started_at FROM jv.publish_runs ORDER BY started_at DESC, run_id"


_COUNT = "SELECT run_id, count(*) FROM jv.replaced_scores WHERE match_id BETWEEN :low AND :high GROUP BY run_id"


_IDS = """
    SELECT match_id::text FROM jv.replaced_scores
    WHERE match_id BETWEEN :low AND :high AND run_id = :run
    ORDER BY match_id
"""


_FOUR = "({0}.score_ab, {0}.score_ba, {0}.harmonic_mean, {0}.match_context)"


_STORED = f"({stored_four('m')})"


# The next run kept what it replaced. If that equals the match now, the run's own score still stands.
_STATE = f"""
    CASE
        WHEN m.id IS NULL THEN 'deleted'
        WHEN {_STORED} IS NOT DISTINCT FROM {_FOUR.format("k")} THEN 'unchanged'
        WHEN next.run_id IS NULL OR {_STORED} IS NOT DISTINCT FROM {_FOUR.format("next")} THEN 'restored'
        ELSE 'replaced_since'
    END
"""


_KEPT = """
    FROM jv.replaced_scores k
    LEFT JOIN match_suggestions m ON m.id = k.match_id AND m.id BETWEEN :low AND :high
    LEFT JOIN LATERAL (
        SELECT * FROM jv.replaced_scores l WHERE l.match_id = k.match_id AND l.replaced_at > k.replaced_at
        ORDER BY l.replaced_at LIMIT 1
    ) AS next ON true
    LEFT JOIN LATERAL (
        SELECT l.run_id FROM jv.replaced_scores l WHERE l.match_id = k.match_id AND l.replaced_at > k.replaced_at
        ORDER BY l.replaced_at DESC LIMIT 1
    ) AS last ON true
"""


_OF_RUN = "WHERE k.match_id BETWEEN :low AND :high AND k.run_id = :run"


_FILL_BATCH = f"""
    INSERT INTO batch
    SELECT k.match_id, m.profile_id, m.suggested_profile_id,
        k.score_ab, k.score_ba, k.harmonic_mean, k.match_context,
        jsonb_build_array({made_by("k.match_context")}), {_STATE}, last.run_id
    {_KEPT} {_OF_RUN}
"""


_PREVIEW = f"""
    SELECT state, has_score, policy, fits, count(*) AS matches FROM (
        SELECT {_STATE} AS state, k.harmonic_mean IS NOT NULL AS has_score, c.policy,
            CASE WHEN k.harmonic_mean IS NOT NULL AND c.policy IS NULL THEN {fits("k")} END AS fits
        {_KEPT} {context_of("k")} {_OF_RUN}
        OFFSET 0
    ) AS kept GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - of our own constants


_TAKE_THE_OTHERS_OUT = """
    WITH others AS (DELETE FROM batch WHERE state <> 'restored' RETURNING state, last_run)
    SELECT state, last_run, count(*) FROM others GROUP BY state, last_run
"""
