"""The output of `jv evaluate`."""

from rich.markup import escape

from jv_assets.cli.console import errors, out, table
from jv_assets.reports import ratings
from jv_assets.reports.evaluation import RANKING_COLUMNS, SCORES_OF, notes, verdict_line, with_label
from jv_scoring.analysis.tallies import Json

_COUNTS = ("exposed", "undated", "future", "censored", "unmapped", "used", "positive")


def show(evaluation: Json, label: str | None = None) -> None:
    """Print the counts, the table of rankings and the verdict of each label, or of one."""
    out.print(f"as of {evaluation['at']}, current policy {evaluation['policy']}", soft_wrap=True)
    for line in notes(evaluation):
        errors.print(f"[yellow]warning:[/] {escape(line)}", soft_wrap=True)
    rows = [
        (f"{name}, {analysis}", *(record[count] for count in _COUNTS))
        for analysis, of_analysis in evaluation["analyses"].items()
        for name, record in of_analysis["labels"].items()
        if label in (None, name)
    ]
    table("matches by label", ("", *_COUNTS), rows)
    for analysis, name in with_label(evaluation, label):
        record = evaluation["analyses"][analysis]["labels"][name]
        shown = [[cell(each) for cell in RANKING_COLUMNS.values()] for each in record["rankings"]]
        table(f"{name}, {analysis}: {SCORES_OF[analysis]}", tuple(RANKING_COLUMNS), shown)
    for analysis, of_analysis in evaluation["analyses"].items():
        for name in of_analysis["labels"]:
            if label in (None, name):
                out.print(escape(verdict_line(evaluation, analysis, name)), soft_wrap=True)
    if label is None:
        for section in ratings.sections(evaluation["ratings"]):
            for figure in section.figures:
                table(figure.question, figure.table.columns, figure.table.rows)
            out.print(escape(section.answer), soft_wrap=True)
