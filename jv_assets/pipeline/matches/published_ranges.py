"""The age of the data that scores were published from: scores of older data never replace newer ones.

The files of a home may be older than production: the home was restored, another home published meanwhile, or
`JV_ID_RANGES` was changed and changed back. So the database itself keeps the age of what was published last.
"""

from datetime import datetime

from sqlalchemy import Connection, text

from jv_assets.errors import UserError

_NEWEST = "SELECT max(as_of) FROM jv.published_ranges WHERE low <= :high AND high >= :low"
_NOTE = """
    INSERT INTO jv.published_ranges (low, high, as_of) VALUES (:low, :high, :as_of)
    ON CONFLICT (low, high) DO UPDATE SET as_of = excluded.as_of WHERE published_ranges.as_of < excluded.as_of
"""


def refuse_older(connection: Connection, within: tuple[str, str], as_of: datetime) -> None:
    """Raise UserError if scores of matches `within` two ids were published from data newer than `as_of`."""
    low, high = within
    newest: datetime | None = connection.scalar(text(_NEWEST), {"low": low, "high": high})
    if newest and newest > as_of:
        raise UserError(
            f"scores from data of {newest:%Y-%m-%d %H:%M:%S} UTC are published, and these are from older data, of "
            f"{as_of:%Y-%m-%d %H:%M:%S} UTC; score again: jv rescore"
        )


def note_published(connection: Connection, within: tuple[str, str], as_of: datetime) -> None:
    """Store the age of the data behind the scores of the matches `within` two ids."""
    low, high = within
    connection.execute(text(_NOTE), {"low": low, "high": high, "as_of": as_of})
