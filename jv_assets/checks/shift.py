"""Refuse a publish whose single scores are right, but whose distribution moved as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jv_assets.names import MATCH_SCORES
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


def shift_within(files: RangeFiles, keys: Sequence[str]) -> Shift:
    """Return how far the scores of these partitions, taken together, are from the stored scores at that time."""
    joint = Joint.of(np.empty(0), np.empty(0))
    for key in keys:
        for rows in files.chunks(MATCH_SCORES, key, COLUMNS):
            joint += joint_of(rows)
    return shift_of(joint)


def rise_within(files: RangeFiles, keys: Sequence[str]) -> Rise:
    """Return how many text comparisons are by word overlap, and how many were in the stored scores."""
    chunks = (rows for key in keys for rows in files.chunks(MATCH_SCORES, key, fallbacks.COLUMNS))
    return sum(map(rise_of, chunks), Rise())


def in_words(rise: Rise) -> str | None:
    """Return a rise of the share of word overlap beyond its bound, in words; None if it is within the bound."""
    if not (rise.is_beyond and rise.shares):
        return None
    before, now = rise.shares
    return (
        f"word overlap would decide {now:.1%} of their text comparisons, and decided {before:.1%} of the stored ones "
        f"(at most {100 * fallbacks.RISE:g} points more)"
    )


def word_overlap_refusal(files: RangeFiles, keys: Sequence[str]) -> Refusal | None:
    """Refuse scores in which word overlap replaces vectors in too many comparisons.

    Vectors behind the stored scores are then missing, or under a name that is not the model's.
    """
    rise = rise_within(files, keys)
    told = in_words(rise)
    if told is None:
        return None
    cure = (
        "jv doctor counts the vectors that are missing or under another name, and says what to type (mostly: jv "
        "embed); or publish on purpose: the same command with --accept-word-overlap"
    )
    return Refusal(f"of {rise.matches:,} matches with a stored score, {told}", cure)


def shift_refusal(files: RangeFiles, keys: Sequence[str]) -> Refusal | None:
    """Refuse scores that moved further than the bounds allow under one policy and version."""
    shift = shift_within(files, keys)
    if not shift.beyond:
        return None
    moved = f"of {shift.matches:,} matches stored under the same policy and version, {', and '.join(shift.beyond)}"
    return Refusal(moved, "then mend the cause, or publish on purpose: the same command with --accept-shift")
