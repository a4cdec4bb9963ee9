"""`jv ui` with all its processes, for tests that kill some of them."""

import contextlib
import http.client
import json
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
import psutil
from faults import Production
from program import SECONDS

BACKFILL = """mutation ($of: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $of) {
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""


@dataclass
class Daemon:
    """Code server, webserver and daemon, and who started them: the processes of a running `jv ui`."""

    process: "subprocess.Popen[str]"
    port: int

    def backfill(self, assets: Sequence[str], keys: Sequence[str]) -> str:
        """The id of a new backfill."""
        of = {"partitionNames": list(keys), "assetSelection": [{"path": [name]} for name in assets]}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with contextlib.closing(connection):
            body = json.dumps({"query": BACKFILL, "variables": {"of": of}})
            connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
            backfill_id: str = json.load(connection.getresponse())["data"]["launchPartitionBackfill"]["backfillId"]
        return backfill_id

    def family(self) -> list[psutil.Process]:
        """All its processes, those of runs too."""
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]

    def named(self, words: str) -> psutil.Process:
        """The one of the three whose command has these words."""
        [one] = [process for process in self.family()[0].children() if words in process.cmdline()]
        return one

    def crash(self) -> None:
        """Kill all of them at one moment, as a crash of the machine does: none sees another die."""
        family = self.family()
        for number in (psutil.Process.suspend, psutil.Process.kill):
            for process in family:
                number(process)
        self.process.wait(SECONDS)


@contextlib.contextmanager
def daemon(production: Production, **settings: str) -> Iterator[Daemon]:
    """A running `jv ui`; at the end nothing is left of it."""
    process = production.jv.start("ui", **settings)
    family = [psutil.Process(process.pid)]
    try:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            raise AssertionError("".join([*said, *(process.stderr or ())]))
        family += family[0].children(recursive=True)
        yield Daemon(process, int(found[1]))
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.communicate()


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> psutil.Process:
    """The process of a run that the daemon launched, by what it says of itself."""
    [said] = [line for line in instance.all_logs(run.run_id) if "Started process for run" in (line.message or "")]
    return psutil.Process(int(re.findall(r"pid: (\d+)", said.message or "")[0]))
