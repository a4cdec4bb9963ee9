"""What is kept of rating sheets is counted before it is told."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy import text

from jv_assets.errors import UserError
from jv_assets.ratings.store import Pair, Rating, keep_ratings, keep_sheet
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate
from jv_scoring.analysis.ratings import AT_RANDOM

PAIR = Pair(1, AT_RANDOM, None, str(UUID(int=1)), str(UUID(int=2)), "harmonic/impute", None, None, {})
RATING = Rating("sheet", 1, "ab", 3, "", datetime(2026, 2, 17, tzinfo=UTC))
SWALLOW = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(url=database_url)
    migrate(database)
    return database


def swallow(database: Database, table: str) -> None:
    """Keep rows out of a table, as a trigger does that came after the doctor's look."""
    with database.transaction() as connection:
        connection.execute(text(SWALLOW))
        connection.execute(text(f"CREATE TRIGGER t BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION swallow()"))


def refused(table: str) -> str:
    return (
        rf"^{table}: 1 rows were to be kept, and 0 were, so nothing was written: trigger t of {table} .*DROP TRIGGER t"
    )


def test_pairs_that_are_not_kept(database: Database) -> None:
    swallow(database, "jv.rating_pairs")
    with pytest.raises(UserError, match=refused("jv.rating_pairs")):
        keep_sheet(database, "sheet", [PAIR])


def test_ratings_that_are_not_kept(database: Database) -> None:
    keep_sheet(database, "sheet", [PAIR])
    keep_sheet(database, "sheet", [PAIR])
    assert keep_ratings(database, [RATING]) == 0
    swallow(database, "jv.ratings")
    with pytest.raises(UserError, match=refused("jv.ratings")):
        keep_ratings(database, [RATING])
    with database.transaction() as connection:
        assert connection.scalar(text("SELECT count(*) FROM jv.ratings")) == 1
