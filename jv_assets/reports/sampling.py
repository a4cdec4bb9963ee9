"""Sampling: which matches a sampled report uses, and the intervals of its figures."""

from dataclasses import dataclass
from hashlib import blake2b
from math import sqrt

import numpy as np
import pandas as pd

from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.tallies import Json

_Z = 1.959963984540054
"""Standard errors on each side of a 95 % interval."""


@dataclass(frozen=True)
class Sample:
    """About `wanted` of `of` matches."""

    wanted: int
    of: int

    def draw(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the rows in the sample. A hash of the id decides, so the sample is always the same, whatever the
        scores are.
        """
        limit = int(self.wanted / self.of * 2**64)
        drawn = [int.from_bytes(blake2b(str(each).encode(), digest_size=8).digest()) < limit for each in rows["id"]]
        sample: pd.DataFrame = rows.loc[np.array(drawn, np.bool_)].reset_index(drop=True)
        return sample


def sample_of(files: RangeFiles, wanted: int | None) -> Sample | None:
    """Return a sample of about that many scored matches; None means all of them. UserError for a number below 1."""
    if wanted is None:
        return None
    if wanted < 1:
        raise UserError(f"sample: {wanted}: ask for 1 match or more")
    every = 0
    for key in files.made(MATCH_SCORES, ID_RANGES.get_partition_keys()):
        metadata = files.metadata(MATCH_SCORES, key)
        every += metadata["rows"] - len(metadata.get("skipped", ()))
    return Sample(wanted, every) if wanted < every else None


def of_mean(mean: float | None, sd: float | None, count: int) -> Json:
    """Return `value`, `low` and `high`: the 95 % interval of a mean, by the normal approximation."""
    if mean is None or sd is None or count < 2:
        return {"value": mean, "low": None, "high": None}
    away = _Z * sd / sqrt(count - 1)  # sd is that of the sample itself, divided by its number.
    return {"value": mean, "low": mean - away, "high": mean + away}


def of_share(share: float | None, count: int) -> Json:
    """Return `value`, `low` and `high`: the 95 % interval of a share of `count`, by Wilson's formula."""
    if share is None or not count:
        return {"value": share, "low": None, "high": None}
    z2 = _Z**2
    middle, away = share + z2 / (2 * count), _Z * sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    low, high = ((middle + sign * away) / (1 + z2 / count) for sign in (-1, 1))
    return {"value": share, "low": max(0.0, low), "high": min(1.0, high)}
