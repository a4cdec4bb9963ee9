"""The cut: the first uuid of each partition, for each of the two tables.

By default all partitions have the same width. If the ids are uneven, `jv repartition` takes the bounds from the ids.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from uuid import UUID

from jv_assets import settings

_UUIDS = 2**128


def range_keys(count: int) -> list[str]:
    """Return the keys of `count` (a power of two, 1 to 4,096) partitions: the leading hex digits of equal id ranges."""
    digits = max(1, -(-(count.bit_length() - 1) // 4))
    return [f"{first:0{digits}x}" for first in range(0, 16**digits, 16**digits // count)]


def listed(keys: Sequence[str]) -> str:
    """Return keys for people to read: all if they are eight or fewer, otherwise the first three and the last."""
    return ", ".join(keys if len(keys) <= 8 else [*keys[:3], "…", keys[-1]])


def every_range() -> list[str]:
    """Return the keys of all partitions. For code that must not load Dagster; `partitions.ID_RANGES` has the same."""
    return range_keys(settings.id_ranges())


@dataclass(frozen=True)
class TableCut:
    """The partitions of one table.

    firsts: the first uuid of each partition, as a number. They increase, and the first one is 0, so that every uuid is
    in exactly one partition.
    """

    firsts: tuple[int, ...]

    @cached_property
    def keys(self) -> list[str]:
        return range_keys(len(self.firsts))

    def bounds(self, key: str) -> tuple[str, str]:
        """Return the first and the last uuid of a partition; both are in it."""
        place = self.keys.index(key)
        after = self.firsts[place + 1] if place + 1 < len(self.firsts) else _UUIDS
        return str(UUID(int=self.firsts[place])), str(UUID(int=after - 1))

    def intervals(self, keys: Sequence[str]) -> list[tuple[str, str]]:
        """Return the first and the last uuid of each run of partitions that follow one another, in their order."""
        ends: list[tuple[str, str]] = []
        for key in sorted(keys):
            low, high = self.bounds(key)
            if ends and UUID(ends[-1][1]).int + 1 == UUID(low).int:
                low = ends.pop()[0]
            ends.append((low, high))
        return ends

    def key_of(self, row_id: str) -> str:
        """Return the key of the partition that holds a uuid, as the database writes it: in order of text, too."""
        return self.keys[bisect_right(self._first_ids, row_id) - 1]

    @cached_property
    def _first_ids(self) -> list[str]:
        return [str(UUID(int=first)) for first in self.firsts]


@dataclass(frozen=True)
class Cut:
    """The partitions of both tables: the keys are the same, the bounds are each table's own."""

    profiles: TableCut
    matches: TableCut

    @cached_property
    def identity(self) -> str:
        """Return the number of partitions, and a hash of the bounds if the widths differ.

        Files of another cut hold other rows, so their path has another identity.
        """
        count = len(self.matches.firsts)
        if self == equal_cut(count):
            return str(count)
        bounds = f"{self.profiles.firsts} {self.matches.firsts}"
        return f"{count}-{sha256(bounds.encode()).hexdigest()[:8]}"


def equal_cut(count: int) -> Cut:
    """Cut both tables into `count` partitions of equal width."""
    return Cut(equal_width(count), equal_width(count))


def equal_width(count: int) -> TableCut:
    """Cut a table into `count` partitions of equal width."""
    return TableCut(tuple(range(0, _UUIDS, _UUIDS // count)))


def even_rows(ids: Sequence[int], count: int) -> TableCut:
    """Cut a table into `count` partitions that hold the same number of rows, give or take one.

    ids: the ids of all rows, in order. If there are fewer rows than partitions, a partition holds at most one row.
    """
    if not ids:
        return equal_width(count)
    if len(ids) >= count:
        firsts = [ids[place * len(ids) // count] for place in range(count)]
    else:
        firsts = [_between_few(ids, place, count) for place in range(count)]
    return TableCut(_increasing(firsts))


def _between_few(ids: Sequence[int], place: int, count: int) -> int:
    """Return the first uuid of the partition at `place`, interpolated between the two ids beside it.

    On a scale of len(ids), on which all partitions have the same width, row number k (from 0) is at k + 1/2.
    """
    at = 2 * place * len(ids)  # Position on that scale, times 2 * count.
    before = (at - count) // (2 * count)
    low, start = (ids[before], (2 * before + 1) * count) if before >= 0 else (0, 0)
    last = before + 1 == len(ids)
    high, end = (_UUIDS, 2 * len(ids) * count) if last else (ids[before + 1], (2 * before + 3) * count)
    return low + -(-(high - low) * (at - start) // (end - start)) if end > start else low


def _increasing(firsts: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers from 0 up, each moved as little as needed to exceed the one before and to leave room for the
    rest.
    """
    increasing = [0]
    for place, first in enumerate(firsts[1:], start=1):
        increasing.append(min(max(first, increasing[-1] + 1), _UUIDS - len(firsts) + place))
    return tuple(increasing)
