"""`dg` in the checkout finds the definitions under the name of their location. `make lint` runs `dg check defs`."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from jv_assets import settings
from jv_assets.definitions import defs
from jv_assets.platform import own_runs
from tests.support.serving import SECONDS


def test_it_has_the_code_location_of_the_workspace() -> None:
    """Else its pages would show schedules and sensors as switched off: their state is kept by the location's name."""
    project = tomllib.loads((settings.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["dg"]["project"]
    location = project["code_location_target_module"], project["code_location_name"]
    assert location == (own_runs.MODULE, own_runs.LOCATION)


def test_it_lists_all_definitions(home: Path) -> None:
    (home / "dagster").mkdir(parents=True)
    (home / "dagster" / "dagster.yaml").write_text("telemetry: {enabled: false}")
    done = subprocess.run(
        [Path(sys.executable).with_name("dg"), "list", "defs", "--json"],
        cwd=settings.ROOT,
        env={**os.environ, "DAGSTER_HOME": str(home / "dagster")},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert (done.returncode, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    names = {kind: {each["name"] for each in listed[kind]} for kind in ("jobs", "schedules", "sensors")}
    repository = defs.get_repository_def()
    assert {each["asset_key"] for each in listed["assets"]} == {
        key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()
    }
    assert names["jobs"] == {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert names["schedules"] == {schedule.name for schedule in repository.schedule_defs}
    assert names["sensors"] == {sensor.name for sensor in repository.sensor_defs}
