"""The asset that compares what could be done about Momentum: more data, another policy, or both."""

import json
from collections.abc import Sequence
from typing import Any

import dagster as dg
import pandas as pd

from jv_assets.assets.profiles import profiles
from jv_assets.assets.reports import reports_folder
from jv_assets.assets.scores import match_scores
from jv_assets.errors import UserError
from jv_assets.exporting import write_whole
from jv_assets.partitions import ID_RANGES, one_line_failure
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import options
from jv_scoring.analysis.momentum import FIELDS

_SHOWN = {
    "option": "option",
    "policy": "policy",
    "fields": "fields",
    "share": "share",
    "effect_on_mean": "effect on mean",
    "effect_low": "95 % from",
    "effect_high": "to",
    "bottleneck_share": "Momentum weakest",
    "tiers_up": "tiers up",
    "churn_with_more": "best 10 changed",
    "profiles_to_fill": "profiles to fill",
}
"""The columns of the decision table that the UI shows; the JSON has all."""


class OptionsConfig(dg.Config):
    """`repeats`: simulations of each fill; the grid of fills by policies takes a quarter of them."""

    repeats: int = options.REPEATS


@dg.asset(
    group_name="reports",
    kinds={"python"},
    description="""
What to do about Momentum: fill missing fields, score by another policy, or both? Simulated on all matches.

Fills the missing Momentum fields of 25, 50, 75 and 100 % of the profiles that lack them with draws from the values
that others have, 200 times (`repeats`), and scores everything anew, under each policy. The draws are seeded, so the
numbers come out the same each time. Shows, too, for how many profiles a true value would lower the score under
`redistribute`. Reads the files of all ranges of `match_scores` and `profiles`; writes momentum_options.json beside the
report, and the decision table into the metadata. Changes neither weights nor scores. Made when asked for, not every
night: some 20 seconds for 30,000 matches.
""",
    deps=[
        dg.AssetDep(match_scores, partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep(profiles, partition_mapping=dg.AllPartitionMapping()),
    ],
)
def momentum_options(
    context: dg.AssetExecutionContext, config: OptionsConfig, files: dg.ResourceParam[RangeFiles]
) -> dg.MaterializeResult[None]:
    with one_line_failure():
        if config.repeats < 1:
            raise UserError(f"repeats: {config.repeats}: at least one is needed")
        rows = _all_ranges(files, "match_scores", options.COLUMNS)
        facts = _all_ranges(files, "profiles", ["id", *FIELDS]).set_index("id")
        report = options.momentum_options(rows, facts, repeats=config.repeats, grid_repeats=max(1, config.repeats // 4))
        path = reports_folder() / "momentum_options.json"
        write_whole(path, json.dumps(report, allow_nan=False))
    return dg.MaterializeResult(
        metadata={
            "json": dg.MetadataValue.path(str(path)),
            "decision": dg.MetadataValue.md(_markdown(report["decision"])),
            "matches": len(rows),
            "repeats": config.repeats,
        }
    )


def _all_ranges(files: RangeFiles, asset: str, columns: Sequence[str]) -> pd.DataFrame:
    return pd.concat([files.read(asset, key, columns) for key in ID_RANGES.get_partition_keys()], ignore_index=True)


def _markdown(decision: Sequence[dict[str, Any]]) -> str:
    lines = [list(_SHOWN.values()), ["---"] * len(_SHOWN)]
    lines += [[_cell(row[name]) for name in _SHOWN] for row in decision]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
