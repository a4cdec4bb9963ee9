"""The assets of discovery over a real database: metadata, checks, and the rows in jv.match_candidates."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from sqlalchemy import make_url

from jv_assets.automation.schedules import DISCOVER
from jv_assets.checks.candidates import of_allocation, of_pairs
from jv_assets.errors import UserError
from jv_assets.names import CANDIDATE_ALLOCATION, MATCH_CANDIDATES
from jv_assets.pipeline import candidate_store
from jv_assets.pipeline.candidate_lists import LISTS
from jv_assets.pipeline.candidates import RIVALS, WHOLE, csv_rows
from jv_assets.resources.database import Database
from tests.support.models import MINILM
from tests.support.pipelines import KEYS, Pipeline, checksums, nightly_done

TOP, CAP = 5, 3
STORED = """
    SELECT profile_id::text, candidate_id::text, rank, harmonic_mean::float8, score_ab::float8, score_ba::float8,
        accepted, policy, scoring_version, embedding_model, inputs_hash, run
    FROM jv.match_candidates ORDER BY profile_id, rank NULLS LAST, harmonic_mean DESC, candidate_id
"""
CHECKS = {
    MATCH_CANDIDATES: {"only_new_pairs", "reference_agrees"},
    CANDIDATE_ALLOCATION: {"only_new_pairs", "reference_agrees", "under_cap", "stable"},
}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("candidates")) as pipeline:
        yield pipeline


def discovered(pipeline: Pipeline, assets: Any = DISCOVER, **more: Any) -> str:
    """Run the job; its id."""
    ops = {MATCH_CANDIDATES: {"top": TOP}, CANDIDATE_ALLOCATION: {"cap": CAP}}
    run = pipeline.run("discover", assets, **{name: ops[name] for name in ops if name in assets}, **more)
    assert run.success
    return run.run_id


def expected(pipeline: Pipeline, accepted: bool = True) -> list[tuple[Any, ...]]:
    """The rows of the CSV file, from the files."""
    lists = pipeline.files.read_all(MATCH_CANDIDATES, KEYS)
    rows = csv_rows(lists, pipeline.files.read(CANDIDATE_ALLOCATION, WHOLE) if accepted else None)
    words = {"true": True, "false": False, "": None}
    return [
        (*ends, None if rank is None else int(rank), *scores, words[word])
        for *ends, rank, a, b, c, word in rows.itertuples(index=False, name=None)
        for scores in [(a, b, c)]
    ]


def stored(pipeline: Pipeline) -> list[tuple[Any, ...]]:
    return [tuple(row.values())[:7] for row in pipeline.sql(STORED)]


def results(pipeline: Pipeline, asset: str) -> dict[str, Any]:
    """The results of the checks by name."""
    keys = KEYS if asset == MATCH_CANDIDATES else [WHOLE]
    found = list(of_pairs(pipeline.database, pipeline.files, MINILM, asset, keys, run_id="any"))
    found += list(of_allocation(pipeline.files)) if asset == CANDIDATE_ALLOCATION else []
    return {str(result.check_name): result for result in found}


def test_a_run_stores_what_its_files_hold_and_passes_its_checks(pipeline: Pipeline) -> None:
    before = checksums(pipeline)
    run_id = discovered(pipeline)
    assert checksums(pipeline) == before
    assert stored(pipeline) == expected(pipeline)
    rows = pipeline.sql(STORED)
    assert {row["run"] for row in rows} == {run_id}
    assert {(row["policy"], row["embedding_model"]) for row in rows} == {("harmonic/impute", MINILM)}
    for asset, names in CHECKS.items():
        found = results(pipeline, asset)
        assert set(found) == names
        assert all(result.passed for result in found.values())
        assert found["reference_agrees"].metadata["compared"].value == 20
    events = pipeline.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    evaluated = [entry.dagster_event.asset_check_evaluation_data for entry in events if entry.dagster_event]
    passed = {(each.asset_key.to_user_string(), each.check_name) for each in evaluated if each.passed}
    assert passed >= {(asset, name) for asset, names in CHECKS.items() for name in names}


def test_the_metadata_say_what_the_run_cost_and_found(pipeline: Pipeline) -> None:
    pipeline.files.path(LISTS, WHOLE).unlink(missing_ok=True)  # An update would look at no pair.
    run_id = discovered(pipeline)
    of_range = pipeline.metadata(MATCH_CANDIDATES, run_id)
    assert set(of_range) == set(KEYS)
    for values in of_range.values():
        assert 0 < values["pairs_looked_at"] <= values["pairs_possible"]
        assert 0 < values["share_suggested"] < 1
        assert 0 < values["gini"] < 1
        assert values["search_seconds"] > 0
        assert values["seconds"] > 0
        assert 0 < values["mean_value"] < 100
        assert values["as_of"] <= pipeline.sql("SELECT now()::text AS now")[0]["now"].replace(" ", "T")
        assert values["stored"] == values["rows"]
    whole = pipeline.metadata(CANDIDATE_ALLOCATION, run_id)[None]
    assert (whole["cap"], whole["ran_out"]) == (CAP, 0)
    assert 0 < whole["gini"] < 1
    assert whole["stored"] == len(expected(pipeline))


def test_rows_of_an_earlier_run_are_replaced_by_partition(pipeline: Pipeline) -> None:
    first = discovered(pipeline)
    second = discovered(pipeline, (MATCH_CANDIDATES,), first=KEYS[1], last=KEYS[1])
    low, high = pipeline.files.cut.profiles.bounds(KEYS[1])
    for row in pipeline.sql(STORED):
        here = low <= row["profile_id"] <= high
        assert row["run"] == (second if here else first)
        assert (row["accepted"] is None) == here
    assert pipeline.metadata(MATCH_CANDIDATES, second)[KEYS[1]]["stale_deleted"] > 0
    discovered(pipeline)
    assert stored(pipeline) == expected(pipeline)


def test_a_write_that_is_not_whole_leaves_what_was_there(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    discovered(pipeline)
    before = pipeline.sql(STORED)
    pipeline.sql("CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    pipeline.sql("CREATE TRIGGER t BEFORE INSERT ON jv.match_candidates FOR EACH ROW EXECUTE FUNCTION swallow()")
    bounds = pipeline.files.cut.profiles.bounds(KEYS[0])
    rows = pd.DataFrame(columns=[*csv_rows(pipeline.files.read(MATCH_CANDIDATES, KEYS[0]), None), "inputs_hash"])
    rows.loc[0] = [bounds[0], before[0]["candidate_id"], 1, 1.0, 1.0, 1.0, "", "x"]
    stamp = {"policy": "p", "embedding_model": MINILM, "as_of": "2026-01-01T00:00:00+00:00", "run": "r"}
    try:
        with pytest.raises(UserError, match=r"^jv\.match_candidates: 1 rows were to be stored, and 0 were, so nothing"):
            candidate_store.store(pipeline.database, bounds, rows, stamp)
    finally:
        pipeline.sql("DROP TRIGGER t ON jv.match_candidates")
        pipeline.sql("DROP FUNCTION swallow()")
    assert pipeline.sql(STORED) == before
    with monkeypatch.context() as patch:
        patch.setattr(candidate_store, "_COUNT", "SELECT 0 WHERE CAST(:low AS text) <> CAST(:high AS text)")
        with pytest.raises(UserError, match="1 rows were to be kept, and 0 were, so nothing was written"):
            candidate_store.store(pipeline.database, bounds, rows, stamp)
    assert pipeline.sql(STORED) == before


def broken(pipeline: Pipeline, asset: str, key: str, change: Any, **metadata: Any) -> dict[str, Any]:
    """The results after a file was changed; it is put back."""
    rows, known = pipeline.files.read(asset, key), pipeline.files.metadata(asset, key)
    try:
        pipeline.files.write(asset, key, change(rows.copy()), known | metadata)
        return {name: result for name, result in results(pipeline, asset).items() if not result.passed}
    finally:
        pipeline.files.write(asset, key, rows, known)


def test_wrong_files_are_found(pipeline: Pipeline) -> None:
    discovered(pipeline)
    key = KEYS[0]
    match = pipeline.sql(
        "SELECT profile_id::text AS a, suggested_profile_id::text AS b FROM match_suggestions m WHERE "
        "EXISTS (SELECT FROM profiles WHERE id = m.profile_id) AND profile_id <> suggested_profile_id LIMIT 1"
    )[0]

    def with_pair(a: str, b: str) -> Any:
        def change(rows: pd.DataFrame) -> pd.DataFrame:
            rows.loc[0, ["profile_id", "candidate_id"]] = [a, b]
            return rows

        return change

    for change in (
        with_pair(match["a"], match["a"]),
        with_pair(match["a"], match["b"]),
        with_pair(match["b"], match["a"]),
        lambda rows: pd.concat([rows, rows.iloc[[0]]]),
    ):
        found = broken(pipeline, MATCH_CANDIDATES, key, change)
        assert found["only_new_pairs"].description == "1 pairs are no candidates: materialize match_candidates again"
    reversed_pair = lambda rows: pd.concat(  # noqa: E731
        [rows, rows.iloc[[0]].rename(columns={"profile_id": "candidate_id", "candidate_id": "profile_id"})]
    )
    assert "only_new_pairs" in broken(pipeline, CANDIDATE_ALLOCATION, WHOLE, reversed_pair)
    for asset, name in ((MATCH_CANDIDATES, key), (CANDIDATE_ALLOCATION, WHOLE)):
        found = broken(pipeline, asset, name, lambda rows: rows.assign(harmonic_mean=rows["harmonic_mean"] + 0.01))
        assert set(found) == {"reference_agrees"}
        assert str(found["reference_agrees"].description).startswith("the rules give other values: type jv explain ")
    found = broken(pipeline, CANDIDATE_ALLOCATION, WHOLE, lambda rows: rows, cap=CAP - 1)
    assert found["under_cap"].description == f"a profile is in {CAP} pairs: materialize candidate_allocation again"
    found = broken(pipeline, CANDIDATE_ALLOCATION, WHOLE, lambda rows: rows, **{RIVALS: 2})
    assert set(found) == {"stable"}
    assert str(found["stable"].description).startswith("2 pairs would rather have each other: ")


def test_what_changes_after_a_run_is_no_fault_of_it(pipeline: Pipeline) -> None:
    discovered(pipeline)
    lists = pipeline.files.read_all(MATCH_CANDIDATES, KEYS)
    a, b = lists.iloc[0][["profile_id", "candidate_id"]]
    pipeline.sql("CREATE TABLE kept AS SELECT * FROM profiles")
    new = "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) VALUES (:id, :b, :a)"
    pipeline.sql(new, id=f"{KEYS[1] * 8}-0000-4000-8000-000000000001", a=a, b=b)
    pipeline.sql("UPDATE profiles SET list_size = coalesce(list_size, 0) + 1000000, network_role = NULL")
    try:
        for asset in CHECKS:
            found = results(pipeline, asset)
            assert all(result.passed for result in found.values()), found
            assert found["reference_agrees"].metadata["compared"].value < 20
    finally:
        pipeline.sql("DELETE FROM match_suggestions WHERE id::text LIKE '%-000000000001'")
        pipeline.sql("UPDATE profiles p SET list_size = k.list_size, network_role = k.network_role FROM kept k "
                     "WHERE k.id = p.id")  # fmt: skip
        pipeline.sql("DROP TABLE kept")


def test_gini_and_share_are_those_of_the_lists(pipeline: Pipeline) -> None:
    run_id = discovered(pipeline)
    lists = pipeline.files.read_all(MATCH_CANDIDATES, KEYS)
    named = (
        lists["candidate_id"].value_counts().reindex(lists["profile_id"].unique(), fill_value=0).to_numpy(np.float64)
    )
    differences = np.abs(named[:, None] - named).sum() / (2 * len(named) ** 2 * named.mean())
    found = pipeline.metadata(MATCH_CANDIDATES, run_id)[KEYS[0]]
    assert found["gini"] == pytest.approx(differences, abs=1e-4)


def test_a_role_without_rights_on_the_table_is_told_what_to_type(pipeline: Pipeline) -> None:
    discovered(pipeline)
    before, rows = pipeline.sql(STORED), pd.DataFrame()
    url = make_url(pipeline.database.url)
    pipeline.sql("CREATE ROLE narrow LOGIN PASSWORD 'not-shown'")
    pipeline.sql(f"REVOKE TEMP ON DATABASE {url.database} FROM PUBLIC")
    narrow = Database(url=url.set(username="narrow", password="not-shown").render_as_string(hide_password=False))
    try:
        told = candidate_store.Keeper(narrow).keep(pipeline.files.cut.profiles.bounds(KEYS[0]), rows, {})
        cause = str(told["not_stored"])
        assert set(told) == {"not_stored"}
        assert cause.startswith(
            "jv.match_candidates was not written: role narrow may not; let the table's owner type: "
        )
        for statement in cause.partition("type: ")[2].split("; "):
            pipeline.sql(statement)
        assert candidate_store.obstacle(narrow) is None
        pipeline.sql("ALTER ROLE narrow SET default_transaction_read_only = on")
        narrow = Database(url=narrow.url)
        assert candidate_store.obstacle(narrow) == (
            f"jv.match_candidates was not written: {narrow.place} takes no writes; the files have the same candidates"
        )
    finally:
        pipeline.sql(f"GRANT TEMP ON DATABASE {url.database} TO PUBLIC")
        pipeline.sql("DROP OWNED BY narrow")
        pipeline.sql("DROP ROLE narrow")
    assert pipeline.sql(STORED) == before


def test_without_the_table_the_files_are_written(pipeline: Pipeline) -> None:
    pipeline.sql("ALTER TABLE jv.match_candidates RENAME TO moved")
    try:
        run_id = discovered(pipeline)
        told = pipeline.metadata(MATCH_CANDIDATES, run_id)[KEYS[0]]
    finally:
        pipeline.sql("ALTER TABLE jv.moved RENAME TO match_candidates")
    assert told["not_stored"] == "jv.match_candidates was not written: it is missing; type: jv migrate"
    assert "stored" not in told


def test_the_documented_statement_gives_the_accepted_candidates(pipeline: Pipeline) -> None:
    discovered(pipeline)
    page = (Path(__file__).resolve().parents[2] / "docs" / "discovery.md").read_text(encoding="utf-8")
    statement = page.partition("```sql\n")[2].partition("```")[0]
    found = [(str(row["profile_id"]), str(row["candidate_id"])) for row in pipeline.sql(statement)]
    assert sorted(found) == sorted(row[:2] for row in expected(pipeline) if row[6])
