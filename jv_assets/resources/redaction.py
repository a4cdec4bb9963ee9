"""What of a database error may be shown: never what rows hold, which DETAIL, CONTEXT and some messages quote."""

import re

import psycopg

_QUOTES_VALUES = ("22", "XX")
"""Classes of SQLSTATE whose messages quote a value: data and internal errors."""


def headline(error: psycopg.Error) -> str:
    """Return the server's message in one line, without the statement and without a value of any row.

    It names the constraint, or the column or function, if the server did.
    """
    diag = error.diag
    if diag.message_primary is None:  # Errors of libpq or the driver, which have not seen a row.
        return (str(error).splitlines() or [""])[0].strip()
    kind = re.sub(r"(?<!^)([A-Z])", r" \1", type(error).__name__).lower()
    context = diag.context or ""
    message = (diag.message_primary.strip().splitlines() or [""])[0]
    # A function may put row values into the message of RAISE. PL/pgSQL, PL/Python and PL/Perl are in pl*.c.
    if (diag.source_file or "").startswith("pl"):
        return f"a function of the database{_function(context)} raised an error ({kind}), whose words may quote a row"
    state = error.sqlstate or diag.sqlstate or ""
    if state.startswith("42") and context:  # The error is of a statement that a function ran.
        return f"{kind} in a function of the database{_function(context)}".rstrip(",")
    if state.startswith(_QUOTES_VALUES):
        message = message.partition('"')[0].rstrip(" :") or kind
    if diag.constraint_name and diag.constraint_name not in message:
        message += f" (constraint {diag.constraint_name})"
    if place := _COPY.search(context):
        message += f" (column {place['column']})" if place["column"] else ""
    return message


def redacted(error: psycopg.Error) -> psycopg.Error:
    """Return an error of the same class that shows only `headline`."""
    return type(error)(headline(error))


def copied_row(error: psycopg.Error) -> int | None:
    """Return which row of a COPY was refused, from 0 on; None if the error is not of a COPY."""
    place = _COPY.search(error.diag.context or "")
    return int(place["line"]) - 1 if place else None


def _function(context: str) -> str:
    name = re.search(r"function \"?([\w.]+)", context)
    return f", {name[1]}," if name else ""


_COPY = re.compile(r"COPY \w+, line (?P<line>\d+)(, column (?P<column>\w+))?")
