"""What a range held before it is made anew: rows that can stay as they are, and those of matches that are gone."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.reading import COMPARED, STORED_COLUMNS, is_stored
from jv_assets.resources.range_files import RangeFiles

CONTEXT = "match_context"
GONE = "gone_matches"
"""The files of the matches that are not scored any more, as their deleted rows cannot tell."""
KEPT_DAYS = settings.score_log_days()
_SCORE = ["id", "harmonic_mean", "policy", "scoring_version"]
_MADE_OF = ["profile_id", "suggested_profile_id", "policy", "scoring_version", "inputs_hash", "code_version"]


def read_former(
    files: RangeFiles, key: str, may_reuse: Callable[[Mapping[str, Any]], bool] = lambda facts: True
) -> pd.DataFrame:
    """The rows without their contexts; none where the range was never made, or cannot be read, which this run mends.

    They tell what their matches held only where `may_reuse` says so of the metadata of the range's file.
    """
    try:
        but = [CONTEXT] if may_reuse(files.facts("match_scores", key)) else [CONTEXT, "stored_row"]
        return files.read("match_scores", key, but=but)
    except UserError:
        return pd.DataFrame(columns=_SCORE, dtype=object)


def still_right(former: pd.DataFrame, matches: pd.DataFrame, made_of: pd.DataFrame) -> pd.DataFrame:
    """The former rows, in order of `matches`, of those that would be scored alike and that production holds like this.

    `matches` are as read now, and `made_of` says what they would be scored of: the last four of `_MADE_OF`, row by row.
    They are marked as `reused`, and have no context, since nobody is to write them.
    """
    if not set(_MADE_OF) <= set(former):
        return former.iloc[:0]
    place = pd.Index(former["id"]).get_indexer(pd.Index(matches["id"]))
    known = np.flatnonzero(place >= 0)
    rows, now = former[sorted({*_MADE_OF, *COMPARED})].iloc[place[known]], matches.iloc[known]
    same = is_stored(rows, now)
    for name in _MADE_OF:
        values = (now if name in now else made_of.iloc[known])[name]
        same &= rows[name].to_numpy(object) == values.to_numpy(object)
    now, kept = now[same], former.iloc[place[known[same]]]
    stored = {name: now[name].to_numpy() for name in STORED_COLUMNS}
    still: pd.DataFrame = kept.assign(**stored, **{CONTEXT: None, "reused": True})
    return still


def keep_gone(files: RangeFiles, key: str, former: pd.DataFrame, rows: pd.DataFrame) -> None:
    """Before these rows take the place of the former ones: keep what those said of matches that are not among them.

    `id`, `harmonic_mean`, `policy`, `scoring_version` and `gone_at` (ISO, UTC),
    for `JV_SCORE_LOG_DAYS` or until a match returns.
    """
    now = datetime.now(UTC)
    known = read_gone(files, key)
    there = set(rows["id"].tolist())
    left = [match not in there for match in former["id"].tolist()]
    gone = pd.concat([known, former.loc[left, _SCORE].assign(gone_at=now.isoformat())], ignore_index=True)
    gone = gone.loc[~gone["id"].isin(there)].drop_duplicates("id")
    young = pd.to_datetime(gone["gone_at"], utc=True, format="ISO8601") > now - timedelta(days=KEPT_DAYS)
    if len(known) or young.any():
        files.write(GONE, key, gone.loc[young], {"rows": int(young.sum())})


def read_gone(files: RangeFiles, key: str) -> pd.DataFrame:
    """What `keep_gone` kept; none where it never did, or where that cannot be read."""
    try:
        return files.read(GONE, key)
    except UserError:
        return pd.DataFrame(columns=[*_SCORE, "gone_at"])
