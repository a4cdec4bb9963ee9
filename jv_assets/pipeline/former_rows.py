"""What a range held before it is made anew: rows that can stay as they are, and those of matches that are gone."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES
from jv_assets.pipeline.reading import COMPARED, STORED_COLUMNS, is_stored
from jv_assets.resources.range_files import RangeFiles

CONTEXT = "match_context"
GONE = "gone_matches"
"""The files of the matches that are not scored any more, as their deleted rows cannot tell."""
KEPT_DAYS = settings.score_log_days()
_SCORE = ["id", "harmonic_mean", "policy", "scoring_version"]
_MADE_OF = ["profile_id", "suggested_profile_id", "policy", "scoring_version", "inputs_hash", "code_version"]


class FormerRows:
    """The rows of a range's file, handed out in order of id, some at a time.

    none: an empty frame, which stands for a file that was never made or cannot be read: this run mends it.
    """

    def __init__(self, chunks: Iterator[pd.DataFrame], none: pd.DataFrame) -> None:
        self._chunks, self._held = chunks, none
        self._last = ""
        """The last id that was read."""

    def until(self, high: str) -> pd.DataFrame:
        """Return the rows up to this id (in it) that were not handed out before."""
        parts = [self._held]
        while self._last <= high and (chunk := self._next()) is not None:
            parts.append(chunk)
        full = [part for part in parts if len(part)]
        held = pd.concat(full, ignore_index=True) if len(full) > 1 else (full or parts[-1:])[0]
        handed = int(np.searchsorted(held["id"].to_numpy(object), high, side="right"))
        self._held = held.iloc[handed:]
        return held.iloc[:handed].reset_index(drop=True)

    def _next(self) -> pd.DataFrame | None:
        try:
            chunk = next(self._chunks, None)
        except UserError:
            return None
        if chunk is not None and len(chunk):
            self._last = str(chunk["id"].iloc[-1])
        return chunk


def read_former(
    files: RangeFiles, key: str, may_reuse: Callable[[Mapping[str, Any]], bool] = lambda _: True
) -> FormerRows:
    """The rows without their contexts.

    They tell what their matches held only where `may_reuse` says so of the metadata of the range's file.
    """

    def chunks() -> Iterator[pd.DataFrame]:
        with files.opened(MATCH_SCORES, key) as file:
            but = [CONTEXT] if may_reuse(file.metadata) else [CONTEXT, "stored_row"]
            for groups in file.groups():
                yield file.read(but=but, groups=groups)

    return FormerRows(chunks(), pd.DataFrame(columns=_SCORE, dtype=object))


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


class GoneRows:
    """What the former rows of a range said of matches that are not among its rows any more."""

    def __init__(self, files: RangeFiles, key: str) -> None:
        self._files, self._key = files, key
        self._known = read_gone(files, key)
        self._left: list[pd.DataFrame] = []
        self._returned: set[str] = set()

    def note(self, former: pd.DataFrame, rows: pd.DataFrame) -> None:
        """Note that `rows` are to take the place of `former`, whose ids lie in the same interval."""
        there = set(rows["id"].tolist())
        left = [match not in there for match in former["id"].tolist()]
        self._left.append(former.loc[left, _SCORE])
        self._returned |= there.intersection(self._known["id"].tolist())

    def keep(self) -> None:
        """Before the rows take the place of the former ones, keep what is known of the matches that are gone.

        `id`, `harmonic_mean`, `policy`, `scoring_version` and `gone_at` (ISO, UTC),
        for `JV_SCORE_LOG_DAYS` or until a match returns.
        """
        now = datetime.now(UTC)
        left = [rows.assign(gone_at=now.isoformat()) for rows in self._left]
        gone = pd.concat([self._known, *left], ignore_index=True)
        gone = gone.loc[~gone["id"].isin(self._returned)].drop_duplicates("id")
        young = pd.to_datetime(gone["gone_at"], utc=True, format="ISO8601") > now - timedelta(days=KEPT_DAYS)
        if len(self._known) or young.any():
            self._files.write(GONE, self._key, gone.loc[young], {"rows": int(young.sum())})


def read_gone(files: RangeFiles, key: str) -> pd.DataFrame:
    """What `GoneRows.keep` kept; none where it never did, or where that cannot be read."""
    try:
        return files.read(GONE, key)
    except UserError:
        return pd.DataFrame(columns=[*_SCORE, "gone_at"])
