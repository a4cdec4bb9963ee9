"""What a night costs if a million profiles stand beside those that matches name, with `JV_PROFILES=matched`."""

import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.figures import Row, Took, figure, jv
from jv_assets.platform import postgres
from jv_assets.tables import PROFILE_COLUMNS

OTHERS = 1_000_000
REPEATS = 3
# Their texts are those of the demo's profiles.
_ADD = """
    INSERT INTO profiles ({columns})
    SELECT {values} FROM profiles AS p, generate_series(1, {copies})
    LIMIT {others}
"""
_FORGET = "UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, match_context = NULL"


def run(others: int = OTHERS) -> list[Row]:
    """Return rows of name, value, unit, target (or None) and whether it was met."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            jv(home, "load", "demo")
            jv(home, "rescore")
            alone = _nights(home)
            _add(home, others)
            beside = _nights(home)
        finally:
            postgres.stop(home / "postgres")
    rows = []
    for what, one, other in zip(("all scores written", "nothing changed"), alone, beside, strict=True):
        seconds, memory = other.seconds / one.seconds, other.peak_kb / one.peak_kb
        rows += [
            figure(f"rescore, {what}, {others:,} profiles that no match names ÷ without", seconds, "x", at_most=1.5),
            figure("… its process's CPU time", other.cpu / one.cpu, "x"),
            figure("… its peak memory", memory, "x", at_most=1.2),
        ]
    return rows


def _nights(home: Path) -> tuple[Took, Took]:
    """Return the median night that writes every score, and the median night after it that writes none."""
    written, unchanged = [], []
    for _ in range(REPEATS):
        _sql(home, _FORGET)
        written.append(jv(home, "rescore", JV_PROFILES="matched"))
        unchanged.append(jv(home, "rescore", JV_PROFILES="matched"))
    return _median(written), _median(unchanged)


def _median(nights: list[Took]) -> Took:
    return Took(
        "",
        median(night.seconds for night in nights),
        median(night.cpu for night in nights),
        round(median(night.peak_kb for night in nights)),
    )


def _add(home: Path, others: int) -> None:
    columns = [name for name in PROFILE_COLUMNS if name != "id"]
    values = ", ".join(["gen_random_uuid()", *columns])
    add = _ADD.format(columns=", ".join(["id", *columns]), values=values, copies=others // 1_000 + 1, others=others)
    _sql(home, add)
    _sql(home, "VACUUM ANALYZE profiles")


def _sql(home: Path, statement: str) -> None:
    url = postgres.start(home / "postgres").url()
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(statement)


if __name__ == "__main__":
    print(json.dumps(run(), indent=1, ensure_ascii=False))
