"""What missing data costs each profile, as the target of its matches: which data to ask for, of whom."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.clustered import MATCHES
from jv_scoring.analysis.rows import DIMENSION_COLUMNS, column, policy_of
from jv_scoring.analysis.sums import Sums
from jv_scoring.analysis.waterfall import COLUMNS as FACTOR_COLUMNS
from jv_scoring.analysis.waterfall import UNIT, lost_to_best
from jv_scoring.engine import DIRECTIONS
from jv_scoring.policy import CURRENT_POLICY, parse_policy

_ABSENT: Mapping[str, tuple[str, float | None]] = {
    "audience_engagement": ("audience_engagement_score", None),
    "social_reach": ("social_reach", None),
    "active_projects": ("current_projects", None),
    "list_size": ("list_size", None),
    "jv_history": ("jv_history", 4.0),
    "booking_link": ("booking_link", 3.0),
    "website": ("website", 2.0),
    "revenue_known": ("revenue_tier", 3.0),
    "contact_available": ("contact", 2.0),
}
"""By factor that depends on one field: the field, and the factor's score without it (None: no data)."""
_COUNTED = ("profile_investment", "profile_completeness", "enrichment_quality")
"""The factors that count filled fields: what they lack to 10 is missing data."""
FIELDS = (*(field for field, _ in _ABSENT.values()), *_COUNTED)
_TARGETS = {"ab": "suggested_profile_id", "ba": "profile_id"}
COLUMNS = ["policy", *_TARGETS.values(), *DIMENSION_COLUMNS, *FACTOR_COLUMNS]
"""The columns of a partition's file that `costs` reads."""


def costs(rows: pd.DataFrame) -> Sums:
    """Return by target the number of its directions, `matches`, and by field the points that its lack costs, in
    millionths, over all of them: against the best that the rules give, as in `waterfall`.
    """
    policy = parse_policy(policy_of(rows) or CURRENT_POLICY)
    parts = []
    for direction in DIRECTIONS:
        lost = lost_to_best(rows, direction, policy)
        columns: dict[str, npt.ArrayLike] = {MATCHES: np.ones(len(rows), np.int64)}
        for factor, (field, absent) in _ABSENT.items():
            values = column(rows, f"{factor}_{direction}")
            columns[field] = np.where(np.isnan(values) if absent is None else values == absent, lost[factor], 0)
        columns |= {factor: lost[factor] for factor in _COUNTED}
        parts.append(Sums.of(rows[_TARGETS[direction]].to_numpy(object), columns))
    return parts[0] + parts[1]


def costliest(sums: Sums, top: int) -> pd.DataFrame:
    """Return the profiles whose missing data costs most over all their directions, the most first, equal ones by id.

    Columns: `profile_id`, `directions`, `points_lost` (of a direction, on average), and `lost_by_…` each field.
    """
    directions = sums.values[MATCHES]
    lost = {field: sums.values[field] for field in FIELDS}
    whole = np.sum(list(lost.values()), axis=0) if len(directions) else np.zeros(0, np.int64)
    order = np.argsort(-whole, kind="stable")
    order = order[whole[order] > 0][:top]

    def mean(values: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        return np.round(values[order] / directions[order] / UNIT, 4)

    by_field = {f"lost_by_{field}": mean(values) for field, values in lost.items()}
    named = {"profile_id": sums.keys[order], "directions": directions[order], "points_lost": mean(whole)}
    return pd.DataFrame(named | by_field)
