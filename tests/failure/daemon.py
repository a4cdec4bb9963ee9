"""`jv ui` with all its processes, for tests that kill some of them."""

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
import psutil
from faults import Production
from program import SECONDS

TWO_A_RUN = {"JV_RANGES_PER_RUN": "2"}
ASK = """
import sys, time
import dagster as dg
from dagster._core.execution.backfill import PartitionBackfill
from jv_assets.definitions import defs
from jv_assets.running import open_instance

assets, keys = (words.split(",") for words in sys.argv[1:])
with open_instance() as instance:
    instance.add_backfill(PartitionBackfill.from_asset_partitions(
        "of_the_test", defs.resolve_asset_graph(), keys, [dg.AssetKey(name) for name in assets], time.time(),
        tags={}, dynamic_partitions_store=instance, all_partitions=False, title=None, description=None, run_config=None,
    ))
"""


def ask_for_backfill(production: Production, assets: Sequence[str], keys: Sequence[str]) -> str:
    """The id of a new backfill, in runs of two ranges, that the daemon begins with: one that runs looks every 30 s."""
    process = production.jv.process([sys.executable, "-c", ASK, ",".join(assets), ",".join(keys)], **TWO_A_RUN)
    _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, err
    return "of_the_test"


@dataclass
class Daemon:
    """Code server, webserver and daemon, and who started them: the processes of a running `jv ui`."""

    process: "subprocess.Popen[str]"

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
def daemon(production: Production) -> Iterator[Daemon]:
    """A running `jv ui`; at the end nothing is left of it."""
    process = production.jv.start("ui", **TWO_A_RUN)
    family = [psutil.Process(process.pid)]
    try:
        said = []
        for line in process.stdout or ():
            said.append(line)
            if "Ctrl-C ends it" in line:
                break
        else:
            raise AssertionError("".join([*said, *(process.stderr or ())]))
        family += family[0].children(recursive=True)
        yield Daemon(process)
    finally:
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.communicate()


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> psutil.Process:
    """The process of a run that the daemon launched, by what it says of itself."""
    [said] = [line for line in instance.all_logs(run.run_id) if "Started process for run" in (line.message or "")]
    return psutil.Process(int(re.findall(r"pid: (\d+)", said.message or "")[0]))
