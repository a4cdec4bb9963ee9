"""The building blocks of tallies: exact, small, and merged by `+`. Any split of the rows, merged in any order, gives
the result of one pass.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, sqrt
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt

from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.sums import Sums
from jv_scoring.columns import Floats

Ints = npt.NDArray[np.int64]
Json = dict[str, Any]


@dataclass(frozen=True)
class Scale:
    """`bins` values from `low` up in steps of 0.01; `low` is in hundredths."""

    low: int
    bins: int


SCORES, SCORE_CHANGES = Scale(0, 10_001), Scale(-10_000, 20_001)
"""Scores, 0..100, and differences of two."""
POINTS, POINT_CHANGES = Scale(0, 1_001), Scale(-1_000, 2_001)
"""Dimensions and factors, 0..10, and differences of two."""


def hundredths(values: npt.ArrayLike) -> Ints:
    """Values with two decimals as whole hundredths."""
    return np.rint(np.asarray(values, np.float64) * 100).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Histogram:
    """How often each value of a scale occurs, so that the statistics are exact.

    counts: (scale.bins,) int64. Statistics without values are None.
    """

    scale: Scale
    counts: Ints

    @classmethod
    def of(cls, values: Floats, scale: Scale = SCORES) -> "Histogram":
        """Return the histogram of values with two decimals; NaN is left out. ValueError for a value off the scale."""
        at = np.rint(values[~np.isnan(values)] * 100) - scale.low
        if len(at) and (at.min() < 0 or at.max() >= scale.bins):
            high = scale.low + scale.bins - 1
            raise ValueError(f"a value is not between {scale.low / 100:g} and {high / 100:g}")
        return cls(scale, np.bincount(at.astype(np.intp), minlength=scale.bins).astype(np.int64))

    def __add__(self, other: "Histogram") -> "Histogram":
        if self.scale != other.scale:
            raise ValueError("histograms of different scales do not add up")
        return Histogram(self.scale, self.counts + other.counts)

    @property
    def count(self) -> int:
        return int(self.counts.sum())

    @property
    def mean(self) -> float | None:
        count = self.count
        return self._moment(1) / (100 * count) if count else None

    @property
    def sd(self) -> float | None:
        """The standard deviation of the values as a population: divided by their number."""
        count = self.count
        return sqrt(count * self._moment(2) - self._moment(1) ** 2) / (100 * count) if count else None

    def quantile(self, share: float) -> float | None:
        """Return the value below which that share of the values is, 0..1, interpolated linearly as numpy does."""
        count = self.count
        if not count:
            return None
        place = share * (count - 1)
        neighbours = floor(place), min(floor(place) + 1, count - 1)
        lower, upper = np.searchsorted(np.cumsum(self.counts), neighbours, "right").tolist()
        return float(self.scale.low + lower + (upper - lower) * (place - floor(place))) / 100

    def between(self, low: int, high: int) -> int:
        """Return how many values are at least `low` and less than `high`, both in hundredths."""
        first, last = (min(max(limit - self.scale.low, 0), self.scale.bins) for limit in (low, high))
        return int(self.counts[first:last].sum())

    def summary(self) -> Json:
        """`count`, and `mean`, `median`, `sd`, `min`, `max`."""
        quantiles = {"median": self.quantile(0.5), "min": self.quantile(0.0), "max": self.quantile(1.0)}
        return {"count": self.count, "mean": self.mean, "sd": self.sd, **quantiles}

    def bars(self, width: int) -> list[Json]:
        """Return bars for a chart: `from`, `to` and `count` of each bar of `width` hundredths; the last may hold one
        value only.
        """
        low, bins = self.scale.low, self.scale.bins
        counts = np.add.reduceat(self.counts, np.arange(0, bins, width)).tolist()
        return [
            {"from": (low + k * width) / 100, "to": (low + (k + 1) * width) / 100, "count": count}
            for k, count in enumerate(counts)
        ]

    def to_json(self) -> Json:
        at = np.flatnonzero(self.counts)
        return {"low": self.scale.low, "bins": self.scale.bins, "at": at.tolist(), "counts": self.counts[at].tolist()}

    @classmethod
    def from_json(cls, data: Json) -> "Histogram":
        counts = np.zeros(data["bins"], np.int64)
        counts[np.array(data["at"], np.intp)] = data["counts"]
        return cls(Scale(data["low"], data["bins"]), counts)

    def _moment(self, power: int) -> int:
        """The sum of the values' powers, in hundredths: whole numbers, so exact."""
        at = np.flatnonzero(self.counts)
        values = (at + self.scale.low).tolist()
        return sum(count * value**power for count, value in zip(self.counts[at].tolist(), values, strict=True))


@dataclass(frozen=True, eq=False)
class Counts:
    """A contingency table: `values`, int64, with an axis for each tuple of labels in `axes`."""

    axes: tuple[tuple[str, ...], ...]
    values: Ints

    @classmethod
    def of(cls, axes: Sequence[Sequence[str]], *codes: npt.NDArray[np.integer]) -> "Counts":
        """Return the table from one array of label places per axis, all of one length."""
        shape = tuple(map(len, axes))
        flat = np.ravel_multi_index(tuple(codes), shape)
        values = np.bincount(flat, minlength=int(np.prod(shape))).astype(np.int64).reshape(shape)
        return cls(tuple(map(tuple, axes)), values)

    def __add__(self, other: "Counts") -> "Counts":
        if self.axes != other.axes:
            raise ValueError("counts with different labels do not add up")
        return Counts(self.axes, self.values + other.values)

    def at(self, *labels: str | None) -> int:
        """Return the count at one label of each axis; None takes all of that axis."""
        of = zip(self.axes, labels, strict=True)
        return int(self.values[tuple(slice(None) if label is None else axis.index(label) for axis, label in of)].sum())

    def to_json(self) -> Json:
        return {"axes": [list(axis) for axis in self.axes], "values": self.values.ravel().tolist()}

    @classmethod
    def from_json(cls, data: Json) -> "Counts":
        axes = tuple(map(tuple, data["axes"]))
        return cls(axes, np.array(data["values"], np.int64).reshape(tuple(map(len, axes))))


