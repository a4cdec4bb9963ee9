"""What a range of profiles must be to be scored at all, and which of its values are odd but allowed."""

from collections.abc import Callable
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jv_assets.errors import UserError
from jv_assets.loading import PROFILE_COLUMNS
from jv_scoring.factors import INPUT_COLUMNS, known_tier
from jv_scoring.roles import normalise_role
from jv_scoring.synergy import TIER_ORDER
from jv_scoring.text import has_text

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

_ACCEPTED: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "text[]": (list,),
    "integer": (int,),
    "double precision": (Real,),
}
"""By the type that spec/data.md gives a column: what Python has of it. jsonb may be anything."""
_NUMBERS = ("audience_engagement_score", "social_reach", "list_size")
_TEXTS = [name for name in INPUT_COLUMNS if PROFILE_COLUMNS[name] == "text"]


def validate(profiles: pd.DataFrame) -> None:
    """UserError where the columns are not those of the profiles table, or hold values of other types."""
    from pandera.errors import SchemaErrors

    try:
        _schema().validate(profiles, lazy=True)
    except SchemaErrors as error:
        first = error.failure_cases.iloc[0]
        rows = error.failure_cases["index"].dropna()
        where = f"; first in profile {profiles['id'].iloc[int(rows.iloc[0])]}" if len(rows) else ""
        raise UserError(
            f"{len(error.failure_cases)} values of profiles are not what its columns must hold: "
            f"{first['column'] or first['failure_case']}: {first['check']}{where}; correct them in the table"
        ) from None


def odd_values(profiles: pd.DataFrame) -> dict[str, int]:
    """How many values are allowed, but count as no data or as unknown (spec: Nulls, Factors)."""
    return {name: int(count(profiles)) for name, count in _ODD.items()}


@cache
def _schema() -> "DataFrameSchema":
    import pandera.pandas as pa

    def is_a(accepted: tuple[type, ...]) -> Callable[[object], bool]:
        return lambda value: isinstance(value, accepted)

    columns = {"id": pa.Column(object, unique=True, nullable=False)}
    for name in INPUT_COLUMNS:
        kind = PROFILE_COLUMNS[name]
        checks = [pa.Check(is_a(_ACCEPTED[kind]), element_wise=True, error=f"not {kind}")] if kind in _ACCEPTED else []
        columns[name] = pa.Column(object, checks, nullable=name != "name")
    return pa.DataFrameSchema(columns, strict=True)


def _count(column: str, is_odd: Callable[[object], bool]) -> Callable[[pd.DataFrame], int]:
    return lambda profiles: sum(map(is_odd, profiles[column]))


def _no_data(value: object) -> bool:
    return isinstance(value, Real) and not (np.isfinite(float(value)) and float(value) >= 0)


_ODD: dict[str, Callable[[pd.DataFrame], int]] = {
    "blank_texts": lambda profiles: sum(
        isinstance(value, str) and not has_text(value) for name in _TEXTS for value in profiles[name]
    ),
    "unknown_roles": _count("network_role", lambda value: has_text(value) and normalise_role(value) is None),
    "unknown_tiers": _count("revenue_tier", lambda value: known_tier(value) not in (None, *TIER_ORDER)),
    "jv_history_not_a_list": _count("jv_history", lambda value: not isinstance(value, (list, type(None)))),
    "numbers_without_meaning": lambda profiles: sum(_no_data(value) for name in _NUMBERS for value in profiles[name]),
    "engagement_over_1": _count(
        "audience_engagement_score", lambda value: isinstance(value, (int, float)) and 1 < value < np.inf
    ),
    "list_size_0": _count("list_size", lambda value: value == 0),
    "social_reach_0": _count("social_reach", lambda value: value == 0),
}
