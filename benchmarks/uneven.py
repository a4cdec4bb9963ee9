"""What a rescore takes of memory where all ids lie in one range of 64, beside one whose ids are random.

    .venv/bin/python -m benchmarks.uneven 180000

The demo's profiles have no vectors, so that texts are compared by words: what rows take is the same. Each rescore is a
`jv` of its own that writes every row, with 64 ranges of equal width.
"""

import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

from benchmarks.figures import Row, figure, jv, show
from jv_assets import settings
from jv_assets.demo.population import make_population
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate

PROFILES, MATCHES = 3_578, 180_000
_SINCE = 1_700_000_000_000
"""Milliseconds since 1970."""


def run(matches: int = MATCHES) -> list[Row]:
    """Both, by the same population."""
    (random_kb, _), (one_range_kb, seconds) = (_rescore(matches, uneven) for uneven in (False, True))
    return [
        figure(
            f"{matches:,} matches with uuid v7, all in one range: peak memory", one_range_kb / 1e6, "GB", at_most=0.5
        ),
        figure("… beside that of uuid v4, in all ranges", one_range_kb / random_kb, "times"),
        figure("… process start to end", seconds, "s"),
    ]


def _rescore(matches: int, uneven: bool) -> tuple[int, float]:
    """Peak memory in kB, and seconds."""
    with TemporaryDirectory() as name:
        home = Path(name)
        server = postgres.start(home / "postgres")
        try:
            server.ensure_database("uneven")
            database = Database(server.url("uneven"))
            migrate(database)
            population = make_population(PROFILES, matches)
            if uneven:
                dice = random.Random(7)
                population.matches["id"] = [_v7(number, dice) for number in range(len(population.matches))]
            load_frames(database, population.profiles, population.matches)
            url = server.url("uneven").replace("+psycopg", "", 1)
            took = jv(home, "rescore", JV_DATABASE_URL=url, JV_EMBEDDING_MODEL=settings.DEMO_MODEL, JV_ID_RANGES="64")
            return took.peak_kb, took.seconds
        finally:
            postgres.stop(home / "postgres")


def _v7(number: int, dice: random.Random) -> str:
    """One a minute: 180,000 in four months."""
    time = _SINCE + 60_000 * number
    return str(UUID(int=time << 80 | 7 << 76 | dice.getrandbits(12) << 64 | 2 << 62 | dice.getrandbits(62)))


if __name__ == "__main__":
    show(run(*map(int, sys.argv[1:])))
