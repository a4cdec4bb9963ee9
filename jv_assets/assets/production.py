"""The two production tables as external assets. The platform owns them."""

from collections.abc import Mapping

import dagster as dg

from jv_assets import tables
from jv_assets.names import PROFILE_EMBEDDINGS, PUBLISHED_SCORES, Group


def _schema(columns: Mapping[str, tables.Column], writer: str) -> dg.TableSchema:
    """Return every column of a table; those of the pipeline name the asset that writes them."""
    said = {"platform": "", "pipeline": f"written by {writer}"}
    return dg.TableSchema(
        [dg.TableColumn(name, column.kind.created, said[column.written_by]) for name, column in columns.items()]
    )


PROFILES = dg.AssetSpec(
    ["production", "profiles"],
    group_name=Group.PRODUCTION,
    kinds={"postgres", "table"},
    owners=["team:platform"],
    description="Business profiles. The platform owns this table and writes to it all day. `profile_embeddings` writes "
    "`embedding_<field>`, `embeddings_model` and `embeddings_updated_at`; the pipeline only reads the other columns.",
    metadata={
        "dagster/table_name": "profiles",
        "dagster/column_schema": _schema(tables.PROFILES, PROFILE_EMBEDDINGS),
    },
)
MATCHES = dg.AssetSpec(
    ["production", "match_suggestions"],
    group_name=Group.PRODUCTION,
    kinds={"postgres", "table"},
    owners=["team:platform"],
    description="Who was suggested to whom. The platform owns this table, and its older matcher adds the rows. "
    "`published_scores` writes `score_ab`, `score_ba`, `harmonic_mean` and `match_context`. `match_score` is the older "
    "matcher's score; the pipeline never writes it.",
    metadata={
        "dagster/table_name": "match_suggestions",
        "dagster/column_schema": _schema(tables.MATCHES, PUBLISHED_SCORES),
    },
)
