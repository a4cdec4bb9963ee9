"""The metadata keys that docs/metadata.md lists, by asset."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metadata.md"


def documented() -> dict[str, set[str]]:
    """Keys by asset; under "" those that every range has. Quoted in the first column."""
    keys: dict[str, set[str]] = {}
    asset = ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        asset = line.removeprefix("## ") if line.startswith("## ") else asset
        if line.startswith("| `"):
            keys.setdefault(asset, set()).update(re.findall(r"`([^`]+)`", line.split(" | ")[0]))
    return keys


def undocumented(asset: str, shown: set[str]) -> set[str]:
    """What differs between the keys that an asset showed and those of the page."""
    keys = documented()
    every = {*keys[""], "dagster/partition_row_count"}
    return (shown - every) ^ (keys[asset] - every)
