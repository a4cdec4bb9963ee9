"""The report as one page."""

from jv_assets.reports.answers import answers
from jv_assets.reports.frame import page
from jv_assets.reports.sections import TITLE, headlines, sections, summary, warnings
from jv_scoring.analysis.tallies import Json


def to_html(report: Json) -> str:
    """Return the whole report."""
    return page(TITLE, summary(report), warnings(report), headlines(report), sections(report), answers=answers(report))
