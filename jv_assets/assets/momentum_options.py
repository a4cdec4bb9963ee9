"""The asset `momentum_options`: simulates more data, another policy, and both."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd

from jv_assets import progress, settings
from jv_assets.assets.markdown import markdown_table
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.profiles import profiles
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, MOMENTUM_OPTIONS, PROFILES, Group
from jv_assets.partitions import ID_RANGES, one_line_failure
from jv_assets.pipeline.changes import fingerprint_of_all
from jv_assets.pipeline.rules import in_force
from jv_assets.reports.exporting import reports_folder, write_whole
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import no_scores, one_policy, scored
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import momentum_options as analysis
from jv_scoring.analysis.momentum_bottleneck import FIELDS

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
    """`repeats`: how often each fill is simulated; the grid of fills by policies uses a quarter of that.

    `sample`: how many matches to use, drawn by a hash of their ids; by default all of them.
    """

    repeats: int = analysis.REPEATS
    sample: int | None = None


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python"},
    description="""
How could Momentum improve: by more data, by another policy, or by both? Simulates each option on all matches.

Fills missing Momentum fields in 25, 50, 75 and 100 % of the profiles that lack them, with values drawn from other
profiles, and rescores everything under each policy. Repeats this 200 times (`repeats`). The draws have a fixed seed, so
the numbers are reproducible. Also counts the profiles whose score a true value would lower under `redistribute`.

Reads `match_scores` and `profiles` of all partitions. Writes momentum_options.json, which the report shows, and puts
the decision table into the metadata. Changes neither weights nor scores.

Runs in `jv report` only, not every night. Takes about 20 seconds for 30,000 matches.
""",
    deps=[
        dg.AssetDep(match_scores, partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep(profiles, partition_mapping=dg.AllPartitionMapping()),
    ],
)
def momentum_options(
    context: dg.AssetExecutionContext, config: OptionsConfig, files: dg.ResourceParam[RangeFiles]
) -> dg.MaterializeResult[None]:
    progress.report(MOMENTUM_OPTIONS, 0, 1)
    with one_line_failure():
        if config.repeats < 1:
            raise UserError(f"repeats: {config.repeats}: at least one is needed")
        sample = sample_of(files, config.sample)
        keys = files.made(MATCH_SCORES, ID_RANGES.get_partition_keys())
        if not keys:
            raise no_scores()
        chunks = [rows for key in keys for rows in scored(files, key, analysis.COLUMNS, sample)]
        rows = pd.concat(chunks, ignore_index=True)
        report = analysis.momentum_options(
            rows,
            _all_profiles(files),
            policy=one_policy(files, keys),
            repeats=config.repeats,
            grid_repeats=max(1, config.repeats // 4),
            of=sample.of if sample else None,
        )
        made_of = {
            "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "scoring_version": in_force(settings.embedding_model()).version,
            "fingerprint": fingerprint_of_all(files),
            "sample": asdict(sample) if sample else None,
        }
        path = reports_folder() / "momentum_options.json"
        write_whole(path, json.dumps(made_of | report, allow_nan=False))
    progress.report(MOMENTUM_OPTIONS, 1, 1)
    return dg.MaterializeResult(
        metadata={
            "json": dg.MetadataValue.path(str(path)),
            "decision": dg.MetadataValue.md(_markdown(report["decision"])),
            "matches": len(rows),
            "repeats": config.repeats,
        }
    )


def _all_profiles(files: RangeFiles) -> pd.DataFrame:
    keys = ID_RANGES.get_partition_keys()
    return pd.concat([files.read(PROFILES, key, ["id", *FIELDS]) for key in keys], ignore_index=True).set_index("id")


def _markdown(decision: Sequence[dict[str, Any]]) -> str:
    return markdown_table(list(_SHOWN.values()), [[_cell(row[name]) for name in _SHOWN] for row in decision])


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:,.3f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
