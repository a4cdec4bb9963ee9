"""The one list of the production tables' columns agrees with what the rules read and what is embedded."""

import pytest

from jv_assets.errors import UserError
from jv_assets.pipeline.database.values import parse_column
from jv_assets.tables import OUTCOMES, READ, SCORE_COLUMNS, WRITTEN, cast, selected
from jv_scoring.analysis.evaluation_labels import OUTCOME_COLUMNS
from jv_scoring.factors import INPUT_COLUMNS
from jv_scoring.text import EMBEDDED_FIELDS


def test_the_list_says_what_is_read_and_written() -> None:
    assert set(READ["profiles"]) == {"id", *INPUT_COLUMNS}
    assert READ["match_suggestions"] == ("id", "profile_id", "suggested_profile_id", "match_score")
    assert set(OUTCOMES) == set(OUTCOME_COLUMNS)
    assert SCORE_COLUMNS == ("score_ab", "score_ba", "harmonic_mean", "match_context")
    vectors = {f"embedding_{name}" for name in EMBEDDED_FIELDS}
    assert set(WRITTEN["profiles"]) == vectors | {"embeddings_model", "embeddings_updated_at"}


def test_a_select_reads_a_column_as_its_kind_is_read() -> None:
    assert cast("match_suggestions", "match_context", "m").endswith(" ELSE m.match_context::jsonb END")
    assert selected("profiles", ["tags", "bio"]) == "to_json(tags)::text AS tags, bio::text AS bio"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("audience_engagement_score", "0.3", 0.3),
        ("audience_engagement_score", "-Infinity", float("-inf")),
        ("list_size", "12000.00", 12_000),
        ("list_size", "-7", -7),
        ("list_size", "9007199254740993", 9_007_199_254_740_993),
        ("jv_history", '[{"year": 2021}]', [{"year": 2021}]),
        ("jv_history", "  ", None),
        ("tags", '["a", null]', ["a", None]),
        ("bio", None, None),
    ],
)
def test_a_text_stands_for_its_value(name: str, text: str | None, value: object) -> None:
    assert parse_column("profiles", name, ["one"], [text]) == [value]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("audience_engagement_score", "1" + "0" * 400),
        ("list_size", "1" + "0" * 400),
        ("list_size", "9" * 5_000),
        ("jv_history", "NaN"),
        ("jv_history", "[" * 100_000),
        ("jv_history", "secret words"),
        ("tags", '{"a": 1}'),
    ],
)
def test_a_text_that_stands_for_none_is_named_and_not_quoted(name: str, text: str) -> None:
    with pytest.raises(
        UserError, match=rf"^profiles\.{name} of two does not hold .*; correct it in the table$"
    ) as said:
        parse_column("profiles", name, ["one", "two"], [None, text])
    assert "secret" not in str(said.value)
    assert len(str(said.value)) < 200
