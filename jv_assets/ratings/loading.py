"""Read a CSV file of ratings row by row. If any row is wrong, nothing is loaded."""

import csv
from collections.abc import Iterator
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from jv_assets.errors import UserError
from jv_assets.ratings.store import Rating, pairs_of_sheets
from jv_assets.resources.database import Database
from jv_scoring.analysis.ratings import HIGHEST, LOWEST


class _Row(BaseModel):
    """A row of the file."""

    model_config = ConfigDict(str_strip_whitespace=True)

    sheet: str = Field(min_length=1)
    pair: int = Field(ge=1)
    rater: str = Field(min_length=1, max_length=100)
    rating: int = Field(ge=LOWEST, le=HIGHEST)
    note: str = Field(max_length=10_000)
    rated_at: AwareDatetime


COLUMNS = tuple(_Row.model_fields)


def read_ratings(database: Database, path: Path) -> list[Rating]:
    """Return the ratings of a file that a rating sheet saved. UserError for the first row that is not one."""
    rows = list(_rows(path))
    if not rows:
        raise UserError(f"{path} holds no rating: rate at least one pair before you save")
    pairs = pairs_of_sheets(database, sorted({row.sheet for _, row in rows}))
    first_of: dict[tuple[str, int, str], int] = {}
    for number, row in rows:
        if row.sheet not in pairs:
            raise UserError(f"{path}, row {number}: no sheet {row.sheet} was made from this database")
        if row.pair not in pairs[row.sheet]:
            raise UserError(f"{path}, row {number}: sheet {row.sheet} has no pair {row.pair}")
        if (before := first_of.setdefault((row.sheet, row.pair, row.rater), number)) != number:
            raise UserError(f"{path}, row {number}: {row.rater} rates pair {row.pair} again, as in row {before}")
    return [Rating(**dict(row)) for _, row in rows]


def _rows(path: Path) -> Iterator[tuple[int, _Row]]:
    """Yield rows with their numbers, from 2, because the first one has the names."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            if missing := [name for name in COLUMNS if name not in (reader.fieldnames or [])]:
                raise UserError(f"{path} has no column {', '.join(missing)}: load what a rating sheet saved, as it was")
            for number, cells in enumerate(reader, 2):
                yield number, _row(path, number, cells)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error):
        raise UserError(f"{path} is no CSV file in UTF-8: load what a rating sheet saved, as it was") from None


def _row(path: Path, number: int, cells: dict[str, str]) -> _Row:
    try:
        return _Row.model_validate(cells)
    except ValidationError as error:
        first = error.errors()[0]
        cell = str(first["input"])[:40]
        raise UserError(f"{path}, row {number}, {first['loc'][0]}: {cell!r}: {first['msg']}") from None
