"""
Starts here, without systemd or root, what the units in deploy/systemd start: the same commands, each by itself.

    .venv/bin/python deploy/run_local.py [PORT]

The settings are those of the units and, over them, of the environment; JV_HOME says where the files are. When all that
jv-health.service looks at is well it prints the address, and goes on until Ctrl-C or until one of them ends. `jv ui` is
for every day; this is to try the units.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNITS = ROOT / "deploy" / "systemd"
STARTED = ("code-server", "webserver", "daemon", "reports")
SECONDS = 180


def values(name: str, key: str) -> list[str]:
    """What a unit says for a key, line by line."""
    lines = (UNITS / name).read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


def settle(text: str, places: dict[str, str]) -> str:
    """The same with the places of this machine."""
    pattern = "|".join(re.escape(place) for place in sorted(places, key=len, reverse=True))
    return re.sub(pattern, lambda found: places[found[0]], text)


def until(condition: list[str], env: dict[str, str], folder: str) -> None:
    """Run a command until it goes well."""
    deadline = time.monotonic() + SECONDS
    while (done := subprocess.run(condition, env=env, cwd=folder, capture_output=True, check=False)).returncode:
        if time.monotonic() > deadline:
            sys.exit(f"not well after {SECONDS} s: {shlex.join(condition)}: {(done.stdout + done.stderr).decode()}")
        time.sleep(0.5)


def main(port: int) -> int:
    home = Path(os.environ.get("JV_HOME") or ROOT / ".jv").absolute()
    home.mkdir(parents=True, exist_ok=True)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with tempfile.TemporaryDirectory(prefix="jv-run-") as run:
        places = {"/opt/jv/deploy/systemd/workspace.yaml": f"{run}/workspace.yaml", "/opt/jv": str(ROOT)}
        places |= {"/var/lib/jv": str(home), "/run/jv": run, "3000": str(port), "3100": str(port + 1)}
        workspace = (UNITS / "workspace.yaml").read_text(encoding="utf-8")
        Path(run, "workspace.yaml").write_text(settle(workspace, places), encoding="utf-8")
        said = [settle(line, places).split("=", 1) for line in values("jv-.service.d/common.conf", "Environment")]
        env = {**dict(said), **os.environ, "JV_HOME": str(home)}

        def commands(name: str, key: str) -> list[list[str]]:
            return [shlex.split(settle(line, places)) for line in values(f"jv-{name}.service", key)]

        try:
            for name in STARTED:
                for before in commands(name, "ExecStartPre"):
                    until(before, env, str(home))
                [command] = commands(name, "ExecStart")
                processes[name] = subprocess.Popen(command, env=env, cwd=home, start_new_session=True)
                for wait in commands(name, "ExecStartPost"):
                    until(wait, env, str(home))
            for check in commands("health", "ExecStart"):
                until(check, env, str(home))
            print(f"http://127.0.0.1:{port} is the Dagster UI. Ctrl-C ends it.", flush=True)
            while all(process.poll() is None for process in processes.values()):
                time.sleep(0.2)
            ended = [name for name, process in processes.items() if process.poll() is not None]
            print(f"ended by itself: {', '.join(ended)}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 0
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                end(list(processes.values()), number)


def end(processes: list["subprocess.Popen[bytes]"], number: signal.Signals) -> None:
    """Signal the group of each, as systemd does with all of a service, and give them some seconds."""
    for process in processes:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + 20
    while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
        time.sleep(0.1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3000))
