"""Measure what the log of published scores costs: publishes of every row with it and without it, in turns.

    .venv/bin/python -m benchmarks.score_log 30000

The ratio of two consecutive publishes shows what the log adds, whatever else the machine does meanwhile.
"""

import sys
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pandas as pd
from sqlalchemy import text

from benchmarks.bloat import at_once, scored_parts
from benchmarks.figures import Row, figure, show, timed
from jv_assets.pipeline import publishing
from jv_assets.pipeline.database.id_spans import FIRST, LAST
from jv_assets.pipeline.publishing import PublishOptions, publish_range
from jv_assets.platform import postgres
from jv_assets.resources.database import Database

REPEATS = 7
SIZES = """
    SELECT (SELECT count(*) FROM jv.score_log_rows), sum(pg_relation_size(relid)), sum(pg_indexes_size(relid))
    FROM pg_partition_tree('jv.score_log_rows') WHERE isleaf
"""


def run(matches: int = 30_000) -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    with TemporaryDirectory() as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            database = Database(server.url())
            rows = pd.concat(scored_parts(database, matches // 8, matches), ignore_index=True)
            without, logged = [], []
            for turn in range(REPEATS + 1):
                seconds = [_published(database, rows, turn, log) for log in ((False, True), (True, False))[turn % 2]]
                if turn:  # The first turn warms up.
                    without.append(seconds[turn % 2])
                    logged.append(seconds[1 - turn % 2])
            count, table, index = log_size(database)
        finally:
            postgres.stop(Path(folder) / "postgres")
    ratios = [mine / other for mine, other in zip(logged, without, strict=True)]
    added = [mine - other for mine, other in zip(logged, without, strict=True)]
    return [
        figure("publishing all scores with the log ÷ without it", median(ratios), "x", at_most=1.1),
        figure("… seconds added for 1,000,000 matches", 1e6 * median(added) / len(rows), "s"),
        figure("the log, bytes an entry", table / count, "bytes"),
        figure("… of its index", index / count, "bytes"),
        figure("… MB for 1,000,000 entries, with the index", (table + index) / count, "MB"),
    ]


def log_size(database: Database) -> tuple[int, int, int]:
    """Entries, and the bytes of them and of their index."""
    with database.transaction() as connection:
        count, table, index = map(int, connection.execute(text(SIZES)).one())
    return count, table, index


def _published(database: Database, rows: pd.DataFrame, turn: int, log: bool) -> float:
    """Seconds of a publish of all rows, none of which has a score."""
    nothing = ", ".join(f"{name} = NULL" for name in ("score_ab", "score_ba", "harmonic_mean", "match_context"))
    forget = "TRUNCATE jv.replaced_scores"
    at_once(database, f"UPDATE match_suggestions SET {nothing}", forget, "VACUUM match_suggestions", "CHECKPOINT")

    def publish() -> None:
        publish_range(
            database, (FIRST, LAST), [(rows, lambda: rows["match_context"])], PublishOptions(), run_id=f"{turn} {log}"
        )

    if log:
        return timed(publish)
    with patch.object(publishing, "write_scores", partial(publishing.write_scores, logged=False)):
        return timed(publish)


if __name__ == "__main__":
    show(run(int(sys.argv[1]) if len(sys.argv) > 1 else 30_000))
