"""Measure whether the scores moved further than on an ordinary night: stored against computed, under the same rules."""

from dataclasses import dataclass

import pandas as pd

from jv_scoring.analysis.aggregation_comparison import spearman, tier_places
from jv_scoring.analysis.rows import column
from jv_scoring.analysis.tallies import Joint
from jv_scoring.stored_rules import STAMP, same_rules

COLUMNS = [
    "harmonic_mean", "policy", "scoring_version", "stored_harmonic_mean", *STAMP
]  # fmt: skip
"""The columns of a partition's file that `joint_of` reads."""
MEAN_SHIFT, SPEARMAN, RECLASSIFIED = 5.0, 0.70, 0.25
"""The bounds: points of the mean, rank correlation, share of the matches that change their tier."""
FEWEST = 30
"""How many matches a distribution needs to mean something."""


@dataclass(frozen=True)
class Shift:
    """How far harmonic_mean moved for matches that were scored before under the same policy and version.

    mean_shift: points, -100..100. spearman: -1..1, None if a side never varies. reclassified: the share of matches in
    another tier, 0..1. All are None without matches.
    """

    matches: int
    mean_shift: float | None
    spearman: float | None
    reclassified: float | None

    @property
    def beyond(self) -> list[str]:
        """The bounds that are broken, in words; none for fewer than `FEWEST` matches."""
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
    """Return stored and computed harmonic_mean of the comparable rows (`COLUMNS`); those of several partitions add up.

    A stored score without a breakdown is not comparable, because its rules are unknown; nor is one outside of 0..100,
    which another program stored.
    """
    stored = column(rows, "stored_harmonic_mean")
    both = same_rules(rows) & (stored >= 0) & (stored <= 100)
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
