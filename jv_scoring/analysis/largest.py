"""The building block that keeps rows: those with the largest values, of all or of each group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Columns = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Largest:
    """The rows that are among the `n` largest by at least one of the columns `by`; ties go to the smaller `id`.

    columns: (rows,) each, by name, sorted by `id`, which is unique. `id` and `…_id` are text, all others float64. Not a
    data frame: a range has few such rows, and to make one took longer than all that is done with them here.
    within: a column; the n largest are then those of each of its values.
    """

    columns: Columns
    n: int
    by: tuple[str, ...]
    within: str | None = None

    @classmethod
    def of(
        cls, rows: pd.DataFrame | Mapping[str, Any], n: int, by: Sequence[str], within: str | None = None
    ) -> "Largest":
        """Rows with a null in one of `by` are left out."""
        columns = {str(name): _typed(str(name), values) for name, values in rows.items()}
        known = np.flatnonzero(~np.isnan([columns[name] for name in by]).any(axis=0))
        in_order = known[np.argsort(columns["id"][known])]
        every = cls(_take(columns, in_order), n, tuple(by), within)
        kept = np.logical_or.reduce([every.places(name) < n for name in by])
        return cls(_take(every.columns, kept), n, tuple(by), within)

    @property
    def rows(self) -> pd.DataFrame:
        """The columns as a data frame."""
        return pd.DataFrame({name: pd.Series(values, dtype=values.dtype) for name, values in self.columns.items()})

    def places(self, by: str) -> npt.NDArray[np.intp]:
        """(rows,) each row's place by that column, the largest first, from 0: within its group where there are any."""
        values = self.columns[by]
        group = np.zeros(len(values), np.intp) if self.within is None else pd.factorize(self.columns[self.within])[0]
        order = np.lexsort((-values, group))  # stable: equals stay in order of id
        places = np.empty(len(values), np.intp)
        places[order] = np.arange(len(values)) - np.searchsorted(group[order], group[order])
        return places

    def __add__(self, other: "Largest") -> "Largest":
        if (self.n, self.by, self.within) != (other.n, other.by, other.within):
            raise ValueError("largest rows by different keys do not add up")
        both = {name: np.concatenate([values, other.columns[name]]) for name, values in self.columns.items()}
        return Largest.of(both, self.n, self.by, self.within)

    def to_json(self) -> dict[str, Any]:
        rows = {name: values.tolist() for name, values in self.columns.items()}
        return {"n": self.n, "by": list(self.by), "within": self.within, "rows": rows}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Largest":
        return cls.of(data["rows"], data["n"], data["by"], data["within"])


def _typed(name: str, values: Any) -> npt.NDArray[Any]:
    kind: type = object if f"_{name}".endswith("_id") else np.float64
    return values.to_numpy(kind) if isinstance(values, pd.Series) else np.asarray(values, kind)


def _take(columns: Columns, which: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    return {name: values[which] for name, values in columns.items()}
