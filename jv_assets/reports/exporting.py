"""Select the best matches for their consumers, and write files whole or not at all."""

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
from jv_assets.errors import UserError
from jv_assets.pipeline.matches.match_states import context_of, fits, has_score, scorable
from jv_assets.resources.database import Database
from jv_assets.setup.csv_cells import PARSERS
from jv_assets.tables import cast, selected
from jv_scoring.policy import tier
from jv_scoring.stored_rules import told_policy

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
    "other_id",
)
"""Columns of an exported match. `match_score` is our `harmonic_mean`, under the older matcher's name, which consumers
know. `other_id`: further matches of the same two profiles, separated by spaces.
"""

_MOST_ROWS = 2**62
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Also the wide characters, because spreadsheets with Japanese or Chinese settings accept them too."""


@dataclass(frozen=True)
class TopMatches:
    """`rows`: the best matches, with `COLUMNS`.

    Left out and counted: matches `without_score`, and `not_scorable` ones, whose score is from a time when both
    profiles existed.
    """

    rows: pd.DataFrame
    without_score: int
    not_scorable: int


def top_matches(database: Database, top: int, profile: str | None = None) -> TopMatches:
    """Return the `top` pairs with the highest harmonic_mean, best first, equal ones by id; of one profile, on either
    side.

    If two profiles have several matches, in either order, the one with the highest score is exported, and among equal
    ones the one with the lowest id. UserError for a `top` below 1, a `profile` that is not a uuid, and a profile
    without a match.
    """
    if top < 1:
        raise UserError(f"--top {top}: ask for 1 match or more")
    profile_id = None if profile is None else _profile_id(profile)
    sql = text(_TOP.replace("{matches}", _ALL if profile_id is None else _OF_PROFILE))
    values = {"top": min(top, _MOST_ROWS)} | ({} if profile_id is None else {"profile": profile_id})

    def work(connection: Connection) -> TopMatches:
        result = connection.execute(sql, values).all()
        policies = [told_policy(row.policy, row.fits, settings.policy()) for row in result]
        best = [(*row[2:8], policy, *row[9:11]) for row, policy in zip(result, policies, strict=True) if row.id]
        rows = pd.DataFrame(best, columns=[name for name in COLUMNS if name != "tier"], dtype=object)
        rows = rows.astype(dict.fromkeys(("match_score", "score_ab", "score_ba"), "float64"))
        rows.insert(
            COLUMNS.index("tier"), "tier", pd.Series([tier(score) for score in rows["match_score"]], dtype=object)
        )
        return TopMatches(rows, result[0].without_score, result[0].not_scorable)

    best = database.run(work)
    if profile_id is not None and not (len(best.rows) or best.without_score or best.not_scorable):
        raise UserError(f"--profile {profile_id}: no match has this profile")
    return best


def write_csv(rows: pd.DataFrame, path: str | Path) -> None:
    """Write the rows as a CSV file (UTF-8, no index, RFC 4180), whole or not at all.

    A spreadsheet can open it safely: a text that it would take for a formula gets a ' in front. Numbers are written
    with a dot; nulls and NaN as empty cells. UserError if the file cannot be written.
    """
    write_whole(path, csv_text(rows))


def csv_text(rows: pd.DataFrame) -> str:
    """Return the text that `write_csv` writes."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow([_cell(str(name)) for name in rows])
    writer.writerows([_cell(value) for value in row] for row in rows.itertuples(index=False, name=None))
    return lines.getvalue()


def reports_folder() -> Path:
    """Return the folder of the reports; create it if it is missing."""
    folder = settings.reports_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror or error}; see JV_HOME") from error
    return folder


def write_whole(path: str | Path, content: str, mode: int | None = None) -> None:
    """Replace a text file, UTF-8, in one step; the old content stays until then.

    `mode`: who may read it, such as 0o600, from its first byte on; by default that of the process. UserError if that
    fails, or if the path is not a file.
    """
    data = content.encode()
    part: Path | None = None
    try:
        place = Path(path).resolve()  # A link stays a link.
        if place.exists() and not place.is_file():
            raise UserError(f"cannot write {path}: it is there and is no file")
        part = place.with_name(f".{place.name}.{uuid.uuid4().hex}")
        if mode is not None:
            part.touch(mode, exist_ok=False)
        part.write_bytes(data)
        part.replace(place)
    except (OSError, ValueError) as error:  # ValueError: no file can have this path.
        raise UserError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        if part is not None:
            _remove(part)


def _remove(part: Path) -> None:
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # The reason of the failure is reported already.


def _profile_id(given: str) -> str:
    try:
        return str(PARSERS["uuid"](given))
    except ValueError as error:
        raise UserError(f"--profile: {error}") from None


def _cell(value: object) -> object:
    if isinstance(value, Integral):  # Also numpy's types.
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
# (A, B) and (B, A) are one pair, and so are two rows of (A, B).
_SAME_PAIR = """
    least(o.profile_id, o.suggested_profile_id) = least(m.profile_id, m.suggested_profile_id)
    AND greatest(o.profile_id, o.suggested_profile_id) = greatest(m.profile_id, m.suggested_profile_id)
"""
# One statement, so one state of the table.
_TOP = f"""
    WITH matches AS NOT MATERIALIZED ({{matches}}),
    best AS (
        SELECT m.id, m.profile_id, m.suggested_profile_id, m.harmonic_mean, m.score_ab, m.score_ba, m.match_context
        FROM matches m
        WHERE {has_score("m")} AND {scorable("m")} AND NOT EXISTS (
            SELECT FROM match_suggestions o WHERE {_SAME_PAIR} AND {has_score("o")}
                AND (o.harmonic_mean > m.harmonic_mean OR o.harmonic_mean = m.harmonic_mean AND o.id < m.id)
        )
        ORDER BY m.harmonic_mean DESC, m.id LIMIT :top
    ),
    others AS (
        SELECT m.id, string_agg(o.id::text, ' ' ORDER BY o.id) AS other_id
        FROM best m JOIN match_suggestions o ON {_SAME_PAIR} AND o.id <> m.id
        GROUP BY m.id
    ),
    counts AS (
        SELECT count(*) FILTER (WHERE ({has_score("m")}) IS NOT TRUE) AS without_score,
            count(*) FILTER (WHERE {has_score("m")} AND NOT {scorable("m")}) AS not_scorable
        FROM matches m
    )
    SELECT counts.*, m.id::text, m.profile_id::text, m.suggested_profile_id::text,
        {cast("match_suggestions", "harmonic_mean", "m")} AS match_score,
        {selected("match_suggestions", ("score_ab", "score_ba"), "m")},
        c.policy, c.scoring_version, others.other_id,
        CASE WHEN m.id IS NOT NULL THEN {fits("m")} END AS fits
    FROM counts LEFT JOIN best m ON true LEFT JOIN others ON others.id = m.id {context_of("m")}
    ORDER BY m.harmonic_mean DESC, m.id
"""  # noqa: S608 - of our own constants
