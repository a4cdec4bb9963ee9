"""Fill an empty database with the demo population, or with CSV files of the two production tables."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from psycopg.types.json import Jsonb
from sqlalchemy import text

from jv_assets.errors import UserError
from jv_assets.setup.csv_cells import PARSERS
from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS, SCORE_COLUMNS, frame

if TYPE_CHECKING:
    from jv_assets.resources.database import Database

_TABLES = {"profiles": PROFILE_COLUMNS, "match_suggestions": MATCH_COLUMNS}


@dataclass(frozen=True)
class Population:
    """The rows of the two production tables, before anything is embedded or scored.

    `profiles` has `PROFILE_COLUMNS`; `matches` has `MATCH_COLUMNS` and, all null, `SCORE_COLUMNS`. Every column is of
    dtype object: null is None (NaN is the number NaN), uuid a lower-case string, text[] a list, jsonb the parsed JSON,
    timestamptz a datetime with a time zone, numeric a float.
    """

    profiles: pd.DataFrame
    matches: pd.DataFrame


def load_frames(database: "Database", profiles: pd.DataFrame, matches: pd.DataFrame) -> None:
    """Load the rows of a `Population` in one transaction; UserError, and nothing loaded, if a table has rows."""
    with database.transaction() as connection:
        # If two loads run at once, the second waits here, and then sees the rows of the first.
        connection.execute(text("LOCK TABLE profiles, match_suggestions IN SHARE ROW EXCLUSIVE MODE"))
        for table in _TABLES:
            if connection.scalar(text(f"SELECT EXISTS (SELECT FROM {table})")):  # noqa: S608 - of _TABLES
                raise UserError(
                    f"the table {table} has rows already, so nothing was loaded; load into an empty database: "
                    "set JV_HOME to a new folder or JV_DATABASE_URL to another database"
                )
        cursor = connection.connection.cursor()
        for table, rows in (("profiles", profiles), ("match_suggestions", matches)):
            columns = _TABLES[table]
            with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
                for row in _records(rows, columns):
                    copy.write_row(row)


def _records(rows: pd.DataFrame, columns: dict[str, str]) -> Iterable[tuple[Any, ...]]:
    """Yield each row in the order of `columns`, as psycopg takes it."""
    values = [
        [None if value is None else Jsonb(value) for value in rows[name]] if kind == "jsonb" else rows[name].tolist()
        for name, kind in columns.items()
    ]
    return zip(*values, strict=True)


@dataclass(frozen=True)
class CsvError:
    """An error in a cell, or in a whole row or file (`column` is then empty). `line` counts from 1."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"{self.file}, line {self.line}{column}: {self.reason}"


class CsvErrors(UserError):  # noqa: N818 - it holds many
    """All errors of a folder of CSV files: `count` errors; the first 100 are in `errors`."""

    def __init__(self, errors: list[CsvError], count: int) -> None:
        self.errors = errors
        self.count = count
        more = f" (and {count - 1:,} more)" if count > 1 else ""
        super().__init__(f"nothing was loaded: {errors[0]}{more}")


def read_csv_folder(folder: Path) -> Population:
    """Read `profiles.csv` and `match_suggestions.csv` of a folder; CsvErrors if anything is wrong with them.

    UTF-8, comma, a header row with column names in any order. Required columns: `id` and `name`; `id`, `profile_id` and
    `suggested_profile_id`. An empty cell is null. text[] is a JSON list of strings, jsonb JSON text, timestamptz ISO
    8601 with an offset from UTC. Vectors and scores are not loaded, so their columns are errors. A match may name a
    missing profile.
    """
    errors = _Errors()
    tables = {table: _read_table(folder / f"{table}.csv", columns, errors) for table, columns in _TABLES.items()}
    if errors.count:
        raise CsvErrors(errors.first, errors.count)
    matches = tables["match_suggestions"]
    rows = len(matches["id"])
    return Population(frame(tables["profiles"]), frame(matches | {name: [None] * rows for name in SCORE_COLUMNS}))


_MANDATORY = {"profiles": ("id", "name"), "match_suggestions": ("id", "profile_id", "suggested_profile_id")}
_MOST_ERRORS = 100
_LONGEST_CELL = 100_000_000
_OURS = re.compile(r"embedding_\w+|embeddings_\w+|" + "|".join(SCORE_COLUMNS))


