"""The compose file without containers, for which an engine is needed: whole, and what its services call is there."""

import os
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec
from typing import Any

import dagster as dg
import psycopg
import pytest
import yaml
from sqlalchemy import make_url

from jv_assets import settings
from jv_assets.platform.storage import dagster_home
from tests.support.dagster_internals import GrpcServerCodeLocationOrigin, location_origins_from_yaml_paths
from tests.support.servers import free_port
from tests.support.waiting import wait_until

COMPOSE = settings.ROOT / "deploy" / "compose"
STACK = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
FOR_EVER = sorted(SERVICES.keys() - {"migrate"})


@pytest.mark.parametrize("name", FOR_EVER)
def test_each_service_is_watched_restarted_and_does_not_fill_the_disk(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()
    assert set(service.get("depends_on", {})) <= SERVICES.keys()
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    named = {volume.split(":")[0] for volume in service.get("volumes", ()) if not volume.startswith(".")}
    assert named <= STACK["volumes"].keys()


def test_the_image_holds_the_wheel_and_no_sources() -> None:
    stages = (COMPOSE / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")
    (wheel,) = [stage for stage in stages if stage.partition("\n")[0].endswith(" AS wheel")]
    assert "make wheel && .venv/bin/python -m pip install" in wheel
    copied = [line.split()[1:] for line in stages[-1].splitlines() if line.startswith("COPY ")]
    assert copied.pop(0) == ["--from=wheel", "/opt/jv/.venv", "/opt/jv/.venv"]
    for source, target in copied:
        assert (settings.ROOT / source).is_file()
        assert not source.startswith("jv_")
        assert target in str(SERVICES)


def test_it_holds_no_secret() -> None:
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if "PASSWORD" in variable or variable.endswith(("_URL", "_USERS")):
                assert "${" in value, (name, variable)
    said = (COMPOSE / "env.example").read_text().splitlines()
    assert {"OWNER_PASSWORD=", "JV_PASSWORD="} <= set(said)


def test_every_setting_is_one() -> None:
    said = {name for service in SERVICES.values() for name in service.get("environment", {}) if name.startswith("JV_")}
    known = (settings.ROOT / "jv_assets" / "settings.py").read_text()
    assert [name for name in sorted(said - {"JV_PASSWORD"}) if f'"{name}"' not in known] == []


@pytest.mark.parametrize("name", ["code-server", "webserver", "daemon"])
def test_programs_and_options_are_there(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --help at its end a command is read as far as that and does nothing."""
    for command in (SERVICES[name]["command"], SERVICES[name]["healthcheck"]["test"][1:]):
        if command[:2] == ["python", "-m"]:  # ours around Dagster's, with its options
            assert find_spec(command[2])
            command = [f"dagster-{command[2].rpartition('.')[2]}", *command[3:]]  # noqa: PLW2901
        if command[0] != "python":
            [program] = entry_points(group="console_scripts", name=command[0])
            monkeypatch.setattr(sys, "argv", [*command, "--help"])
            with pytest.raises(SystemExit) as ended:
                program.load()()
            assert ended.value.code == 0, (shlex.join(command), capsys.readouterr())
            assert "Usage:" in capsys.readouterr().out


def test_dagster_knows_the_workspace_and_the_settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [origin] = location_origins_from_yaml_paths([str(COMPOSE / "workspace.yaml")])
    command = SERVICES["code-server"]["command"]
    assert isinstance(origin, GrpcServerCodeLocationOrigin)
    assert (origin.location_name, origin.host) == ("jv", "code-server")
    assert str(origin.port) == command[command.index("-p") + 1]
    monkeypatch.setenv("JV_DAGSTER_URL", database_url)
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))
    with dg.DagsterInstance.get() as instance:
        assert instance.run_monitoring_enabled


def test_pgbouncer_passes_on_to_postgres(database_url: str) -> None:
    url, port = make_url(database_url), free_port()
    env = {
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "POSTGRES": f"host={url.host} port={url.port}",
        "PGBOUNCER_USERS": f'"{url.username}" "{url.password}"',
        "PGBOUNCER_PORT": str(port),
    }
    user = "nobody" if os.geteuid() == 0 else None  # PgBouncer refuses to be root
    process = subprocess.Popen(["/bin/sh", "-s"], stdin=subprocess.PIPE, env=env, user=user, cwd="/")
    try:
        assert process.stdin
        process.stdin.write((COMPOSE / "pgbouncer.sh").read_bytes())
        process.stdin.close()
        through = url.set(drivername="postgresql", host="127.0.0.1", port=port).render_as_string(hide_password=False)

        def answer() -> bool:
            try:
                with psycopg.connect(through, prepare_threshold=None) as connection:
                    return connection.execute("SELECT 1").fetchone() == (1,)
            except psycopg.OperationalError:
                assert process.poll() is None
                return False

        wait_until(answer)
    finally:
        process.kill()
        process.wait()
