"""Which folder `JV_HOME` means, and settings that cannot be meant: one line that says what to type."""

import os
from pathlib import Path

import pytest

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources.home_access import try_home


def test_a_tilde_is_the_home_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("JV_HOME", "~/jv")
    assert settings.home() == f"{tmp_path}/jv"
    assert settings.state_dir() == tmp_path / "jv"
    monkeypatch.setenv("JV_HOME", "~nobody-of-that-name/jv")
    with pytest.raises(UserError, match=r"^JV_HOME=~nobody-of-that-name/jv: there is no such user; write the folder"):
        settings.home()


@pytest.mark.parametrize("given", ["jv", "./jv", "../jv", "a/b"])
def test_a_relative_home_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, given: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JV_HOME", given)
    with pytest.raises(UserError) as raised:
        settings.state_dir()
    written = str(raised.value).partition("; write ")[2]
    assert str(raised.value).startswith(f"JV_HOME={given} would be another folder in each directory; write /")
    assert written == os.path.normpath(tmp_path / given)
    monkeypatch.setenv("JV_HOME", written)  # the cure
    assert settings.home() == written


def test_a_folder_by_its_url_is_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JV_HOME", f"file://{tmp_path}/new/jv")
    assert settings.home() == try_home(settings.home()) == str(settings.state_dir()) == f"{tmp_path}/new/jv"


def test_a_bucket_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_HOME", "s3://bucket/jv")
    assert settings.home() == "s3://bucket/jv"


def test_two_projects_behind_one_pooler_have_homes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JV_HOME")
    homes = {}
    for user in ("postgres.staging", "postgres.prod"):
        monkeypatch.setenv(
            "JV_DATABASE_URL", f"postgresql://{user}:s3cret@pooler.example:6543/postgres?sslmode=require"
        )
        homes[user] = Path(settings.home()).name
    assert homes == {user: f"{user}@pooler.example_6543_postgres" for user in homes}
    monkeypatch.setenv("JV_DATABASE_URL", "postgresql://me:s3cret@a?b@host/db")
    assert "s3cret" not in settings.home()


@pytest.mark.parametrize("name", ["Europe", "America/Argentina", "/etc", "..", "Nowhere/At_All", "zone.tab"])
def test_what_is_no_time_zone_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("JV_NIGHTLY_TIMEZONE", name)
    with pytest.raises(UserError, match=f"^JV_NIGHTLY_TIMEZONE={name}: no such time zone; use a name such as Europe/B"):
        settings.nightly_timezone()


def test_time_zones_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("Europe/Berlin", "UTC", "America/Argentina/Ushuaia"):
        monkeypatch.setenv("JV_NIGHTLY_TIMEZONE", name)
        assert settings.nightly_timezone() == name
