"""The vectors of many profiles, and the cosines of many pairs of them, exact wherever it could matter."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jv_scoring.similarity import as_vector, cosine

Positions = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Vector = npt.NDArray[np.floating]

MISSING, IRREGULAR = -1, -2
_PAIRS_AT_ONCE = 64
"""How many pairs are multiplied at once: both sides of them, gathered, fit in a processor's cache."""
_BLOCK = 256
"""Float32 products are summed in float32 within a block of a vector, in float64 between blocks."""
_PLAIN_NORMS = (1e-12, 1e12)


@dataclass(frozen=True)
class Vectors:
    """At most one vector per profile.

    matrix: (rows, dimension) float32 or float64, as given (not normalised). inverse_norm: (rows,) float64; 0 for a zero
    vector. row: (profiles,) the profile's row in `matrix`; MISSING without a vector; IRREGULAR for one that is in
    `irregular`. irregular: vectors of another length, or so long or short that a plain dot product could overflow or
    underflow.
    """

    matrix: Vector
    inverse_norm: Floats
    row: Positions
    irregular: Mapping[int, Vector] = field(default_factory=dict)

    @classmethod
    def from_matrix(cls, matrix: Vector, row: Positions, irregular: Mapping[int, Vector] | None = None) -> "Vectors":
        """Return vectors from a matrix: (rows, dimension) finite floats, and each profile's row or MISSING."""
        with np.errstate(over="ignore", under="ignore", divide="ignore"):
            norm = np.sqrt(np.einsum("ij,ij->i", matrix, matrix, dtype=np.float64))
            inverse = np.where(norm > 0, 1 / norm, 0.0)
        set_apart, row = dict(irregular or {}), row.copy()
        smallest, largest = _PLAIN_NORMS
        wild = np.flatnonzero(~((norm >= smallest) & (norm <= largest)) & matrix.any(axis=1))
        for profile in np.flatnonzero(np.isin(row, wild)) if len(wild) else ():
            set_apart[int(profile)] = matrix[row[profile]]
        row[list(set_apart)] = IRREGULAR
        return cls(matrix, inverse, row, set_apart)

    @classmethod
    def from_values(cls, values: Sequence[object]) -> "Vectors":
        """Return vectors from a vector or None per profile; NaN, infinity and non-vectors count as missing
        (docs/ismc.md, Similarity).
        """
        arrays = [as_vector(value) for value in values]
        lengths = [len(array) for array in arrays if array is not None]
        dimension = max(set(lengths), key=lengths.count, default=0)
        regular = [k for k, array in enumerate(arrays) if array is not None and len(array) == dimension]
        irregular = {k: array for k, array in enumerate(arrays) if array is not None and len(array) != dimension}
        matrix = np.array([arrays[k] for k in regular], dtype=np.float64).reshape(len(regular), dimension)
        row = np.full(len(arrays), MISSING, dtype=np.intp)
        row[regular] = np.arange(len(regular))
        return cls.from_matrix(as_single(matrix), row, irregular)

    def __len__(self) -> int:
        return len(self.row)

    def vector(self, profile: int) -> Vector | None:
        """Return the vector of one profile."""
        row = self.row[profile]
        return None if row == MISSING else self.irregular[profile] if row == IRREGULAR else self.matrix[row]


def as_single(values: Vector) -> Vector:
    """Return the same values in float32, if that changes none of them."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore", under="ignore"):
        single = values.astype(np.float32)
    return single if np.array_equal(single, values) else values


@dataclass(frozen=True)
class PairVectors:
    """The vectors of pairs: `source` of profile `i[k]` against `target` of profile `j[k]`."""

    source: Vectors
    target: Vectors
    i: Positions
    j: Positions

    @property
    def semantic(self) -> npt.NDArray[np.bool_]:
        """Whether both vectors exist."""
        return np.not_equal(self.source.row[self.i], MISSING) & np.not_equal(self.target.row[self.j], MISSING)

    def cosines(self) -> Floats:
        """Return cosines in 0..1, within float error; exact for irregular vectors, NaN where one is missing."""
        left, right, plain = self._rows(self.i, self.j)
        if plain.all():
            return self._dots(left, right)
        cosines = np.full(len(left), np.nan)
        cosines[plain] = self._dots(left[plain], right[plain])
        irregular = np.flatnonzero(self.semantic & ~plain)
        cosines[irregular] = [self.exact(k) for k in irregular.tolist()]
        return cosines

    def settle(self, cosines: Floats, distance: Callable[[Floats], Floats]) -> Positions:
        """Make exact, in place, the cosines within float error of a limit.

        `distance` says how far each cosine is from the nearest limit. Those within the error of the first pass are
        computed in float64. Those still within its error are summed exactly, and their places returned.
        """
        near = np.flatnonzero(distance(cosines) <= self._error(self.source.matrix.dtype))
        left, right, plain = self._rows(self.i[near], self.j[near])
        near = near[plain]
        cosines[near] = self._dots(left[plain], right[plain], np.float64)
        near = near[distance(cosines[near]) <= self._error(np.dtype(np.float64))]
        cosines[near] = [self.exact(k) for k in near.tolist()]
        return near

    def exact(self, k: int) -> float:
        """Return the cosine of one pair, as in the reference."""
        u, v = self.source.vector(int(self.i[k])), self.target.vector(int(self.j[k]))
        assert u is not None
        assert v is not None
        return cosine(u, v)

    def _rows(self, i: Positions, j: Positions) -> tuple[Positions, Positions, npt.NDArray[np.bool_]]:
        """Return both rows of each pair, and whether a plain dot product of them is valid."""
        left, right = self.source.row[i], self.target.row[j]
        alike = self.source.matrix.shape[1] == self.target.matrix.shape[1]
        return left, right, np.greater_equal(left, 0) & np.greater_equal(right, 0) & alike

    def _error(self, dtype: np.dtype[np.floating]) -> float:
        """Return a bound on the error of `_dots`, from the longest possible chain of roundings."""
        dimension = self.source.matrix.shape[1]
        block = _block(dimension)
        chain = block if dtype == np.float32 else block + dimension // max(block, 1)
        return float((chain + 16) * np.finfo(dtype).eps)

    def _dots(self, left: Positions, right: Positions, dtype: type[np.floating] | None = None) -> Floats:
        if not len(left) or not self.source.matrix.shape[1]:
            return np.zeros(len(left))
        order = np.argsort(left)  # Group the pairs of one source, so that it stays in the processor's cache.
        left, right = left[order], right[order]
        sources, targets = _blocks(self.source.matrix), _blocks(self.target.matrix)
        dots = np.empty((len(left), sources.shape[1]), dtype or np.result_type(sources, targets))
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            np.einsum("ijk,ijk->ij", sources[left[part]], targets[right[part]], dtype=dtype, out=dots[part])
        cosines = dots.sum(axis=1, dtype=np.float64) * self.source.inverse_norm[left] * self.target.inverse_norm[right]
        ordered = np.empty(len(order))
        ordered[order] = np.clip(cosines, 0.0, 1.0)
        return ordered


def _block(dimension: int) -> int:
    return dimension if dimension % _BLOCK else _BLOCK


def _blocks(matrix: Vector) -> Vector:
    """Return (rows, blocks, block) of (rows, dimension)."""
    block = _block(matrix.shape[1])
    return matrix.reshape(len(matrix), matrix.shape[1] // block, block)
