"""Serve Dagster's pages, and run everything behind them, from one command, until Ctrl-C.

Three processes: a code server, which loads the definitions and starts the runs, and the webserver and the daemon, which
both ask it. `dagster dev` is not used: its children survive if it is killed, it notices only after seconds that a part
has died, and it prints everything into the terminal. A small fourth process serves the report.

No process is left behind, however this one ends (processes.py). An interrupted run is marked as failed, and `jv retry`
does it again.
"""

import contextlib
import http.client
import json
import socket
import sys
import tempfile
from pathlib import Path

from jv_assets import settings
from jv_assets.dagster_internals import DAEMON
from jv_assets.errors import UserError
from jv_assets.names import Group
from jv_assets.platform.own_runs import LOCATION, MODULE
from jv_assets.resources import report_address
from jv_assets.ui.ports import free_port
from jv_assets.ui.processes import DiedError, Family, alone, interrupts

PORTS = range(3000, 3100)
READY_SECONDS = 180

_LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError { ... on PythonError"
_LOCATIONS += " { message cause { message cause { message } } } } } } } }"

_OPEN = (Group.PRODUCTION, Group.PREPARE, Group.SCORE, Group.PUBLISH)
GRAPH = f"/asset-groups?expanded={','.join(f'global@global:{group}' for group in _OPEN)}"
"""The asset graph with the way of a score opened. By itself, Dagster shows each group as a closed box."""
_QUIET = ("--log-level", "warning")
"""Otherwise each tick of a sensor, some thousands a day, writes lines into a log."""


def serve(host: str = "127.0.0.1", port: int | None = None, *, read_only: bool = False) -> int:
    """Serve Dagster's pages on `port` (by default the first free one from 3000 on) until Ctrl-C or SIGTERM.

    With `read_only` they are for viewers: Dagster refuses every change, and there is neither daemon nor report. They
    may run beside those of the operators.

    Returns the exit code: 0, or 1 if a process exited by itself. Raises UserError with what to fix first.
    """
    from jv_assets.platform.instance import open_instance
    from jv_assets.platform.storage import dagster_home
    from jv_assets.ui.one_daemon import the_only_daemon

    try:
        with interrupts(), contextlib.ExitStack() as stack:
            open_instance().dispose()  # Creates Dagster's tables, or says in one line what is wrong.
            folder = dagster_home() / ("ui-read-only" if read_only else "ui")
            lock = stack.enter_context(alone(folder, "the Dagster UI is running already, at"))
            if not read_only:
                stack.enter_context(the_only_daemon())
            port = free_port(host, port, PORTS, "--port")
            address = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            lock.write(address)
            lock.flush()
            print("Starting the Dagster UI: this takes some ten seconds.", flush=True)
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="jv-ui-")))
            family = stack.enter_context(Family(folder, "Dagster UI"))
            if read_only:
                _start(family, scratch, host, port, read_only=True)
                print(f"{address} is the Dagster UI, to look at only. Ctrl-C ends it.", flush=True)
            else:
                wanted, among = settings.reports_port(), report_address.REPORTS_PORTS
                reports = free_port(report_address.REPORTS_HOST, wanted, among, "JV_REPORTS_PORT")
                family.start("report server", "jv_assets.ui.report_server", str(reports))
                _start(family, scratch, host, port, read_only=False)
                report_address.note_reports_port(reports)
                uses = "choose assets there and materialize them"
                print(f"{address} is the Dagster UI: {uses}. Ctrl-C ends it.", flush=True)
                print(f"{address}{GRAPH} shows how a score is made, from left to right.", flush=True)
                print(f"{report_address.report_url()} is the report of jv report.", flush=True)
            family.wait_for(lambda: False)
    except KeyboardInterrupt:
        if settings.database_url() is None:
            print("The embedded Postgres keeps running. To stop it: jv stop", flush=True)
        return 0
    except DiedError as error:
        print(f"jv: {error}", file=sys.stderr)
    return 1


def _start(family: Family, scratch: Path, host: str, port: int, *, read_only: bool) -> None:
    """Start the three processes, or two for viewers, and return when the pages show the assets."""
    code, workspace = scratch / "code", scratch / "workspace.yaml"
    location = {"grpc_server": {"socket": str(code), "location_name": LOCATION}}
    workspace.write_text(json.dumps({"load_from": [location]}))  # JSON is YAML too.
    target = ["-m", MODULE, "-d", str(settings.ROOT), "--location-name", LOCATION, *_QUIET]
    family.start("code server", "dagster", "code-server", "start", "--socket", str(code), *target)
    family.wait_for(lambda: _accepts(code), READY_SECONDS)  # If it asks too early, it asks again only after 10 s.
    pages = ["-w", str(workspace), "-h", host, "-p", str(port)]
    if read_only:
        family.start("webserver", "jv_assets.ui.webserver", *pages, "--read-only")
    else:
        family.start("webserver", "jv_assets.ui.webserver", *pages)
        family.start("daemon", DAEMON, "run", "-w", str(workspace), *_QUIET)
    family.wait_for(lambda: _shows_assets(host, port), READY_SECONDS)


def _accepts(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _shows_assets(host: str, port: int) -> bool:
    """Return whether the webserver answers; UserError if it answers that the definitions do not load."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("POST", "/graphql", json.dumps({"query": _LOCATIONS}), {"Content-Type": "application/json"})
        answer = json.load(connection.getresponse())
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()
    for entry in answer["data"]["workspaceOrError"]["locationEntries"]:
        error = entry["locationOrLoadError"]
        while error.get("cause"):
            error = error["cause"]
        if message := error.get("message"):
            cause = " ".join(message.split()).removeprefix(f"{UserError.__module__}.{UserError.__name__}: ")
            raise UserError(f"the assets do not load: {cause}")
    return True
