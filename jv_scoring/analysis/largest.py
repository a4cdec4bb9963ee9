"""The building block that keeps rows: those with the largest values, of all or of each group."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd


@dataclass(frozen=True, eq=False)
class Largest:
    """The rows that are among the `n` largest by at least one of the columns `by`; ties go to the smaller `id`.

    rows: sorted by `id`, which is unique. The columns `id` and `…_id` are text, all others float64.
    within: a column; the n largest are then those of each of its values.
    """

    rows: pd.DataFrame
    n: int
    by: tuple[str, ...]
    within: str | None = None

    @classmethod
    def of(cls, rows: pd.DataFrame, n: int, by: Sequence[str], within: str | None = None) -> "Largest":
        """Rows with a null in one of `by` are left out."""
        typed = rows.astype({name: object if f"_{name}".endswith("_id") else np.float64 for name in rows})
        typed = typed.loc[typed[list(by)].notna().all(axis=1)].sort_values("id", ignore_index=True)
        every = cls(typed, n, tuple(by), within)
        kept = np.zeros(len(typed), np.bool_)
        for name in by:
            kept |= every.places(name) < n
        return cls(typed.loc[kept].reset_index(drop=True), n, tuple(by), within)

    def places(self, by: str) -> npt.NDArray[np.intp]:
        """(rows,) each row's place by that column, the largest first, from 0: within its group where there are any."""
        count, group = len(self.rows), self._group
        order = np.lexsort((-self.rows[by].to_numpy(np.float64), group))  # stable: equals stay in order of id
        places = np.empty(count, np.intp)
        places[order] = np.arange(count) - np.searchsorted(group[order], group[order])
        return places

    @cached_property
    def _group(self) -> npt.NDArray[np.intp]:
        return np.zeros(len(self.rows), np.intp) if self.within is None else pd.factorize(self.rows[self.within])[0]

    def __add__(self, other: "Largest") -> "Largest":
        if (self.n, self.by, self.within) != (other.n, other.by, other.within):
            raise ValueError("largest rows by different keys do not add up")
        return Largest.of(pd.concat([self.rows, other.rows], ignore_index=True), self.n, self.by, self.within)

    def to_json(self) -> dict[str, Any]:
        return {"n": self.n, "by": list(self.by), "within": self.within, "rows": self.rows.to_dict("list")}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Largest":
        return cls.of(pd.DataFrame(data["rows"]), data["n"], data["by"], data["within"])
