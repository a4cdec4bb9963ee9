"""Measure how the table of matches grows by publishing, under some layouts that its owner may choose.

    .venv/bin/python -m benchmarks.bloat

publishes all scores ten times, each time with other scores, with a VACUUM after each, as autovacuum does during the
day. HOT updates touch no index, and leave room that the next update of the same page uses without a VACUUM.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import psycopg
from sqlalchemy import text

from jv_assets.demo.population import make_population
from jv_assets.pipeline.database.id_spans import FIRST, LAST, id_spans
from jv_assets.pipeline.publishing import PublishOptions, publish_range
from jv_assets.pipeline.reading import read_matches, read_profiles
from jv_assets.pipeline.scoring import ProfilesToScore, features_of, score_range
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.settings import DEMO_MODEL
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_scoring.policy import CURRENT_POLICY

PROFILES, MATCHES, PUBLISHES = 1_000, 8_000, 10
TABLE = "match_suggestions"
LAYOUTS: dict[str, Sequence[str]] = {
    "as it is": (),
    "fillfactor 70": (f"ALTER TABLE {TABLE} SET (fillfactor = 70)",),
    "fillfactor 45": (f"ALTER TABLE {TABLE} SET (fillfactor = 45)",),
    "toast_tuple_target 256": (f"ALTER TABLE {TABLE} SET (toast_tuple_target = 256)",),
    "an index on harmonic_mean": (f"CREATE INDEX by_score ON {TABLE} (harmonic_mean)",),
    "the index, fillfactor 45": (
        f"CREATE INDEX by_score ON {TABLE} (harmonic_mean)",
        f"ALTER TABLE {TABLE} SET (fillfactor = 45)",
    ),
}


@dataclass(frozen=True)
class Grown:
    """After the first publish and after the last: bytes of the table with its contexts, and of its indexes."""

    first: tuple[int, int]
    last: tuple[int, int]
    hot: float
    log: float
    seconds: float

    def __str__(self) -> str:
        mb = [f"{size / 1e6:.1f}" for size in (self.first[0], self.last[0], self.first[1], self.last[1])]
        return " | ".join([*mb, f"{self.hot:.0%}", f"{self.log / MATCHES:,.0f}", f"{self.seconds:.2f}"])


def main() -> None:
    """Print one row of a table per layout."""
    print("| | MB after 1 | after 10 | indexes after 1 | after 10 | HOT | bytes of log a row | seconds a publish |")
    print("|---|---|---|---|---|---|---|---|")
    for name, statements in LAYOUTS.items():
        with TemporaryDirectory() as folder:
            server = postgres.start(Path(folder) / "postgres")
            try:
                print(f"| {name} | {_grown(Database(server.url()), statements)} |", flush=True)
            finally:
                postgres.stop(Path(folder) / "postgres")


def _grown(database: Database, statements: Sequence[str]) -> Grown:
    rows = scored_parts(database, PROFILES, MATCHES, statements)
    _publish(database, rows, 0)
    first, log, hot = _sizes(database), _log(database), _updates(database)
    started = time.perf_counter()
    for turn in range(1, PUBLISHES):
        _publish(database, rows, turn)
    seconds = (time.perf_counter() - started) / (PUBLISHES - 1)
    updates = _updates(database) - hot
    written = (_log(database) - log) / (PUBLISHES - 1)
    return Grown(first, _sizes(database), float(updates[1] / updates[0]), written, seconds)


def scored_parts(database: Database, profiles: int, matches: int, statements: Sequence[str] = ()) -> list[pd.DataFrame]:
    """Return rows as in `match_scores` for a demo population of this size, loaded into tables changed by these
    statements.
    """
    migrate(database, dimension=384)
    population = make_population(profiles, matches)
    at_once(database, *statements)
    load_frames(database, population.profiles, population.matches)
    features = pd.concat([features_of(read_profiles(database, *each)) for each in id_spans(database, "profiles")])
    to_score = ProfilesToScore(database, features, DEMO_MODEL)
    spans = id_spans(database, TABLE)
    return [score_range(to_score, read_matches(database, *each), CURRENT_POLICY).rows for each in spans]


def _publish(database: Database, parts: Sequence[pd.DataFrame], turn: int) -> None:
    """Return each score changed by a hundredth, and each context exchanged for another match's of equal length."""
    for rows in parts:
        other = rows.assign(harmonic_mean=np.round(rows["harmonic_mean"] + 0.01 * (turn % 2), 2))
        contexts = pd.Series(np.roll(rows["match_context"], turn), rows.index)
        publish_range(database, (FIRST, LAST), [(other, lambda: contexts)], PublishOptions())  # noqa: B023
    at_once(database, f"VACUUM {TABLE}")


def at_once(database: Database, *statements: str) -> None:
    """Run each statement in its own transaction."""
    with psycopg.connect(database.url.replace("+psycopg", "", 1), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def _sizes(database: Database) -> tuple[int, int]:
    return _one(database, f"SELECT pg_table_size('{TABLE}'), pg_indexes_size('{TABLE}')")


def _log(database: Database) -> int:
    return int(_one(database, "SELECT pg_current_wal_lsn() - '0/0'")[0])


def _updates(database: Database) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    at_once(database, "SELECT pg_stat_force_next_flush()")
    return np.array(
        _one(database, f"SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = '{TABLE}'")
    )


def _one(database: Database, query: str) -> tuple[int, ...]:
    with database.transaction() as connection:
        return tuple(connection.execute(text(query)).one())


if __name__ == "__main__":
    main()
