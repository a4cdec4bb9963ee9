"""Did the scores move further than an ordinary night moves them? Stored against computed, under the same rules."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jv_scoring.analysis.aggregation_comparison import spearman, tier_places
from jv_scoring.analysis.rows import column
from jv_scoring.analysis.tallies import Joint
from jv_scoring.stored_rules import STAMP, same_rules

COLUMNS = [
    "harmonic_mean", "policy", "scoring_version", "stored_harmonic_mean", *STAMP
]  # fmt: skip
"""What `joint_of` reads of a range file."""
MEAN_SHIFT, SPEARMAN, RECLASSIFIED = 5.0, 0.70, 0.25
"""The bounds: points of the mean, rank correlation, share of the matches that change their tier."""
FEWEST = 30
"""Matches that it takes to speak of a distribution."""


@dataclass(frozen=True)
class Shift:
    """Of the matches that were scored before under the same policy and version: how far harmonic_mean moved.

    mean_shift: points, -100..100. spearman: -1..1, None where either side never varies. reclassified: the share of
    matches in another tier, 0..1. All are None of no matches.
    """

    matches: int
    mean_shift: float | None
    spearman: float | None
    reclassified: float | None

    @property
    def beyond(self) -> list[str]:
        """The bounds that are broken, in words; none of fewer than `FEWEST` matches."""
        if self.matches < FEWEST or self.mean_shift is None or self.reclassified is None:
            return []
        lines = []
        if abs(self.mean_shift) > MEAN_SHIFT:
            lines.append(f"the mean moved by {self.mean_shift:+.2f} points (at most {MEAN_SHIFT:g})")
        if self.spearman is not None and self.spearman < SPEARMAN:
            lines.append(f"the rank correlation is {self.spearman:.2f} (at least {SPEARMAN:g})")
        if self.reclassified > RECLASSIFIED:
            lines.append(f"{self.reclassified:.1%} change their tier (at most {RECLASSIFIED:.0%})")
        return lines


def joint_of(rows: pd.DataFrame) -> Joint:
    """Stored and computed harmonic_mean of the rows (`COLUMNS`) that are comparable; of several ranges they add up.

    A stored score without a breakdown is not, since nothing tells what made it.
    """
    stored = column(rows, "stored_harmonic_mean")
    both = same_rules(rows) & ~np.isnan(stored)
    return Joint.of(stored[both], column(rows, "harmonic_mean")[both])


def shift_of(joint: Joint) -> Shift:
    """As exact as the pairs of scores are."""
    matches = int(joint.counts.sum())
    if not matches:
        return Shift(0, None, None, None)
    before, now = joint.scores
    return Shift(
        matches,
        int(joint.counts @ (now - before)) / (100 * matches),
        spearman(joint),
        int(joint.counts[tier_places(before) != tier_places(now)].sum()) / matches,
    )
