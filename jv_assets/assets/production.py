"""The two production tables, which another application owns."""

import dagster as dg

from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS

PROFILES = dg.AssetSpec(
    ["production", "profiles"],
    group_name="production",
    kinds={"postgres", "table"},
    owners=["team:platform"],
    description="Business profiles, written by the platform all day. Read here; only `embedding_<field>`, "
    "`embeddings_model` and `embeddings_updated_at` are written, by `profile_embeddings`.",
    metadata={
        "dagster/table_name": "profiles",
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(name, kind) for name, kind in PROFILE_COLUMNS.items()]),
    },
)
MATCHES = dg.AssetSpec(
    ["production", "match_suggestions"],
    group_name="production",
    kinds={"postgres", "table"},
    owners=["team:platform"],
    description="Who was suggested to whom, written by the platform's older matcher. Read here; only `score_ab`, "
    "`score_ba`, `harmonic_mean` and `match_context` are written, by `published_scores`. `match_score` is the older "
    "matcher's and never written.",
    metadata={
        "dagster/table_name": "match_suggestions",
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(name, kind) for name, kind in MATCH_COLUMNS.items()]),
    },
)
