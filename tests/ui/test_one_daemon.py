"""Two `jv ui` with different homes on one `JV_DAGSTER_URL`: the second one says whose daemon is there, and refuses."""

import socket
from pathlib import Path

import pytest

from jv_assets.errors import UserError
from jv_assets.platform.storage import dagster_home
from jv_assets.ui.one_daemon import the_only_daemon


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
        assert str(raised.value) == (
            f"Dagster's database already has a daemon: that of the jv ui on {socket.gethostname()} with "
            f"JV_HOME {home}; end that jv ui, or set JV_DAGSTER_URL to a database of its own"
        )
