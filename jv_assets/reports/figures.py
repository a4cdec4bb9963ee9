"""What the page and the text share: sections of figures. The title of a figure is the question that it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from jv_scoring.analysis.tallies import Json

NOTHING = "–"
"""Stands for a number that does not exist."""


@dataclass(frozen=True)
class Table:
    """Cells as they are shown.

    `texts`: the places of the columns that are no numbers. `bars`: for each row, the start and the end of its bar, 0 to
    100. `heads`: the places of the rows that the rows below them add up to; these begin with two blanks.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[int] = (0,)
    bars: Sequence[tuple[float, float]] = ()
    heads: frozenset[int] = frozenset()

    @property
    def kinds(self) -> list[str]:
        """Return, for each column, `t` for text and `n` for numbers."""
        return ["t" if place in self.texts else "n" for place in range(len(self.columns))]

    def row_kind(self, place: int) -> str:
        """Return `head`, `part` or `row`."""
        return "head" if place in self.heads else "part" if self.rows[place][0].startswith("  ") else "row"


@dataclass(frozen=True)
class Figure:
    """`draw` makes an SVG of the table's content; None if there is nothing to draw."""

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


@dataclass(frozen=True)
class Answer:
    """One sentence and one suggested action to a question. `section`: the title of the section with the figures."""

    question: str
    sentence: str
    action: str
    section: str


def table(records: Sequence[Json], columns: dict[str, Callable[[Json], str]], texts: Sequence[int] = (0,)) -> Table:
    """Return a table with one row per record; `columns`: what each shows of the record."""
    rows = tuple(tuple(show(record) for show in columns.values()) for record in records)
    return Table(tuple(columns), rows, tuple(texts))


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with thousands separated; whole numbers without decimals."""
    if value is None:
        return NOTHING
    return (f"{value:,}" if isinstance(value, int) else f"{value:,.{digits}f}").replace("-", "−")


def signed(value: float | None, digits: int = 2) -> str:
    """Return a change: a number with its sign."""
    return NOTHING if value is None else f"{value:+,.{digits}f}".replace("-", "−")


def with_interval(of_mean: Json, digits: int = 2) -> str:
    """Return a change with its 95 % interval, from `clustered.interval`."""
    value = signed(of_mean["value"], digits)
    if of_mean["low"] is None:
        return value
    return f"{value} (95 % {signed(of_mean['low'], digits)} to {signed(of_mean['high'], digits)})"


def percent(share: float | None) -> str:
    """Return a share, 0..1, as a percentage."""
    return NOTHING if share is None else f"{100 * share:.1f} %".replace("-", "−")


def words(name: str) -> str:
    """Return a column's name for people."""
    return name.replace("_ab", " A→B").replace("_ba", " B→A").replace("_", " ")


def of(name: str, show: Callable[[float | None], str] = number) -> Callable[[Json], str]:
    """Return a function that shows one number of a record."""
    return lambda record: show(record[name])


def label(name: str) -> Callable[[Json], str]:
    """Return a function that shows one text of a record."""
    return lambda record: words(str(record[name]))


SUMMARY: dict[str, Callable[[Json], str]] = {name: of(name) for name in ("mean", "median", "sd", "min", "max")}
"""Return the columns of a distribution."""
