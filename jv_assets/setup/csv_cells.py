"""Parse a cell of a CSV file by the type of its column; a ValueError says what is wrong."""

import json
import math
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

_DEEPEST = 100
_TOO_DEEP = f"nested too deep: JSON of more than {_DEEPEST} levels"


def _quoted(cell: str) -> str:
    return repr(cell if len(cell) <= 40 else cell[:40] + "…")


def _text(cell: str) -> str:
    if "\0" in cell:
        raise ValueError("holds a NUL character, which Postgres cannot keep")
    return cell


def _uuid(cell: str) -> str:
    try:
        return str(uuid.UUID(cell))
    except ValueError:
        raise ValueError(f"not a uuid: {_quoted(cell)}") from None


def _integer(cell: str) -> int:
    if not re.fullmatch(r"\s*[+-]?[0-9]{1,19}\s*", cell):
        raise ValueError(f"not a whole number: {_quoted(cell)}")
    if not -(2**31) <= int(cell) < 2**31:
        raise ValueError(f"beyond what an integer column holds: {_quoted(cell)}")
    return int(cell)


def _number(cell: str) -> float:
    """Parse a double precision value. NaN and infinities are allowed; the scoring rules say what they count as."""
    try:
        value = float(cell.replace("_", "?"))
    except ValueError:
        raise ValueError(f"not a number: {_quoted(cell)}") from None
    if math.isinf(value) and "inf" not in cell.lower():
        raise ValueError(f"beyond what a double precision column holds: {_quoted(cell)}")
    return value


def _two_decimals(cell: str) -> float:
    try:
        value = Decimal(cell.replace("_", "?"))
    except InvalidOperation:
        raise ValueError(f"not a number: {_quoted(cell)}") from None
    if not value.is_finite() or abs(value) >= 1000 or value != round(value, 2):
        raise ValueError(f"not a number below 1,000 with at most two decimals: {_quoted(cell)}")
    return float(value)


def _timestamp(cell: str) -> datetime:
    try:
        value = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise ValueError(f"not a timestamp such as 2026-02-17 21:04:11+00: {_quoted(cell)}") from None
    if value.tzinfo is None:
        raise ValueError(f"a timestamp without its offset from UTC; add +00 or the like: {_quoted(cell)}")
    return value


def _json(cell: str) -> Any:
    try:
        value = json.loads(cell, parse_constant=_not_json, parse_float=_json_number)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    for part in _strings(value):
        _text(part)
        if re.search("[\ud800-\udfff]", part):
            raise ValueError("holds half a surrogate pair, which Postgres cannot keep")
    return value


def _text_list(cell: str) -> list[str]:
    example = 'a JSON list of strings such as ["a", "b"] (in SQL: to_json(column))'
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        raise ValueError(f"not {example}: {_quoted(cell)}") from None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"not {example}: {_quoted(cell)}")
    strings: list[str] = _json(cell)
    return strings


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _json_number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"too large a number: {_quoted(digits)}")
    return value


def _strings(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield every string in a JSON value, keys too; ValueError if it is nested too deep to be written again."""
    if depth > _DEEPEST:
        raise ValueError(_TOO_DEEP)
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _strings(item, depth + 1)


PARSERS: dict[str, Callable[[str], Any]] = {
    "text": _text,
    "uuid": _uuid,
    "integer": _integer,
    "double precision": _number,
    "numeric(5,2)": _two_decimals,
    "timestamptz": _timestamp,
    "jsonb": _json,
    "text[]": _text_list,
}
"""Parsers by the column's type in Postgres."""
