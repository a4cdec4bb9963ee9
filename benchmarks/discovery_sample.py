"""Profiles of the demo's kind in any number, with random vectors, for the benchmarks of discovery."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_assets.demo.population import make_population
from jv_scoring import Prepared, calibration_of
from jv_scoring.discovery import discover
from jv_scoring.discovery_field import eligible
from jv_scoring.prepare import combine_offering, profile_features
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from jv_scoring.vectors import MISSING, Vectors

CALIBRATION = calibration_of("BAAI/bge-large-en-v1.5")
_ROWS_AT_ONCE = 5_000


class Sample:
    """Profiles of the demo's kind, prepared, with their matches and who is eligible."""

    def __init__(self, profiles: int, dimension: int) -> None:
        made = make_population(profiles=profiles, matches=profiles * 8)
        table, rng = made.profiles.set_index("id"), np.random.default_rng(1)
        themes = rng.standard_normal((12, dimension)).astype(np.float32)
        fields = {name: _vectors(table[name].tolist(), themes, rng) for name in EMBEDDED_FIELDS}
        fields["offering"] = combine_offering(fields["offering"], fields.pop("what_you_do"))
        self.prepared, self.matches, self.among = (
            Prepared(profile_features(table), fields),
            made.matches,
            eligible(table),
        )
        self.eligible = int(self.among.sum())

    def discover(self, k: int) -> pd.DataFrame:
        return discover(self.prepared, self.matches, k, calibration=CALIBRATION, among=self.among)

    def edited(self, share: float) -> tuple["Sample", list[str]]:
        """Return the same population, with the vectors of a share of the profiles shuffled among them, and
        their ids.
        """
        changed = np.random.default_rng(2).permutation(len(self.among))[: int(len(self.among) * share)]
        row = {name: vectors.row.copy() for name, vectors in self.prepared.vectors.items()}
        for rows in row.values():
            rows[changed] = np.roll(rows[changed], 1)
        fields = {name: Vectors.from_matrix(v.matrix, row[name]) for name, v in self.prepared.vectors.items()}
        other = object.__new__(Sample)
        other.prepared, other.matches = Prepared(self.prepared.features, fields), self.matches
        other.among, other.eligible = self.among, self.eligible
        return other, self.prepared.features.index[changed].tolist()


def _vectors(texts: list[object], themes: npt.NDArray[np.float32], rng: np.random.Generator) -> Vectors:
    """Return a unit vector for each embedded text: one common theme, one of its own, and noise."""
    embedded = np.flatnonzero([text_to_embed(text) is not None for text in texts])
    matrix = np.empty((len(embedded), themes.shape[1]), np.float32)
    for start in range(0, len(embedded), _ROWS_AT_ONCE):
        part = matrix[start : start + _ROWS_AT_ONCE]
        part[:] = rng.standard_normal(part.shape, np.float32) * rng.uniform(0.2, 0.8, (len(part), 1))
        part += themes[0] + themes[rng.integers(1, len(themes), len(part))] * rng.uniform(0, 1.2, (len(part), 1))
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    row = np.full(len(texts), MISSING, np.intp)
    row[embedded] = np.arange(len(embedded))
    return Vectors.from_matrix(matrix, row)
