"""What the process works on, and its progress.

The command line sets a listener, which draws a progress bar. A run in the UI has none.
"""

from collections.abc import Callable
from contextvars import ContextVar

doing: ContextVar[str] = ContextVar("doing", default="")
"""The purpose of the current transactions, such as a partition of an asset. The log names it when a connection is lost.
"""

listener: Callable[[str, int, int], None] | None = None


def report(what: str, done: int, total: int) -> None:
    """Tell the listener, if there is one, that `done` of `total` parts of `what` are done."""
    if listener:
        listener(what, done, total)
