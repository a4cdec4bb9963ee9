"""What `--json` prints: one object, whose fields docs/json.md lists."""

import json
import math
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jv_assets.cli.streams import write_document

if TYPE_CHECKING:
    from jv_assets.automation.outcome import Outcome

_fields: dict[str, object] = {}


def answer(**fields: object) -> None:
    """Add fields to the object. Without `--json` nobody prints them."""
    _fields.update(fields)


def called() -> str | None:
    """Return the command that was called; None before `jv` knows it."""
    command = _fields.get("command")
    return None if command is None else str(command)


def answer_outcome(outcome: "Outcome", again: str) -> None:
    """Add what some runs did, and the command `again` that does the rest."""
    from jv_assets.cli.console import COUNTED

    assets = dict.fromkeys([*outcome.done, *outcome.failed])
    answer(
        succeeded=outcome.succeeded,
        dry_run=outcome.dry_run,
        runs=outcome.run_ids,
        seconds=round(outcome.seconds, 3),
        assets={
            asset: {
                "done": sorted(outcome.done.get(asset, ())),
                "failed": outcome.failed.get(asset, {}),
                "counts": {name: int(outcome.total(asset, name)) for name in COUNTED[asset]},
                "seconds": round(outcome.total(asset, "seconds"), 3),
            }
            for asset in assets
        },
        failures=outcome.broken,
        next=None if outcome.succeeded else again,
    )


def write_answer(exit_code: int, error: str | None) -> None:
    """Write the object: what was called, how it ended, and what the command added."""
    whole = {"command": called(), "exit_code": exit_code, "error": error, **_fields}
    write_document(json.dumps(plain(whole), ensure_ascii=False, allow_nan=False) + "\n")


def plain(value: Any) -> Any:
    """Return a value as JSON has it: a number that is not finite is null, a time is ISO 8601."""
    if isinstance(value, Mapping):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value.item() if hasattr(value, "item") else value
