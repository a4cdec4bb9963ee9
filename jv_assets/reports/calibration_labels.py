"""Whether outcomes of matches say more of a cosine than the steps in force do."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from jv_assets import settings
from jv_assets.names import EVALUATION, MATCH_SCORES
from jv_assets.partitions import ID_RANGES
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.calibration_labels import Labelled, isotonic
from jv_scoring.analysis.calibration_pairs import FACTORS
from jv_scoring.analysis.evaluation import Evaluation
from jv_scoring.analysis.evaluation_labels import labelled
from jv_scoring.analysis.rows import column
from jv_scoring.analysis.tallies import Json
from jv_scoring.similarity import Calibration

_ENDS = ["profile_id", "suggested_profile_id"]


def of_labels(files: RangeFiles, calibration: Calibration) -> list[Json]:
    """Return the figures of each factor, by the label `acted` of `evaluation` now. A is whom the match was shown to."""
    keys = files.made(EVALUATION, files.made(MATCH_SCORES, ID_RANGES.get_partition_keys()))
    parts = [_labelled_rows(files, key) for key in keys]
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["id", *_ENDS, "positive", *FACTORS])
    ends = pd.Index(np.unique(rows[_ENDS].to_numpy(object).ravel().astype(str)))
    a, b = (ends.get_indexer(rows[name].astype(str)).astype(np.int64) for name in _ENDS)
    found = []
    for factor in FACTORS:
        labels = Labelled(column(rows, factor), a, b, rows["positive"].to_numpy(np.bool_))
        there = ~np.isnan(labels.cosines)
        found.append(isotonic(factor, labels.take(there), calibration.steps_of(factor)))
    return found


def _labelled_rows(files: RangeFiles, key: str) -> pd.DataFrame:
    """Return the matches of a partition that have a label, with the cosine of each factor from A to B."""
    tally = Evaluation.from_json(json.loads(files.read(EVALUATION, key, ["tally"])["tally"].iloc[0]))
    chosen = labelled(tally.rows, "acted", datetime.now(UTC), settings.outcome_days())
    rows = tally.rows[["id", *_ENDS]].assign(positive=chosen.positive)[chosen.used]
    cosines = {f"{factor}_cosine_ab": factor for factor in FACTORS}
    wanted: Sequence[str] = ["id", *cosines]
    scored = pd.concat([part[part["id"].isin(rows["id"])] for part in files.chunks(MATCH_SCORES, key, wanted)])
    return rows.merge(scored.rename(columns=cosines), on="id")
