"""Whatever was asked for before: the vectors that are asked for are there, and no more than there is room for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jv_assets.pipeline import vector_cache
from jv_assets.pipeline.vector_cache import VectorCache
from jv_scoring.prepare import COMPARED
from jv_scoring.vectors import IRREGULAR, MISSING, Positions, Vectors

PROFILES, DIMENSION, CAPACITY = 12, 4, 5
_RNG = np.random.default_rng(1)
MATRICES = {name: _RNG.standard_normal((PROFILES, DIMENSION)).astype(np.float32) for name in COMPARED}
WITHOUT, OF_ANOTHER_LENGTH = {2, 7}, {3: np.ones(2, np.float32), 9: np.zeros(7, np.float32)}


class Table:
    """What there is to fetch, and what was fetched of it."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []

    def fetch(self, profiles: Positions) -> dict[str, Vectors]:
        self.asked.append(profiles.tolist())
        odd = {k: OF_ANOTHER_LENGTH[p] for k, p in enumerate(profiles.tolist()) if p in OF_ANOTHER_LENGTH}
        row = np.array([MISSING if profile in WITHOUT else k for k, profile in enumerate(profiles.tolist())], np.intp)
        return {name: Vectors.from_matrix(MATRICES[name][profiles], row, odd) for name in COMPARED}


def assert_held(cache: VectorCache, profiles: list[int]) -> None:
    for name in COMPARED:
        vectors = cache.vectors[name]
        for profile in profiles:
            found = vectors.vector(profile)
            if profile in WITHOUT:
                assert found is None
            elif profile in OF_ANOTHER_LENGTH:
                assert found is OF_ANOTHER_LENGTH[profile]
            else:
                assert found is not None
                assert found.tolist() == MATRICES[name][profile].tolist()
                norm = np.linalg.norm(found.astype(np.float64))
                assert vectors.inverse_norm[vectors.row[profile]] == pytest.approx(1 / norm)
        assert np.count_nonzero(vectors.row != MISSING) <= CAPACITY
        assert set(np.flatnonzero(vectors.row == IRREGULAR).tolist()) == set(vectors.irregular)


some_profiles = st.lists(st.integers(0, PROFILES - 1), max_size=CAPACITY, unique=True)


@given(st.lists(some_profiles, max_size=12))
def test_what_is_asked_for_is_there(requests: list[list[int]]) -> None:
    table = Table()
    cache = VectorCache(PROFILES, DIMENSION, table.fetch, CAPACITY)
    for profiles in requests:
        cache.hold(np.array(profiles * 2, np.intp))
        assert_held(cache, profiles)


@given(st.lists(some_profiles, max_size=12))
def test_where_there_is_room_for_all_each_is_fetched_once(requests: list[list[int]]) -> None:
    table = Table()
    cache = VectorCache(PROFILES, DIMENSION, table.fetch)
    for profiles in requests:
        cache.hold(np.array(profiles, np.intp))
    fetched = [profile for each in table.asked for profile in each]
    assert sorted(fetched) == sorted({profile for profiles in requests for profile in profiles})


def test_those_longest_not_asked_for_make_room() -> None:
    table = Table()
    cache = VectorCache(PROFILES, DIMENSION, table.fetch, CAPACITY)
    for profiles in ([0, 1, 2], [4, 5], [0, 1], [6], [0, 1, 4, 5, 6]):
        cache.hold(np.array(profiles, np.intp))
    assert table.asked == [[0, 1, 2], [4, 5], [6]]


def test_a_query_names_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vector_cache, "FETCHED_AT_ONCE", 2)
    table = Table()
    cache = VectorCache(PROFILES, DIMENSION, table.fetch, CAPACITY)
    cache.hold(np.array([8, 1, 6, 0, 2], np.intp))
    assert table.asked == [[0, 1], [2, 6], [8]]
    assert_held(cache, [0, 1, 2, 6, 8])


def test_a_fetch_that_fails_leaves_what_was_there() -> None:
    table, broken = Table(), True

    def fetch(profiles: Positions) -> dict[str, Vectors]:
        if broken and 4 in profiles:
            raise OSError("connection lost")
        return table.fetch(profiles)

    cache = VectorCache(PROFILES, DIMENSION, fetch, CAPACITY)
    cache.hold(np.array([0, 1], np.intp))
    with pytest.raises(OSError, match="connection lost"):
        cache.hold(np.array([1, 4], np.intp))
    assert_held(cache, [0, 1])
    broken = False
    cache.hold(np.array([1, 4], np.intp))
    assert_held(cache, [0, 1, 4])


def test_more_than_there_is_room_for_is_refused() -> None:
    cache = VectorCache(PROFILES, DIMENSION, Table().fetch, CAPACITY)
    with pytest.raises(ValueError, match="6 profiles at once, and there is room for 5"):
        cache.hold(np.arange(6))
