"""Convert values of Python programs to those that the rules expect, or refuse them by field."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.factors import INPUT_COLUMNS
from jv_scoring.text import EMBEDDED_FIELDS

VECTORS = tuple(f"embedding_{name}" for name in EMBEDDED_FIELDS)
FIELDS = (*INPUT_COLUMNS, *VECTORS)
"""The columns of a profile that a score depends on."""
_NUMBERS = frozenset({"audience_engagement_score", "social_reach", "list_size"})
_LISTS = frozenset({"tags", "jv_history", "content_platforms"})


def plain(field: str, value: object, whose: str) -> Any:
    """Return the value of a field as the rules take it: None, str, float or int, list or dict, or a vector.

    Nulls of numpy and pandas become None, Decimal and numpy scalars numbers, and pgvector's text a vector.
    ValueError, which names the field and `whose` it is, for a value of another kind or one that no float can hold.
    """
    if value is None or (type(value) is str and field not in _STRINGS_TOO):
        return value
    if _is_null(value):
        return None
    try:
        return _KINDS.get(field, _text)(value)
    except (ValueError, OverflowError, TypeError, ArithmeticError) as error:
        raise ValueError(f"{whose}, {field}: {error}") from None


def plain_profile(profile: Mapping[str, object], whose: str) -> dict[str, Any]:
    """Return the fields of a profile that scores depend on, each as `plain` makes it."""
    return {field: plain(field, profile[field], whose) for field in FIELDS if field in profile}


def _is_null(value: object) -> bool:
    if value is pd.NA or value is pd.NaT:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, (float, np.floating)) and value != value  # noqa: PLR0124 - true of NaN alone


def _unpacked(value: object) -> object:
    """Return the value inside of a zero-dimensional array, or of another library's scalar."""
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        return value.item()
    return value


def _text(value: object) -> str:
    value = _unpacked(value)
    if not isinstance(value, str):
        raise ValueError(f"{_kind(value)} where a text belongs")  # noqa: TRY004
    return value


def _number(value: object) -> float | int:
    value = _unpacked(value)
    if isinstance(value, (Real, Decimal)):
        number = float(value)  # OverflowError for an int that is too large.
        if math.isinf(number) and isinstance(value, Decimal) and value.is_finite():
            raise OverflowError("a number too large")
        return value if isinstance(value, (int, float)) else number
    raise ValueError(f"{_kind(value)} where a number belongs")


def _list(value: object) -> object:
    """Return a list instead of another library's sequence; JSON may hold a text, a number or an object too."""
    value = _unpacked(value)
    if callable(as_list := getattr(value, "tolist", None)):  # arrays of numpy, pandas and Python
        value = as_list()
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    if not isinstance(value, (list, Mapping, str, int, float)):
        raise ValueError(f"{_kind(value)} where a list belongs")  # noqa: TRY004
    return value


def _vector(value: object) -> npt.NDArray[np.floating]:
    for method in ("to_numpy", "numpy"):  # Of pgvector and pandas, and a tensor.
        if not isinstance(value, np.ndarray) and callable(convert := getattr(value, method, None)):
            value = convert()
            break
    if isinstance(value, str):
        value = _of_pgvector(value)
    if isinstance(value, (bytes, Mapping)) or not hasattr(value, "__len__"):
        raise ValueError(f"{_kind(value)} where a vector belongs")
    try:
        vector = np.asarray(value)
        vector = vector if vector.dtype in (np.float32, np.float64) else np.asarray(value, np.float64)
    except (ValueError, TypeError):
        raise ValueError("not numbers alone, where a vector belongs") from None
    if vector.ndim != 1:
        raise ValueError(f"an array of {vector.ndim} dimensions where a vector has one")
    if not len(vector):
        raise ValueError("a vector without numbers; None stands for no vector")
    return vector


def _of_pgvector(value: str) -> list[float]:
    inner = value.strip()
    if not (inner.startswith("[") and inner.endswith("]")):
        raise ValueError("a text where a vector belongs, such as [0.1,0.2]")
    try:
        return [float(number) for number in inner[1:-1].split(",") if inner[1:-1].strip()]
    except ValueError:
        raise ValueError("a text with something else than numbers where a vector belongs") from None


def _kind(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


_KINDS: dict[str, Callable[[object], Any]] = {
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_LISTS, _list),
    **dict.fromkeys(VECTORS, _vector),
}
_STRINGS_TOO = frozenset({*_NUMBERS, *VECTORS})
"""Fields in which a string is wrong, or must be parsed."""
