"""The log of published scores, `jv.score_log`: what stood in production at any moment, however many runs ago.

Every row that publishing or an undo writes gets an entry, in the transaction that writes it. `jv.score_log` is a view
of:

- `jv.score_log_rows`: the entries, in a partition for each month, which is made when it is needed,
- `jv.score_log_base`: what each match held before the first of these months. It is filled from what is stored (marked
  as seeded) before a range is first written to, and by `purge` from the months that it drops,
- `jv.score_log_sources`: run, policy, version and model of the entries.

So the last entry of a match at or before a moment is what stood at it, from `log_begins` on.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.pipeline.database.counted_writes import run_counted
from jv_assets.pipeline.matches.seeded_ids import note_seeded, seeded_since, unseeded
from jv_assets.resources.database import Database
from jv_assets.tables import SCORE_COLUMNS, as_double, cast

T = TypeVar("T")

SEEDED_AT_ONCE = 5_000
"""How many matches one transaction seeds."""
_LONGEST = 200
"""Characters that the log keeps of a policy, version or model: an index takes no long text of another program."""


def logging_update(update: str) -> str:
    """Return the statement that runs `update` and logs what the rows hold then; it returns both counts in one row.

    `update` sets the scores of match `m` from a temporary table `b`, whose column `made_by` is a JSON array of policy,
    version and model. The statement takes the parameters of `update` and :run.
    """
    return _UPDATE_AND_LOG.format(update=update, scores=_as_logged("u.{}"))


def ensure_months(connection: Connection) -> None:
    """Create the partition of this month if it is missing, and of the next month if that begins within a day.

    They are attached, not created in place, because attaching does not wait for readers and writers of the log.
    """
    if not connection.execute(text(_MISSING_MONTHS)).first():
        return
    connection.execute(text(_LOCK_MONTHS))
    for name, first, after in connection.execute(text(_MISSING_MONTHS)).all():
        # The name and both moments are digits that the server made from its clock.
        connection.execute(text(f"CREATE TABLE jv.{name} (LIKE jv.score_log_rows)"))
        connection.execute(text(f"ALTER TABLE jv.{name} REPLICA IDENTITY FULL"))
        connection.execute(
            text(f"ALTER TABLE jv.score_log_rows ATTACH PARTITION jv.{name} FOR VALUES FROM ('{first}') TO ('{after}')")
        )


class UnseededError(Exception):
    """The log does not hold the stored scores of this partition yet, so nothing may be written there."""


def require_seeded(connection: Connection, low: str, high: str) -> None:
    """Raise UnseededError if matches in low..high are not seeded. Call it before writing to them."""
    if unseeded(connection, low, high):
        raise UnseededError(f"{low}..{high}")


def run_seeded(database: Database, work: Callable[[Connection], T], low: str, high: str) -> T:
    """Run `run_counted`; on an UnseededError, which happens once per partition, `seed` it and run again."""
    try:
        return run_counted(database, work)
    except UnseededError:
        seed(database, low, high)
    return run_counted(database, work)


def seed(database: Database, low: str, high: str) -> None:
    """Log what the matches in low..high hold, before they are first written to; skip those that are seeded.

    Each page of matches is a transaction of its own, so an interrupted seeding resumes.
    """
    for first, last in database.run(lambda connection: unseeded(connection, low, high)):
        _seed_interval(database, first, last)


def _seed_interval(database: Database, low: str, high: str) -> None:
    after: str | None = None
    while True:

        def work(connection: Connection, after: str | None = after) -> str | None:
            return _seed_page(connection, {"low": low, "high": high, "after": after, "count": SEEDED_AT_ONCE})

        after = database.run(work)
        if after is None:
            break

    def note(connection: Connection) -> None:
        ensure_months(connection)
        note_seeded(connection, low, high)

    database.run(note)


def _seed_page(connection: Connection, asked: dict[str, object]) -> str | None:
    """Seed the matches after one; return the last of them, None if there was none."""
    connection.execute(text(_CREATE_SEED), asked)
    last: str | None = connection.scalar(text("SELECT max(id::text) FROM seed"))
    if last is not None:
        written = connection.execute(text("SELECT DISTINCT scored_at FROM seed WHERE scored_at IS NOT NULL")).scalars()
        times = {stamp: moment for stamp in written if (moment := _moment(stamp))}
        connection.execute(text(_SEED), {"stamps": list(times), "moments": list(times.values())})
    return last


def _moment(stamp: str) -> datetime | None:
    """Return when a context says that it was made, in UTC if it names no zone; None if that is not a time."""
    try:
        moment = datetime.fromisoformat(stamp)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def log_begins(connection: Connection, low: str, high: str) -> datetime | None:
    """Return from when on the log knows what the matches in low..high held; None if some were never seeded."""
    seeded = seeded_since(connection, low, high)
    first_month: datetime | None = connection.scalar(text(_FIRST_MONTH))
    return max(seeded, first_month) if seeded and first_month else seeded


def purge(database: Database) -> list[str]:
    """Drop the months that ended more than `JV_SCORE_LOG_DAYS` days ago; return their names.

    The last entry of each match goes to the base first, because that score may still stand.
    """
    before = datetime.now(UTC) - timedelta(days=settings.score_log_days())

    def work(connection: Connection) -> list[str]:
        connection.execute(text(_LOCK_MONTHS))
        old = list(connection.scalars(text(_ENDED_MONTHS), {"before": before}))
        for name in old:
            connection.execute(text(_CARRY.format(month=name)))
            connection.execute(text(f"ALTER TABLE jv.score_log_rows DETACH PARTITION jv.{name}"))
            connection.execute(text(f"DROP TABLE jv.{name}"))
        if old:
            connection.execute(text(_DROP_GONE), {"before": before})
            connection.execute(text(_DROP_SOURCES), {"before": before})
        return old

    return database.run(work)


def refuse_uncounted(logged: int, updated: int) -> None:
    """Raise UserError if the log does not have exactly one entry for each row that was written."""
    if logged != updated:
        raise UserError(
            f"jv.score_log took {logged} of {updated} entries, so nothing was written: take the trigger, rule or "
            "policy that keeps rows out off jv.score_log_rows, then type: jv retry"
        )


_MADE_BY = ("policy", "scoring_version", "embedding_model")


def made_by(context: str) -> str:
    """SQL: policy, version and model that a context names, as the log takes them."""
    return ", ".join(f"left({context} ->> '{name}', {_LONGEST})" for name in _MADE_BY)


def _as_logged(score: str) -> str:
    """SQL: the three scores as the log's columns of type real hold them; another program may have stored any number."""
    return ", ".join(f"{as_double(score.format(name), 37)} AS {name}" for name in SCORE_COLUMNS[:3])


