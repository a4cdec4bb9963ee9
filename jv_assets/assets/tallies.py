"""What the assets share that keep a tally of each partition."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

TALLY = dg.TableSchema([dg.TableColumn("tally", "text", "JSON: exact counts that add up with those of other ranges")])


class TallyConfig(dg.Config):
    """`sample`: of about so many of all matches, drawn by a hash of their ids; all of them by default."""

    sample: int | None = None


def known_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in numbers.items() if value is not None}
