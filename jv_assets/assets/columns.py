"""The columns of an asset, each with its meaning and with the columns that it is made from.

The page of an asset in Dagster's UI shows both. Only Dagster+ draws column lineage, so the second one is a table.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from jv_assets.assets.markdown import markdown_table

MADE_FROM = "columns_made_from"
"""Metadata key of the table: each column, the columns that it is made from, and the step that makes it."""
Sources = Mapping[str, Sequence[str]]
"""Columns by asset, such as `production/profiles`."""


@dataclass(frozen=True)
class Column:
    """A column, its type and meaning, the columns that it is made from, and the step that makes it."""

    name: str
    kind: str
    meaning: str
    sources: Sources = field(default_factory=dict)
    step: str = "copied"


def several(names: Iterable[str], kind: str, meaning: str, sources: Sources, step: str = "copied") -> list[Column]:
    """Return columns of one type and meaning that are made from the same columns."""
    return [Column(name, kind, meaning, sources, step) for name in names]


def copied(names: Iterable[str], kind: str, meaning: str, asset: str) -> list[Column]:
    """Return columns that hold what the columns of the same names hold in another asset."""
    return [Column(name, kind, meaning, {asset: [name]}) for name in names]


def joined(*sources: Sources) -> Sources:
    """Return all columns of several sources, each once."""
    assets = dict.fromkeys(asset for each in sources for asset in each)
    return {asset: list(dict.fromkeys(name for each in sources for name in each.get(asset, ()))) for asset in assets}


def column_metadata(columns: Sequence[Column]) -> dict[str, dg.TableSchema | dg.TableColumnLineage | dg.MetadataValue]:
    """Return the metadata of an asset's definition that describes its columns."""
    schema = [dg.TableColumn(column.name, column.kind, column.meaning) for column in columns]
    deps = {
        column.name: [
            dg.TableColumnDep(dg.AssetKey(asset.split("/")), name)
            for asset, names in column.sources.items()
            for name in names
        ]
        for column in columns
        if column.sources
    }
    return {
        "dagster/column_schema": dg.TableSchema(schema),
        "dagster/column_lineage": dg.TableColumnLineage(deps),
        MADE_FROM: dg.MetadataValue.md(_table(columns)),
    }


def _table(columns: Sequence[Column]) -> str:
    rows = [(f"`{column.name}`", _linked(column.sources), column.step) for column in columns if column.sources]
    return markdown_table(("column", "made from", "by"), rows)


def _linked(sources: Sources) -> str:
    return "; ".join(f"[{asset}](/assets/{asset}): {', '.join(names)}" for asset, names in sources.items())
