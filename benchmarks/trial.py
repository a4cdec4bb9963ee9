"""Measure what a trial adds to a night: to one that writes every score, and to one that changes nothing.

By matches and profiles; 1,000,000 matches take an hour:

    .venv/bin/python -m benchmarks.trial 1000000 100000
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.figures import Row, environment, figure, jv, show
from jv_assets.platform import postgres

MATCHES, PROFILES = 100_000, 12_000
_NIGHTS = """
import time
from datetime import date
from jv_assets import settings
from jv_assets.cli.common import production_database, range_files
from jv_assets.reports.trial_night import look
from jv_assets.trials.store import keep_night, trials
database = production_database()
files, [trial] = range_files(database), trials(database, going_on=True)
for run in ("first", "second"):
    started = time.perf_counter()
    [night] = look(database, files, settings.embedding_model(), [trial], run=run, day=date.today())
    assert keep_night(database, trial, night) and night.why_not_complete is None, night
    print(time.perf_counter() - started)
"""


def run(matches: int = MATCHES, profiles: int = PROFILES) -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        try:
            jv(home, "load", "demo", "--profiles", str(profiles), "--matches", str(matches))
            written, unchanged = jv(home, "rescore").seconds, jv(home, "rescore").seconds
            jv(home, "trial", "start", "bench", "--policy", "geometric/redistribute")
            told = subprocess.run(
                [sys.executable, "-c", _NIGHTS],
                env=environment(JV_HOME=str(home)),
                capture_output=True,
                text=True,
                check=True,
            )
        finally:
            postgres.stop(home / "postgres")
    first, later = map(float, told.stdout.split())
    return [
        figure(f"trial over {matches:,} matches, its first night ÷ a rescore that writes every row",
               first / written, "", at_most=0.15),
        figure("… a later night ÷ the same", later / written, "", at_most=0.15),
        figure("… a later night ÷ a rescore that writes nothing", later / unchanged, ""),
        figure("… a later night, a match", 1e6 * later / matches, "µs"),
    ]  # fmt: skip


if __name__ == "__main__":
    show(run(*map(int, sys.argv[1:])))
