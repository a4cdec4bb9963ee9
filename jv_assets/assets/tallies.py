"""The one shape of the tally assets: they keep a tally of each partition, and show numbers of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from jv_assets.assets.columns import Column, Sources, column_metadata
from jv_assets.partitions import each_range
from jv_assets.reports.sampling import Sample
from jv_assets.reports.tallies import keep
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.evaluation import Evaluation
from jv_scoring.analysis.tallies import Tally


def tally_metadata(sources: Sources, *beside: Column) -> dict[str, Any]:
    """Return the metadata of a tally asset: `tally`, made from these columns, and the columns `beside` it."""
    tally = Column("tally", "text", "JSON: exact counts that add up over partitions", sources, "counted")
    return column_metadata([tally, *beside])


class TallyConfig(dg.Config):
    """`sample`: about how many matches to use, drawn by a hash of their ids; by default all of them."""

    sample: int | None = None


@dataclass(frozen=True)
class Tallied:
    """The tally of a partition's `rows`, the numbers that Dagster shows of it, and what else is kept beside it."""

    tally: Tally | Evaluation
    rows: int
    numbers: Mapping[str, object]
    beside: Mapping[str, Any] = field(default_factory=dict)


def keep_each(
    context: dg.AssetExecutionContext,
    files: RangeFiles,
    tally: Callable[[str], Tallied],
    sample: Sample | None = None,
) -> None:
    """Write what `tally` returns for each partition of the run as a file of the asset."""
    asset = context.asset_key.to_user_string()

    def work(key: str) -> Mapping[str, object]:
        made = tally(key)
        size = keep(files, asset, key, made.tally, made.rows, sample=sample, **made.beside)
        return {"rows": made.rows, **made.numbers, "file_bytes": size}

    each_range(context, work, again="jv report")


def known_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers that are not None, with 4 decimals."""
    return {name: round(value, 4) for name, value in numbers.items() if value is not None}
