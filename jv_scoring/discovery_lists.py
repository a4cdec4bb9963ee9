"""The best K candidates of every profile, as sorted integers that are merged a tile at a time."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jv_scoring.vectors import Positions

Keys = npt.NDArray[np.int64]
HIGHEST = 10_000
"""The highest value, in hundredths of a point."""
_CODE_BITS, _VALUE_BITS = 7, 14
MOST_CODES = (1 << _CODE_BITS) - 1
MOST_PROFILES = 1 << 20
"""More do not fit into the integers: profile, value, candidate and code in 63 bits."""


@dataclass(frozen=True)
class BestLists:
    """keys: (profiles, K) ascending, `empty` if a profile has fewer; `rank_bits` as many as a candidate needs.

    A key is a candidate's value (high ones first), its rank by id, and the levels of the pair. So keys sort as the
    contract sorts candidates.
    """

    keys: Keys
    rank_bits: int

    @classmethod
    def new(cls, profiles: int, k: int) -> "BestLists":
        if profiles > MOST_PROFILES:
            raise ValueError(f"{profiles:,} profiles are too many to search at once; at most {MOST_PROFILES:,}")
        lists = cls(np.empty((profiles, k), np.int64), max(profiles.bit_length(), 1))
        lists.keys[:] = lists.empty
        return lists

    @property
    def empty(self) -> int:
        return (1 << self._key_bits) - 1

    @property
    def _key_bits(self) -> int:
        return _VALUE_BITS + self.rank_bits + _CODE_BITS

    def key(self, values: Positions, ranks: Positions, codes: Positions) -> Keys:
        """Return keys from values in hundredths, ranks of the candidates, and codes below 128."""
        return ((HIGHEST - values) << self.rank_bits | ranks) << _CODE_BITS | codes

    def parts(self, keys: Keys) -> tuple[Positions, Positions, Positions]:
        """Return values in hundredths, ranks of the candidates, and codes."""
        ranks = keys >> _CODE_BITS & ((1 << self.rank_bits) - 1)
        return HIGHEST - (keys >> (_CODE_BITS + self.rank_bits)), ranks, keys & (MOST_CODES)

    def full(self, profiles: Positions | slice = slice(None)) -> npt.NDArray[np.bool_]:
        """Return whether each profile has K candidates."""
        return np.asarray(self.keys[profiles, -1] != self.empty)

    def floors(self, profiles: Positions | slice = slice(None)) -> Positions:
        """Return the values in hundredths that a candidate must reach; -1 if any value does."""
        last = self.keys[profiles, -1]
        return np.where(last == self.empty, -1, HIGHEST - (last >> (_CODE_BITS + self.rank_bits)))

    def beaten(self, profiles: Positions, keys: Keys) -> npt.NDArray[np.bool_]:
        """Return whether each key is better than the K-th best of its profile."""
        return np.asarray(keys < self.keys[profiles, -1])

    def counts(self) -> Positions:
        """Return how many candidates each profile has."""
        return np.asarray((self.keys != self.empty).sum(axis=1))

    def cut(self, last: Keys) -> None:
        """Remove from each list what is worse than a last key."""
        self.keys[self.keys > last[:, None]] = self.empty

    def merge(self, profiles: Positions, keys: Keys) -> Positions:
        """Enter keys, each for its profile; return the profiles that got some. No candidate comes twice."""
        got = np.zeros(len(self.keys), np.bool_)
        got[profiles] = True
        changed = np.flatnonzero(got)
        if not len(changed):
            return changed
        k, bits = self.keys.shape[1], self._key_bits
        held = changed.astype(np.int64)[:, None] << bits | self.keys[changed]
        merged = np.concatenate([profiles.astype(np.int64) << bits | keys, held.ravel()])
        merged.sort()
        first = np.searchsorted(merged, changed.astype(np.int64) << bits)
        best = merged[first[:, None] + np.arange(k)]
        self.keys[changed] = best & self.empty
        return changed
