"""The units of systemd: well-formed, and their very commands work together, as services of their own."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from jv_assets import settings
from jv_assets.demo.population import make_population
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.servers import free_port
from tests.support.serving import SECONDS, running
from tests.support.waiting import wait_until

DEPLOY = settings.ROOT / "deploy"
UNITS = DEPLOY / "systemd"


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """With the paths and the user of this machine."""
    program = shutil.which("systemd-analyze")
    assert program, "these tests need systemd-analyze: install your system's package systemd"
    units = tmp_path / "units"
    shutil.copytree(UNITS, units)
    here = {"/opt/jv": str(settings.ROOT), "User=jv": "User=daemon", "Group=jv": "Group=daemon", "/etc/jv/": "-/etc/"}
    here["/opt/jv/.venv/bin"] = str(Path(sys.executable).parent)
    files = [path for path in units.rglob("*") if path.is_file()]
    for path in files:
        text = path.read_text()
        for place in sorted(here, key=len, reverse=True):
            text = text.replace(place, here[place])
        path.write_text(text)
    names = [path.name for path in files if path.suffix in (".service", ".timer")]
    assert len(names) == 6
    done = subprocess.run(
        [program, "verify", "--man=no", *(str(units / name) for name in names)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_their_commands_serve_and_run_the_assets(home: Path) -> None:
    """Code server, webserver and daemon apart: what the webserver queues the daemon starts in the code server."""
    database = Database(url=postgres.start(home / "postgres").url("jv"))
    migrate(database, dimension=384)
    population = make_population(60, 200)
    load_frames(database, population.profiles, population.matches)
    port = free_port()
    with running([sys.executable, str(DEPLOY / "run_local.py"), str(port)], home) as pages:
        assert pages.port == port
        assert "every_night" in {schedule["name"] for schedule in pages.location()["schedules"]}
        run_id = pages.launch("refresh", "00", "04", "profiles")
        assert pages.ended(run_id) == "SUCCESS"
        family = [process for one in pages.family for process in [one, *one.children(recursive=True)]]
        pages.process.send_signal(signal.SIGTERM)
        assert pages.process.wait(SECONDS) == 0
        wait_until(lambda: not any(process.is_running() for process in family))
    assert not {path.name for path in settings.ROOT.iterdir()} & {"storage", "history", "schedules", "logs"}, (
        "written to"
    )
