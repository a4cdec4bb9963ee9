"""The two production tables as external assets. The platform owns them."""

import dagster as dg

from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS

PROFILES = dg.AssetSpec(
    ["production", "profiles"],
    group_name="production",
    kinds={"postgres", "table"},
    owners=["team:platform"],
    description="Business profiles. The platform owns this table and writes to it all day. `profile_embeddings` writes "
    "`embedding_<field>`, `embeddings_model` and `embeddings_updated_at`; the pipeline only reads the other columns.",
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
    description="Who was suggested to whom. The platform owns this table, and its older matcher adds the rows. "
    "`published_scores` writes `score_ab`, `score_ba`, `harmonic_mean` and `match_context`. `match_score` is the older "
    "matcher's score; the pipeline never writes it.",
    metadata={
        "dagster/table_name": "match_suggestions",
        "dagster/column_schema": dg.TableSchema([dg.TableColumn(name, kind) for name, kind in MATCH_COLUMNS.items()]),
    },
)
