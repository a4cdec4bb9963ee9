"""The asset `profiles`: reads the profiles and computes the features that do not depend on the partner."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg
import pandas as pd

from jv_assets.assets import production, score_columns
from jv_assets.assets.columns import column_metadata
from jv_assets.names import PROFILES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, one_line_failure
from jv_assets.pipeline.database.origins import reading
from jv_assets.pipeline.profile_rows import file_metadata, profile_chunks
from jv_assets.pipeline.texts.profile_columns import IRREGULAR_VALUES
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.writability import require_writable

_DESCRIPTION = """
The profile features that scoring needs: the factors of Intent, Momentum and Context, role, tier, and the words of the
texts. Vectors are separate, in `profile_embeddings`.

Reads the rows of the table profiles that changed since the last run. Checks their types, and fails the partition if a
value has a wrong type. Counts values that are allowed but irregular: a blank text, an unknown role, a negative number.
Writes one Parquet file per partition under JV_HOME, and nothing to the database.

Runs every night, in `jv rescore`, and when a sensor sees new matches or edited profiles. Takes about 0.4 ms per changed
profile.
"""


@dg.asset(
    group_name=Group.PREPARE,
    kinds={"python", "parquet"},
    description=_DESCRIPTION,
    deps=[production.PROFILES],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=column_metadata(score_columns.OF_PROFILES),
)
def profiles(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database], files: dg.ResourceParam[RangeFiles]
) -> None:
    with one_line_failure():
        require_writable(database, "dry run")

    def work(key: str) -> dict[str, int | float]:
        counts: Counter[str] = Counter()

        def chunks() -> Iterator[pd.DataFrame]:
            for rows in profile_chunks(database, files, key, origin.may_reuse):
                coverage = {f"with_{name}": int(rows[name].notna().sum()) for name in _MOMENTUM_FACTORS}
                irregular = {name: int(rows[name].sum()) for name in IRREGULAR_VALUES}
                counts.update({"rows": len(rows), **coverage, **irregular})
                yield rows

        size = files.write_chunks(PROFILES, key, chunks(), lambda: file_metadata(counts["rows"]) | origin.stamp())
        return {**counts, "file_bytes": size}

    with reading(context, database, files) as origin:
        each_range(context, work)


_MOMENTUM_FACTORS = ("audience_engagement", "social_reach", "active_projects", "list_size")
