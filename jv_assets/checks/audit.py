"""The asset checks between scoring and publishing. A failed one stops the run before it publishes."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from jv_assets.checks.rules import AUDITED, RULES, broken_rules
from jv_assets.names import MATCH_SCORES
from jv_assets.partitions import keys_of_run
from jv_assets.resources.range_files import RangeFiles

_ASSET = MATCH_SCORES


@dg.multi_asset_check(
    name="audit",
    specs=[
        dg.AssetCheckSpec(
            name,
            asset=_ASSET,
            blocking=True,
            description=f"{rule.__doc__} If any partition of the run fails this check, the run publishes nothing.",
        )
        for name, rule in RULES.items()
    ],
)
def audit(context: dg.AssetCheckExecutionContext, files: dg.ResourceParam[RangeFiles]) -> Iterator[dg.AssetCheckResult]:
    keys = files.made(_ASSET, keys_of_run(context.run))
    broken: dict[str, dict[str, int]] = {name: {} for name in RULES}
    for key in keys:
        for name, count in broken_rules(files.chunks(_ASSET, key, AUDITED), files.metadata(_ASSET, key)).items():
            broken[name][key] = count
    for name, ranges in broken.items():
        problem = f"broken in {', '.join(ranges)}: materialize match_scores again" if ranges else None
        numbers = {"ranges": len(keys), "rows_that_break_it": sum(ranges.values()), "broken_ranges": list(ranges)}
        yield check_result(_ASSET, name, problem, numbers)


def check_result(
    asset: str,
    name: str,
    problem: str | None,
    metadata: Mapping[str, Any],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """Return the result of a check, which failed if there is a `problem`. Leaves out metadata that is None."""
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(asset),
        check_name=name,
        passed=problem is None,
        severity=severity,
        description=problem,
        metadata={key: value for key, value in metadata.items() if value is not None},
    )
