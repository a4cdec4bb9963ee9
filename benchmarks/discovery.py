"""Measure discovery beside its peers in the same run: `score_pairs`, bare matrix products, and pgvector's HNSW.

The profiles are like the demo's. Their vectors are random, about twelve themes, and their cosines reach every step.
`make bench` runs the size of the demo. `make bench-large` runs 20,000 profiles with HNSW, and 100,000. Each size is its
own process, which also reports its peak memory:

    python -m benchmarks.discovery 3578 384
    python -m benchmarks.discovery 20000 1024 hnsw
    python -m benchmarks.discovery 100000 1024
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.discovery_hnsw import index
from benchmarks.discovery_sample import CALIBRATION, Sample
from benchmarks.figures import Row, figure, show
from jv_scoring.allocation import LARGEST_WHOLE, allocate
from jv_scoring.discovery import Looked
from jv_scoring.discovery_update import update
from jv_scoring.engine import score_pairs

BEST, SPARE, CAP = 20, 5, 10
DEMO, MIDDLE, LARGE = (3_578, 384), (20_000, 1_024), (100_000, 1_024)
"""Sizes: profiles, and numbers of a vector."""
_JSON = "--json"
_BLOCK, _BLOCKS = 1_024, 6
_TURNS, _SCORED = 3, 200_000
_CLOCKS = ("by the clock", "by CPU time")


def bare_products(sample: Sample) -> float:
    """CPU seconds that the three products of a pair take, and nothing else: large blocks, the best of several turns.

    Of two different blocks: numpy computes only half of a product of a block with itself.
    """
    halves = [np.array_split(vectors.matrix[: 2 * _BLOCK], 2) for vectors in sample.prepared.vectors.values()]
    _, cpu, _ = _measured(lambda: [left @ right.T for left, right in halves], _BLOCKS)
    return cpu / (len(halves[0][0]) * len(halves[0][1]))


@dataclass(frozen=True)
class Turn:
    """One search and its peers, one after the other.

    search, scoring: seconds by the clock and of CPU time. product: CPU seconds of the bare products of a pair.
    """

    search: tuple[float, float]
    scoring: tuple[float, float]
    product: float
    found: pd.DataFrame


def _turn(sample: Sample, scored: pd.DataFrame) -> Turn:
    *search, found = _measured(lambda: sample.discover(BEST), 1)
    *scoring, _ = _measured(lambda: score_pairs(sample.prepared, scored, calibration=CALIBRATION), 1)
    return Turn((search[0], search[1]), (scoring[0], scoring[1]), bare_products(sample), found)


def run() -> list[Row]:
    """Return the figures of the demo's size."""
    return _alone(*DEMO)


def run_large() -> list[Row]:
    """Return the figures of 20,000 profiles beside HNSW, and of 100,000; takes about an hour and 4 GB."""
    middle, large = _alone(*MIDDLE, "hnsw"), _alone(*LARGE)
    each = [next(row["value"] for row in rows if row["unit"] == "ms") for rows in (middle, large)]
    growth = figure(f"a profile among {LARGE[0]:,} ÷ a profile among {MIDDLE[0]:,}", each[1] / each[0], "x", at_most=6)
    return [*middle, *large, growth]


