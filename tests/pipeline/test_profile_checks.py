"""Which profiles can be scored, and which of their values are odd."""

from typing import Any

import pandas as pd
import pytest

from jv_assets.errors import UserError
from jv_assets.pipeline.texts.profile_columns import irregular_values, validate
from jv_assets.tables import frame
from jv_scoring.factors import INPUT_COLUMNS

ID = "0b1c2d3e-4f50-4617-8293-a4b5c6d7e8f9"


def profiles(*rows: dict[str, Any]) -> pd.DataFrame:
    filled = [{"id": f"{ID[:-1]}{number:x}", "name": "Kelsol"} | row for number, row in enumerate(rows)]
    return frame({name: [row.get(name) for row in filled] for name in ("id", *INPUT_COLUMNS)})


def odd(*rows: dict[str, Any]) -> dict[str, int]:
    return {name: sum(counts) for name, counts in irregular_values(profiles(*rows)).items() if sum(counts)}


def test_rows_of_the_table_are_valid() -> None:
    validate(profiles())
    validate(
        profiles({}, {"tags": ["a"], "list_size": 3, "audience_engagement_score": 0.5, "jv_history": "not a list"})
    )
    validate(profiles({"audience_engagement_score": float("nan"), "bio": " ", "list_size": -1}))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("bio", 98765, "bio: not text"),
        ("tags", "a,b", r"tags: not text\[\]"),
        ("list_size", "many", "list_size: not integer"),
        ("audience_engagement_score", "0.5", "audience_engagement_score: not double precision"),
        ("name", None, "name: null"),
    ],
)
def test_a_value_of_another_type_is_named_but_not_shown(column: str, value: object, reason: str) -> None:
    said = rf"^1 values of profiles are not what its columns must hold: {reason}; first in profile {ID[:-1]}1; "
    with pytest.raises(UserError, match=said) as raised:
        validate(profiles({}, {column: value}))
    assert str(value) not in str(raised.value) or value is None


def test_an_id_that_is_there_twice_is_an_error() -> None:
    with pytest.raises(UserError, match="id: there twice; first in"):
        validate(profiles({"id": ID}, {"id": ID}))


def test_a_missing_column_is_an_error() -> None:
    with pytest.raises(UserError, match="seeking: there is no such column; correct"):
        validate(profiles({}).drop(columns="seeking"))


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ({"bio": "  ", "niche": ""}, {"blank_texts": 2}),
        ({"network_role": "astronaut"}, {"unknown_roles": 1}),
        ({"network_role": " COACH "}, {}),
        ({"revenue_tier": "huge"}, {"unknown_tiers": 1}),
        ({"revenue_tier": "unknown"}, {}),
        ({"jv_history": "three"}, {"jv_history_not_a_list": 1}),
        ({"jv_history": []}, {}),
        ({"audience_engagement_score": float("inf"), "list_size": -3}, {"numbers_without_meaning": 2}),
        ({"audience_engagement_score": 1.5}, {"engagement_over_1": 1}),
        ({"seeking": "n/a", "offering": "-----", "bio": "n/a"}, {"texts_without_content": 2}),
        ({"seeking": "我们帮助企业发展业务", "niche": "健康"}, {"texts_in_other_scripts": 1}),
        ({"list_size": 0, "social_reach": 0}, {"list_size_0": 1, "social_reach_0": 1}),
    ],
)
def test_odd_values_are_counted(row: dict[str, Any], counts: dict[str, int]) -> None:
    assert odd(row, {}) == counts
