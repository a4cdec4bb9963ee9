"""Refuse a publish whose single scores are right, but whose distribution moved as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jv_assets.names import MATCH_SCORES
from jv_assets.pipeline.matches.stored_rules import scored_before
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import fallbacks
from jv_scoring.analysis.fallbacks import Rise, rise_of
from jv_scoring.analysis.shift import COLUMNS, Shift, joint_of, shift_of
from jv_scoring.analysis.tallies import Joint


@dataclass(frozen=True)
class Refusal:
    """Why the scores of a run, taken together, must not be published.

    moved: what moved, in numbers. cure: what to do.
    """

    moved: str
    cure: str


@dataclass(frozen=True)
class Moved:
    """What moved from the stored scores to those of the files, all rows taken together."""

    shift: Shift
    rise: Rise


def moved_within(files: RangeFiles, keys: Sequence[str]) -> Moved:
    """Return how far the scores of these partitions are from the scores that were stored when they were made."""
    joint, rise = Joint.of(np.empty(0), np.empty(0)), Rise()
    for key in keys:
        for table in files.tables(MATCH_SCORES, key, [*COLUMNS, *fallbacks.COLUMNS]):
            if len(rows := scored_before(table)):
                joint, rise = joint + joint_of(rows), rise + rise_of(rows)
    return Moved(shift_of(joint), rise)


def in_words(rise: Rise) -> str | None:
    """Return a rise of the share of word overlap beyond its bound, in words; None if it is within the bound."""
    if not (rise.is_beyond and rise.shares):
        return None
    before, now = rise.shares
    return (
        f"word overlap would decide {now:.1%} of their text comparisons, and decided {before:.1%} of the stored ones "
        f"(at most {100 * fallbacks.RISE:g} points more)"
    )


def word_overlap_refusal(rise: Rise) -> Refusal | None:
    """Refuse scores in which word overlap replaces vectors in too many comparisons.

    Vectors behind the stored scores are then missing, or under a name that is not the model's.
    """
    told = in_words(rise)
    if told is None:
        return None
    cure = (
        "jv doctor counts the vectors that are missing or under another name, and says what to type (mostly: jv "
        "embed); or publish on purpose: the same command with --accept-word-overlap"
    )
    return Refusal(f"of {rise.matches:,} matches with a stored score, {told}", cure)


def shift_refusal(shift: Shift) -> Refusal | None:
    """Refuse scores that moved further than the bounds allow under one policy and version."""
    if not shift.beyond:
        return None
    moved = f"of {shift.matches:,} matches stored under the same policy and version, {', and '.join(shift.beyond)}"
    return Refusal(moved, "then fix the cause, or publish on purpose: the same command with --accept-shift")
