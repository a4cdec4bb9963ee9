"""What the tally assets share: the column of a tally, and the config for a sample."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

TALLY = dg.TableSchema([dg.TableColumn("tally", "text", "JSON: exact counts that add up over partitions")])


class TallyConfig(dg.Config):
    """`sample`: about how many matches to use, drawn by a hash of their ids; by default all of them."""

    sample: int | None = None


def known_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) for name, value in numbers.items() if value is not None}
