"""What ten million profiles and a thousand million matches would take, worked out from what was measured.

    .venv/bin/python -m benchmarks.billion

prints the tables of docs/scale-out.md; a test holds the page to them. What is measured is in `MEASURED`, with the
command that measures it; `benchmarks.schedule` says how long runs take on some workers.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.schedule import Plan, simulate

PROFILES, MATCHES, RANGES, RANGES_PER_RUN = 10_000_000, 1_000_000_000, 4_096, 16
WORKERS, POSTGRES = (1, 16, 64), 16
"""How many processes run the partitions, and how many processors Postgres has."""
EDITED = 0.01
TEXTS, NUMBERS = 4, 1_024
"""Per profile: texts with a vector, and numbers in one."""
GPU_FLOPS, GPU_SHARE = 60e12, 0.4
"""Multiply-adds per second of a mid-range GPU in float16, and the share of it that is reached."""
HOUR, TB, GB = 3600.0, 1e12, 1e9


@dataclass(frozen=True)
class Measured:
    """Seconds are of one processor. Those of a process and of Postgres are separate, because there is only one
    Postgres.
    """

    write: float
    """A match read, scored with its context, written to a file and published, in the process."""
    reuse: float
    """An unchanged match of a night, in the process."""
    profile: float
    """A profile, read by each run."""
    profile_memory: float
    """Bytes of a profile in a run's memory, without vectors."""
    postgres: float
    """A match written, in Postgres."""
    run: float
    """A run by itself."""
    row: float
    """Bytes of a match in its table, with the context."""
    file: float
    """Bytes of a match in the partition's file, with the context."""
    flops: float
    """Of a text in the production model."""
    text: float
    """Seconds of a text in the production model on two processors."""


MEASURED = Measured(
    # make bench-large: a million matches
    write=296e-6, reuse=70e-6, profile=23e-6, profile_memory=5_900,
    # make bench-workers: what publishing takes of the processors in Postgres; benchmarks.bloat: the row; the metadata
    # file_bytes of a range of 15,735 matches, every one with its context
    postgres=390e-6, run=5.0, row=2_050, file=323,
    # make bench: a model of the production model's shape
    flops=28.7e9, text=0.319,
)  # fmt: skip


def amounts(of: Measured) -> list[tuple[str, str]]:
    """The numbers of everything."""
    vectors = PROFILES * TEXTS * NUMBERS
    runs = -(-RANGES // RANGES_PER_RUN)
    return [
        ("ranges; matches a range; runs", f"{RANGES:,}; {MATCHES // RANGES:,}; {runs}"),
        ("the table of matches, with contexts", f"{MATCHES * of.row / TB:.1f} TB"),
        ("what a publish of all writes, with its log", f"{2 * MATCHES * of.row / TB:.1f} TB"),
        ("files of the ranges", f"{MATCHES * of.file / TB:.2f} TB"),
        ("vectors as float32; as halfvec", f"{vectors * 4 / GB:,.0f} GB; {vectors * 2 / GB:,.0f} GB"),
        ("**memory of a run: features of all profiles**", f"**{PROFILES * of.profile_memory / GB:,.0f} GB**"),
        ("**reading all profiles, each of the runs**", f"**{PROFILES * of.profile / HOUR:.1f} h**, together "
                                                        f"{runs * PROFILES * of.profile / HOUR:,.0f} h"),
        ("what halfvec changes of a cosine, at most", f"{halfvec_change():.5f}"),
        ("embedding all texts, on two processors", f"{PROFILES * TEXTS * of.text / HOUR / 24:,.0f} days"),
        ("embedding all texts, on one GPU", f"{PROFILES * TEXTS * of.flops / GPU_FLOPS / GPU_SHARE / HOUR:,.0f} h"),
    ]  # fmt: skip


def halfvec_change() -> float:
    """The most among 2,000 pairs of random vectors of a cosine of some 0.8."""
    rng = np.random.default_rng(1)
    a, noise = rng.standard_normal((2, 2_000, NUMBERS))
    pairs = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (a, 0.8 * a + 0.6 * noise)]
    return float(np.abs(_cosines(*pairs) - _cosines(*(one.astype(np.float16).astype(float) for one in pairs))).max())


def _cosines(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    dots: npt.NDArray[np.float64] = np.einsum("ij,ij->i", a, b)
    return dots / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def hours(of: Measured) -> list[tuple[str, str, str]]:
    """Return how long some workers take over all matches, and over those that a hundredth of the profiles concern.

    Without reading all profiles in each run, which has to change first. Postgres limits both from below.
    """
    concerned = 1 - (1 - EDITED) ** 2
    rows = []
    for workers in WORKERS:
        taken = []
        for share in (1.0, concerned):
            match = share * of.write + (1 - share) * of.reuse
            plan = Plan(RANGES, RANGES_PER_RUN, workers, of.run, match * MATCHES / RANGES,
                        range_failures=0.001, deaths_an_hour=0.01, noticed_seconds=60)  # fmt: skip
            limit = share * MATCHES * of.postgres / POSTGRES
            seconds = simulate(plan).seconds
            taken.append(f"{max(seconds, limit) / HOUR:,.1f} h" + (" (Postgres)" if limit > seconds else ""))
        rows.append((f"{workers}", *taken))
    return [(name, whole, night) for name, whole, night in rows]


def tables(of: Measured = MEASURED) -> str:
    """Return both tables, as in the page."""
    lines = ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in amounts(of)), ""]
    lines += ["| workers | all matches | a night, 1 % of the profiles edited |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {workers} | {whole} | {night} |" for workers, whole, night in hours(of))])


if __name__ == "__main__":
    print(tables())
