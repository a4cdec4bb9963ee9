"""The asset that reads the profiles and works out what does not depend on the partner."""

import dagster as dg

from jv_assets import settings
from jv_assets.assets import lineage, production
from jv_assets.partitions import ID_RANGES, bounds, each_range
from jv_assets.profile_checks import odd_values, validate
from jv_assets.reading import read_profiles
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.scoring import facts_of
from jv_assets.text_lengths import text_lengths

_DESCRIPTION = """
What scoring needs of each profile beside its vectors: the factors of Intent, Momentum and Context under both null
treatments, role, tier, and the words of its texts.

Reads the range's rows of the table profiles and checks their types; values that are allowed but odd are counted (a
blank text, an unknown role, a negative number). Writes one Parquet file a range under JV_HOME, and nothing to the
database. Costs about 0.1 ms a profile.
"""

_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("id", "uuid", "the profile"),
        dg.TableColumn("intent, momentum, momentum_redistribute, context", "double", "the dimensions, 0-10"),
        dg.TableColumn("jv_history … contact_available", "double", "a column a factor, 0-10; null: no data"),
        dg.TableColumn("intent_json …", "text", "the same as they stand in match_context"),
        dg.TableColumn("role, tier", "text", "normalised; null: unknown"),
        dg.TableColumn("words_seeking, words_offering, words_who_you_serve", "text", "words for word overlap"),
        dg.TableColumn("characters_seeking, …", "int", "how long those texts are; 0: none"),
    ]
)


@dg.asset(
    group_name="score",
    kinds={"python", "parquet"},
    description=_DESCRIPTION,
    deps=[production.PROFILES],
    partitions_def=ID_RANGES,
    backfill_policy=dg.BackfillPolicy.multi_run(settings.ranges_per_run()),
    metadata={"dagster/column_schema": _COLUMNS, "dagster/column_lineage": lineage.PROFILES},
)
def profiles(
    context: dg.AssetExecutionContext, database: dg.ResourceParam[Database], files: dg.ResourceParam[RangeFiles]
) -> None:
    def work(key: str) -> dict[str, int | float]:
        rows = read_profiles(database, *bounds(key))
        validate(rows)
        facts = facts_of(rows)
        kept = facts.assign(**text_lengths(rows)).reset_index()
        size = files.write("profiles", key, kept, {"rows": len(facts)})
        coverage = {f"with_{name}": int(facts[name].notna().sum()) for name in _MOMENTUM_FACTORS}
        return {"rows": len(facts), **coverage, **odd_values(rows), "file_bytes": size}

    each_range(context, work)


_MOMENTUM_FACTORS = ("audience_engagement", "social_reach", "active_projects", "list_size")
