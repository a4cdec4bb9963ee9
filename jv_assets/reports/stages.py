"""Sum what the four assets of a night did when each partition was last made, for plots over the nights."""

import dagster as dg

from jv_assets.automation.attempts import last_made
from jv_assets.automation.schedules import NIGHTLY
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PUBLISHED_SCORES

_SUMMED = {
    PROFILE_EMBEDDINGS: {"embedded_texts": "embedded_texts"},
    MATCH_SCORES: {"skipped": "without_a_score"},
    PUBLISHED_SCORES: {"written": "rows_written"},
}
"""By asset, beside the seconds: metadata of its partitions, and the name of their sum."""

_AT_ONCE = 500
"""How many records one request to Dagster asks for; Dagster gives at most 1,000."""


def of_last_runs(instance: dg.DagsterInstance) -> dict[str, float]:
    """Return `seconds_<asset>`, `embedded_texts`, `without_a_score` and `rows_written`; none for an asset never
    made.
    """
    numbers: dict[str, float] = {}
    for asset in NIGHTLY:
        ranges = _latest(instance, dg.AssetKey(asset))
        names = {"seconds": f"seconds_{asset}", **_SUMMED.get(asset, {})} if ranges else {}
        for key, name in names.items():
            values = [each.metadata[key].value for each in ranges if key in each.metadata]
            numbers[name] = round(sum(value for value in values if isinstance(value, (int, float))), 3)
    return numbers


def _latest(instance: dg.DagsterInstance, key: dg.AssetKey) -> list[dg.AssetMaterialization]:
    """Return the last materialization of each partition that we made."""
    latest = list(last_made(instance, key).values())
    events: list[dg.AssetMaterialization] = []
    for start in range(0, len(latest), _AT_ONCE):
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=latest[start : start + _AT_ONCE])
        records = instance.fetch_materializations(wanted, limit=_AT_ONCE).records
        events += [record.asset_materialization for record in records if record.asset_materialization]
    return events
