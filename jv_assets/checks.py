"""The asset checks between scoring and publishing. All of them block."""

from collections.abc import Iterator, Sequence

import dagster as dg

from jv_assets.auditing import AUDITED, RULES, broken_rules
from jv_assets.partitions import keys_of_run
from jv_assets.resources.range_files import RangeFiles

_ASSET = "match_scores"


@dg.multi_asset_check(
    name="audit",
    specs=[
        dg.AssetCheckSpec(
            name,
            asset=_ASSET,
            blocking=True,
            description=f"{rule.__doc__} Reads the files of the run's ranges; where a range breaks it, nothing of the "
            "run is published.",
        )
        for name, rule in RULES.items()
    ],
)
def audit(context: dg.AssetCheckExecutionContext, files: dg.ResourceParam[RangeFiles]) -> Iterator[dg.AssetCheckResult]:
    keys = [key for key in keys_of_run(context.run) if files.exists(_ASSET, key)]
    broken: dict[str, dict[str, int]] = {name: {} for name in RULES}
    for key in keys:
        rows, facts = files.read(_ASSET, key, AUDITED), files.facts(_ASSET, key)
        for name, count in broken_rules(rows, facts).items():
            broken[name][key] = count
    for name, ranges in broken.items():
        yield _result(name, ranges, keys)


def _result(name: str, broken: dict[str, int], keys: Sequence[str]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(_ASSET),
        check_name=name,
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"broken in {', '.join(broken)}: materialize match_scores again" if broken else None,
        metadata={"ranges": len(keys), "rows_that_break_it": sum(broken.values()), "broken_ranges": list(broken)},
    )
