"""What stops a publish although every score by itself is in order: a distribution that moved as a whole."""

from collections.abc import Sequence

import numpy as np

from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import fallbacks
from jv_scoring.analysis.fallbacks import Rise, rise_of
from jv_scoring.analysis.shift import COLUMNS, Shift, joint_of, shift_of
from jv_scoring.analysis.tallies import Joint


def shift_within(files: RangeFiles, keys: Sequence[str]) -> Shift:
    """How far the scores of these ranges, taken together, are from those that were stored when they were made."""
    joint = Joint.of(np.empty(0), np.empty(0))
    for key in keys:
        for rows in files.chunks("match_scores", key, COLUMNS):
            joint += joint_of(rows)
    return shift_of(joint)


def rise_within(files: RangeFiles, keys: Sequence[str]) -> Rise:
    """How many text comparisons of these ranges are by word overlap, and how many were in the stored scores."""
    chunks = (rows for key in keys for rows in files.chunks("match_scores", key, fallbacks.COLUMNS))
    return sum(map(rise_of, chunks), Rise())


def in_words(rise: Rise) -> str | None:
    """A rise of the share of word overlap beyond its bound, in words; None where it is within."""
    if not (rise.is_beyond and rise.shares):
        return None
    before, now = rise.shares
    return (
        f"word overlap would decide {now:.1%} of their text comparisons, and decided {before:.1%} of the stored ones "
        f"(at most {100 * fallbacks.RISE:g} points more)"
    )


def refuse_word_overlap(database: Database, files: RangeFiles, keys: Sequence[str]) -> None:
    """UserError where word overlap takes the place of vectors in more comparisons than it may.

    Then vectors that the stored scores were made with are missing, or are under a name that is not the model's.
    """
    rise = rise_within(files, keys)
    if told := in_words(rise):
        cure = (
            "jv doctor counts the vectors that are missing or under another name, and says what to type (mostly: jv "
            "embed); or publish on purpose: the same command with --accept-word-overlap"
        )
        _refuse(database, files, keys, f"of {rise.matches:,} matches with a stored score, {told}", cure)


def refuse_shift(database: Database, files: RangeFiles, keys: Sequence[str]) -> None:
    """UserError where the scores of these ranges moved further than they may under one policy and version."""
    shift = shift_within(files, keys)
    if shift.beyond:
        moved = f"of {shift.matches:,} matches stored under the same policy and version, {', and '.join(shift.beyond)}"
        cure = "then mend the cause, or publish on purpose: the same command with --accept-shift"
        _refuse(database, files, keys, moved, cure)


def _refuse(database: Database, files: RangeFiles, keys: Sequence[str], moved: str, cure: str) -> None:
    """Raise a UserError that names a page, made for it, of which matches would change and what from."""
    from jv_assets.refusal import write_refusal

    page = write_refusal(database, files, keys, f"Nothing was published: {moved}.")
    raise UserError(f"nothing was published: {moved}. See what would change, and what from, in {page}; {cure}")
