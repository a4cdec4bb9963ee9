"""Dagster's pages with all that works behind them, as processes, for tests to ask and to end."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from jv_assets import settings
from jv_assets.partitions import range_tags
from tests.support.waiting import wait_until

SERVE = [sys.executable, "-c", "import sys; from jv_assets.ui.serving import serve; sys.exit(serve())"]
SECONDS = 300
"""How long anything here may take; on a free machine it is a few seconds."""
ENDED = ("SUCCESS", "FAILURE", "CANCELED")
LAUNCH = """mutation ($run: ExecutionParams!) { launchRun(executionParams: $run) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
LOCATIONS = """{ workspaceOrError { ... on Workspace { locationEntries { name locationOrLoadError {
  ... on PythonError { message }
  ... on RepositoryLocation { repositories {
    assetNodes { assetKey { path } partitionKeys }
    jobs { name } schedules { name } sensors { name } } } } } } } }"""


@dataclass
class Running:
    """A command that serves Dagster's pages, with all processes that it started."""

    process: "subprocess.Popen[str]"
    port: int
    printed: Sequence[str]
    family: Sequence[psutil.Process]

    def ask(self, query: str, **variables: object) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            body = json.dumps({"query": query, "variables": variables})
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            return json.load(connection.getresponse())["data"]

    def answers(self) -> bool:
        with contextlib.suppress(ConnectionRefusedError):
            return bool(self.ask("{ version }"))
        return False

    def location(self) -> Any:
        [entry] = self.ask(LOCATIONS)["workspaceOrError"]["locationEntries"]
        assert entry["name"] == "jv"
        [repository] = entry["locationOrLoadError"]["repositories"]
        return repository

    def launch(self, job: str, first: str, last: str, *assets: str) -> str:
        """The id of a new run over ranges."""
        selector = {"jobName": job, "repositoryName": "__repository__", "repositoryLocationName": "jv"}
        if assets:
            selector |= {"assetSelection": [{"path": [name]} for name in assets]}
        tags = [{"key": key, "value": value} for key, value in range_tags(first, last).items()]
        run = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": tags}}
        run_id: str = self.ask(LAUNCH, run=run)["launchRun"]["run"]["runId"]
        return run_id

    def status(self, run_id: str) -> str:
        query = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
        status: str = self.ask(query, id=run_id)["runOrError"]["status"]
        return status

    def ended(self, run_id: str) -> str:
        """The status of a run, once it has ended."""
        wait_until(lambda: self.status(run_id) in ENDED)
        return self.status(run_id)

    def left(self) -> list[psutil.Process]:
        """Those of the family that still live."""
        return [process for process in self.family if process.is_running() and not is_zombie(process)]


def is_zombie(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextlib.contextmanager
def running(
    command: Sequence[str], home: Path, port: int = 0, folder: Path = settings.ROOT, **more: str
) -> Iterator[Running]:
    """Run a command in `folder` until it shows the assets, on `port` or the one that it prints; and end it.

    An error meanwhile carries what it printed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JV_", "DAGSTER_"))}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**kept, "JV_HOME": str(home), **more},
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # a shell may have it ignored
    )
    family = [psutil.Process(process.pid)]
    failed: Exception | None = None
    printed: list[str] = []
    try:
        for line in process.stdout or ():
            printed.append(line)
            assert "is running already" not in line, line  # that names an address too, of another one
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join(printed))
        family += family[0].children(recursive=True)
        yield Running(process, int(found[1]), printed, family)
    except Exception as error:
        failed = error
        raise
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        rest, _ = process.communicate()
        if failed:
            failed.add_note(f"what served the pages printed: {''.join(printed)}{rest}")