def _alone(profiles: int, dimension: int, *more: str) -> list[Row]:
    """Measure one size in a process of its own."""
    program = [sys.executable, "-m", "benchmarks.discovery", str(profiles), str(dimension), *more, _JSON]
    rows: list[Row] = json.loads(subprocess.run(program, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return rows


def measure(profiles: int, dimension: int, hnsw: bool) -> list[Row]:
    """Return every figure with its unit and target."""
    sample = Sample(profiles, dimension)
    pairs = sample.eligible * (sample.eligible - 1) / 2
    demo, largest = profiles <= DEMO[0], profiles >= LARGE[0]
    scored = sample.matches.iloc[:_SCORED]
    turns = [_turn(sample, scored) for _ in range(1 if largest else _TURNS)]
    seconds, cpu = median(turn.search[0] for turn in turns), median(turn.search[1] for turn in turns)
    pairs_a_second = len(scored) / median(turn.scoring[0] for turn in turns)
    ratios = [
        median(turn.scoring[k] / len(scored) * pairs / turn.search[k] for turn in turns) for k in range(len(_CLOCKS))
    ]
    product, found = median(turn.product for turn in turns), turns[-1].found
    looked: Looked = found.attrs["looked"]
    what = f"{profiles:,} profiles of {dimension:,} numbers, best {BEST}: "
    rows = [
        figure(what + "seconds by the clock", seconds, "s", at_most=1.5 if demo else 600 if largest else None),
        figure(what + "CPU seconds", cpu, "s"),
        figure(what + "a profile", cpu / sample.eligible * 1e3, "ms"),
        figure(what + "share of pairs looked at", looked.looked_at / looked.possible, ""),
        figure(what + "bare products of all pairs, CPU seconds", product * pairs, "s"),
        figure(what + "bare products of the pairs looked at, CPU seconds", product * looked.looked_at, "s"),
        figure(
            what + "peak memory of the process, its data included", _peak_gb(), "GB", at_most=4 if largest else None
        ),
        figure("load of the machine meanwhile", os.getloadavg()[0], ""),
        figure("score_pairs", pairs_a_second, "pairs/s"),
        figure(what + "pairs a second ÷ score_pairs", ratios[0], "x", at_least=40 if demo else None),
        figure(what + "the same by CPU time", ratios[1], "x"),
    ]
    rows += _second(sample, what, seconds, cpu, 5 if demo else 1)
    if sample.eligible <= LARGEST_WHOLE:
        took, _, _ = _measured(lambda: allocate(sample.prepared, sample.matches, CAP, calibration=CALIBRATION,
                                                among=sample.among), 1)  # fmt: skip
        rows.append(figure(what + f"allocation over all pairs, cap {CAP}", took, "s"))
    return rows + (index(sample, what, seconds, pairs_a_second, found) if hnsw else [])


def _second(sample: Sample, what: str, first: float, first_cpu: float, repeats: int) -> list[Row]:
    """Measure a run after a hundredth of the profiles changed, beside the first; RuntimeError if the results differ."""
    known = sample.discover(BEST + SPARE)
    # As the pipeline keeps them for the next run.
    ids = pd.CategoricalDtype(sample.prepared.features.index.astype(object))
    known = known.astype(dict.fromkeys(("profile_id", "candidate_id"), ids))
    later, changed = sample.edited(0.01)
    seconds, cpu, found = _measured(
        lambda: update(later.prepared, later.matches, BEST, calibration=CALIBRATION, among=later.among, known=known,
                       changed=changed), repeats)  # fmt: skip
    if not found[found["rank"] <= BEST].reset_index(drop=True).equals(later.discover(BEST)):
        raise RuntimeError("an update gave something else than a first search")
    return [
        figure(what + "1 % changed, second run ÷ first", seconds / first, "", at_most=0.1),
        figure(what + "the same by CPU time", cpu / first_cpu, ""),
    ]


def _measured(work, repeats: int):  # type: ignore[no-untyped-def]
    """Return seconds by the clock and of CPU time, each the best of so many turns, and the last result."""
    clock, cpu, given = [], [], None
    for _ in range(repeats):
        started, used = time.perf_counter(), time.process_time()
        given = work()
        clock.append(time.perf_counter() - started)
        cpu.append(time.process_time() - used)
    return min(clock), min(cpu), given


def _peak_gb() -> float:
    # Not ru_maxrss: Linux starts a child's value with its parent's.
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 2**20


if __name__ == "__main__":
    rows = measure(int(sys.argv[1]), int(sys.argv[2]), "hnsw" in sys.argv)
    if _JSON in sys.argv:
        print(json.dumps(rows))
    else:
        show(rows)
