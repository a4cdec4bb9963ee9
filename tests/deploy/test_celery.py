"""What is in deploy/celery: Dagster and systemd take it, and it differs from one machine in what it must alone."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from program import Program

from jv_assets import settings
from jv_assets.dagster_storage import dagster_home

DEPLOY = settings.ROOT / "deploy"
BROKER = "redis://:Kanarienvogel7@127.0.0.1:1/0"
OURS = {"run_launcher", "concurrency", "run_monitoring", "run_retries"}


def test_it_is_taken_where_a_broker_is_named_and_holds_no_address(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_launcher).__module__ == "jv_assets.workers"
    monkeypatch.setenv("JV_CELERY_BROKER", BROKER)
    assert dagster_home() == home / "dagster"
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_launcher).__module__ == "jv_assets.celery_launcher"
        assert "Kanarienvogel7" not in str(instance.get_ref()) + str(instance.info_dict())
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 2)
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_max_resume_run_attempts == 0


def test_it_differs_in_the_runs_alone() -> None:
    here = yaml.safe_load((settings.ROOT / "dagster.yaml").read_text())
    there = yaml.safe_load((DEPLOY / "celery" / "dagster.yaml").read_text())
    assert {name for name in {*here, *there} if here.get(name) != there.get(name)} == OURS


def test_every_setting_is_one() -> None:
    lines = (DEPLOY / "celery" / "worker.env.example").read_text().splitlines()
    named = {line.partition("=")[0] for line in lines if not line.startswith("#")}
    known = set(re.findall(r"`(JV_\w+)`", Path(settings.__file__).read_text()))
    assert named - known == {"OMP_NUM_THREADS"}


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """With the paths and the user of this machine."""
    program = shutil.which("systemd-analyze")
    assert program, "these tests need systemd-analyze: install your system's package systemd"
    here = {"/opt/jv/.venv/bin": str(Path(sys.executable).parent), "User=jv": "User=daemon", "Group=jv": "Group=daemon"}
    drop_in = "jv-.service.d/common.conf"
    for source, name in ((DEPLOY / "celery", "jv-worker@.service"), (DEPLOY / "systemd", drop_in)):
        text = (source / name).read_text().replace("/etc/jv/", "-/etc/")
        for place, ours in here.items():
            text = text.replace(place, ours)
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / "jv-worker@1.service")],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


NOT_A_REDIS = "JV_CELERY_BROKER is not redis://:PASSWORD@HOST:PORT/0, in which % quotes / : @ # of the password"
REFUSED = "Error 111 connecting to 127.0.0.1:1. Connection refused; check JV_CELERY_BROKER and that Redis runs"


@pytest.mark.parametrize(
    ("broker", "says"),
    [
        ("", "there is no broker: set JV_CELERY_BROKER to a Redis, redis://:PASSWORD@HOST:PORT/0"),
        (BROKER, f"no connection to the broker 127.0.0.1:1: {REFUSED}"),
        ("redis://:Kanarien/vogel7@127.0.0.1:1/0", NOT_A_REDIS),
        ("amqp://127.0.0.1", NOT_A_REDIS),
    ],
)
def test_workers_without_a_broker_say_so_in_one_line(home: Path, broker: str, says: str) -> None:
    done = Program(home).run("workers", JV_CELERY_BROKER=broker)
    assert (done.code, done.out, done.err) == (2, "", f"jv: {says}\n")
