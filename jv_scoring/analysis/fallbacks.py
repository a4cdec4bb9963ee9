"""How many text comparisons are by word overlap, for want of a vector: as stored and as computed now."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jv_scoring.analysis.rows import column
from jv_scoring.analysis.stored import METHODS
from jv_scoring.similarity import WORD_OVERLAP

STORED = "stored_word_overlap"
"""Column of a range file: how many of a match's four comparisons were by word overlap in the stored score."""
COLUMNS = [*METHODS, STORED]
"""What `rise_of` reads of a range file."""
RISE = 0.10
"""The bound: by how much the share of comparisons by word overlap may rise, 0..1."""
FEWEST = 30
"""Matches that it takes to speak of a share."""


@dataclass(frozen=True)
class Rise:
    """Of the matches whose stored score names its methods: comparisons by word overlap, stored and now."""

    matches: int = 0
    before: int = 0
    now: int = 0

    def __add__(self, other: "Rise") -> "Rise":
        return Rise(self.matches + other.matches, self.before + other.before, self.now + other.now)

    @property
    def shares(self) -> tuple[float, float] | None:
        """The share of comparisons by word overlap, 0..1: stored and now; None of no matches."""
        comparisons = len(METHODS) * self.matches
        return (self.before / comparisons, self.now / comparisons) if comparisons else None

    @property
    def is_beyond(self) -> bool:
        """Whether the share rose by more than `RISE`; never for fewer than `FEWEST` matches."""
        return self.matches >= FEWEST and self.now - self.before > RISE * len(METHODS) * self.matches


def rise_of(rows: pd.DataFrame) -> Rise:
    """The counts of one range's rows; those of several ranges add up."""
    if STORED not in rows:  # the file is older than the column
        return Rise()
    stored = column(rows, STORED)
    known = ~np.isnan(stored)
    now = sum(int((rows[name] == WORD_OVERLAP).to_numpy(np.bool_)[known].sum()) for name in METHODS)
    return Rise(int(known.sum()), int(stored[known].sum()), now)
