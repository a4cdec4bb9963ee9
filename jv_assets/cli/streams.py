"""Standard output: words for people, or one document for a program. A reader that goes away early is no error."""

import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from jv_assets.errors import CallError

if TYPE_CHECKING:
    import pandas as pd

_DASH = Path("-")
"""The file name that stands for standard output."""


class _Lasting(io.FileIO):
    """A stream that drops what is written after its reader has gone, such as `head`, so that a command still ends."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)
            return super().write(data)


def lasting(descriptor: int, encoding: str = "utf-8") -> TextIO:
    """Return a text stream that writes whole lines to `descriptor`, and keeps working after its reader has gone."""
    raw = io.BufferedWriter(_Lasting(descriptor, "w", closefd=False))
    return io.TextIOWrapper(raw, encoding=encoding, errors="backslashreplace", line_buffering=True)


class _Document:
    """Where a document for a program goes, once standard output is kept for it."""

    stream: TextIO | None = None


def keep_for_document() -> None:
    """Keep standard output for `write_document`. All that is printed from here on goes to standard error.

    Swaps the descriptors, so that this also holds for libraries and child processes.
    """
    if _Document.stream is None:
        sys.stdout.flush()
        _Document.stream = lasting(os.dup(1))
        os.dup2(2, 1)


def write_document(text: str) -> None:
    """Write a document for a program to the standard output that `keep_for_document` kept."""
    keep_for_document()
    assert _Document.stream
    _Document.stream.write(text)
    _Document.stream.flush()


def is_standard_output(out: Path) -> bool:
    """Return whether a file name stands for standard output."""
    return out == _DASH


def refuse_two_documents(out: Path, as_json: bool) -> None:
    """Keep standard output for the table of `--out -`; CallError if `--json` needs it too."""
    if out == _DASH:
        if as_json:
            raise CallError("--out -: --json writes to standard output too; give a file's name")
        keep_for_document()


def write_table(rows: "pd.DataFrame", out: Path) -> None:
    """Write the rows as a CSV file, or to standard output for `-`."""
    from jv_assets.reports.exporting import csv_text, write_csv

    if out == _DASH:
        write_document(csv_text(rows))
    else:
        write_csv(rows, out)


def told(out: Path) -> str:
    """Return where a table is, in words."""
    return "standard output" if out == _DASH else str(out)
