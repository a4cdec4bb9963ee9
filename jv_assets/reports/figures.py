"""What page and text both show: sections of figures, each of which answers the question that is its title."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jv_scoring.analysis.tallies import Json

NOTHING = "–"
"""Stands for a number that there is not."""


@dataclass(frozen=True)
class Table:
    """Cells as shown. texts: the columns that are no numbers, by place."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Figure:
    """`draw` makes an SVG of what the table says; None where there is nothing to draw."""

    question: str
    table: Table
    draw: Callable[[], str] | None = None
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A question of the report, and the figures that answer it."""

    title: str
    answer: str
    figures: Sequence[Figure]


def table(records: Sequence[Json], columns: dict[str, Callable[[Json], str]], texts: Sequence[int] = (0,)) -> Table:
    """A row a record; `columns`: what each shows of it."""
    rows = tuple(tuple(show(record) for show in columns.values()) for record in records)
    return Table(tuple(columns), rows, tuple(texts))


def number(value: float | None, digits: int = 2) -> str:
    """With thousands separated; whole numbers without decimals."""
    if value is None:
        return NOTHING
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}").replace("-", "−")


def signed(value: float | None, digits: int = 2) -> str:
    """The same with its sign, as a change."""
    return NOTHING if value is None else f"{value:+,.{digits}f}".replace("-", "−")


def percent(share: float | None) -> str:
    """A share, 0..1."""
    return NOTHING if share is None else f"{100 * share:.1f} %"


def words(name: str) -> str:
    """A column's name as it is read."""
    return name.replace("_ab", " A→B").replace("_ba", " B→A").replace("_", " ")


def of(name: str, show: Callable[[float | None], str] = number) -> Callable[[Json], str]:
    """Shows one number of a record."""
    return lambda record: show(record[name])


def label(name: str) -> Callable[[Json], str]:
    """Shows one text of a record."""
    return lambda record: words(str(record[name]))


SUMMARY: dict[str, Callable[[Json], str]] = {name: of(name) for name in ("mean", "median", "sd", "min", "max")}
"""Columns of a distribution."""
