"""What the proposed steps of a calibration would change of the scored matches."""

import pandas as pd

from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.calibration import proposed
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import one_policy, scored
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.calibration_moves import COLUMNS, moves
from jv_scoring.analysis.tallies import Json

MOST_MATCHES = 20_000
"""How many matches are rescored, about; a hash of the id draws them."""


def moved(files: RangeFiles, report: Json) -> Json | None:
    """Return what the proposal would change; None without a proposal, or before anything was scored."""
    steps, keys = proposed(report), files.made(MATCH_SCORES, ID_RANGES.get_partition_keys())
    if not steps or not keys:
        return None
    one_policy(files, keys)
    sample = sample_of(files, MOST_MATCHES)
    rows = pd.concat([part for key in keys for part in scored(files, key, COLUMNS, sample)], ignore_index=True)
    return moves(rows, steps) | {"of": sample.of if sample else len(rows)}
