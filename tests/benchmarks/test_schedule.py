"""The simulation of a schedule agrees with what can be worked out by hand, and with itself."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.billion import MEASURED, hours, tables
from benchmarks.schedule import Plan, simulate
from jv_assets.settings import ROOT

PLAN = Plan(ranges=64, ranges_per_run=8, workers=2, run_seconds=5, range_seconds=3)


def test_by_hand() -> None:
    """Eight runs of 29 seconds on two workers; of three workers two have a third run."""
    assert simulate(PLAN).seconds == 4 * 29
    assert simulate(replace(PLAN, workers=3)).seconds == 3 * 29
    assert simulate(replace(PLAN, workers=100)).seconds == 29
    assert simulate(replace(PLAN, ranges=9, workers=1)).seconds == 29 + 8
    assert (simulate(PLAN).runs, simulate(PLAN).tried, simulate(PLAN).rounds) == (8, 64, 1)


sizes = st.builds(
    Plan,
    ranges=st.integers(1, 300),
    ranges_per_run=st.integers(1, 64),
    workers=st.integers(1, 12),
    run_seconds=st.floats(0, 100),
    range_seconds=st.floats(0, 100),
    range_failures=st.floats(0, 0.5),
    deaths_an_hour=st.floats(0, 2),
    noticed_seconds=st.floats(0, 300),
)


@given(sizes, st.integers())
def test_no_plan_is_faster_than_its_work_allows(plan: Plan, seed: int) -> None:
    found = simulate(plan, seed)
    assert found.tried >= plan.ranges
    assert found.runs >= ceil(plan.ranges / plan.ranges_per_run)
    sound = simulate(replace(plan, range_failures=0, deaths_an_hour=0), seed)
    work = sound.runs * plan.run_seconds + plan.ranges * plan.range_seconds
    longest = plan.run_seconds + min(plan.ranges_per_run, plan.ranges) * plan.range_seconds
    assert (sound.tried, sound.rounds) == (plan.ranges, 1)
    assert work / plan.workers - 1e-6 <= sound.seconds <= work / plan.workers + longest + 1e-6


@given(st.integers())
def test_what_fails_is_tried_again_as_often_as_it_fails(seed: int) -> None:
    found = simulate(replace(PLAN, ranges=20_000, range_failures=0.25), seed)
    assert found.tried == pytest.approx(20_000 / (1 - 0.25), rel=0.03)
    assert simulate(replace(PLAN, ranges=20_000), seed).tried == 20_000


def test_a_death_costs_its_run_and_the_time_until_it_is_noticed() -> None:
    plan = Plan(ranges=1, ranges_per_run=1, workers=1, run_seconds=0, range_seconds=3600, deaths_an_hour=1)
    seeds = [simulate(plan, seed) for seed in range(200)]
    assert min(found.seconds for found in seeds) == 3600
    # Of an hour of work a worker with one death an hour finishes e^-1: so each is tried e times.
    assert sum(found.tried for found in seeds) / len(seeds) == pytest.approx(2.718, rel=0.2)
    later = [simulate(replace(plan, noticed_seconds=180), seed) for seed in range(200)]
    assert all(b.seconds == pytest.approx(a.seconds + 180 * (a.rounds - 1)) for a, b in zip(seeds, later, strict=True))


def test_what_always_fails_is_told() -> None:
    with pytest.raises(ValueError, match="64 ranges are left after 100 rounds"):
        simulate(replace(PLAN, range_failures=1.0))


def test_the_page_has_what_the_reckoning_prints() -> None:
    assert tables() in (ROOT / "docs" / "scale-out.md").read_text(encoding="utf-8")


def test_workers_help_until_postgres_is_what_limits() -> None:
    whole = [
        float(taken.split(maxsplit=1)[0].replace(",", "")) for _, taken, _ in hours(replace(MEASURED, postgres=0.0))
    ]
    assert whole[0] > 10 * whole[1] > 20 * whole[2]
    bound = hours(replace(MEASURED, postgres=1.0))
    assert all(taken == bound[0][1] and taken.endswith(" h (Postgres)") for _, taken, _ in bound)
