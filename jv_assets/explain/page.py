"""An explanation as a page."""

from jv_assets.explain.explanation import Explanation
from jv_assets.explain.tables import summary, tables
from jv_assets.reports.figures import Figure, Section
from jv_assets.reports.frame import page


def to_html(explanation: Explanation) -> str:
    """Return a page of what `show` prints."""
    sections = [Section(title, "", [Figure("", table)]) for title, table in tables(explanation)]
    a, b = explanation.profiles
    title = f"Match {explanation.match_id}" if explanation.match_id else f"Profiles {a} and {b}"
    return page(title, summary(explanation), explanation.notes, None, sections)
