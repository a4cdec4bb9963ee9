"""Older scores never replace newer ones, into however many ranges each of the two runs cut the ids."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from jv_assets.errors import UserError
from jv_assets.pipeline.matches.published_ranges import note_published, refuse_older
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate

MONDAY = datetime(2026, 3, 2, 3, tzinfo=UTC)


def ids_of(key: str, ranges: int) -> tuple[str, str]:
    """The first and the last id of a range of equal width."""
    first = int(key.ljust(32, "0"), 16)
    return str(UUID(int=first)), str(UUID(int=first + 2**128 // ranges - 1))


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(database_url)
    migrate(database, dimension=384)
    return database


def test_after_64_ranges_16_and_64_again(database: Database) -> None:
    with database.transaction() as connection:
        note_published(connection, ids_of("04", 64), MONDAY)
        refuse_older(connection, ids_of("04", 64), MONDAY)  # the same scores again
        note_published(connection, ids_of("0", 16), MONDAY + timedelta(days=1))
        for key in ("00", "04", "08", "0c"):
            with pytest.raises(UserError, match="and these are from older data, of 2026-03-02 03:00:00 UTC"):
                refuse_older(connection, ids_of(key, 64), MONDAY)
            refuse_older(connection, ids_of(key, 64), MONDAY + timedelta(days=2))
        refuse_older(connection, ids_of("10", 64), MONDAY)


def test_a_range_is_kept_once(database: Database) -> None:
    times = [MONDAY + timedelta(hours=hours) for hours in (0, 1, 1, 2)]
    with database.transaction() as connection:
        for before, after in pairwise(times):
            note_published(connection, ids_of("04", 64), before)
            note_published(connection, ids_of("04", 64), after)
        with pytest.raises(UserError, match="score again: jv rescore"):
            refuse_older(connection, ids_of("04", 64), times[2])
        refuse_older(connection, ids_of("04", 64), times[3])
