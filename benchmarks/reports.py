"""Measure the reports over 250,000 and over 1,000,000 scored matches: cost per match, and memory.

Every match is of another pair of the demo's 3,578 profiles, with random vectors, scored by the engine. The profiles
stay the same, because what is kept per profile grows with their number: its best matches, its places in those of
others. A partition has the same number of matches either way; there are four times as many partitions. Each size is its
own process. The options for Momentum are left out, because they hold all matches in memory.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.figures import Row, figure
from benchmarks.scoring import MODEL, make_workload
from jv_assets.names import (
    AGGREGATION_COMPARISON,
    EMBEDDING_ISOLATION,
    MATCH_SCORES,
    MOMENTUM_BOTTLENECK,
    PRODUCTION_IMPACT,
    PROFILES,
)
from jv_assets.partitions import ID_RANGES, range_keys
from jv_assets.pipeline.changes import STORED_COLUMNS, fingerprint
from jv_assets.pipeline.scoring import STORED_BEFORE, score_matches
from jv_assets.reports.numbers import report_of
from jv_assets.reports.page import to_html
from jv_assets.reports.tallies import keep, merge, scored, tallied
from jv_assets.resources.range_files import RangeFiles
from jv_scoring import CURRENT_POLICY
from jv_scoring.analysis import aggregation_comparison, embedding_isolation, momentum_bottleneck, production_impact
from jv_scoring.analysis.tallies import Tally

SMALL, LARGE = (250_000, 64), (1_000_000, 256)
"""Matches, and the number of partitions."""
CHANGED = 50
"""One match in this many had other inputs before."""
_LONGER, _MORE = 1.3, 1.15


def run() -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    with TemporaryDirectory() as folder:
        _make(Path(folder))
        small, large = (_measured(Path(folder), ranges) for _, ranges in (SMALL, LARGE))
    longer = (large["seconds"] / LARGE[0]) / (small["seconds"] / SMALL[0])
    more = large["peak_kb"] / small["peak_kb"]
    return [
        figure(f"reports of {LARGE[0]:,} matches, CPU time a match", 1e6 * large["seconds"] / LARGE[0], "µs"),
        figure(f"… beside that of {SMALL[0]:,}", longer, "x", at_most=_LONGER),
        figure(f"reports of {LARGE[0]:,} matches, peak memory", large["peak_kb"] / (1 << 20), "GB"),
        figure(f"… beside that of {SMALL[0]:,}", more, "x", at_most=_MORE),
    ]


def _make(folder: Path) -> None:
    """Write the files of both sizes: the smaller size uses the first partitions of the larger one."""
    work = make_workload()
    prepared, profiles = work.prepared(), work.features.reset_index()
    of_size = {ranges: RangeFiles(str(folder), ranges) for _, ranges in (SMALL, LARGE)}
    for ranges, files in of_size.items():
        for key, place in zip(range_keys(ranges), np.array_split(np.arange(len(profiles)), ranges), strict=True):
            files.write(PROFILES, key, profiles.iloc[place], {"rows": len(place)})
    for number, pairs in enumerate(_pairs(work.features.index)):
        rows = score_matches(prepared, pairs, MODEL, CURRENT_POLICY).rows
        rows = _with_before(rows).drop(columns="match_context")
        metadata = {"rows": len(rows), "policy": CURRENT_POLICY, "fingerprint": fingerprint(rows)}
        for ranges, files in of_size.items():
            if number < ranges:
                files.write(MATCH_SCORES, range_keys(ranges)[number], rows, metadata)


def _pairs(profiles: pd.Index) -> Iterator[pd.DataFrame]:
    """Of each range of the larger size, pairs that no other has, in both orders, and never of one profile."""
    (matches, ranges), count = LARGE, len(profiles)
    rng = np.random.default_rng(1)
    drawn = rng.choice(count * (count - 1), matches, replace=False)
    a, b = np.divmod(drawn, count - 1)
    b += b >= a
    digits = rng.bytes(16 * matches).hex()
    ids = np.array([digits[start : start + 32] for start in range(0, len(digits), 32)], object)
    older = rng.uniform(0, 100, matches).round(2)
    for place in np.array_split(np.arange(matches), ranges):
        names = {"id": ids[place], "profile_id": profiles[a[place]], "suggested_profile_id": profiles[b[place]]}
        stored = dict.fromkeys(STORED_COLUMNS, np.nan) | {"match_score": older[place]}
        yield pd.DataFrame(names | stored)


def _with_before(rows: pd.DataFrame) -> pd.DataFrame:
    """As stored before: the same, but for one match in `CHANGED`, which had what its neighbour has now."""
    before = rows[["harmonic_mean", "policy", "scoring_version", "inputs_hash"]].set_axis(STORED_BEFORE[1:], axis=1)
    contexts = pd.Series(None, rows.index, object)
    changed = np.arange(0, len(rows) - 1, CHANGED)
    before.iloc[changed] = before.iloc[changed + 1].to_numpy()
    contexts.iloc[changed] = rows["match_context"].iloc[changed + 1].to_numpy()
    return rows.assign(**before, before_context=contexts)


def _measured(folder: Path, ranges: int) -> dict[str, float]:
    """Return what this module prints for all files of a size."""
    program = [sys.executable, "-m", "benchmarks.reports", str(folder)]
    environment = os.environ | {"JV_ID_RANGES": str(ranges)}
    done = subprocess.run(program, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _report(files: RangeFiles) -> int:
    """Do what the assets of the report do, partition by partition, and the page. Return the number of matches."""
    for key in ID_RANGES.get_partition_keys():
        _keep(
            files,
            EMBEDDING_ISOLATION,
            key,
            tallied(scored(files, key, embedding_isolation.COLUMNS), embedding_isolation.tally)[0],
        )
        features = files.read(PROFILES, key, list(momentum_bottleneck.FIELDS))
        low = tallied(scored(files, key, momentum_bottleneck.COLUMNS), momentum_bottleneck.tally)[0]
        _keep(files, MOMENTUM_BOTTLENECK, key, low, profiles=momentum_bottleneck.tally_profiles(features))
        other = tallied(scored(files, key, aggregation_comparison.COLUMNS), aggregation_comparison.tally)[0]
        _keep(files, AGGREGATION_COMPARISON, key, other)
        stored = [*production_impact.COLUMNS, *STORED_BEFORE[1:], "before_context"]
        names = dict(zip(STORED_BEFORE[1:], production_impact.BEFORE, strict=False))
        then = (rows.rename(columns=names) for rows in scored(files, key, stored))
        _keep(files, PRODUCTION_IMPACT, key, tallied(then, production_impact.tally)[0], hours=24.0)
    report = report_of(merge(files))
    to_html(report)
    return int(report["headline"]["matches"])


def _keep(files: RangeFiles, asset: str, key: str, tally: Tally, **beside: Any) -> None:
    keep(files, asset, key, tally, files.metadata(MATCH_SCORES, key)["rows"], **beside)


def main() -> None:
    """Report on the files of this folder; print the costs."""
    started = time.process_time()
    matches = _report(RangeFiles(sys.argv[1]))
    seconds = time.process_time() - started
    # Not ru_maxrss: Linux starts a child's value with its parent's.
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(json.dumps({"matches": matches, "seconds": seconds, "peak_kb": int(peak)}))


if __name__ == "__main__":
    main()
