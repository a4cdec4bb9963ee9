"""Cheap single random draws, the same on every machine: plain arithmetic on a numpy Generator's uniform numbers."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
import numpy.typing as npt

Item = TypeVar("Item")
Floats = npt.NDArray[np.float64]


class Dice:
    """Draws one value at a time, some fifty times faster than the Generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.unit = _units(rng).__next__
        """A number from 0 up to but not including 1."""

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of `items`, all equally likely."""
        return items[int(self.unit() * len(items))]

    def chance(self, probability: float) -> bool:
        """Return True with this probability, 0..1."""
        return self.unit() < probability

    def whole(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self.unit() * (high - low + 1))

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """Return `count` different `items` in random order, or all of them if there are fewer."""
        pool = list(items)
        return [pool.pop(int(self.unit() * len(pool))) for _ in range(min(count, len(pool)))]

    def weighted(self, items: dict[Item, int]) -> Item:
        """Return one of the keys, by its weight."""
        left = self.unit() * sum(items.values())
        for item, weight in items.items():
            left -= weight
            if left < 0:
                return item
        return item


def _units(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield from rng.random(8192).tolist()


def quantile(at: float, steps: Sequence[tuple[float, float]]) -> float:
    """Return the value at a quantile of a distribution of (quantile, value) pairs, with straight lines between."""
    for (q0, v0), (q1, v1) in pairwise(steps):
        if at <= q1:
            return v0 + (v1 - v0) * (at - q0) / (q1 - q0)
    return steps[-1][1]


def bell(rng: np.random.Generator, count: int) -> Floats:
    """Return `count` draws with mean 0 and standard deviation 1, within ±6: sums of twelve uniform numbers, less 6."""
    sums: Floats = rng.random((12, count)).sum(axis=0)
    return sums - 6.0
