"""What a soak measured, as docs/soak.md: a table of some nights, and of each measure whether it grows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from jv_assets.ui.processes import LARGEST_LOG

PATH = Path(__file__).parents[1] / "docs" / "soak.md"
GROWTH = 1.1
"""How much larger than before a bounded measure may be at the end."""
SLACK = {"MB": 10.0, "kB": 50.0, "rows": 20.0, "dead": 500.0, "files": 2.0, "other": 2.0}
"""And how much more, by the first word of the measure's name: of small numbers a tenth is nothing."""
GROWS = "GROWS"
LIMITS = {"kB of UI logs": 4 * LARGEST_LOG / 1e3}
"""Of what may grow up to a limit of its own."""
_NOT_BOUNDED = ("night", "rows equal to the reference", "rows written", "seconds")


def write(nights: pd.DataFrame, minutes: float, kept: Mapping[str, str], size: Mapping[str, int]) -> int:
    """Write the document; 0, or 1 where something grows."""
    count = len(nights)
    middle, end = nights.iloc[count * 3 // 10 : count // 2], nights.iloc[-(count // 5) or -1 :]
    measures = [name for name in nights if name not in _NOT_BOUNDED]
    verdicts = {name: _verdict(name, middle[name].max(), end[name].max()) for name in measures}
    shown = nights.iloc[[0, *range(4, count, 5)]]
    equal, written = int(nights["rows equal to the reference"].sum()), int(nights["rows written"].sum())
    set_to = ", ".join(f"{name}={value}" for name, value in kept.items())
    lines = [
        "# Fifty nights" if count == 50 else f"# {count} nights",
        "",
        "Written by `make soak`; what it does is said in `benchmarks/soak.py`. "
        f"{size['profiles']:,} profiles, {size['matches']:,} matches, {set_to}. "
        f"Measured on {datetime.now(UTC):%Y-%m-%d}, in {minutes:.0f} minutes.",
        "",
        f"After each night every scorable match was compared with the reference: {equal:,} comparisons of scores and "
        f"breakdowns, {written:,} of them of rows that the night had written. None differed, and no column that is not "
        "ours changed.",
        "",
        "## What must not grow",
        "",
        f"The most of nights {middle['night'].min()} to {middle['night'].max()}, when all that is kept for a time has "
        f"been filled, and the most of nights {end['night'].min()} to {end['night'].max()}.",
        "",
        "| | before | at the end | |",
        "|---|---|---|---|",
        *(
            f"| {name} | {_number(middle[name].max())} | {_number(end[name].max())} | {said} |"
            for name, said in verdicts.items()
        ),
        "",
        "## Every fifth night",
        "",
        f"| night | {' | '.join(str(night) for night in shown['night'])} |",
        f"|---|{'---|' * len(shown)}",
        *(f"| {name} | {' | '.join(_number(value) for value in shown[name])} |" for name in nights if name != "night"),
    ]
    PATH.write_text("\n".join(lines) + "\n")
    growing = [name for name, said in verdicts.items() if said == GROWS]
    print(f"{PATH}: {'growing: ' + ', '.join(growing) if growing else 'nothing grows'}")
    return 1 if growing else 0


def _verdict(name: str, before: float, after: float) -> str:
    if name in LIMITS:
        return f"up to {_number(LIMITS[name])}" if after <= LIMITS[name] else GROWS
    return "steady" if after <= before * GROWTH + SLACK[name.split(maxsplit=1)[0]] else GROWS


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
