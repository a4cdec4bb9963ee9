"""Read numbers from environment variables. `settings` says which variables there are."""

import os

from jv_assets.errors import UserError


def whole_number(variable: str, default: int, most: int = 999_999_999) -> int:
    """Return a number from 1 to `most`; UserError for anything else."""
    text = os.environ.get(variable) or str(default)
    number = digits(text)
    if number is None or not 1 <= number <= most:
        raise UserError(f"{variable}={short(text)}: set it to a whole number from 1 to {most}")
    return number


def decimal(variable: str, default: float, most: float = 1_000_000) -> float:
    """Return a number over 0, to `most`; UserError for anything else."""
    text = os.environ.get(variable) or str(default)
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= most:
        raise UserError(f"{variable}={short(text)}: set it to a number over 0, up to {most:.0f}, such as 0.5")
    return number


def digits(text: str) -> int | None:
    """Return the digits of a text as a number; None for anything else, or for more digits than any setting has."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


def short(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
