"""The report as plain text."""

import textwrap

from jv_assets.reports.answers import answers
from jv_assets.reports.figures import Figure, Table
from jv_assets.reports.sections import TITLE, headlines, sections, summary, warnings
from jv_scoring.analysis.tallies import Json

_WIDTH = 100


def to_text(report: Json) -> str:
    """Return everything that the page says, without its charts."""
    parts = [TITLE, "=" * len(TITLE), "", *_pairs(summary(report)), "", headline_text(report)]
    for each in answers(report):
        parts += ["", each.question, *(f"  {line}" for line in _wrapped(f"{each.sentence} {each.action}"))]
    parts += [line for warning in warnings(report) for line in ("", *_wrapped(f"! {warning}"))]
    for section in sections(report):
        parts += ["", "", section.title, "=" * len(section.title), "", *_wrapped(section.answer)]
        for figure in section.figures:
            parts += ["", *_figure(figure)]
    return "\n".join(line.rstrip() for line in parts) + "\n"


def headline_text(report: Json) -> str:
    """Return the numbers at the top, one line each."""
    return "\n".join(_pairs(headlines(report)))


def _pairs(pairs: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in pairs)
    return [f"{name:<{width}}  {value}" for name, value in pairs]


def _figure(figure: Figure) -> list[str]:
    lines = [figure.question, "-" * len(figure.question)]
    return [*lines, *(_wrapped(figure.note) if figure.note else []), *(_table(figure.table) or ["Nothing to show."])]


def _table(table: Table) -> list[str]:
    if not table.rows:
        return []
    every = [table.columns, *table.rows]
    widths = [max(len(row[k]) for row in every) for k in range(len(table.columns))]
    return [
        "  " + "  ".join(
            cell.ljust(width) if k in table.texts else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in every
    ]  # fmt: skip


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
