"""Every uuid is in exactly one partition, and partitions that are cut from the ids hold as many rows each."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jv_assets.partition_cut import Cut, TableCut, equal_cut, equal_width, even_rows
from tests.support.ids import v1, v7

LAST = 2**128 - 1
YEAR = 365 * 86_400_000


KINDS: dict[str, st.SearchStrategy[int]] = {
    "v1": st.integers(0, YEAR * 10_000).map(v1),
    "v4": st.integers(0, LAST),
    "v7": st.builds(v7, st.integers(0, YEAR), st.integers(0, 2**74 - 1)),
    "ends": st.sampled_from([0, 1, 2, LAST - 1, LAST]),
}


@st.composite
def clusters(draw: st.DrawFn) -> list[int]:
    """Ids one after the other, from anywhere on."""
    count = draw(st.integers(1, 300))
    start = draw(st.integers(0, LAST - count))
    return list(range(start, start + count))


TABLES = st.lists(
    st.one_of(*(st.lists(kind, max_size=300) for kind in KINDS.values()), clusters()), min_size=1, max_size=4
).map(lambda parts: sorted({one for part in parts for one in part}))
COUNTS = st.integers(0, 12).map(lambda power: 2**power)


@given(ids=TABLES, count=COUNTS)
def test_no_partition_holds_more_than_its_share(ids: Sequence[int], count: int) -> None:
    cut = even_rows(ids, count)
    assert_whole(cut, count)
    rows = Counter(cut.key_of(str(UUID(int=one))) for one in ids)
    assert max(rows.values(), default=0) <= -(-len(ids) // count)


@pytest.mark.parametrize("make", [lambda k: v1(10_000 * k), lambda k: v7(k, k)])
def test_ids_of_one_node_and_of_one_year(make: Callable[[int], int]) -> None:
    ids = sorted(make(number) for number in range(20_000))
    found = equal_width(64), even_rows(ids, 64)
    largest = [max(Counter(cut.key_of(str(UUID(int=one))) for one in ids).values()) for cut in found]
    assert largest[1] <= 313 < largest[0]


def assert_whole(cut: TableCut, count: int) -> None:
    """The partitions follow each other from the first uuid to the last one, none is empty, and each has its own ids."""
    ends = [tuple(UUID(end).int for end in cut.bounds(key)) for key in cut.keys]
    assert len(ends) == count
    assert (ends[0][0], ends[-1][1]) == (0, LAST)
    assert all(first <= last for first, last in ends)
    assert all(ends[at][1] + 1 == ends[at + 1][0] for at in range(count - 1))
    for key in {cut.keys[0], cut.keys[count // 2], cut.keys[-1]}:
        assert [cut.key_of(end) for end in cut.bounds(key)] == [key, key]


def test_a_cut_is_known_by_its_bounds() -> None:
    few, many = (even_rows(range(0, 1000, step), 64) for step in (1, 2))
    equal = equal_width(64)
    cuts = [equal_cut(64), Cut(few, equal), Cut(equal, few), Cut(few, few), Cut(many, many)]
    names = [cut.identity for cut in cuts]
    assert names[0] == "64"
    assert len(set(names)) == len(names)
    assert all(name.startswith("64-") for name in names[1:])
    assert Cut(equal_width(64), equal_width(64)).identity == "64"


@given(st.sampled_from([1, 4, 16]), st.data())
def test_intervals_cover_the_partitions_and_no_other(count: int, data: Any) -> None:
    cut = equal_width(count)
    keys = data.draw(st.lists(st.sampled_from(cut.keys), unique=True))
    ends = cut.intervals(keys)
    inside = {key for key in cut.keys for low, high in ends if low <= cut.bounds(key)[0] and cut.bounds(key)[1] <= high}
    assert inside == set(keys)
    numbers = [(UUID(low).int, UUID(high).int) for low, high in ends]
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(numbers))
