"""What production held at one moment, beside what is computed now, or what it held at a later moment.

The log of published scores says which score stood at a moment. Its inputs are in its context, which
`jv.replaced_scores` keeps for the last runs only. For a moment before the log begins, that table gives both.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.errors import UserError
from jv_assets.pipeline.gone_matches import read_gone
from jv_assets.pipeline.matches.score_log import log_begins
from jv_assets.pipeline.scoring import STORED_BEFORE
from jv_assets.reports.sampling import Sample
from jv_assets.reports.tallies import scored
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.tables import as_double, selected
from jv_scoring.analysis.production_impact import BEFORE, COLUMNS
from jv_scoring.analysis.stored import FACTORS, METHODS, stored_factors, told_policies
from jv_scoring.policy import SCORING_VERSION

KNOWN = "cause_known"
"""The column that says whether the context of the earlier score is still known."""
_CHUNK = 2_500
"""How many matches, with contexts of about 3 KB each, memory holds at a time."""
_SHORTEST = 8
"""How many characters of a run's id are shown, as in the UI."""
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")


@dataclass(frozen=True)
class Moment:
    """A moment of the comparison; `run`: the run that wrote its last score at this moment."""

    at: datetime
    run: str | None = None

    def __str__(self) -> str:
        at = f"{self.at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{at}, when run {self.run[:_SHORTEST]} had written" if self.run else at


def hours_ago(hours: float) -> datetime:
    """Return it in UTC."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - hours * 3600, UTC)


def moment_in(option: str, given: str) -> datetime:
    """Return the moment that a text says, in UTC; UserError for anything else."""
    try:
        at = datetime.fromisoformat(given.strip().upper())
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise UserError(f"{option} {given}: write a moment as 2026-11-28T03:00Z, in UTC or with its zone") from None


def moment_of(database: Database, option: str, given: str) -> Moment:
    """Return the moment that `given` names: a moment, or a run's id or its beginning; UserError for anything else."""
    wanted = given.strip().lower()
    if _DATE.match(wanted):
        return Moment(moment_in(option, given))
    if len(wanted) < _SHORTEST:
        raise UserError(
            f"{option} {given}: write a run's id, {_SHORTEST} characters of it or more, or 2026-11-28T03:00Z"
        )
    runs = database.run(lambda connection: connection.execute(text(_RUNS), {"given": wanted}).all())
    if len(runs) != 1:
        known = "names several runs" if runs else "is no run that wrote a score since the log begins"
        raise UserError(f"{option} {given} {known}: write another run's id, or a moment such as 2026-11-28T03:00Z")
    return Moment(runs[0].at, runs[0].run_id)


def begins(database: Database, within: tuple[str, str]) -> datetime | None:
    """Return from when on the log covers the matches of a partition; None before its first write."""
    return database.run(lambda connection: log_begins(connection, *within))


def row_chunks(
    database: Database,
    files: RangeFiles,
    key: str,
    since: datetime,
    sample: Sample | None = None,
    *,
    until: datetime | None = None,
) -> Iterator[pd.DataFrame]:
    """Yield the matches of a partition, some thousands at a time: those scored now, and those not any more.

    The columns: `COLUMNS`, `BEFORE` and `KNOWN`. `until`: the scores "now" are those that stood at that moment. A
    deleted match of which nothing was kept had what its file said last.
    """
    first = begins(database, files.cut.matches.bounds(key))
    gone = read_gone(files, key).sort_values("id", ignore_index=True)
    gone_at = pd.to_datetime(gone["gone_at"], utc=True, format="ISO8601")
    gone, gone_at = gone.loc[gone_at >= since], gone_at.loc[gone_at >= since]
    for now in scored(files, key, [*COLUMNS, *STORED_BEFORE[1:]], rows=_CHUNK):
        unscored = ~gone["id"].isin(now["id"])
        gone, gone_at = gone.loc[unscored], gone_at.loc[unscored]
        rows = sample.draw(now) if sample else now
        stored = rows[STORED_BEFORE].set_axis(_NAMES, axis=1)
        yield _compared(database, rows[COLUMNS], stored, stored, first=first, since=since, until=until)
    for start in range(0, len(gone), _CHUNK):
        known, at = gone.iloc[start : start + _CHUNK], gone_at.iloc[start : start + _CHUNK]
        rows = sample.draw(known) if sample else known.reset_index(drop=True)
        absent = pd.DataFrame({"id": rows["id"].to_numpy(object)}).reindex(columns=COLUMNS).astype(object)
        last, later = (some.reindex(columns=_NAMES) for some in (known, known.loc[at >= until] if until else known))
        yield _compared(database, absent, last, later, first=first, since=since, until=until)


