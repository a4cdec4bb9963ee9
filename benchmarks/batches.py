"""Measure how many rows one publishing transaction should write: the same scores in batches of several sizes, in turns.

    .venv/bin/python -m benchmarks.batches

All rows are in one partition, so that no batch is smaller than asked for, and each turn writes every row.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pandas as pd

from benchmarks.bloat import at_once, scored_parts
from benchmarks.figures import timed
from jv_assets.demo.population import MATCHES, PROFILES
from jv_assets.pipeline import publishing
from jv_assets.pipeline.database.id_spans import FIRST, LAST
from jv_assets.pipeline.publishing import PublishOptions, publish_range
from jv_assets.platform import postgres
from jv_assets.resources.database import Database

SIZES, REPEATS = (100, 500, 1_000, 2_500, 5_000, 10_000, 30_000), 3


def main() -> None:
    """Print one row of a table per size."""
    with TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            database = Database(server.url())
            rows = pd.concat(scored_parts(database, PROFILES, MATCHES), ignore_index=True)
            took: dict[int, list[float]] = {size: [] for size in SIZES}
            for turn in range(REPEATS + 1):
                for size in SIZES:
                    seconds = _published(database, rows, size)
                    if turn:  # The first turn warms up.
                        took[size].append(seconds)
        finally:
            postgres.stop(Path(folder) / "postgres")
    print("| rows a transaction | µs a row | a transaction |\n|---|---|---|")
    for size, seconds in took.items():
        a_row = median(seconds) / len(rows)
        print(f"| {size:,} | {1e6 * a_row:,.0f} | {a_row * min(size, len(rows)):.2f} s |")


def _published(database: Database, rows: pd.DataFrame, size: int) -> float:
    """Return the seconds of a publish of all rows, none of which has a score."""
    nothing = ", ".join(f"{name} = NULL" for name in ("score_ab", "score_ba", "harmonic_mean", "match_context"))
    at_once(database, f"UPDATE match_suggestions SET {nothing}", "VACUUM match_suggestions", "CHECKPOINT")
    with patch.object(publishing, "BATCH_ROWS", size):
        return timed(
            lambda: publish_range(
                database, (FIRST, LAST), [(rows, lambda: rows["match_context"])], PublishOptions(), run_id="r"
            )
        )


if __name__ == "__main__":
    main()
