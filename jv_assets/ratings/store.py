"""Rating sheets and ratings in the schema jv."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.pipeline.database.counted_writes import require_count
from jv_assets.resources.database import Database
from jv_scoring.analysis.ratings import figures
from jv_scoring.analysis.tallies import Json


@dataclass(frozen=True)
class Pair:
    """A pair of a sheet: `pair` is its number there, from 1.

    Published pairs have `match_id`, `tenth` (0..9 of the score) and `tenth_matches` (how many matches are in it).
    `ranks`: by ranking, the pair's value when the sheet was drawn; None if it has none.
    """

    pair: int
    source: str
    match_id: str | None
    profile_id: str
    candidate_id: str
    policy: str
    tenth: int | None
    tenth_matches: int | None
    ranks: Mapping[str, float | None]


@dataclass(frozen=True)
class Rating:
    """One rater's opinion on a pair: `rating` 1..5; `rated_at` has a time zone."""

    sheet: str
    pair: int
    rater: str
    rating: int
    note: str
    rated_at: datetime


_KEEP_PAIR = """
    INSERT INTO jv.rating_pairs
        (sheet, pair, source, match_id, profile_id, candidate_id, policy, tenth, tenth_matches, ranks)
    VALUES (:sheet, :pair, :source, CAST(:match_id AS uuid), CAST(:profile_id AS uuid), CAST(:candidate_id AS uuid),
        :policy, :tenth, :tenth_matches, CAST(:ranks AS jsonb))
    ON CONFLICT DO NOTHING
"""
_COUNT_PAIRS = "SELECT count(*) FROM jv.rating_pairs WHERE sheet = :sheet"
_PAIRS_OF = "SELECT sheet, pair FROM jv.rating_pairs WHERE sheet = ANY(:sheets)"
_DROP_RATINGS = "DELETE FROM jv.ratings WHERE sheet = :sheet AND rater = :rater"
_KEEP_RATING = """
    INSERT INTO jv.ratings (sheet, pair, rater, rating, note, rated_at)
    VALUES (:sheet, :pair, :rater, :rating, :note, :rated_at)
"""
_RATINGS = "SELECT sheet, pair, rater, rating FROM jv.ratings ORDER BY sheet, pair, rater"
_RATED_PAIRS = """
    SELECT sheet, pair, source, policy, tenth, tenth_matches, ranks FROM jv.rating_pairs
    WHERE sheet IN (SELECT sheet FROM jv.ratings) ORDER BY sheet, pair
"""


def keep_sheet(database: Database, sheet: str, pairs: list[Pair]) -> None:
    """Store the pairs of a sheet. Idempotent, because a sheet's name is a hash of its content."""
    rows = [asdict(pair) | {"sheet": sheet, "ranks": json.dumps(pair.ranks, allow_nan=False)} for pair in pairs]

    def work(connection: Connection) -> None:
        connection.execute(text(_KEEP_PAIR), rows)
        kept = int(connection.scalar(text(_COUNT_PAIRS), {"sheet": sheet}) or 0)
        require_count(connection, "jv.rating_pairs", "kept", len(rows), kept)

    database.run(work)


def pairs_of_sheets(database: Database, sheets: list[str]) -> dict[str, set[int]]:
    """Return the numbers of the pairs of these sheets; nothing for an unknown sheet."""

    def work(connection: Connection) -> dict[str, set[int]]:
        numbers: dict[str, set[int]] = {}
        for sheet, pair in connection.execute(text(_PAIRS_OF), {"sheets": sheets}):
            numbers.setdefault(sheet, set()).add(pair)
        return numbers

    return database.run(work)


def keep_ratings(database: Database, ratings: list[Rating]) -> int:
    """Replace everything that these raters said about these sheets; return how many ratings were replaced."""
    by_rater = {(rating.sheet, rating.rater): {"sheet": rating.sheet, "rater": rating.rater} for rating in ratings}

    def work(connection: Connection) -> int:
        dropped = sum(connection.execute(text(_DROP_RATINGS), each).rowcount for each in by_rater.values())
        kept = connection.execute(text(_KEEP_RATING), [asdict(rating) for rating in ratings]).rowcount
        require_count(connection, "jv.ratings", "kept", len(ratings), kept)
        return dropped

    return database.run(work)


def rating_figures(database: Database, policy: str) -> Json | None:
    """Return the figures of all ratings, as in docs/ratings.md; None if nobody has rated."""

    def work(connection: Connection) -> tuple[pd.DataFrame, pd.DataFrame]:
        read = (connection.execute(text(statement)) for statement in (_RATED_PAIRS, _RATINGS))
        pairs, ratings = (pd.DataFrame(result.all(), columns=list(result.keys())) for result in read)
        return pairs, ratings

    pairs, ratings = database.run(work)
    if ratings.empty:
        return None
    numbers = {name: number for number, name in enumerate(zip(pairs["sheet"], pairs["pair"], strict=True))}
    places = [numbers[name] for name in zip(ratings["sheet"], ratings["pair"], strict=True)]
    return figures(pairs, ratings.assign(place=places), policy)
