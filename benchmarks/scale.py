"""A rescore of a million matches and of two, beside one of the demo: what a match costs, and how much memory it takes.

`make bench-large` (an hour, 20 GB of disk): 100,000 profiles with random vectors of 1,024 numbers. Each rescore is a
`jv` of its own: one that writes every row, one that finds nothing to write, and one after a hundredth of the profiles
were edited.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from benchmarks.database import DIMENSION, MODEL, fill_vectors
from benchmarks.figures import Row, Took, figure, jv
from jv_assets import local
from jv_assets.demo.population import MATCHES, PROFILES, make_population
from jv_assets.loading import load_frames
from jv_assets.migrations.run import migrate
from jv_assets.resources.database import Database


@dataclass(frozen=True)
class Size:
    """How many profiles and matches, and how many ranges they are in."""

    profiles: int
    matches: int
    ranges: int


EDIT = """
    UPDATE profiles SET list_size = coalesce(list_size, 0) + 1, embedding_seeking = embedding_what_you_do
    WHERE hashtext(id::text) % 100 = 0
"""
"""Facts and a text of a hundredth of the profiles; the vector of the text is another one then."""
DEMO, ONE, TWO = Size(PROFILES, MATCHES, 64), Size(100_000, 1_000_000, 64), Size(100_000, 2_000_000, 128)


def run() -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    demo, one, two = (_measured(size) for size in (DEMO, ONE, TWO))
    rows: list[Row] = []
    for size, (found, again, night) in ((DEMO, demo), (ONE, one), (TWO, two)):
        large = size is not DEMO  # of the demo's, starting the process is half
        of = f"{size.matches:,} matches of {size.profiles:,} profiles in {size.ranges} ranges"
        rows += [
            figure(f"{of}: rescore, every row written", found.seconds, "s"),
            figure("… a match", 1e6 * found.seconds / size.matches, "µs"),
            figure("… CPU time of the process, a match", 1e6 * found.cpu / size.matches, "µs"),
            figure("… peak memory of the process", found.peak_kb / (1 << 20), "GB", at_most=2.0),
            figure("… again, nothing written", again.seconds, "s"),
            figure("… peak memory of that", again.peak_kb / (1 << 20), "GB", at_most=2.0),
            figure("… 1 % of the profiles edited", night.seconds, "s"),
            figure("… that ÷ every row written", night.seconds / found.seconds, "", at_most=0.15 if large else None),
            figure("… rows written ÷ all", _written(night) / size.matches, "", at_most=0.05),
        ]
    cost = (one[0].seconds / ONE.matches) / (demo[0].seconds / DEMO.matches)
    more = two[0].peak_kb / one[0].peak_kb
    return [
        *rows,
        figure("a match of a million ÷ one of the demo, wall time", cost, "x", at_most=1.5),
        figure("peak memory of two millions ÷ one", more, "x", at_most=1.1),
    ]


def _measured(size: Size) -> tuple[Took, Took, Took]:
    """A rescore that writes every row, one after it that finds nothing to write, and one after the edit."""
    with TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        try:
            _fill(home, size)
            first, again = _rescore(home, size), _rescore(home, size)
            with Database(local.start(home / "postgres").url("jv")).transaction() as connection:
                connection.execute(text(EDIT))
            return first, again, _rescore(home, size)
        finally:
            local.stop(home / "postgres")


def _written(rescore: Took) -> int:
    (count,) = re.findall(r"│ published_scores +│.*?│ ([\d,]+) written", rescore.out)
    return int(count.replace(",", ""))


def _fill(home: Path, size: Size) -> None:
    server = local.start(home / "postgres")
    server.ensure_database("jv")
    database = Database(server.url("jv"))
    migrate(database, dimension=DIMENSION)
    population = make_population(size.profiles, size.matches)
    load_frames(database, population.profiles, population.matches)
    fill_vectors(database)


def _rescore(home: Path, size: Size) -> Took:
    return jv(home, "rescore", JV_EMBEDDING_MODEL=MODEL, JV_ID_RANGES=str(size.ranges))
