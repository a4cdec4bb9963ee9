"""A cache of vectors, of which memory holds a limited number."""

from collections.abc import Callable, Mapping

import numpy as np

from jv_scoring.prepare import COMPARED
from jv_scoring.vectors import MISSING, Positions, Vector, Vectors

BYTES = 768 << 20
"""How many bytes the vectors may take: 65,536 profiles with 1,024 numbers per text."""
FETCHED_AT_ONCE = 2_000
"""How many profiles one query names."""

Fetch = Callable[[Positions], Mapping[str, Vectors]]


class VectorCache:
    """`vectors`, by the names in `COMPARED`, hold the vectors of the profiles that `hold` was last called with.

    Other profiles may lack them. `fetch` reads the vectors of the profiles at some positions of all `count`.
    """

    def __init__(self, count: int, dimension: int, fetch: Fetch, capacity: int | None = None) -> None:
        self.capacity = min(count, capacity or BYTES // (len(COMPARED) * dimension * np.dtype(np.float32).itemsize))
        self._irregular: dict[str, dict[int, Vector]] = {name: {} for name in COMPARED}
        self.vectors = {
            name: Vectors(
                matrix=np.empty((self.capacity, dimension), np.float32),
                inverse_norm=np.empty(self.capacity),
                row=np.full(count, MISSING, np.intp),
                irregular=self._irregular[name],
            )
            for name in COMPARED
        }
        self._fetch = fetch
        self._place = np.full(count, MISSING, np.intp)
        """By profile, its row in the matrices."""
        self._held_by = np.full(self.capacity, MISSING, np.intp)
        """By row, its profile."""
        self._last_use = np.zeros(self.capacity, np.int64)
        self._turn = 0

    def hold(self, profiles: Positions) -> Positions:
        """Fetch the missing vectors, and evict those that were least recently used.

        Returns the fetched profiles. ValueError for more profiles than the cache holds.
        """
        profiles = np.unique(profiles)
        if len(profiles) > self.capacity:
            raise ValueError(f"{len(profiles)} profiles at once, and there is room for {self.capacity}")
        self._turn += 1
        there = self._place[profiles] != MISSING
        self._last_use[self._place[profiles[there]]] = self._turn
        missing: Positions = profiles[~there]
        places = np.argsort(self._last_use, kind="stable")[: len(missing)]
        for start in range(0, len(missing), FETCHED_AT_ONCE):
            part = slice(start, start + FETCHED_AT_ONCE)
            fetched = self._fetch(missing[part])
            self._evict(self._held_by[places[part]])
            self._keep(missing[part], places[part], fetched)
        return missing

    def _evict(self, profiles: Positions) -> None:
        profiles = profiles[profiles != MISSING]
        self._place[profiles] = MISSING
        for name in COMPARED:
            self.vectors[name].row[profiles] = MISSING
            for profile in self._irregular[name].keys() & profiles.tolist():
                del self._irregular[name][profile]

    def _keep(self, profiles: Positions, places: Positions, fetched: Mapping[str, Vectors]) -> None:
        self._place[profiles], self._held_by[places], self._last_use[places] = places, profiles, self._turn
        for name, new in fetched.items():
            kept, plain = self.vectors[name], new.row >= 0
            kept.matrix[places[plain]] = new.matrix[new.row[plain]]
            kept.inverse_norm[places[plain]] = new.inverse_norm[new.row[plain]]
            kept.row[profiles] = np.where(plain, places, new.row)
            self._irregular[name].update({int(profiles[k]): vector for k, vector in new.irregular.items()})
