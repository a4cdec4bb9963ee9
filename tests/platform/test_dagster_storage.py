"""Dagster's own storage on the embedded server: what it keeps, and what it survives."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from jv_assets.errors import UserError
from jv_assets.platform import postgres
from jv_assets.platform.storage import dagster_home, packaged

KEYS = [f"{number:02}" for number in range(40)]
OPENING = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    print(instance.get_runs_count())
"""
FORKING = """
import json, os, sys
import dagster as dg

def backend():
    with instance.event_log_storage.index_connection() as connection:
        return connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()

with dg.DagsterInstance.get() as instance:
    before = backend()
    child = os.fork()
    answer = backend()
    if child == 0:
        os.write(1, json.dumps(answer).encode())
        os._exit(0)
    os.waitpid(child, 0)
    sys.stderr.write(json.dumps([before, answer, backend()]))
"""


@pytest.fixture
def dagster_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Dagster home as `jv` makes it, over the embedded server of this test."""
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    return home / "dagster"


@pytest.fixture
def instance(dagster_folder: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(KEYS))
def counted(context: dg.AssetExecutionContext) -> None:
    for key in context.partition_keys:
        context.add_asset_metadata({"number": int(key)}, partition_key=key)


def connections() -> int:
    """How many there are to Dagster's database, beside this one."""
    server = postgres.status()
    assert server
    with psycopg.connect(server.url("dagster").replace("+psycopg", "", 1)) as connection:
        statement = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'dagster' AND pid <> pg_backend_pid()"
        row = connection.execute(statement).fetchone()
        assert row
        return int(row[0])


def test_the_events_of_many_ranges_are_all_kept(instance: dg.DagsterInstance) -> None:
    assert int(os.environ["DAGSTER_EVENT_BATCH_SIZE"]) > len(KEYS)
    tags = {"dagster/asset_partition_range_start": KEYS[0], "dagster/asset_partition_range_end": KEYS[-1]}
    result = dg.materialize([counted], instance=instance, tags=tags)
    assert instance.get_materialized_partitions(counted.key) == set(KEYS)
    records = instance.fetch_materializations(counted.key, limit=100).records
    made = [record.asset_materialization for record in records]
    assert sorted((m.partition, m.metadata["number"].value) for m in made if m) == [(key, int(key)) for key in KEYS]
    assert {record.run_id for record in records} == {result.run_id}


def test_a_run_that_made_nothing_left_all_its_ranges_planned(instance: dg.DagsterInstance) -> None:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(KEYS))
    def cut_off() -> None:
        raise dg.Failure("lost")

    @dg.asset_check(asset=cut_off)
    def looked_at() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    tags = {"dagster/asset_partition_range_start": KEYS[0], "dagster/asset_partition_range_end": KEYS[-1]}
    result = dg.materialize([cut_off, looked_at], instance=instance, tags=tags, raise_on_error=False)
    storage = instance.event_log_storage
    attempts = storage.get_latest_asset_partition_materialization_attempts_without_materializations(cut_off.key)
    assert {key: run_id for key, (run_id, _) in attempts.items()} == dict.fromkeys(KEYS, result.run_id)
    planned = instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    assert sorted(entry.dagster_event.partition or "" for entry in planned if entry.dagster_event) == KEYS
    assert len(instance.all_logs(result.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED)) == 1
    (record,) = instance.get_asset_records([cut_off.key])
    assert record.asset_entry.last_run_id == result.run_id


def test_one_connection_is_kept_for_all_instances(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        with dg.DagsterInstance.get() as other:
            assert other.get_runs_count() == 0
            other.get_latest_materialization_event(counted.key)
            other.all_instigator_state()
    assert connections() == 1


def test_it_goes_on_when_the_server_was_started_again(instance: dg.DagsterInstance) -> None:
    assert instance.get_runs_count() == 0
    postgres.stop()
    postgres.start()
    assert instance.get_runs_count() == 0


def test_a_forked_process_has_a_connection_of_its_own(dagster_folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True)
    before, during, after = json.loads(done.stderr)
    assert before == during == after != json.loads(done.stdout)


def test_processes_that_open_it_for_the_first_time_at_once(dagster_folder: Path) -> None:
    users = [subprocess.Popen([sys.executable, "-c", OPENING], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert [user.communicate()[0] for user in users] == ["0\n"] * 3


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://localhost/x", "JV_DAGSTER_URL is for mysql: write a postgresql:// URL"),
        ("nonsense", "JV_DAGSTER_URL is no URL"),
        ("postgresql://me:secret@127.0.0.1:1/x", "no connection to Dagster's database 127.0.0.1:1/x"),
    ],
)
def test_a_wrong_url_is_named_without_the_password(
    url: str, reason: str, dagster_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JV_DAGSTER_URL", url)
    with pytest.raises(UserError, match=reason) as caught:
        dg.DagsterInstance.get()
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("postgresql://me:ca%20na ry@127.0.0.1:9/d", "no connection to Dagster's database 127.0.0.1:9/d: "),
        ("postgresql://me:ca@nary@127.0.0.1:9/d", "JV_DAGSTER_URL has an @ too many"),
        ("postgresql://me:canary@127.0.0.1:port/d", "JV_DAGSTER_URL is no URL"),
        ("mysql://me:canary@127.0.0.1:9/d", "JV_DAGSTER_URL is for mysql"),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line_without_the_password(
    url: str, line: str, dagster_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JV_DAGSTER_URL", url)
    with pytest.raises(UserError) as raised:
        dg.DagsterInstance.get()
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)
    assert not any(part in str(raised.value) for part in ("canary", "na ry", "na%20ry", "nary"))


def test_a_password_with_a_blank_is_no_trouble(
    server: postgres.Server, dagster_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.ensure_database("blank")
    with psycopg.connect(server.url("blank").replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute("CREATE ROLE blank SUPERUSER LOGIN PASSWORD 'a b+c'")
    monkeypatch.setenv("JV_DAGSTER_URL", f"postgresql://blank:a%20b+c@127.0.0.1:{server.port}/blank")
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == 0


def test_a_runs_log_has_what_the_pipeline_logs(instance: dg.DagsterInstance) -> None:
    @dg.op
    def lost() -> None:
        logging.getLogger("jv_assets.resources.database").warning("connection lost; attempt 2 of 6")

    @dg.job
    def losing() -> None:
        lost()

    result = losing.execute_in_process(instance=instance)
    messages = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert "connection lost; attempt 2 of 6" in messages


def test_a_home_that_names_modules_by_their_old_place_is_renewed(home: Path) -> None:
    copy = home / "dagster" / "dagster.yaml"
    copy.parent.mkdir(parents=True)
    copy.write_text("storage:\n  custom: {module: jv_assets.dagster_storage, class: Storage, config: {}}\n")
    with dg.DagsterInstance.from_config(str(dagster_home())) as instance:
        assert instance.get_runs_count() == 0
    assert copy.read_text() == packaged("dagster.yaml")
