"""An explanation as a page."""

from jv_assets.explain.explanation import Explanation
from jv_assets.explain.tables import summary, tables
from jv_assets.reports.figures import Figure, Section
from jv_assets.reports.frame import page


def to_html(explanation: Explanation) -> str:
    """Return a page of what `show` prints."""
    sections = [Section(title, "", [Figure("", table)]) for title, table in tables(explanation)]
    return page(f"Match {explanation.match_id}", summary(explanation), explanation.notes, None, sections)
