"""Count the text comparisons that fall back to word overlap because a vector is missing: as stored and as
computed now.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jv_scoring.analysis.rows import column
from jv_scoring.analysis.stored import METHODS
from jv_scoring.similarity import WORD_OVERLAP

STORED = "stored_fallbacks"
"""Column of a partition's file: how many of a match's three comparisons were by word overlap in the stored score."""
COLUMNS = [*METHODS, STORED]
"""The columns of a partition's file that `rise_of` reads."""
RISE = 0.10
"""The bound on the rise of the share of comparisons by word overlap, 0..1."""
FEWEST = 30
"""How many matches a share needs to mean something."""


@dataclass(frozen=True)
class Rise:
    """Comparisons by word overlap, stored and now, of the matches whose stored score names its methods."""

    matches: int = 0
    before: int = 0
    now: int = 0

    def __add__(self, other: "Rise") -> "Rise":
        return Rise(self.matches + other.matches, self.before + other.before, self.now + other.now)

    @property
    def shares(self) -> tuple[float, float] | None:
        """The share of comparisons by word overlap, 0..1: stored and now; None without matches."""
        comparisons = len(METHODS) * self.matches
        return (self.before / comparisons, self.now / comparisons) if comparisons else None

    @property
    def is_beyond(self) -> bool:
        """Whether the share rose by more than `RISE`; never for fewer than `FEWEST` matches."""
        return self.matches >= FEWEST and self.now - self.before > RISE * len(METHODS) * self.matches


def rise_of(rows: pd.DataFrame) -> Rise:
    """Return the counts of one partition's rows; those of several partitions add up."""
    if STORED not in rows:  # The file is older than the column.
        return Rise()
    stored = column(rows, STORED)
    known = ~np.isnan(stored)
    now = sum(int((rows[name] == WORD_OVERLAP).to_numpy(np.bool_)[known].sum()) for name in METHODS)
    return Rise(int(known.sum()), int(stored[known].sum()), now)
