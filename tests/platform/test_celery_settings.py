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
from billiard.exceptions import WorkerLostError
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from jv_assets import settings
from jv_assets.platform.broker import celery
from jv_assets.platform.celery_launcher import UNANSWERED, Launcher
from jv_assets.platform.storage import dagster_home, packaged
from tests.support.dagster_internals import WorkerStatus
from tests.support.program import Program
from tests.support.servers import redis
from tests.support.waiting import wait_until

DEPLOY = settings.ROOT / "deploy"
BROKER = "redis://:Kanarienvogel7@127.0.0.1:1/0"
OURS = {"run_launcher", "concurrency", "run_monitoring", "run_retries"}


def test_it_is_taken_where_a_broker_is_named_and_holds_no_address(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_launcher).__module__ == "jv_assets.platform.launcher"
    monkeypatch.setenv("JV_CELERY_BROKER", BROKER)
    assert dagster_home() == home / "dagster"
    with dg.DagsterInstance.get() as instance:
        assert type(instance.run_launcher).__module__ == "jv_assets.platform.celery_launcher"
        assert "Kanarienvogel7" not in str(instance.get_ref()) + str(instance.info_dict())
        assert (instance.run_retries_enabled, instance.run_retries_max_retries) == (True, 2)
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert instance.run_monitoring_max_resume_run_attempts == 0


def test_it_differs_in_the_runs_alone() -> None:
    here, there = (yaml.safe_load(packaged(name)) for name in ("dagster.yaml", "dagster_celery.yaml"))
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


def test_who_is_asked_about_a_run_and_what_is_made_of_the_answer(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = dg.DagsterRun("rescore", tags={DAGSTER_CELERY_TASK_ID_TAG: "task"})
    (tmp_path / "redis").mkdir()
    with redis(tmp_path / "redis") as url:
        monkeypatch.setenv("JV_CELERY_BROKER", url)
        launcher, app = Launcher(), celery()

        def health() -> str | None:
            found = launcher.check_run_worker_health(run)
            assert (found.status == WorkerStatus.FAILED) == bool(found.msg)
            return found.msg and found.msg.partition(";")[0]

        command = [sys.executable, "-m", "celery", "-A", "jv_assets.ui.celery_app", "worker", "-n", "jv-1@here"]
        worker = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: app.control.inspect(["jv-1@here"], timeout=1).ping())
            # one of this name is there, which does not have the run that the one of before has begun
            app.backend.store_result("task", {"hostname": "jv-1@here", "pid": 1}, "STARTED")
            assert health() == "its worker jv-1@here was restarted"
        finally:
            worker.kill()
            worker.wait()
        assert [health() for _ in range(UNANSWERED)] == [
            None,
            None,
            "its worker jv-1@here was killed or cannot be reached",
        ]
        app.backend.store_result("task", WorkerLostError("signal 9"), "FAILURE")
        assert health() == "its process was killed or has crashed"
    assert launcher.check_run_worker_health(dg.DagsterRun("rescore")).status == WorkerStatus.RUNNING