MOST_PAIRS = 2**18
STEPS = (1, 2, 10, 20)
"""Hundredths. A whole number of each makes the next one, and every tier's limit; the last leaves 501 x 501 pairs."""


@dataclass(frozen=True, eq=False)
class Joint:
    """How often each pair of scores, 0..100, occurs: at most `MOST_PAIRS` entries.

    pairs: (entries,) int64, sorted: the first score in hundredths times 10,001, and the second. counts: (entries,).
    step: 1, and so exact, unless there are more distinct pairs; then scores are rounded down to the first of `STEPS`
    that leaves few enough. That depends on what pairs there are, not on how they were split, and moves none to another
    tier.
    """

    pairs: Ints
    counts: Ints
    step: int = 1

    @classmethod
    def of(cls, first: Floats, second: Floats) -> "Joint":
        """Return the joint distribution of two scores with two decimals, from every row."""
        pairs, counts = np.unique(hundredths(first) * SCORES.bins + hundredths(second), return_counts=True)
        return cls(pairs, counts.astype(np.int64))._bounded()

    def __add__(self, other: "Joint") -> "Joint":
        step = max(self.step, other.step)
        parts = self._rounded(step), other._rounded(step)
        pairs, counts = (np.concatenate([getattr(part, name) for part in parts]) for name in ("pairs", "counts"))
        return Joint._summed(pairs, counts, step)._bounded()

    @property
    def scores(self) -> tuple[Ints, Ints]:
        """The first and the second score of each entry, in hundredths."""
        first, second = np.divmod(self.pairs, SCORES.bins)
        return first, second

    def to_json(self) -> Json:
        """`steps`: each pair less the one before, which takes fewer digits."""
        steps = np.diff(self.pairs, prepend=0).tolist()
        return {"steps": steps, "counts": self.counts.tolist(), "step": self.step}

    @classmethod
    def from_json(cls, data: Json) -> "Joint":
        pairs, counts = np.cumsum(np.array(data["steps"], np.int64)), np.array(data["counts"], np.int64)
        return cls(pairs, counts, data.get("step", 1))  # Files older than `step` are exact.

    @classmethod
    def _summed(cls, pairs: Ints, counts: Ints, step: int) -> "Joint":
        """Of pairs in any order, equal ones put together."""
        order = np.argsort(pairs, kind="stable")  # Merge two sorted runs.
        pairs, counts = pairs[order], counts[order]
        starts = np.flatnonzero(np.diff(pairs, prepend=-1))
        return cls(pairs[starts], np.add.reduceat(counts, starts) if len(starts) else counts, step)

    def _rounded(self, step: int) -> "Joint":
        if step == self.step:
            return self
        first, second = (scores - scores % step for scores in self.scores)
        return Joint._summed(first * SCORES.bins + second, self.counts, step)

    def _bounded(self) -> "Joint":
        bounded = self
        for step in STEPS[STEPS.index(self.step) + 1 :]:
            if len(bounded.pairs) > MOST_PAIRS:
                bounded = bounded._rounded(step)
        return bounded


_KINDS: dict[str, Any] = {
    "histograms": Histogram, "counts": Counts, "largest": Largest, "joints": Joint, "sums": Sums,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Tally:
    """Building blocks by name: what a report is made of. `policy` scored the rows; None: no rows, or no matter."""

    policy: str | None = None
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    counts: Mapping[str, Counts] = field(default_factory=dict)
    largest: Mapping[str, Largest] = field(default_factory=dict)
    joints: Mapping[str, Joint] = field(default_factory=dict)
    sums: Mapping[str, Sums] = field(default_factory=dict)

    def __add__(self, other: Self) -> Self:
        policies = {self.policy, other.policy} - {None}
        if len(policies) > 1:
            raise ValueError(f"scores of different policies do not add up: {', '.join(sorted(map(str, policies)))}")
        merged = {}
        for kind in _KINDS:
            mine, others = getattr(self, kind), getattr(other, kind)
            if mine.keys() != others.keys():
                raise ValueError("tallies of different reports do not add up")
            merged[kind] = {name: part + others[name] for name, part in mine.items()}
        return type(self)(next(iter(policies), None), **merged)

    def to_json(self) -> Json:
        """Plain dicts, lists, numbers and strings."""
        kinds = {kind: {name: part.to_json() for name, part in getattr(self, kind).items()} for kind in _KINDS}
        return {"policy": self.policy, **kinds}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        kinds = {kind: {name: of.from_json(part) for name, part in data[kind].items()} for kind, of in _KINDS.items()}
        return cls(data["policy"], **kinds)


AnyTally = TypeVar("AnyTally", bound=Tally)
BLOCK = 16


def total(tallies: Iterable[AnyTally]) -> AnyTally:
    """Merge all tallies; ValueError if there is none.

    Merges tallies of equal size, as in a merge sort, so that a large sum is not rebuilt for each of many small ones.
    Above `BLOCK` of them it keeps one large sum.
    """
    stack: list[tuple[int, AnyTally]] = []
    for tally in tallies:
        size, merged = 1, tally
        while stack and stack[-1][0] == size:
            size, merged = min(size * 2, BLOCK), stack.pop()[1] + merged
        stack.append((size, merged))
    if not stack:
        raise ValueError("no tally to merge")
    _, merged = stack.pop()
    while stack:
        merged = stack.pop()[1] + merged
    return merged
