"""The profiles whose missing data costs most: data to ask for."""

from functools import reduce
from operator import add

import pandas as pd

from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.reports.tallies import no_scores, one_policy, scored
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.missing_data import COLUMNS, costliest, costs


def missing_data(files: RangeFiles, top: int) -> pd.DataFrame:
    """Return the `top` profiles whose missing data costs most, from the scores computed last; one partition is in
    memory at a time.

    UserError for a `top` below 1, without scores, and for scores under several policies.
    """
    if top < 1:
        raise UserError(f"--top {top}: ask for 1 profile or more")
    keys = files.made(MATCH_SCORES, ID_RANGES.get_partition_keys())
    if not keys:
        raise no_scores()
    one_policy(files, keys)
    return costliest(reduce(add, (costs(rows) for key in keys for rows in scored(files, key, COLUMNS))), top)
