"""Two writers that have an id in common wait for each other, whatever partitions each of them has."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jv_assets.partition_cut import equal_width
from jv_assets.pipeline.database.id_locks import lock_ids, lock_names
from jv_assets.resources.database import Database
from tests.support.waiting import wait_for_a_lock

IDS = st.integers(0, 2**128 - 1)
INTERVALS = st.tuples(IDS, IDS).map(lambda ends: (str(UUID(int=min(ends))), str(UUID(int=max(ends)))))


@pytest.fixture
def database(database_url: str) -> Database:
    return Database(url=database_url)


def excluded(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether a lock that one holds alone is among the other's, shared or not."""
    ours, theirs = (lock_names("", *ends) for ends in (one, other))
    return ours[-1] in theirs or theirs[-1] in ours


@given(one=INTERVALS, other=INTERVALS)
@example(one=equal_width(64).bounds("00"), other=equal_width(1).bounds("0"))
def test_whoever_shares_an_id_is_excluded(one: tuple[str, str], other: tuple[str, str]) -> None:
    if max(one[0], other[0]) <= min(one[1], other[1]):
        assert excluded(one, other)


@pytest.mark.parametrize("number", [2, 8, 64, 256])
def test_partitions_of_one_cut_do_not_wait_for_each_other(number: int) -> None:
    cut = equal_width(number)
    found = [cut.bounds(key) for key in cut.keys]
    assert not any(excluded(one, other) for one in found for other in found if one != other)


def test_a_partition_and_a_part_of_it_wait_for_each_other(database: Database) -> None:
    whole, part = equal_width(1).bounds("0"), equal_width(64).bounds("3c")

    def lock() -> str:
        with database.transaction() as connection:
            lock_ids(connection, "scores", *whole)
        return "done"

    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as connection:
            lock_ids(connection, "scores", *part)
            second = pool.submit(lock)
            wait_for_a_lock(database, second)
        assert second.result() == "done"
