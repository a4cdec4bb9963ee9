"""Write a page of what a refused publish would have changed in production."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from jv_assets.names import PRODUCTION_IMPACT
from jv_assets.reports import production_impact as impact_section
from jv_assets.reports.exporting import reports_folder, write_whole
from jv_assets.reports.frame import page
from jv_assets.reports.impact_rows import row_chunks
from jv_assets.reports.numbers import impact_numbers
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import production_impact
from jv_scoring.analysis.tallies import total

REFUSED = "refused.html"


def write_refusal(database: Database, files: RangeFiles, keys: Sequence[str], why: str) -> Path:
    """Write the page about the scores of these partitions, at least one of which exists; return its path."""
    now = datetime.now(UTC)
    tally = total(production_impact.tally(rows) for key in keys for rows in row_chunks(database, files, key, now))
    section = impact_section.section({PRODUCTION_IMPACT: impact_numbers(tally, hours=0)})
    summary = [
        ("Made at", now.isoformat(timespec="seconds")),
        ("Ranges", f"{keys[0]} to {keys[-1]}, {len(keys)}"),
    ]
    place = reports_folder() / REFUSED
    write_whole(place, page("What publishing would change", summary, [why], [], [section]))
    return place
