"""The section nights: how did the main numbers change over the nights?"""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from jv_assets.names import DIAGNOSTIC_REPORT
from jv_assets.reports import charts
from jv_assets.reports.figures import Figure, Section, number, table
from jv_scoring.analysis.tallies import Json

TITLE = "How did the main numbers change over the nights?"
SHOWN = {
    "mean": "mean match score",
    "acted_auc_within": "AUC of outcomes",
    "embeddings_beyond_random": "embeddings beyond random",
    "lost_intent": "points lost by Intent",
    "lost_momentum": "points lost by Momentum",
    "target_share": "variance by B alone",
    "fallback_share": "share by word overlap",
    "congestion_gini": "Gini of best 10",
}
"""By number in the metadata of the report, its name on the page."""
MOST_NIGHTS = 60
_AT_ONCE = 500
"""How many earlier reports are looked at."""


def of_nights(instance: dg.DagsterInstance, made_at: str, numbers: Mapping[str, object]) -> list[Json]:
    """Return the numbers of the last report of each day (UTC), the oldest first; of today, `numbers`."""
    today = datetime.fromisoformat(made_at).astimezone(UTC).date().isoformat()
    days: dict[str, Json] = {today: _shown(numbers)}
    records = instance.fetch_materializations(dg.AssetKey(DIAGNOSTIC_REPORT), limit=_AT_ONCE).records  # Latest first.
    for record in records:
        day = datetime.fromtimestamp(record.timestamp, UTC).date().isoformat()
        if record.asset_materialization and day not in days:
            metadata = record.asset_materialization.metadata
            days[day] = _shown({name: value.value for name, value in metadata.items() if name in SHOWN})
    return [{"night": day, **days[day]} for day in sorted(days)[-MOST_NIGHTS:]]


def sections(nights: list[Json] | None) -> list[Section]:
    """Return the section; none if no report was ever made by Dagster."""
    if not nights:
        return []
    drawn = [
        {"night": each["night"], "number": name, "value": each[key]}
        for key, name in SHOWN.items()
        for each in nights
        if sum(other[key] is not None for other in nights) > 1 and each[key] is not None
    ]
    columns = {"night": lambda each: str(each["night"])} | {
        name: (lambda each, key=key: number(each[key], 3)) for key, name in SHOWN.items()
    }
    figure = Figure(
        "What were the main numbers of each night?",
        table(nights, columns),
        (lambda: charts.multiples(drawn, "night", "value", "number")) if drawn else None,
        "Of the last report of each day (UTC). Each small chart has its own scale.",
    )
    answer = f"The numbers of {number(len(nights))} days, the last of them {nights[-1]['night']}."
    if len(nights) == 1:
        answer = "There is one day so far: a curve begins with the second."
    return [Section(TITLE, answer, [figure])]


def _shown(numbers: Mapping[str, object]) -> Json:
    found = {name: numbers.get(name) for name in SHOWN}
    return {name: float(value) if isinstance(value, (int, float)) else None for name, value in found.items()}
