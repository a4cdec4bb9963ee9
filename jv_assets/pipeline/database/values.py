"""Parse the texts that the production tables are read as: one value for every accepted column type."""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from jv_assets.errors import UserError
from jv_assets.tables import TABLES


def parse_column(table: str, name: str, ids: Sequence[object], texts: Sequence[Any]) -> list[Any]:
    """Return the values of a column that was read by its cast; UserError names the row of an invalid one.

    `ids` are the rows' ids, in the same order.
    """
    kind = TABLES[table][name].kind.created
    if kind not in _PARSERS:
        return list(texts)
    parse, values = _PARSERS[kind], []
    for row_id, text in zip(ids, texts, strict=True):
        try:
            values.append(None if text is None else parse(text))
        except (ValueError, OverflowError, RecursionError) as error:
            reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
            raise UserError(
                f"{table}.{name} of {row_id} does not hold {_MEANT[kind]}: {reason}; correct it in the table"
            ) from None
    return values


def _number(text: str) -> float:
    """Return a double from its shortest or exact decimal text."""
    value = float(text)
    if math.isinf(value) and "inf" not in text.lower():
        raise ValueError("beyond what a double precision number holds")
    return value


def _count(text: str) -> float:
    """Return an integer if there is no fraction. It may exceed 64 bits, but not what a double holds."""
    digits = text.removeprefix("-")
    if not digits.isdecimal():
        return _number(text)
    _number(text)
    return int(text)


def _json(text: str) -> Any:
    """Return null for a blank text, because no rule distinguishes them."""
    try:
        return json.loads(text, parse_constant=_not_json) if text.strip() else None
    except json.JSONDecodeError:
        raise
    except ValueError as error:  # Python parses no integer with so many digits.
        raise ValueError(
            "it has a whole number of more than 4,300 digits" if "digits" in str(error) else error
        ) from None


def _text_list(text: str) -> Any:
    value = _json(text)
    if not isinstance(value, (list, type(None))):
        raise ValueError("JSON, but not a list")  # noqa: TRY004 - of a text
    return value


def _not_json(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


_PARSERS: dict[str, Callable[[str], Any]] = {
    "integer": _count,
    "double precision": _number,
    "numeric(5,2)": _number,
    "jsonb": _json,
    "text[]": _text_list,
}
_MEANT = {
    "integer": "a number",
    "double precision": "a number",
    "numeric(5,2)": "a number",
    "jsonb": "JSON",
    "text[]": "a list",
}
"""Parsers by the type that a new database gets."""