# One statement, so that the rows are looked up once.
_UPDATE_AND_LOG = """
    WITH updated AS (
        {update} RETURNING m.id, m.score_ab, m.score_ba, m.harmonic_mean, b.made_by
    ), sources AS (
        INSERT INTO jv.score_log_sources (run_id, policy, scoring_version, embedding_model)
        SELECT CAST(:run AS text), made_by ->> 0, made_by ->> 1, made_by ->> 2
        FROM (SELECT DISTINCT made_by FROM updated) AS different ORDER BY made_by
        ON CONFLICT (run_id, policy, scoring_version, embedding_model, seeded)
            DO UPDATE SET last_at = clock_timestamp()
        RETURNING id, last_at, jsonb_build_array(policy, scoring_version, embedding_model) AS made_by
    ), logged AS (
        INSERT INTO jv.score_log_rows (at, match_id, source_id, score_ab, score_ba, harmonic_mean)
        SELECT s.last_at, u.id, s.id, {scores}
        FROM updated u JOIN sources s ON s.made_by = u.made_by
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM updated), (SELECT count(*) FROM logged)
"""
# A month is named by the server's clock, in UTC. The catalogue is read directly: to_regclass is cached, and would give
# the answer from before the wait for the lock.
_MISSING_MONTHS = """
    SELECT name, first::date::text, (first + interval '1 month')::date::text
    FROM (SELECT DISTINCT date_trunc('month', clock_timestamp() + ahead) AS first
          FROM (VALUES (interval '0'), (interval '1 day')) AS given (ahead)) AS months,
        LATERAL (SELECT 'score_log_' || to_char(first, 'YYYY_MM') AS name) AS named
    WHERE NOT EXISTS (
        SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'jv' AND relname = name
    )
"""
_LOCK_MONTHS = "SELECT pg_advisory_xact_lock(hashtextextended('jv.score_log', 0))"
# The catalogue's format: FOR VALUES FROM ('2026-11-01 00:00:00+00') TO ('2026-12-01 00:00:00+00').
_BOUND = "CAST(substring(pg_get_expr(c.relpartbound, c.oid) FROM '{word} .''([^'']+)') AS timestamptz)"
_PARTITIONS = "pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent = 'jv.score_log_rows'::regclass"
_ENDED_MONTHS = f"""
    SELECT c.relname FROM {_PARTITIONS} AND {_BOUND.format(word="TO")} <= :before ORDER BY c.relname
"""  # noqa: S608 - of our own constants
_CARRY = """
    INSERT INTO jv.score_log_base (at, match_id, source_id, score_ab, score_ba, harmonic_mean)
    SELECT DISTINCT ON (match_id) at, match_id, source_id, score_ab, score_ba, harmonic_mean FROM jv.{month}
    ORDER BY match_id, at DESC
    ON CONFLICT (match_id) DO UPDATE SET at = excluded.at, source_id = excluded.source_id,
        score_ab = excluded.score_ab, score_ba = excluded.score_ba, harmonic_mean = excluded.harmonic_mean
"""
# A missing match may only be hidden from this role.
_DROP_GONE = """
    DELETE FROM jv.score_log_base b
    WHERE at < :before AND NOT row_security_active('match_suggestions')
        AND NOT EXISTS (SELECT FROM match_suggestions m WHERE m.id = b.match_id)
"""
_DROP_SOURCES = """
    DELETE FROM jv.score_log_sources
    WHERE last_at < :before AND id NOT IN (SELECT source_id FROM jv.score_log_base)
"""
_FIRST_MONTH = f"SELECT min({_BOUND.format(word='FROM')}) FROM {_PARTITIONS}"  # noqa: S608 - of our own constants
_JSONB = cast("match_suggestions", "match_context", "m")
_CREATE_SEED = f"""
    CREATE TEMP TABLE seed ON COMMIT DROP AS
    SELECT m.id, {_as_logged("m.{}::text::numeric")}, c.scored_at,
        {", ".join(f"left(c.{name}, {_LONGEST}) AS {name}" for name in _MADE_BY)}
    FROM match_suggestions m
    LEFT JOIN LATERAL jsonb_to_record(CASE jsonb_typeof({_JSONB}) WHEN 'object' THEN {_JSONB} END)
        AS c (policy text, scoring_version text, embedding_model text, scored_at text) ON true
    WHERE m.id BETWEEN :low AND :high AND (CAST(:after AS uuid) IS NULL OR m.id > CAST(:after AS uuid))
    ORDER BY m.id LIMIT :count
"""  # noqa: S608 - of our own constants
# A match with entries is older in the log than what is stored now.
_SEED = """
    WITH scored AS (
        SELECT * FROM seed WHERE harmonic_mean IS NOT NULL
            AND NOT EXISTS (SELECT FROM jv.score_log_rows r WHERE r.match_id = seed.id)
    ), made_by AS (
        INSERT INTO jv.score_log_sources (policy, scoring_version, embedding_model, seeded)
        SELECT DISTINCT policy, scoring_version, embedding_model, true FROM scored ORDER BY 1, 2, 3
        ON CONFLICT (run_id, policy, scoring_version, embedding_model, seeded)
            DO UPDATE SET last_at = clock_timestamp()
        RETURNING id, policy, scoring_version, embedding_model
    )
    INSERT INTO jv.score_log_base (match_id, at, source_id, score_ab, score_ba, harmonic_mean)
    SELECT scored.id, least(coalesce(moment, now()), now()), s.id, score_ab, score_ba, harmonic_mean
    FROM scored
    JOIN made_by s ON (s.policy, s.scoring_version, s.embedding_model)
        IS NOT DISTINCT FROM (scored.policy, scored.scoring_version, scored.embedding_model)
    LEFT JOIN unnest(CAST(:stamps AS text[]), CAST(:moments AS timestamptz[])) AS t (stamp, moment)
        ON stamp = scored.scored_at
    ON CONFLICT DO NOTHING
"""
