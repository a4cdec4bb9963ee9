"""Each rule before publishing fails for rows that break it, and for no others."""

import numpy as np
import pandas as pd
import pytest

from jv_assets.checks.audit import AUDITED, RULES, broken_rules

METADATA = {"rows": 4, "skipped": {"x": "profile gone"}}


def rows(**changes: object) -> pd.DataFrame:
    good = pd.DataFrame(
        {
            "id": ["a", "b", "c"],
            "score_ab": [0.0, 50.0, 100.0],
            "score_ba": [0.0, 60.01, 100.0],
            "harmonic_mean": [0.0, 54.55, 100.0],
            "policy": "harmonic/impute",
            "scoring_version": "v",
            "inputs_hash": "h",
        }
    )
    for name, value in changes.items():
        good[name] = good[name].astype(object) if isinstance(value, (str, type(None))) else good[name]
        good.loc[1, name] = value
    return good


def test_good_rows_break_nothing() -> None:
    assert broken_rules([rows()], METADATA) == {}
    assert set(AUDITED) == set(rows().columns)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"id": "a"}, "row_counts_agree"),
        ({"score_ab": 100.01}, "scores_in_range"),
        ({"score_ba": -0.01}, "scores_in_range"),
        ({"score_ab": np.nan}, "scores_in_range"),
        ({"score_ab": np.inf}, "scores_in_range"),
        ({"harmonic_mean": 55.02}, "harmonic_below_arithmetic"),
        ({"policy": "best/impute"}, "policy_and_version_present"),
        ({"policy": None}, "policy_and_version_present"),
        ({"scoring_version": None}, "policy_and_version_present"),
        ({"inputs_hash": None}, "policy_and_version_present"),
    ],
)
def test_a_row_that_breaks_a_rule_is_counted(change: dict[str, object], rule: str) -> None:
    assert broken_rules([rows(**change)], METADATA)[rule] == 1


@pytest.mark.parametrize("metadata", [{"rows": 5, "skipped": {}}, {"rows": 3, "skipped": {"x": "gone"}}])
def test_rows_that_are_missing_or_too_many_are_counted(metadata: dict[str, object]) -> None:
    assert "row_counts_agree" in broken_rules([rows()], metadata)


def test_every_rule_says_what_it_is() -> None:
    assert all(rule.__doc__ for rule in RULES.values())