def _compared(
    database: Database,
    rows: pd.DataFrame,
    last: pd.DataFrame,
    later: pd.DataFrame,
    *,
    first: datetime | None,
    since: datetime,
    until: datetime | None,
) -> pd.DataFrame:
    """Return the rows with `BEFORE` and `KNOWN`. Without a row in the database, a match held what `last` says then, and
    `later` until the end of the comparison. `first`: when the log begins.
    """
    if rows.empty:
        return rows.reindex(columns=[*COLUMNS, *BEFORE, KNOWN]).astype({KNOWN: np.bool_})

    def work(connection: Connection) -> pd.DataFrame:
        after = _as_of(connection, until, rows, later, first) if until else rows
        state = _State.at(connection, rows["id"].tolist(), since, first)
        before = state.aligned(after["id"], last)
        columns = {name: before[old].to_numpy(object) for name, old in zip(BEFORE, _NAMES[1:], strict=False)}
        compared = after.assign(**columns, **{KNOWN: before[KNOWN].to_numpy(np.bool_)})
        contexts = state.contexts(connection, compared.loc[_asked_for(compared), "id"].tolist())
        return compared.assign(before_context=compared["id"].map(contexts).astype(object))

    return database.run(work)


def causes_lost(rows: pd.DataFrame) -> int:
    """Return how many rows of `row_chunks` have two different scores without a known cause."""
    both = rows["before_harmonic_mean"].notna() & rows["harmonic_mean"].notna()
    moved = rows["before_harmonic_mean"].astype(np.float64) != rows["harmonic_mean"].astype(np.float64)
    return int((both & moved & ~rows[KNOWN]).sum())


_NAMES = ["id", "harmonic_mean", "policy", "scoring_version", "inputs_hash"]


