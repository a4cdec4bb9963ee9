"""`make bench` and `make bench-large`: every benchmark, as a table and as JSON under benchmarks/results/."""

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import (
    database,
    discovery,
    embedding,
    evaluation,
    matched_only,
    operation,
    reports,
    scale,
    score_log,
    scoring,
    trial,
    uneven,
)

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run the benchmarks (with `large`: the large ones), print the table, and store the figures by commit."""
    large = sys.argv[1:] == ["large"]
    usual = (scoring, discovery, reports, evaluation, database, score_log, embedding, operation, trial, uneven)
    rows = (
        [*scale.run(), *discovery.run_large(), *matched_only.run()]
        if large
        else [row for each in usual for row in each.run()]
    )
    table = Table("", "measured", "target", "")
    for row in rows:
        met = "" if row["met"] is None else "met" if row["met"] else "missed"
        table.add_row(row["name"], f"{row['value']:,.3g} {row['unit']}", row["target"] or "", met)
    Console().print(table)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS.parent
    ).stdout.strip()
    about = {"commit": commit or None, "at": datetime.now(UTC).isoformat(timespec="seconds")}
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{commit or 'no-commit'}{'-large' * large}.json"
    path.write_text(json.dumps(about | machine | {"rows": rows}, indent=1, ensure_ascii=False) + "\n")
    print(f"Kept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    main()
