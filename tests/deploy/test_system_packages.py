"""The programs that the tests need beside Python: `make test` installs what is missing, or names it in one line."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from jv_assets import settings

SCRIPT = settings.ROOT / ".ci" / "system-packages"
SAYS = re.compile(
    r"The tests need (.+): install these packages \(or run this as root on Debian\), or type: make test-fast\n"
)


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A PATH with the shell and nothing else: neither the programs nor apt-get."""
    for name in ("bash", "env"):
        program = shutil.which(name)
        assert program
        (tmp_path / name).symlink_to(program)
    return str(tmp_path)


def test_what_is_missing_is_named_in_one_line(bare: str) -> None:
    done = subprocess.run([SCRIPT], env={"PATH": bare}, capture_output=True, text=True, check=False)
    said = SAYS.fullmatch(done.stderr)
    assert (done.returncode, done.stdout, bool(said)) == (1, "", True), done.stderr
    assert said
    assert {"chromium", "openssl", "systemd"} <= set(said[1].split())  # Some systems have the others in /usr/sbin.


def test_it_is_said_before_anything_else() -> None:
    """By `make test`, whatever else that does; CI runs `make test`."""
    makefile = (settings.ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(r"^test: programs ", makefile, re.MULTILINE)
    assert re.search(rf"^programs:.*\n\t@{SCRIPT.relative_to(settings.ROOT)}$", makefile, re.MULTILINE)
    assert "exec make test" in (settings.ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_it_says_nothing_where_all_is_there() -> None:
    done = subprocess.run([SCRIPT], env=dict(os.environ), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
