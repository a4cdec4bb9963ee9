"""The package as pip installs it: whole, with complete metadata, and at work in an empty folder outside a checkout."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_string
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from jv_assets import settings
from jv_assets.platform.storage import packaged
from tests.support.program import removed_at_last
from tests.support.servers import free_port
from tests.support.serving import SECONDS, running

PACKAGES = ("jv_assets", "jv_scoring")
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
SMALL_DEMO = (
    "from functools import partial; from jv_assets.cli import demo, main; "
    "demo.make_population = partial(demo.make_population, 40, 80); main()"
)
"""`jv` with a demo of a size that a test has time for."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built without a net, from a copy: setuptools leaves folders beside the sources, and takes up what is in them."""
    sources, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in PACKAGES:
        shutil.copytree(settings.ROOT / name, sources / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(settings.ROOT / name, sources)
    pip("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", str(out), str(sources))
    (built,) = out.iterdir()
    return built


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of its own, for a user of its own, in an empty folder."""

    python: Path
    user: Path
    folder: Path

    @property
    def jv(self) -> Path:
        return self.python.with_name("jv")

    @property
    def data(self) -> Path:
        return self.user / ".local" / "share" / "jv-assets"

    @property
    def environment(self) -> dict[str, str]:
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("JV_", "DAGSTER_"))}
        unset = dict.fromkeys(("JV_HOME", "PYTHONPATH", "XDG_DATA_HOME"), "")
        return {**ours, **unset, "HOME": str(self.user), "JV_ID_RANGES": "4", "OMP_NUM_THREADS": "1"}

    def run(self, *words: str | Path) -> str:
        done = subprocess.run(
            words, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert (done.returncode, done.stderr) == (0, ""), (words, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """It shares what it depends on with this environment, whose own checkout it cannot see."""
    top = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", top / "venv"], check=True)
    python = top / "venv" / "bin" / "python"
    pip("--python", str(python), "install", "--no-deps", "--no-index", str(wheel))
    (site,) = (top / "venv" / "lib").glob("*/site-packages")
    (site / "shared.pth").write_text(sysconfig.get_path("purelib"))
    (top / "empty").mkdir()
    (top / "user").mkdir()
    here = Installed(python, top / "user", top / "empty")
    with removed_at_last(here.data):
        yield here
    shutil.rmtree(top)


def pip(*words: str) -> None:
    done = subprocess.run([*PIP, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_file_of_the_packages_is_in_it(wheel: Path) -> None:
    def is_ours(path: Path) -> bool:
        return path.is_file() and "__pycache__" not in path.parts

    ours = {
        str(path.relative_to(settings.ROOT))
        for name in PACKAGES
        for path in (settings.ROOT / name).rglob("*")
        if is_ours(path)
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == ours
    assert {"jv_assets/platform/dagster.yaml", "jv_assets/platform/workspace.yaml"} <= held


def test_its_metadata_are_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        said = message_from_string(archive.read(name).decode())
    assert (said["Name"], said["Description-Content-Type"]) == (settings.DISTRIBUTION, "text/markdown")
    assert "# Match scores as Dagster assets" in said.get_payload()
    assert set(said.get_all("Provides-Extra", [])) == {"celery", "dev"}
    assert "Private :: Do Not Upload" in said.get_all("Classifier", [])
    assert said.get_all("Project-URL") is None
    for dependency in said.get_all("Requires-Dist", []):
        if dependency.startswith("dagster"):
            assert re.search(r"<\d+\.\d+\b", dependency), f"{dependency}: only the releases that were tried"


@pytest.mark.parametrize("name", ["dagster.yaml", "workspace.yaml"])
def test_the_checkout_shows_dagster_the_settings_of_the_package(name: str) -> None:
    assert (settings.ROOT / name).read_text(encoding="utf-8") == packaged(name)


def test_the_default_home_of_a_checkout_is_in_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JV_HOME")
    monkeypatch.chdir(tmp_path)
    assert settings.home() == str(settings.ROOT / ".jv")


def test_elsewhere_it_is_the_data_folder_of_the_user(installed: Installed) -> None:
    """Whatever else lies in site-packages: some packages put a pyproject.toml of their own there."""
    say = "from jv_assets import settings; print(settings.ROOT, settings.home(), settings.state_dir())"
    site, home, state = installed.run(installed.python, "-c", say).split()
    assert (Path(site).name, home, state) == ("site-packages", str(installed.data), str(installed.data))
    stray = Path(site) / "pyproject.toml"
    stray.write_text('[project]\nname = "another"\n')
    try:
        assert installed.run(installed.python, "-c", say).split()[1] == home
    finally:
        stray.unlink()
    url = "postgresql://me:s3cret@db.example/app"
    place = installed.run("env", f"JV_DATABASE_URL={url}", installed.python, "-c", say).split()[1]
    assert place == f"{home}/me@db.example_app"
    assert installed.run("env", "XDG_DATA_HOME=/srv/data", installed.python, "-c", say).split()[1] == (
        "/srv/data/jv-assets"
    )


def test_the_commands_work_in_an_empty_folder(installed: Installed) -> None:
    jv = installed.jv
    assert "applied: " in installed.run(jv, "migrate")
    assert installed.run(jv, "migrate") == "The database is up to date.\n"
    told = installed.run(installed.python, "-c", SMALL_DEMO, "demo")
    assert "3. Finishing through Dagster" in told
    assert told.endswith("Next: jv ui shows the runs; jv status where the database stands.\n")
    assert "ERROR" not in installed.run(jv, "doctor")
    assert "harmonic/impute" in installed.run(jv, "status")
    command = [str(jv), "ui", "--port", str(free_port())]
    with running(command, installed.data, folder=installed.folder, **installed.environment) as pages:
        assert "match_scores" in {node["assetKey"]["path"][0] for node in pages.location()["assetNodes"]}
        assert pages.ended(pages.launch("refresh", "0", "4", "profiles")) == "SUCCESS"
        pages.process.send_signal(signal.SIGTERM)
        assert pages.process.wait(SECONDS) == 0
    assert list(installed.folder.iterdir()) == []
    assert [path.name for path in installed.user.iterdir()] == [".local"]


def test_every_package_that_is_imported_is_a_dependency() -> None:
    """By its own name: what another package brings along today it may not bring tomorrow."""
    project = tomllib.loads((settings.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["celery"]]
    named = {re.split(r"[^\w-]", line)[0] for line in lines}
    packages = packages_distributions()
    for module in sorted(imported() - {*PACKAGES, *sys.stdlib_module_names}):
        assert named & {name.lower().replace("_", "-") for name in packages[module]}, module


def imported() -> set[str]:
    """The top-level modules that the packages import, anywhere in a file."""
    found = set()
    for path in (path for name in PACKAGES for path in (settings.ROOT / name).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(str(node.module).partition(".")[0])
    return found
