"""What stops a publish although every score by itself is in order: a distribution that moved as a whole."""

from collections.abc import Sequence

import numpy as np

from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.shift import COLUMNS, Shift, joint_of, shift_of
from jv_scoring.analysis.tallies import Joint


def shift_within(files: RangeFiles, keys: Sequence[str]) -> Shift:
    """How far the scores of these ranges, taken together, are from those that were stored when they were made."""
    joint = Joint.of(np.empty(0), np.empty(0))
    for key in keys:
        joint += joint_of(files.read("match_scores", key, COLUMNS))
    return shift_of(joint)


def refuse_shift(database: Database, files: RangeFiles, keys: Sequence[str]) -> None:
    """UserError where the scores of these ranges moved further than they may under one policy and version.

    It names a page, made for it, that says which matches would change and what from.
    """
    shift = shift_within(files, keys)
    if not shift.beyond:
        return
    from jv_assets.refusal import write_refusal

    moved = f"of {shift.matches:,} matches stored under the same policy and version, {', and '.join(shift.beyond)}"
    page = write_refusal(database, files, keys, f"Nothing was published: {moved}.")
    raise UserError(
        f"nothing was published: {moved}. See what would change, and what from, in {page}; then mend the cause, or "
        "publish on purpose: the same command with --accept-shift"
    )
