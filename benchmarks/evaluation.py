"""Measure evaluation over 1,000,000 matches, 50,000 of them seen: tallies by partition, stored as JSON, merged and
reported.

All rankings, both labels, 1,000 draws. Matches, scores and outcomes are drawn at random, partition by partition,
outside of the measurement. Every match has the columns of `match_scores`. It is its own process, which also reports its
peak memory.
"""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figures import Row, figure
from jv_scoring.analysis import evaluation
from jv_scoring.policy import CURRENT_POLICY

MATCHES, RANGES, PROFILES, SEEN = 1_000_000, 256, 40_000, 0.05
_AT = datetime(2026, 2, 17, tzinfo=UTC)


def run() -> list[Row]:
    """Rows of name, value, unit, target (or None) and whether it was met."""
    program = [sys.executable, "-m", "benchmarks.evaluation", "measure"]
    found = json.loads(subprocess.run(program, check=True, capture_output=True, text=True).stdout)
    name = f"evaluation of {MATCHES:,} matches, {found['exposed']:,} exposed"
    return [
        figure(f"{name}, CPU time", found["seconds"], "s", at_most=120),
        figure(f"{name}, peak memory", found["peak_kb"] / (1 << 20), "GB", at_most=1),
    ]


def _range(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of a partition, and their outcomes."""
    rng, count = np.random.default_rng([2, number]), MATCHES // RANGES
    rows: dict[str, object] = {name: np.round(rng.uniform(1, 10, count), 2) for name in evaluation.COLUMNS}
    for name in ("score_ab", "score_ba", "harmonic_mean", "match_score"):
        rows[name] = np.round(rng.uniform(20, 90, count), 2)
    rows |= {name: np.full(count, "semantic", object) for name in rows if "_method_" in name}
    a = rng.integers(0, PROFILES, count)
    b = (a + 1 + rng.integers(0, PROFILES - 1, count)) % PROFILES
    rows |= {
        "id": np.array([f"{number:08x}-0000-4000-8000-{k:012x}" for k in range(count)], object),
        "profile_id": np.array([f"00000000-0000-4000-8000-{k:012x}" for k in a], object),
        "suggested_profile_id": np.array([f"00000000-0000-4000-8000-{k:012x}" for k in b], object),
        "policy": np.full(count, CURRENT_POLICY, object),
    }
    seen, acted, answered = rng.random(count) < SEEN, rng.random(count) < 0.3, rng.random(count) < 0.2
    when = pd.Series([_AT - timedelta(days=float(days)) for days in rng.uniform(0, 300, count)], dtype=object)
    outcomes = {
        "id": rows["id"],
        "viewed_at": when.where(seen, None),
        "contacted_at": when.where(seen & acted, None),
        "draft_intro_clicked_at": pd.Series([None] * count, dtype=object),
        "feedback_at": when.where(seen & answered, None),
        "status": np.where(seen, "viewed", "pending"),
        "user_feedback": pd.Series(rng.choice(["good", "bad", "later"], count), dtype=object).where(seen & answered),
    }
    return pd.DataFrame(rows), pd.DataFrame(outcomes)


def main() -> None:
    """Evaluate, and print the costs."""
    seconds = 0.0
    kept = []
    for number in range(RANGES):
        rows, outcomes = _range(number)
        started = time.process_time()
        kept.append(json.dumps(evaluation.tally(rows, outcomes).to_json()))
        seconds += time.process_time() - started
    started = time.process_time()
    merged = evaluation.total(evaluation.Evaluation.from_json(json.loads(text)) for text in kept)
    report = evaluation.report(merged, _AT)
    seconds += time.process_time() - started
    exposed = report["analyses"]["retrospective"]["labels"]["acted"]["exposed"]
    # Not ru_maxrss: Linux starts a child's value with its parent's.
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(json.dumps({"exposed": exposed, "seconds": seconds, "peak_kb": int(peak)}))


if __name__ == "__main__":
    main()
