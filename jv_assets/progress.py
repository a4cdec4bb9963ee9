"""How far a long step is, for whoever watches: the command line sets a listener, a run in the UI has none."""

from collections.abc import Callable

listener: Callable[[str, int, int], None] | None = None


def report(what: str, done: int, total: int) -> None:
    """Tell the listener, if there is one, that `done` of `total` parts of `what` are done."""
    if listener:
        listener(what, done, total)