@dataclass
class _Errors:
    first: list[CsvError] = field(default_factory=list)
    count: int = 0

    def add(self, path: Path, line: int, column: str, reason: str) -> None:
        self.count += 1
        if len(self.first) < _MOST_ERRORS:
            self.first.append(CsvError(path.name, line, column, reason))


def _read_table(path: Path, columns: dict[str, str], errors: _Errors) -> dict[str, list[Any]]:
    """Return the file's values by column; errors go to `errors`."""
    values: dict[str, list[Any]] = {name: [] for name in columns}
    rows = _rows(path, errors)
    before = errors.count
    line, header = next(rows, (1, []))
    if errors.count == before:
        _check_header(path, line, header, columns, errors)
    if errors.count > before:
        return values
    mandatory = _MANDATORY[path.stem]
    first_line: dict[str, int] = {}
    for line, cells in rows:
        if len(cells) != len(header):
            errors.add(path, line, "", f"{len(cells)} cells, but the header has {len(header)}")
            continue
        row = dict(zip(header, cells, strict=True))
        for name, kind in columns.items():
            cell = row.get(name, "")
            value = None
            try:
                if cell:
                    value = PARSERS[kind](cell)
                elif name in mandatory:
                    raise ValueError("empty, but must be there")
            except ValueError as error:
                errors.add(path, line, name, str(error))
            values[name].append(value)
        key = values["id"][-1]
        if key is not None and first_line.setdefault(key, line) != line:
            errors.add(path, line, "id", f"the same id as in line {first_line[key]}")
    return values


def _rows(path: Path, errors: _Errors) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, with the line where it begins."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            f"{path}: {error.strerror}; the folder must hold profiles.csv and match_suggestions.csv"
        ) from None
    except UnicodeDecodeError as error:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            errors.add(path, 1, "", _UTF_16)
            return
        line = data.count(b"\n", 0, error.start) + 1
        errors.add(path, line, "", f"not UTF-8: byte 0x{data[error.start]:02x}; save the file as UTF-8")
        return
    if "\0" in text[:2]:
        errors.add(path, 1, "", _UTF_16)
        return
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            separator = _other_separator(text.splitlines()[line - 1 : line], _TABLES[path.stem])
            reason = _SEPARATOR.format(separator) if separator else f"not CSV: {error}; what follows was not read"
            errors.add(path, line, "", reason)
            return
        if cells is None:
            return
        if cells and not (line == 1 and cells[0].lower().startswith("sep=")):  # Excel's line that names the separator.
            yield line, cells


_UTF_16 = "the file looks like UTF-16; save the file as UTF-8"
_SEPARATOR = "the separator looks like {}; save the file with commas between the cells"


def _other_separator(header: list[str], columns: dict[str, str]) -> str | None:
    """Return the separator between column names, if it is not a comma."""
    # Only for a quoted cell, so that a blank after each comma is not a separator.
    others = sorted(set(re.sub(r'[\w";\t|]', "", header[0]))) if len(header) == 1 else []
    for separator in (";", "\t", "|", *others):
        names = [part.strip().strip('"').lower() for cell in header for part in cell.split(separator)]
        enough = 1 if len(header) == 1 and separator not in others else 2
        if len(names) > len(header) and sum(part in columns for part in names) >= enough:
            return {"\t": "a tab", " ": "a blank"}.get(separator, f'"{separator}"')
    return None


def _check_header(path: Path, line: int, header: list[str], columns: dict[str, str], errors: _Errors) -> None:
    if separator := _other_separator(header, columns):
        errors.add(path, line, "", _SEPARATOR.format(separator))
        return
    for name in dict.fromkeys(header):
        if _OURS.fullmatch(name):
            errors.add(path, line, name, "vectors and scores are not loaded but made here; remove the column")
        elif name not in columns:
            errors.add(path, line, name, "unknown column; remove it, or correct its name")
        elif header.count(name) > 1:
            errors.add(path, line, name, "there twice")
    for name in _MANDATORY[path.stem]:
        if name not in header:
            errors.add(path, line, name, "column missing in the header row")
