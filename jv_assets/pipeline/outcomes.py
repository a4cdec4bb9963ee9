"""What became of the matches of a partition, and which score stood when each was seen."""

from collections.abc import Mapping, Sequence

import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.resources.database import Database
from jv_assets.tables import OUTCOMES, TIME
from jv_scoring.analysis.evaluation import STOOD

# Whether a time column holds moments (for a domain: its base type). A text can be read from every type.
_THERE = """
    SELECT a.attname, base.typname IN ('timestamptz', 'timestamp', 'date') AS holds_moments
    FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        JOIN pg_type base ON base.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
    WHERE a.attrelid = to_regclass('match_suggestions') AND a.attnum > 0 AND NOT a.attisdropped
        AND a.attname = ANY(CAST(:names AS text[])) AND has_column_privilege(a.attrelid, a.attnum, 'SELECT')
"""
# Microseconds since 1970 in UTC, whatever the session's time zone. Infinity becomes the end of the year 9999, and minus
# infinity the year 1, because Python has no such moments.
_MICROSECONDS = """CASE
        WHEN isfinite(m.{0}) THEN (extract(epoch FROM m.{0}) * 1000000)::bigint
        WHEN m.{0} > 'epoch' THEN 253402300799000000
        WHEN m.{0} < 'epoch' THEN -62135596800000000
    END"""
_MATCHES = "SELECT m.id::text{columns} FROM match_suggestions m WHERE m.id BETWEEN :low AND :high"
_STOOD = """
    SELECT m.id::text, l.policy, l.score_ab::float8, l.harmonic_mean::float8
    FROM (SELECT m.id, least({times}) AS seen FROM match_suggestions m WHERE m.id BETWEEN :low AND :high) AS m
    CROSS JOIN LATERAL (
        SELECT policy, score_ab, harmonic_mean FROM jv.score_log
        WHERE match_id = m.id AND at <= 'epoch'::timestamptz + m.seen * interval '1 microsecond'
        ORDER BY at DESC LIMIT 1
    ) AS l
    WHERE m.seen IS NOT NULL
"""


def read_outcomes(database: Database, low: str, high: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the matches whose id is in low..high (both included), in one transaction.

    Returns two frames. The first has `id` and the readable outcome columns, because a platform may lack some. The
    second has `id` and `STOOD` of the matches that had a score in production when they were first seen. UserError if
    rows may be hidden.
    """
    return database.run(seeing_all(lambda connection: _read(connection, low, high)))


def read_seen(database: Database, low: str, high: str) -> pd.DataFrame:
    """Read only the matches of these ids that somebody saw at a known time: the first frame of `read_outcomes`."""

    def work(connection: Connection) -> pd.DataFrame:
        names = _readable(connection)
        times = [f"m.{name}" for name in names if OUTCOMES[name] == TIME]
        seen = f"num_nonnulls({', '.join(times)}) > 0" if times else "false"
        return _outcomes(connection, names, f"{_MATCHES} AND {seen}", {"low": low, "high": high})

    return database.run(seeing_all(work))


def _read(connection: Connection, low: str, high: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    ids = {"low": low, "high": high}
    names = _readable(connection)
    times = _times(names)
    outcomes = _outcomes(connection, names, _MATCHES, ids)
    stood = connection.execute(text(_STOOD.format(times=", ".join(times.values()))), ids).all() if times else []
    return outcomes, pd.DataFrame(list(map(tuple, stood)), columns=["id", *STOOD], dtype=object)


def _times(names: Sequence[str]) -> dict[str, str]:
    return {name: _MICROSECONDS.format(name) for name in names if OUTCOMES[name] == TIME}


def _outcomes(connection: Connection, names: Sequence[str], sql: str, ids: Mapping[str, str]) -> pd.DataFrame:
    times = _times(names)
    columns = "".join(f", {times.get(name, f'm.{name}::text')} AS {name}" for name in names)
    rows = connection.execute(text(sql.format(columns=columns)), ids).all()
    outcomes = pd.DataFrame(list(map(tuple, rows)), columns=["id", *names], dtype=object)
    for name in times:
        outcomes[name] = pd.to_datetime(outcomes[name].astype("Int64"), unit="us", utc=True)
    return outcomes


def _readable(connection: Connection) -> list[str]:
    rows = connection.execute(text(_THERE), {"names": list(OUTCOMES)}).all()
    there = {name for name, holds_moments in rows if holds_moments or OUTCOMES[name] != TIME}
    return [name for name in OUTCOMES if name in there]
