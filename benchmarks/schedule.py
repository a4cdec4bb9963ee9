"""Simulate how long many partitions take on some workers.

The simulation knows the cost of a run and a partition, and how often either fails, and follows the pipeline: runs of so
many partitions wait in one queue, a failed partition leaves the others of its run done, a dead worker loses its run,
and what is left starts again when all runs have ended.
"""

import heapq
import random
from dataclasses import dataclass

ROUNDS = 100
"""Failures that do not end by then will not."""


@dataclass(frozen=True)
class Plan:
    """What is to be done, by how many, and what fails.

    run_seconds, range_seconds: what a run costs by itself, and each of its ranges. range_failures: the share of ranges
    that fail, 0..1 (1 excluded). deaths_an_hour: of each worker, while it works. noticed_seconds: until a run whose
    worker has died counts as failed; the worker itself is back at once.
    """

    ranges: int
    ranges_per_run: int
    workers: int
    run_seconds: float
    range_seconds: float
    range_failures: float = 0.0
    deaths_an_hour: float = 0.0
    noticed_seconds: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """Seconds from the first run's start to the last one's end; runs and ranges with those that were tried again."""

    seconds: float
    runs: int
    tried: int
    rounds: int


def simulate(plan: Plan, seed: int = 1) -> Outcome:
    """ValueError where after a hundred rounds something is still left."""
    rng = random.Random(seed)
    left, now, runs, tried = plan.ranges, 0.0, 0, 0
    for rounds in range(1, ROUNDS + 1):
        sizes = [min(plan.ranges_per_run, left - start) for start in range(0, left, plan.ranges_per_run)]
        now, left = _round(plan, rng, sizes, now)
        runs, tried = runs + len(sizes), tried + sum(sizes)
        if not left:
            return Outcome(now, runs, tried, rounds)
    raise ValueError(f"{left} ranges are left after {ROUNDS} rounds")


def _round(plan: Plan, rng: random.Random, sizes: list[int], start: float) -> tuple[float, int]:
    """When all these runs have ended and are known to have, and how many of their ranges are not done."""
    free, known, failed = [start] * plan.workers, start, 0
    for size in sizes:
        begin = heapq.heappop(free)
        takes = plan.run_seconds + size * plan.range_seconds
        dies = rng.expovariate(1) * 3600 / plan.deaths_an_hour if plan.deaths_an_hour else takes
        end = begin + min(dies, takes)
        if dies < takes:
            failed += size
            known = max(known, end + plan.noticed_seconds)
        else:
            failed += sum(rng.random() < plan.range_failures for _ in range(size))
            known = max(known, end)
        heapq.heappush(free, end)
    return known, failed
