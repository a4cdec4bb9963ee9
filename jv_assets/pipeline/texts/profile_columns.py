"""Which profiles can be scored at all, and which of their values are irregular but allowed."""

from collections.abc import Callable, Iterator, Sequence
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from jv_assets.errors import UserError
from jv_assets.pipeline.texts.text_content import has_no_content, is_in_another_script
from jv_assets.tables import PROFILE_COLUMNS
from jv_scoring.factors import INPUT_COLUMNS, known_tier
from jv_scoring.roles import normalise_role
from jv_scoring.synergy import TIER_ORDER
from jv_scoring.text import EMBEDDED_FIELDS, has_text

_ACCEPTED: dict[str, Any] = {
    "text": TypeAdapter(list[str | None]),
    "text[]": TypeAdapter(list[list[Any] | None]),
    "integer": TypeAdapter(list[int | float | None]),
    "double precision": TypeAdapter(list[float | None]),
}
"""By column type: what its values must be. jsonb may be anything."""
_NUMBERS = ("audience_engagement_score", "social_reach", "list_size")
_TEXTS = [name for name in INPUT_COLUMNS if PROFILE_COLUMNS[name] == "text"]


def validate(profiles: pd.DataFrame) -> None:
    """Raise UserError if the columns are not those of the profiles table, or hold values of other types."""
    wrong = [each for name in ("id", *INPUT_COLUMNS) for each in _wrong(name, profiles)]
    if wrong:
        cause, rows = wrong[0]
        where = f"; first in profile {profiles['id'].iloc[rows[0]]}" if rows else ""
        count = sum(max(len(rows), 1) for _, rows in wrong)
        fault = f"{count:,} values of profiles are not what its columns must hold: {cause}{where}"
        raise UserError(f"{fault}; correct them in the table")


def _wrong(name: str, profiles: pd.DataFrame) -> Iterator[tuple[str, list[int]]]:
    """Yield what is wrong with a column, and in which rows."""
    if name not in profiles:
        yield f"{name}: there is no such column", []
        return
    kind = PROFILE_COLUMNS[name]
    if kind in _ACCEPTED:
        try:
            _ACCEPTED[kind].validate_python(profiles[name].tolist(), strict=True)
        except ValidationError as error:
            yield f"{name}: not {kind}", sorted({int(each["loc"][0]) for each in error.errors()})
    faults = {"null": profiles[name].isna()} if name in ("id", "name") else {}
    if name == "id":
        faults["there twice"] = profiles[name].duplicated()
    for fault, is_faulty in faults.items():
        if is_faulty.any():
            yield f"{name}: {fault}", np.flatnonzero(is_faulty).tolist()


def irregular_values(profiles: pd.DataFrame) -> dict[str, list[int]]:
    """Return, per profile, how many values are allowed but count as no data or as unknown (docs/ismc.md, Nulls)."""
    columns = {name: profiles[name].tolist() for name in INPUT_COLUMNS}
    return {
        name: [sum(map(is_irregular, values)) for values in zip(*(columns[of] for of in among), strict=True)]
        for name, (among, is_irregular) in _IRREGULAR.items()
    }


def odd_fields(profiles: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Yield the id of a profile, a field and the kind for each value that counts as no data, though there is one."""
    for kind in ODD:
        among, is_irregular = _IRREGULAR[kind]
        for name in among:
            yield from ((of, name, kind) for of, value in zip(profiles["id"], profiles[name], strict=True)
                        if is_irregular(value))  # fmt: skip


def _no_data(value: object) -> bool:
    return isinstance(value, Real) and not (np.isfinite(float(value)) and float(value) >= 0)


_IRREGULAR: dict[str, tuple[Sequence[str], Callable[[object], bool]]] = {
    "blank_texts": (_TEXTS, lambda value: isinstance(value, str) and not has_text(value)),
    "unknown_roles": (["network_role"], lambda value: has_text(value) and normalise_role(value) is None),
    "unknown_tiers": (["revenue_tier"], lambda value: known_tier(value) not in (None, *TIER_ORDER)),
    "jv_history_not_a_list": (["jv_history"], lambda value: not isinstance(value, (list, type(None)))),
    "numbers_without_meaning": (_NUMBERS, _no_data),
    "engagement_over_1": (
        ["audience_engagement_score"], lambda value: isinstance(value, (int, float)) and 1 < value < np.inf
    ),
    "texts_without_content": (EMBEDDED_FIELDS, has_no_content),
    "texts_in_other_scripts": (EMBEDDED_FIELDS, is_in_another_script),
    "list_size_0": (["list_size"], lambda value: value == 0),
    "social_reach_0": (["social_reach"], lambda value: value == 0),
}  # fmt: skip
"""By name: the columns to check, and whether a value of them is irregular."""
IRREGULAR_VALUES = tuple(_IRREGULAR)
IRREGULAR_COLUMNS = {name: among for name, (among, _) in _IRREGULAR.items()}
ODD = ("numbers_without_meaning", "engagement_over_1", "jv_history_not_a_list")
"""The kinds that only a fault of another program makes: list_size -5, NaN, a jv_history that is a number."""
