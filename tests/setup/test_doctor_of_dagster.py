"""The doctor's look at Dagster's database: it warns of runs that are not ours."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from jv_assets.platform.own_runs import LOCATION
from jv_assets.platform.storage import dagster_home
from jv_assets.setup.dagster_database import look_at_dagster_database
from tests.support.dagster_internals import create_run_for_test, origin


def look() -> tuple[str, str]:
    (found,) = look_at_dagster_database()
    return found


@pytest.fixture
def instance(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("JV_DAGSTER_URL", database_url.replace("+psycopg", "", 1))
    monkeypatch.setenv("JV_HOME", str(tmp_path))
    assert look()[0] == "ok"  # of a database without a table
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_runs_of_another_code_location_are_a_warning(instance: dg.DagsterInstance) -> None:
    create_run_for_test(instance, job_name="nightly", remote_job_origin=origin(LOCATION, "nightly"))
    level, said = look()
    assert (level, said.endswith("keeps the runs of this pipeline alone")) == ("ok", True)
    create_run_for_test(instance, job_name="nightly", remote_job_origin=origin("marketing", "nightly"))
    level, said = look()
    assert level == "warning"
    assert "also keeps runs of the code location marketing: jv leaves them alone, but assets of " in said


def test_a_database_that_is_down_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_DAGSTER_URL", "postgresql://nobody:secret@127.0.0.1:1/none")
    level, said = look()
    assert (level, said) == ("warning", "127.0.0.1:1/none does not answer, so no run can begin; check JV_DAGSTER_URL")


def test_a_url_that_is_none_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_DAGSTER_URL", "nonsense")
    level, said = look()
    assert (level, said.startswith("JV_DAGSTER_URL is no URL")) == ("error", True)


def test_the_embedded_server_is_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JV_DAGSTER_URL", raising=False)
    assert list(look_at_dagster_database()) == []
