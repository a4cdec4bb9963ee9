"""Ids that are not random: the ranges are cut anew on purpose, hold as many rows each, and are made again."""

import random
import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from jv_assets.automation.execution import left_over, retry_plan
from jv_assets.automation.schedules import NIGHTLY
from jv_assets.automation.sensors import new_matches
from jv_assets.cli.common import app
from jv_assets.errors import UserError
from jv_assets.pipeline.database.stored_cut import read_cut, store_cut
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate
from jv_assets.setup.repartition import propose
from tests.support.dagster_internals import create_run_for_test
from tests.support.ids import v1, v7
from tests.support.models import MINILM
from tests.support.pipelines import (
    KEYS,
    Pipeline,
    assert_equal_to_reference,
    concerned,
    matches,
    nightly_done,
    tick,
    versions,
)

DICE = random.Random(19)
MAKERS = {
    "v1": lambda number: v1(number * 10_000_000),
    "v4": lambda number: DICE.getrandbits(128),
    "v7": lambda number: v7(number * 1_000, DICE.getrandbits(74)),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("uneven")) as pipeline:
        yield pipeline


@pytest.mark.parametrize(
    "kinds", [["v1"], ["v4"], ["v7"], ["v4", "v7"], ["v1", "v7"], ["v1", "v4", "v7"], []], ids=" ".join
)
@pytest.mark.parametrize("rows", [3, 40, 2_000])
def test_no_range_is_large_right_after_a_cut(database_url: str, kinds: list[str], rows: int) -> None:
    database = Database(url=database_url)
    migrate(database, dimension=384)
    for table, columns in (("profiles", "name"), ("match_suggestions", "profile_id, suggested_profile_id")):
        ids = [str(uuid.UUID(int=MAKERS[kind](number))) for kind in kinds for number in range(rows)]
        with database.transaction() as connection:
            values = ", ".join(["id"] * len(columns.split(",")))
            statement = f"INSERT INTO {table} (id, {columns}) SELECT id, {values} FROM unnest(CAST(:ids AS uuid[])) id"
            connection.execute(text(statement), {"ids": ids})
    proposal = propose(database, 64)
    store_cut(database, proposal.then)
    assert read_cut(database, 64) == proposal.then
    assert read_cut(database, 32).identity == "32"
    for sizes in propose(database, 64).sizes.values():
        assert sizes.rows == rows * len(kinds)
        assert sizes.largest_now == sizes.largest_then <= max(1, 4 * sizes.rows / 64)


def jv(whole: Pipeline, *words: str) -> str:
    """What the command printed; its UserError is raised."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JV_DATABASE_URL", whole.database.url)
        patch.setenv("JV_HOME", str(whole.home))
        patch.setenv("JV_EMBEDDING_MODEL", MINILM)
        done = CliRunner().invoke(app, words)
    if done.exception:
        raise done.exception
    return done.output


def ranges_even(result: dg.ExecuteInProcessResult, asset: str = "match_scores") -> dg.AssetCheckEvaluation:
    (found,) = [each for each in result.get_asset_check_evaluations()
                if (each.asset_key.to_user_string(), each.check_name) == (asset, "ranges_even")]  # fmt: skip
    return found


def test_a_table_of_v7_is_cut_anew_on_purpose(whole: Pipeline) -> None:
    with whole.database.transaction() as connection:
        ids = {row["id"]: str(uuid.UUID(int=MAKERS["v7"](number))) for number, row in enumerate(matches(whole))}
        for old, new in ids.items():
            connection.execute(text("UPDATE match_suggestions SET id = :new WHERE id = :old"), {"old": old, "new": new})
    uneven = whole.run()
    assert uneven.success
    check = ranges_even(uneven)
    assert (check.passed, check.description) == (
        False,
        "the largest range is 4.0 times the mean one: type jv repartition",
    )
    assert ranges_even(uneven, "profiles").passed

    going = create_run_for_test(whole.instance, job_name="nightly", status=dg.DagsterRunStatus.STARTED)
    with pytest.raises(
        UserError, match=r"^run .* is still running: let it end, or end it in jv ui; then type: jv repartition$"
    ):
        jv(whole, "repartition")
    assert "Nothing was changed. To change the partitions: jv repartition" in jv(whole, "repartition", "--dry-run")
    whole.instance.delete_run(going.run_id)
    assert whole.files.cut.identity == "4"
    assert "To make them: jv nightly" in jv(whole, "repartition")
    assert "The ranges are even: they stay as they are." in jv(whole, "repartition")

    of_before, whole.files = whole.files, whole.files.of_a_run()
    assert whole.files.cut.identity.startswith("4-")
    assert of_before.exists("match_scores", KEYS[0])
    assert not whole.files.exists("match_scores", KEYS[0])
    left = left_over(whole.instance, whole.files)
    assert set(left["profiles"]) == set(left["match_scores"]) == set(KEYS)
    assert {(part.first, part.last) for part in retry_plan(whole.instance, whole.files)} == {(KEYS[0], KEYS[-1])}
    told = jv(whole, "status")
    assert "match_suggestions: 4 ranges with bounds from its ids, cut on 20" in told
    assert "never done in 4 ranges (0, 4, 8, c)" in told

    before = versions(whole)
    again = whole.run("nightly", NIGHTLY)
    assert again.success
    assert versions(whole) == before
    assert ranges_even(again).passed
    rows = [whole.metadata("match_scores", again.run_id)[key]["rows"] for key in KEYS]
    assert rows == [225] * 4
    assert_equal_to_reference(whole)
    assert not any(left_over(whole.instance, whole.files).values())


def test_a_new_match_of_v7_concerns_the_last_range_alone(whole: Pipeline) -> None:
    (row,) = whole.sql("SELECT profile_id, suggested_profile_id FROM match_suggestions ORDER BY id LIMIT 1")
    whole.sql(
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, suggested_at) "
        "VALUES (:id, :profile_id, :suggested_profile_id, now() - interval '5 minutes')",
        id=str(uuid.UUID(int=v7(365 * 86_400_000, 1))),
        **row,
    )
    whole.sql("UPDATE match_suggestions SET suggested_at = '2020-01-01' WHERE harmonic_mean IS NULL AND id < :id",
              id=str(uuid.UUID(int=v7(364 * 86_400_000, 1))))  # fmt: skip
    data, _ = tick(whole, new_matches, "2021-01-01")
    assert concerned(data) == ["c"]
