"""Similarity of two texts, by vectors or by words, and the steps that score it (docs/ismc.md, Similarity)."""

import math
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SEMANTIC = "semantic"
WORD_OVERLAP = "word_overlap"

Steps = tuple[tuple[float, float], ...]
"""(lower limit, score) from the highest on; below the last limit the score is `LOWEST_SCORE`."""

LOWEST_SCORE = 3.0
_REFERENCE_RANDOM, _REFERENCE_SYNONYM = 0.53, 0.75
_REFERENCE_STEPS: Steps = ((0.75, 10.0), (0.65, 8.0), (0.60, 6.0), (0.53, 4.5))
OVERLAP_STEPS: Steps = ((0.40, 10.0), (0.25, 8.0), (0.15, 6.0), (0.05, 4.5))


@dataclass(frozen=True)
class Calibration:
    """The meaning of a model's cosines.

    `random` and `synonym` are the model's mean cosines of random pairs and of synonym pairs; `dimension` is the length
    of its vectors. A named calibration has a `name` and its own `measured` steps, by the column of the factor.
    """

    dimension: int
    random: float
    synonym: float
    name: str | None = None
    measured: tuple[tuple[str, Steps], ...] = ()

    @property
    def steps(self) -> Steps:
        """The reference model's steps, mapped by the affine function that fits both means, to three decimals."""
        scale = (self.synonym - self.random) / (_REFERENCE_SYNONYM - _REFERENCE_RANDOM)
        return tuple(
            (round(self.random + (limit - _REFERENCE_RANDOM) * scale, 3), score) for limit, score in _REFERENCE_STEPS
        )

    def steps_of(self, factor: str) -> Steps:
        """Return the steps of a similarity factor, by its column."""
        return dict(self.measured).get(factor, self.steps)


CALIBRATIONS = {
    "BAAI/bge-large-en-v1.5": Calibration(dimension=1024, random=0.53, synonym=0.75),
    # Provisional, because the mean of random pairs depends on the texts.
    "sentence-transformers/all-MiniLM-L6-v2": Calibration(dimension=384, random=0.136, synonym=0.509),
}
REFERENCE_MODEL = "BAAI/bge-large-en-v1.5"


def calibration_of(model: str) -> Calibration:
    """Return the calibration of a model by its name; ValueError, naming the models that have one, for any other."""
    if model not in CALIBRATIONS:
        raise ValueError(f"model {model} has no calibration, so it cannot score; use one of {', '.join(CALIBRATIONS)}")
    return CALIBRATIONS[model]


def step_score(value: float, steps: Steps) -> float:
    """Return the score of the highest step that `value` reaches."""
    return next((score for limit, score in steps if value >= limit), LOWEST_SCORE)


def as_vector(value: object) -> npt.NDArray[np.float64] | None:
    """Return a one-dimensional float64 array, or None for a missing vector: null, or with a NaN or an infinity
    in it.
    """
    if isinstance(value, str) or not hasattr(value, "__len__"):
        return None
    vector = np.asarray(value, dtype=np.float64)
    return vector if vector.ndim == 1 and np.isfinite(vector).all() else None


def cosine(u: npt.NDArray[np.floating], v: npt.NDArray[np.floating]) -> float:
    """Return the cosine of two finite vectors, clamped to 0..1; 0 if a norm is 0 or the lengths differ.

    Summed exactly (`math.fsum`), so the order does not matter: both engines use it for values within float error of a
    step.
    """
    if len(u) != len(v):
        return 0.0
    u, v = _scaled(u), _scaled(v)
    norm = math.sqrt(math.fsum(u * u)) * math.sqrt(math.fsum(v * v))
    return min(1.0, max(0.0, math.fsum(u * v) / norm)) if norm > 0 else 0.0


def _scaled(vector: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the vector times a power of two (exact) that keeps its squares from overflowing or vanishing."""
    scaled = vector.astype(np.float64)
    largest = float(np.abs(scaled).max(initial=0.0))
    if largest:
        np.ldexp(scaled, -math.frexp(largest)[1], out=scaled)
    return scaled


def word_overlap(source: AbstractSet[str], target: AbstractSet[str]) -> float:
    """Return the number of common words by the size of the smaller set, 0..1; 0 if a set is empty."""
    smaller = min(len(source), len(target))
    return len(source & target) / smaller if smaller else 0.0
