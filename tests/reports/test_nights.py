"""The section over the nights: one point a day, the last of it, and this report's own numbers for today."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pytest

from jv_assets.reports.nights import SHOWN, of_nights, sections

TODAY = datetime.now(UTC).date().isoformat()


def test_earlier_reports_of_today_give_way_to_this_one() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for mean in (50.0, 51.0):
            key = dg.AssetKey("diagnostic_report")
            event = dg.AssetMaterialization(key, metadata={"mean": mean, "page": "x", "gain_by_embeddings": 2.0})
            instance.report_runless_asset_event(event)
        found = of_nights(instance, datetime.now(UTC).isoformat(), {"mean": 52.5, "fallback_share": 0})
        another_day = of_nights(instance, "2100-01-02T03:04:05+00:00", {"mean": 60})
    assert [(each["night"], each["mean"], each["fallback_share"]) for each in found] == [(TODAY, 52.5, 0)]
    assert [(each["night"], each["mean"]) for each in another_day] == [(TODAY, 51), ("2100-01-02", 60)]
    assert set(found[0]) == {"night", *SHOWN}


def night(day: int, **numbers: Any) -> dict[str, Any]:
    return {"night": f"2026-02-{day:02}", **dict.fromkeys(SHOWN), **numbers}


def test_numbers_of_two_days_are_drawn_and_others_are_a_table() -> None:
    (one,) = sections([night(1, mean=50.0)])
    assert one.answer == "There is one day so far: a curve begins with the second."
    assert one.figures[0].draw is None
    (two,) = sections([night(1, mean=50.0, target_share=0.9), night(2, mean=50.5)])
    (figure,) = two.figures
    assert figure.draw is not None
    svg = figure.draw()
    assert "mean match score" in svg
    assert "variance by B alone" not in svg
    assert figure.table.rows[0][:2] == ("2026-02-01", "50.000")
    assert figure.table.rows[1].count("–") == len(SHOWN) - 1


@pytest.mark.parametrize("nothing", [None, []])
def test_without_dagster_there_is_no_section(nothing: Any) -> None:
    assert sections(nothing) == []
