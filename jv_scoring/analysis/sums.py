"""The building block that sums by name: whole numbers for each profile, or for each dimension or factor."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums of whole numbers by key, so that they are exact in any order.

    keys: (keys,) text, distinct, sorted. values: (keys,) int64 each, by name.
    """

    keys: npt.NDArray[np.object_]
    values: Mapping[str, Ints]

    @classmethod
    def of(cls, keys: npt.ArrayLike, columns: Mapping[str, npt.ArrayLike]) -> "Sums":
        """Return the sums of each column over the rows with the same key."""
        at, distinct = pd.factorize(np.asarray(keys, object), sort=True)
        values = {}
        for name, column in columns.items():
            values[name] = np.zeros(len(distinct), np.int64)
            np.add.at(values[name], at, np.asarray(column, np.int64))
        return cls(np.asarray(distinct, object), values)

    def __add__(self, other: "Sums") -> "Sums":
        if self.values.keys() != other.values.keys():
            raise ValueError("sums of different columns do not add up")
        columns = {name: np.concatenate([column, other.values[name]]) for name, column in self.values.items()}
        return Sums.of(np.concatenate([self.keys, other.keys]), columns)

    def series(self, name: str) -> pd.Series:
        """Return one column by key."""
        return pd.Series(self.values[name], index=pd.Index(self.keys, dtype=object))

    def to_json(self) -> dict[str, Any]:
        return {"keys": self.keys.tolist(), "values": {name: of.tolist() for name, of in self.values.items()}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Sums":
        values = {name: np.array(of, np.int64) for name, of in data["values"].items()}
        return cls(np.array(data["keys"], object), values)
