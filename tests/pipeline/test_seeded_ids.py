"""What is left of intervals of ids without those that are seeded already."""

from hypothesis import given
from hypothesis import strategies as st

from jv_assets.pipeline.matches.seeded_ids import _without

ENDS = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda ends: (min(ends), max(ends)))


def members(intervals: list[tuple[int, int]]) -> list[int]:
    return [one for low, high in intervals for one in range(low, high + 1)]


@given(asked=ENDS, seeded=st.lists(ENDS, max_size=6))
def test_every_id_is_left_that_is_in_no_seeded_interval(asked: tuple[int, int], seeded: list[tuple[int, int]]) -> None:
    left = [asked]
    for one in seeded:
        left = _without(left, one)
    assert members(left) == [one for one in members([asked]) if one not in members(seeded)]
