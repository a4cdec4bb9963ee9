"""Which partitions a night left out: the check and its sensor name them, also if a sensor published others since."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from jv_assets.automation import late_ranges
from jv_assets.automation.late_ranges import EVERY_RANGE_PUBLISHED, late_at
from jv_assets.automation.schedules import OF_MATCHES
from tests.support.pipelines import KEYS, Pipeline, evaluations, nightly_done

HOUR = 3600
PUBLISHED = dg.AssetKey("published_scores")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("late")) as pipeline:
        yield pipeline


@pytest.fixture
def cron(done: Pipeline, monkeypatch: pytest.MonkeyPatch) -> datetime:
    """The first tick after now, of a schedule that ticks once a day in that minute."""
    tick = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    monkeypatch.setenv("JV_NIGHTLY_CRON", f"{tick.minute} {tick.hour} * * *")
    return tick


def test_a_night_that_did_not_run_is_late_in_every_range(done: Pipeline, cron: datetime) -> None:
    now = cron.timestamp()
    assert late_at(done.instance, now - 1).problem is None
    assert late_at(done.instance, now + HOUR).problem is None  # the night may still begin
    late = late_at(done.instance, now + 3 * HOUR)
    assert list(late.ranges) == KEYS
    assert late.problem == (
        f"{len(KEYS)} of {len(KEYS)} ranges were not published since the tick of {cron:%Y-%m-%d %H:%M} UTC: "
        f"{', '.join(KEYS)}. Fix the causes that jv status names, then type: jv nightly"
    )


def tick(done: Pipeline, now: float, cursor: str | None, monkeypatch: pytest.MonkeyPatch) -> tuple[object, str | None]:
    monkeypatch.setattr(late_ranges.time, "time", lambda: now)
    with dg.build_sensor_context(done.instance, cursor=cursor) as context:
        data = late_ranges.late_ranges.evaluate_tick(context)
    return (data.asset_events[0] if data.asset_events else data.skip_message), data.cursor


def test_one_range_that_a_sensor_published_does_not_hide_the_others(
    done: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The night of a tick ended in one range only, and a sensor published another one."""
    ticks = [datetime.now(UTC), datetime.now(UTC) - timedelta(days=1)]
    monkeypatch.setattr(late_ranges, "reverse_cron_string_iterator", lambda *_: iter(ticks))
    # The night may still begin.
    assert evaluations(done.run("rescore", OF_MATCHES, KEYS[1], KEYS[1]))[EVERY_RANGE_PUBLISHED].passed
    said = evaluations(done.run("nightly", OF_MATCHES, KEYS[0], KEYS[0]))[EVERY_RANGE_PUBLISHED]
    assert (said.passed, said.severity, said.blocking) == (False, dg.AssetCheckSeverity.ERROR, False)
    left = [key for key in KEYS if key not in KEYS[:2]]
    assert f"{len(left)} of {len(KEYS)} ranges were not published since the tick of " in str(said.description)
    assert f": {', '.join(left)}. " in str(said.description)
    assert said.metadata["which"].records == [dg.TableRecord({"range": key}) for key in left]

    now = datetime.now(UTC).timestamp()
    reported, cursor = tick(done, now, None, monkeypatch)
    assert isinstance(reported, dg.AssetCheckEvaluation)
    assert (reported.passed, reported.description) == (False, said.description)
    assert tick(done, now + 1, cursor, monkeypatch) == (said.description, cursor)
    assert evaluations(done.run("nightly", OF_MATCHES))[EVERY_RANGE_PUBLISHED].passed
    reported, cursor = tick(done, now + 2, cursor, monkeypatch)
    assert isinstance(reported, dg.AssetCheckEvaluation)
    assert reported.passed
    assert tick(done, now + 3, cursor, monkeypatch) == ("every range was published", cursor)


def test_before_the_first_publish_nothing_is_late(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = str(tmp_path_factory.mktemp("empty"))
    with dg.DagsterInstance.local_temp(folder) as instance, dg.build_sensor_context(instance) as context:
        data = late_ranges.late_ranges.evaluate_tick(context)
    assert data.skip_message == "nothing was published yet"
