"""Two daemons with different homes on one `JV_DAGSTER_URL`: the second one says whose daemon is there, and refuses."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.platform.storage import dagster_home
from jv_assets.ui.one_daemon import LOCK, the_only_daemon
from tests.support.waiting import wait_until

WORKSPACE = settings.ROOT / "deploy" / "systemd" / "workspace.yaml"


def line(home: Path) -> str:
    return (
        f"Dagster's database already has a daemon: the one on {socket.gethostname()} with "
        f"JV_HOME {home}; end that one, or set JV_DAGSTER_URL to a database of its own"
    )


def is_held(url: str) -> bool:
    """Whether a daemon holds the lock, and has written down whose it is."""
    held = "SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database WHERE objid = %s AND datname = %s"
    told = "SELECT FROM kvs WHERE key = 'jv/daemon' AND value LIKE '%%first%%'"
    with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
        holder = connection.execute(held, [LOCK, make_url(url).database]).fetchone()
        return holder is not None and connection.execute(told).fetchone() is not None


def test_the_second_daemon_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str) -> None:
    monkeypatch.setenv("JV_DAGSTER_URL", database_url)
    first, second = tmp_path / "first", tmp_path / "second"
    for home in (first, second, first):
        monkeypatch.setenv("JV_HOME", str(home))
        monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
        with the_only_daemon():
            monkeypatch.setenv("JV_HOME", str(second if home == first else first))
            with pytest.raises(UserError) as raised, the_only_daemon():
                pass
        assert str(raised.value) == line(home)


def test_a_daemon_of_a_service_is_refused_and_refuses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, database_url: str
) -> None:
    """As the units and the containers start it."""
    first, second = tmp_path / "first", tmp_path / "second"
    monkeypatch.setenv("JV_DAGSTER_URL", database_url)

    def use(home: Path) -> None:
        monkeypatch.setenv("JV_HOME", str(home))
        monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))

    command = [sys.executable, "-m", "jv_assets.ui.daemon", "run", "-w", str(WORKSPACE), "--log-level", "warning"]
    use(second)
    with the_only_daemon():
        use(first)
        done = subprocess.run(command, env=dict(os.environ), cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"jv: {line(second)}\n")

    process = subprocess.Popen(command, env=dict(os.environ), cwd=tmp_path, stderr=subprocess.DEVNULL)
    try:
        use(second)

        wait_until(lambda: is_held(database_url))
        with pytest.raises(UserError) as raised, the_only_daemon():
            pass
        assert str(raised.value) == line(first)
    finally:
        process.terminate()
        assert process.wait(60) == 0
    with the_only_daemon():
        pass
