"""The rows of the CSV file of candidates, from lists and accepted pairs."""

import pandas as pd

from jv_assets.pipeline.candidates import CSV_COLUMNS, csv_rows

LISTS = pd.DataFrame(
    [("a", "b", 1, 70.0, 60.0, 80.0), ("a", "c", 2, 65.0, 65.0, 65.0), ("b", "a", 1, 70.0, 80.0, 60.0)],
    columns=list(CSV_COLUMNS[:-1]),
)
ACCEPTED = pd.DataFrame(
    [("a", "b", 70.0, 60.0, 80.0), ("a", "e", 50.0, 40.0, 66.67), ("a", "d", 50.0, 41.0, 64.06)],
    columns=["profile_id", "candidate_id", "harmonic_mean", "score_ab", "score_ba"],
)


def test_without_a_cap_nothing_is_said_of_acceptance() -> None:
    rows = csv_rows(LISTS, None)
    assert list(rows) == list(CSV_COLUMNS)
    assert set(rows["accepted"]) == {""}
    assert rows["rank"].tolist() == [1, 2, 1]


def test_accepted_pairs_beyond_a_list_follow_it_from_the_best_down() -> None:
    found = [tuple(None if value is None else value for value in row) for row in csv_rows(LISTS, ACCEPTED).values]
    assert found == [
        ("a", "b", 1, 70.0, 60.0, 80.0, "true"),
        ("a", "c", 2, 65.0, 65.0, 65.0, "false"),
        ("a", "d", None, 50.0, 41.0, 64.06, "true"),
        ("a", "e", None, 50.0, 40.0, 66.67, "true"),
        ("b", "a", 1, 70.0, 80.0, 60.0, "true"),
    ]
