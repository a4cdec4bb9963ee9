"""Between two nights: the ticks of the sensors, and the runs that they request, on a real database."""

import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from sqlalchemy import text

from jv_assets.automation import sensors
from jv_assets.automation.sensors import ALL, CONCERNED, edited_profiles, new_matches, score_concerned
from jv_assets.partitions import ID_RANGES
from jv_assets.pipeline.matches.match_states import scorable
from jv_assets.resources.database import Database
from tests.support.cuts import bounds, key_of
from tests.support.dagster_internals import SensorExecutionData
from tests.support.pipelines import Pipeline, assert_equal_to_reference, concerned, matches, nightly_done, tick

KEYS = list(ID_RANGES.get_partition_keys())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("sensors")) as pipeline:
        yield pipeline


def add_match(pipeline: Pipeline, minutes_ago: int) -> str:
    a, b = (row["id"] for row in pipeline.sql("SELECT id::text FROM profiles ORDER BY id LIMIT 2"))
    match_id = str(uuid.uuid4())
    pipeline.sql(
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, suggested_at) "
        "VALUES (:id, :a, :b, now() - :minutes * interval '1 minute')",
        id=match_id,
        a=a,
        b=b,
        minutes=minutes_ago,
    )
    return match_id


def run_concerned(pipeline: Pipeline, data: SensorExecutionData) -> None:
    """What the daemon does of it: the run that was requested, and those that follow."""
    (request,) = data.run_requests or []
    first = pipeline.run("refresh", ["profiles", "profile_embeddings"])
    assert first.success
    pipeline.instance.add_run_tags(first.run_id, {CONCERNED: request.tags[CONCERNED]})
    for follow in followers(pipeline, first.run_id):
        names = [key.to_user_string() for key in follow.asset_selection or ()]
        first_key, last_key = (follow.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
        assert pipeline.run("rescore", names, first_key, last_key).success


def followers(pipeline: Pipeline, run_id: str) -> list[dg.RunRequest]:
    run = pipeline.instance.get_run_by_id(run_id)
    assert run
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
    context = dg.build_run_status_sensor_context("score_concerned", event, pipeline.instance, run)
    found = score_concerned(context)
    assert found
    return [each for each in found if isinstance(each, dg.RunRequest)]  # type: ignore[union-attr]


def test_new_matches_are_scored_in_their_ranges_alone(whole: Pipeline) -> None:
    _, cursor = tick(whole, new_matches, None)
    data, cursor = tick(whole, new_matches, cursor)
    assert (data.run_requests, data.skip_message) == ([], "no new matches")
    soon, added = add_match(whole, 0), add_match(whole, 5)
    whole.sql("UPDATE match_suggestions SET suggested_at = now() - interval '2 hours' WHERE id = :id", id=added)
    versions = {row["id"]: row["xmin"] for row in matches(whole)}
    data, _ = tick(whole, new_matches, None)
    assert key_of(added) in concerned(data)
    data, after = tick(whole, new_matches, "2020-01-01")
    run_concerned(whole, data)
    written = {row["id"] for row in matches(whole) if versions.get(row["id"]) != row["xmin"]}
    assert added in written
    assert written <= {added, soon}
    data, _ = tick(whole, new_matches, after)
    assert not data.run_requests


def test_a_match_of_the_last_minute_is_the_next_ticks(whole: Pipeline) -> None:
    _, cursor = tick(whole, new_matches, None)
    match_id = add_match(whole, 0)
    data, later = tick(whole, new_matches, cursor)
    assert not data.run_requests
    whole.sql("UPDATE match_suggestions SET suggested_at = :at WHERE id = :id", id=match_id, at=later)
    whole.sql("UPDATE match_suggestions SET suggested_at = suggested_at + interval '1 ms' WHERE id = :id", id=match_id)
    data, _ = tick(whole, new_matches, later)
    assert concerned(data) == [key_of(match_id)]


def test_what_an_edited_profile_concerns_is_scored_again(whole: Pipeline) -> None:
    data, cursor = tick(whole, edited_profiles, None)
    assert (data.run_requests, data.skip_message) == ([], "no edited profiles")
    (profile,) = whole.sql(
        "SELECT p.id::text FROM profiles p JOIN match_suggestions m ON m.profile_id = p.id "
        "WHERE m.harmonic_mean IS NOT NULL AND length(p.seeking) > 20 ORDER BY p.id LIMIT 1"
    )
    whole.sql(
        "UPDATE profiles SET seeking = 'partners who teach bookkeeping to bakers', list_size = 4321, updated_at = :at "
        "WHERE id = :id",
        **profile,
        at=cursor,
    )
    whole.sql("UPDATE profiles SET updated_at = updated_at + interval '1 ms' WHERE id = :id", **profile)
    data, _ = tick(whole, edited_profiles, cursor)
    referring = whole.sql(
        f"SELECT id::text FROM match_suggestions m WHERE :id IN (profile_id, suggested_profile_id) AND {scorable('m')}",
        **profile,
    )
    assert concerned(data) == sorted({key_of(row["id"]) for row in referring})
    versions = {row["id"]: row["xmin"] for row in matches(whole)}
    run_concerned(whole, data)
    written = {row["id"] for row in matches(whole) if versions[row["id"]] != row["xmin"]}
    assert written
    assert written <= {row["id"] for row in referring}
    assert whole.run().success  # what the other tests added, too
    assert_equal_to_reference(whole)


def test_matches_that_can_never_be_scored_concern_no_range(database_url: str) -> None:
    edited, other, gone = (str(uuid.UUID(int=number)) for number in range(1, 4))
    pairs = [(edited, other), (other, edited), (edited, gone), (gone, edited), (edited, edited)]
    with Database(url=database_url).transaction() as connection:
        connection.execute(text("CREATE TABLE profiles (id uuid PRIMARY KEY, updated_at timestamptz)"))
        connection.execute(
            text("CREATE TABLE match_suggestions (id uuid, profile_id uuid, suggested_profile_id uuid)"),
        )
        for profile, at in ((edited, "2030-01-02"), (other, "2020-01-01")):
            connection.execute(
                text("INSERT INTO profiles VALUES (CAST(:id AS uuid), CAST(:at AS timestamptz))"),
                {"id": profile, "at": at},
            )
        for number, (a, b) in enumerate(pairs):
            connection.execute(
                text("INSERT INTO match_suggestions VALUES (CAST(:id AS uuid), CAST(:a AS uuid), CAST(:b AS uuid))"),
                {"id": str(uuid.UUID(int=number)), "a": a, "b": b},
            )
        asked = {"since": "2030-01-01", "until": "2030-01-03"}
        count, found = connection.execute(text(sensors._REFERRING), asked).one()
    assert count == 1
    assert sorted(found) == [str(uuid.UUID(int=number)) for number in (0, 1)]


def test_a_tick_waits_for_the_run_of_the_one_before(whole: Pipeline) -> None:
    add_match(whole, 5)
    run = whole.instance.create_run_for_job(
        whole.defs.resolve_job_def("refresh"), tags={"dagster/sensor_name": "new_matches"}
    )
    data, _ = tick(whole, new_matches, "2020-01-01")
    assert (data.run_requests, data.skip_message) == ([], f"run {run.run_id} is still running")
    assert data.cursor == "2020-01-01"
    whole.instance.report_run_canceled(run)
    data, _ = tick(whole, new_matches, "2020-01-01")
    assert data.run_requests


def test_of_very_many_ranges_all_are_scored(whole: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "MOST", 0)
    add_match(whole, 5)
    data, _ = tick(whole, new_matches, "2020-01-01")
    assert concerned(data) == [ALL]
    done = whole.run("refresh", ["profiles"], "0", "0")
    for named in (ALL, "04,3c"):  # the second of another JV_ID_RANGES
        whole.instance.add_run_tags(done.run_id, {CONCERNED: named})
        (follow,) = followers(whole, done.run_id)
        assert follow.tags["dagster/asset_partition_range_start"] == KEYS[0]
        assert follow.tags["dagster/asset_partition_range_end"] == KEYS[-1]


ODD_TYPES = {
    "ids of text": (
        "ALTER TABLE match_suggestions ALTER id TYPE text",
        "match_suggestions.id is text, which is not read as uuid",
        "ALTER TABLE match_suggestions ALTER id TYPE uuid USING id::uuid",
    ),
    "a time of text": (
        "ALTER TABLE match_suggestions ALTER suggested_at TYPE text",
        "match_suggestions.suggested_at is text, which is not read as timestamptz",
        "ALTER TABLE match_suggestions ALTER suggested_at TYPE timestamptz USING suggested_at::timestamptz",
    ),
    "a profile's id of varchar": (
        "ALTER TABLE profiles ALTER id TYPE varchar",
        "profiles.id is character varying, which is not read as uuid",
        "ALTER TABLE profiles ALTER id TYPE uuid USING id::uuid",
    ),
}


@pytest.mark.parametrize("case", ODD_TYPES)
@pytest.mark.parametrize("sensor", [new_matches, edited_profiles], ids=lambda sensor: sensor.name)
def test_a_column_that_does_not_fit_makes_the_tick_red_in_one_line(
    whole: Pipeline, sensor: dg.SensorDefinition, case: str
) -> None:
    change, line, back = ODD_TYPES[case]
    whole.sql(change)
    try:
        with pytest.raises(dg.Failure) as caught:
            tick(whole, sensor, "2020-01-01")
    finally:
        whole.sql(back)
    said = str(caught.value.description)
    assert said.startswith(line)
    assert "; let its owner type: ALTER TABLE " in said
    assert "\n" not in said


@pytest.mark.parametrize("type_name", ["timestamp", "date"])
def test_times_of_other_types_are_read(whole: Pipeline, type_name: str) -> None:
    whole.sql(f"ALTER TABLE match_suggestions ALTER suggested_at TYPE {type_name}")
    try:
        data, _ = tick(whole, new_matches, None)
    finally:
        whole.sql("ALTER TABLE match_suggestions ALTER suggested_at TYPE timestamptz")
    assert data.run_requests or data.skip_message == "no new matches"


def test_the_ticks_read_by_index(whole: Pipeline) -> None:
    asked = {"since": "2020-01-01", "until": "2020-01-02"}
    for sql, tables in ((sensors._NEW, ["match_suggestions"]), (sensors._REFERRING, ["profiles", "match_suggestions"])):
        with whole.database.transaction() as connection:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = "\n".join(connection.execute(text(f"EXPLAIN {sql}"), asked).scalars())
        assert all(f"Seq Scan on {table}" not in plan for table in tables), plan


@pytest.mark.parametrize("key", ["0", "4", "c"])
def test_a_range_holds_its_own_ids(key: str) -> None:
    assert [key_of(end) for end in bounds(key)] == [key, key]


def test_they_are_off_until_switched_on() -> None:
    found = new_matches.default_status, edited_profiles.default_status
    assert found == (dg.DefaultSensorStatus.STOPPED,) * 2
