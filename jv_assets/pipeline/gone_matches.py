"""The last known scores of deleted matches, which their rows cannot tell any more."""

from datetime import UTC, datetime, timedelta

import pandas as pd

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.pipeline.changes import SCORE_COLUMNS
from jv_assets.resources.range_files import RangeFiles

GONE = "gone_matches"
"""The name of the files, stored beside those of the assets."""
KEPT_DAYS = settings.score_log_days()


class GoneRows:
    """The former rows of a partition whose matches are gone."""

    def __init__(self, files: RangeFiles, key: str) -> None:
        self._files, self._key = files, key
        self._known = read_gone(files, key)
        self._left: list[pd.DataFrame] = []
        self._returned: set[str] = set()

    def note(self, former: pd.DataFrame, rows: pd.DataFrame) -> None:
        """Note that `rows` replace `former`, whose ids lie in the same interval."""
        there = set(rows["id"].tolist())
        left = [match not in there for match in former["id"].tolist()]
        self._left.append(former.loc[left, list(SCORE_COLUMNS)])
        self._returned |= there.intersection(self._known["id"].tolist())

    def keep(self) -> None:
        """Before the rows take the place of the former ones, keep what is known of the matches that are gone.

        `id`, `harmonic_mean`, `policy`, `scoring_version` and `gone_at` (ISO, UTC),
        for `JVSCORE_COLUMNS_LOG_DAYS` or until a match returns.
        """
        now = datetime.now(UTC)
        left = [rows.assign(gone_at=now.isoformat()) for rows in self._left]
        gone = pd.concat([self._known, *left], ignore_index=True)
        gone = gone.loc[~gone["id"].isin(self._returned)].drop_duplicates("id")
        young = pd.to_datetime(gone["gone_at"], utc=True, format="ISO8601") > now - timedelta(days=KEPT_DAYS)
        if len(self._known) or young.any():
            self._files.write(GONE, self._key, gone.loc[young], {"rows": int(young.sum())})


def read_gone(files: RangeFiles, key: str) -> pd.DataFrame:
    """Return what `GoneRows.keep` stored; nothing if it never did, or if the file cannot be read."""
    try:
        return files.read(GONE, key)
    except UserError:
        return pd.DataFrame(columns=[*SCORE_COLUMNS, "gone_at"])
