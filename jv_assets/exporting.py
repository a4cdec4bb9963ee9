"""The best matches in the form that their consumers read, and files that appear whole or not at all."""

import csv
import io
import math
import uuid
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.csv_cells import PARSERS
from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_scoring.policy import tier

COLUMNS = (
    "id",
    "profile_id",
    "suggested_profile_id",
    "match_score",
    "score_ab",
    "score_ba",
    "tier",
    "policy",
    "scoring_version",
)
"""Of an exported match. `match_score` is our `harmonic_mean`: its consumers know it by the older matcher's name."""

_MOST_ROWS = 2**62
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""The wide ones too: spreadsheets with Japanese or Chinese settings take them for the others."""


@dataclass(frozen=True)
class TopMatches:
    """`rows`: the best matches, with `COLUMNS`. `without_score`: how many matches could not be among them for that."""

    rows: pd.DataFrame
    without_score: int


def top_matches(database: Database, top: int, profile: str | None = None) -> TopMatches:
    """The `top` matches with the highest harmonic_mean, best first, equal ones by id; of one profile, as A or B.

    Those without a score are left out and counted. UserError for a `top` below 1, a `profile` that is no uuid, and one
    that no match has.
    """
    if top < 1:
        raise UserError(f"--top {top}: ask for 1 match or more")
    profile_id = None if profile is None else _profile_id(profile)
    sql = text(_TOP.format(scored=_SCORED, matches=_ALL if profile_id is None else _OF_PROFILE))
    values = {"top": min(top, _MOST_ROWS)} | ({} if profile_id is None else {"profile": profile_id})

    def work(connection: Connection) -> TopMatches:
        result = connection.execute(sql, values).all()
        found = [tuple(row[1:]) for row in result if row.id is not None]
        rows = pd.DataFrame(found, columns=[name for name in COLUMNS if name != "tier"], dtype=object)
        rows = rows.astype(dict.fromkeys(("match_score", "score_ab", "score_ba"), "float64"))
        rows.insert(
            COLUMNS.index("tier"), "tier", pd.Series([tier(score) for score in rows["match_score"]], dtype=object)
        )
        return TopMatches(rows, int(result[0].without_score))

    found = database.run(work)
    if profile_id is not None and not (len(found.rows) or found.without_score):
        raise UserError(f"--profile {profile_id}: no match has this profile")
    return found


def write_csv(rows: pd.DataFrame, path: str | Path) -> None:
    """Write the rows as a CSV file (UTF-8, no index), whole or not at all, as RFC 4180 has it.

    It can be opened in a spreadsheet: a text that would be taken for a formula gets a ' before it. Numbers are written
    as numbers, with a dot; nulls and NaN as empty cells. UserError where the file cannot be written.
    """
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow([_cell(str(name)) for name in rows])
    writer.writerows([_cell(value) for value in row] for row in rows.itertuples(index=False, name=None))
    write_whole(path, lines.getvalue())


def reports_folder() -> Path:
    """The folder of the reports, made where it is missing."""
    folder = settings.reports_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror or error}; see JV_HOME") from error
    return folder


def write_whole(path: str | Path, content: str) -> None:
    """Put a text file, UTF-8, in its place in one step; what was there before stays until then.

    UserError where that cannot be done, or where something else than a file is in its place.
    """
    data = content.encode()
    part: Path | None = None
    try:
        place = Path(path).resolve()  # a link stays a link
        if place.exists() and not place.is_file():
            raise UserError(f"cannot write {path}: it is there and is no file")
        part = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
        part.write_bytes(data)
        part.replace(place)
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise UserError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        if part is not None:
            _remove(part)


def _remove(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # the reason why it was not written is told already


def _profile_id(given: str) -> str:
    try:
        return str(PARSERS["uuid"](given))
    except ValueError as error:
        raise UserError(f"--profile: {error}") from None


def _cell(value: object) -> object:
    if isinstance(value, Integral):  # also of numpy's types
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return "" if math.isnan(number) else number
    if value is None or value is pd.NA or value is pd.NaT:
        return ""
    shown = str(value)
    return f"'{shown}" if shown.startswith(_FORMULA_STARTS) else shown


_ALL = "SELECT * FROM match_suggestions"
# Not OR: each half can use an index of its own.
_OF_PROFILE = """
    SELECT * FROM match_suggestions WHERE profile_id = :profile
    UNION ALL
    SELECT * FROM match_suggestions WHERE suggested_profile_id = :profile AND profile_id <> :profile
"""
_SCORED = "harmonic_mean >= 0 AND harmonic_mean < 'NaN'"  # numeric has a NaN, above all numbers
# One statement, so one state of the table.
_TOP = """
    WITH matches AS NOT MATERIALIZED ({matches}),
    best AS (
        SELECT id, profile_id, suggested_profile_id, harmonic_mean, score_ab, score_ba, match_context
        FROM matches WHERE {scored} ORDER BY harmonic_mean DESC, id LIMIT :top
    )
    SELECT n.without_score, b.id::text, b.profile_id::text, b.suggested_profile_id::text,
        b.harmonic_mean::float8 AS match_score, b.score_ab::float8, b.score_ba::float8, c.policy, c.scoring_version
    FROM (SELECT count(*) AS without_score FROM matches WHERE ({scored}) IS NOT TRUE) AS n
    LEFT JOIN best b ON true
    LEFT JOIN LATERAL jsonb_to_record(CASE jsonb_typeof(b.match_context) WHEN 'object' THEN b.match_context END)
        AS c (policy text, scoring_version text) ON true
    ORDER BY b.harmonic_mean DESC, b.id
"""