@dataclass(frozen=True)
class _State:
    """What the matches of a partition held at a moment: `_NAMES` and `KNOWN`, and the SQL for it."""

    rows: pd.DataFrame
    sql: str
    asked: dict[str, object]

    @classmethod
    def at(
        cls, connection: Connection, matches: Sequence[str], moment: datetime, log_begins: datetime | None
    ) -> "_State":
        sql = _BY_LOG if log_begins and log_begins <= moment else _BY_WHAT_IS_KEPT
        asked: dict[str, object] = {"low": min(matches), "high": max(matches), "moment": moment}
        rows = connection.execute(text(sql + _BEFORE), {**asked, "ids": list(matches)}).all()
        return cls(pd.DataFrame(list(map(tuple, rows)), columns=[*_NAMES, KNOWN], dtype=object), sql, asked)

    def aligned(self, ids: pd.Series, last_known: pd.DataFrame) -> pd.DataFrame:
        """Return the state row by row, or that of `last_known` if the database has no such match."""
        unknown = last_known.loc[~last_known["id"].isin(self.rows["id"])].astype(object).assign(**{KNOWN: True})
        whole = pd.concat([self.rows, unknown]).drop_duplicates("id").set_index("id").reindex(ids)
        return whole.assign(**{KNOWN: whole[KNOWN].ne(False)})

    def contexts(self, connection: Connection, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the contexts by match."""
        if not ids:
            return {}
        asked = {**self.asked, "ids": list(ids)}
        return {row[0]: row[1] for row in connection.execute(text(self.sql + _CONTEXTS), asked)}


def _as_of(
    connection: Connection, until: datetime, rows: pd.DataFrame, last: pd.DataFrame, log_begins: datetime | None
) -> pd.DataFrame:
    """Return the rows with what stood at `until`: scores by the log, factors by the contexts that are still kept."""
    state = _State.at(connection, rows["id"].tolist(), until, log_begins)
    stood = state.aligned(rows["id"], last)
    as_computed = np.ones(len(rows), np.bool_)
    for name in _NAMES[1:]:
        as_computed &= (stood[name].to_numpy(object) == rows[name].to_numpy(object)).astype(np.bool_)
    other = np.flatnonzero(~as_computed & stood["harmonic_mean"].notna().to_numpy(np.bool_))
    computed = rows["policy"]
    rows = rows.astype(dict.fromkeys(_NAMES, object))
    for name in _NAMES[1:]:
        rows[name] = stood[name].to_numpy(object)
    policies = rows["policy"].to_numpy(object, copy=True)
    rows["scoring_version"] = rows["scoring_version"].fillna(SCORING_VERSION)
    ids = rows["id"].iloc[other].tolist()
    contexts = state.contexts(connection, ids)
    known = pd.Series([contexts.get(match) for match in ids], dtype=object)
    stored = rows["harmonic_mean"].iloc[other].to_numpy(np.float64)
    policies[other] = told_policies(rows["policy"].iloc[other], known, stored, computed.iloc[other])
    factors = stored_factors(known)
    values = {name: rows[name].to_numpy(object, copy=True) for name in (*FACTORS, *METHODS)}
    for name, of_all in values.items():
        of_all[other] = factors[name].to_numpy(object)
    return rows.assign(policy=policies, **values)


def _asked_for(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return the matches scored then and now that need contexts: with other inputs now, or with an unnamed policy."""
    pairs = [("before_policy", "policy"), ("before_version", "scoring_version"), ("before_inputs_hash", "inputs_hash")]
    same = np.ones(len(rows), np.bool_)
    for before, now in pairs:
        same &= (rows[before].astype(object) == rows[now].astype(object)).to_numpy(np.bool_)
    both = rows["before_harmonic_mean"].notna() & rows["harmonic_mean"].notna()
    unnamed = rows["before_harmonic_mean"].notna() & rows["before_policy"].isna()
    asked: npt.NDArray[np.bool_] = (both.to_numpy(np.bool_) & ~same) | unnamed.to_numpy(np.bool_)
    return asked


_RUNS = """
    SELECT run_id, max(last_at) AS at FROM jv.score_log_sources
    WHERE NOT seeded AND starts_with(run_id, :given) GROUP BY run_id
"""
_PRESENT = f"""
    present AS (
        SELECT id, harmonic_mean::text::numeric AS harmonic_mean, {selected("match_suggestions", ["match_context"])}
        FROM match_suggestions WHERE id BETWEEN :low AND :high
    )
"""  # noqa: S608 - of our own constants
# What the first later run replaced is what stood then. If no run replaced it, it still stands.
_BY_WHAT_IS_KEPT = f"""
    WITH kept AS (
        SELECT DISTINCT ON (match_id) match_id, harmonic_mean, match_context
        FROM jv.replaced_scores
        WHERE match_id BETWEEN :low AND :high AND replaced_at >= :moment
        ORDER BY match_id, replaced_at, run_id
    ), {_PRESENT}, before AS (
        SELECT coalesce(id, match_id) AS id,
            CASE WHEN match_id IS NULL THEN present.harmonic_mean ELSE kept.harmonic_mean END AS harmonic_mean,
            CASE WHEN match_id IS NULL THEN present.match_context ELSE kept.match_context END AS match_context,
            NULL AS logged_policy, NULL AS logged_version, true AS known
        FROM present FULL JOIN kept ON match_id = id
    )
"""  # noqa: S608 - of our own constants
# A match without a later entry still holds the score. For others, the last entry before gives the score. The run of the
# first later entry has kept the context, if that run is still kept and replaced that very score.
_BY_LOG = f"""
    WITH changed AS (
        SELECT DISTINCT ON (match_id) match_id, run_id
        FROM jv.score_log_rows JOIN jv.score_log_sources s ON s.id = source_id
        WHERE match_id BETWEEN :low AND :high AND at > :moment
        ORDER BY match_id, at
    ), {_PRESENT}, before AS (
        SELECT coalesce(present.id, changed.match_id) AS id,
            CASE WHEN changed.match_id IS NULL THEN present.harmonic_mean
                WHEN logged.match_id IS NULL THEN kept.harmonic_mean ELSE logged.harmonic_mean END AS harmonic_mean,
            CASE WHEN changed.match_id IS NULL THEN present.match_context
                WHEN kept.harmonic_mean = coalesce(logged.harmonic_mean, kept.harmonic_mean)
                THEN kept.match_context END AS match_context,
            logged.policy AS logged_policy, logged.scoring_version AS logged_version,
            changed.match_id IS NULL OR kept.match_id IS NOT NULL
                AND kept.harmonic_mean IS NOT DISTINCT FROM coalesce(logged.harmonic_mean, kept.harmonic_mean) AS known
        FROM present FULL JOIN changed ON changed.match_id = present.id
        LEFT JOIN LATERAL (
            SELECT * FROM jv.score_log l WHERE l.match_id = changed.match_id AND l.at <= :moment
            ORDER BY l.at DESC LIMIT 1
        ) AS logged ON true
        LEFT JOIN jv.replaced_scores kept ON kept.match_id = changed.match_id AND kept.run_id = changed.run_id
    )
"""  # noqa: S608 - of our own constants
_BEFORE = f"""
    SELECT id::text, {as_double("harmonic_mean")}, coalesce(c.policy, logged_policy),
        coalesce(c.scoring_version, logged_version), c.inputs_hash, known
    FROM before
    LEFT JOIN LATERAL jsonb_to_record(CASE jsonb_typeof(match_context) WHEN 'object' THEN match_context END)
        AS c (policy text, scoring_version text, inputs_hash text) ON true
    WHERE id = ANY(CAST(:ids AS uuid[]))
"""  # noqa: S608 - of our own constants
_CONTEXTS = "SELECT id::text, match_context::text FROM before WHERE id = ANY(CAST(:ids AS uuid[]))"
