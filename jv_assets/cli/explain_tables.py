"""The output of `jv explain`."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jv_assets.cli.console import out
from jv_assets.explain.explanation import Explanation
from jv_assets.explain.tables import summary, tables

_BAR = 25


def show(explanation: Explanation, to: Console = out) -> None:
    """Print an explanation."""
    for name, value in summary(explanation):
        to.print(f"[bold]{name:<8}[/]{escape(value)}", soft_wrap=True)
    for note in explanation.notes:
        to.print(f"[yellow]note[/]    {escape(note)}", soft_wrap=True)
    for title, table in tables(explanation):
        to.print(f"\n[bold]{escape(title)}[/]", soft_wrap=True)
        shown = Table()
        for column, kind in zip(table.columns, table.kinds, strict=True):
            shown.add_column(escape(column), justify="left" if kind == "t" else "right")
        if table.bars:
            shown.add_column("")
        for number, row in enumerate(table.rows):
            bar = [_bar(*table.bars[number])] if table.bars else []
            shown.add_row(*map(escape, row), *bar, style="bold" if number in table.heads else None)
        to.print(shown)


def _bar(start: float, end: float) -> str:
    left, right = (round(value / 100 * _BAR) for value in (start, end))
    return " " * left + "█" * (right - left)
