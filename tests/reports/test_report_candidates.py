"""The report's section on discovery: there once it ran, with the figures of its file."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from jv_assets.names import CANDIDATE_ALLOCATION
from jv_assets.pipeline.candidates import FIGURES, WHOLE
from jv_assets.reports.figures import NOTHING
from jv_assets.reports.match_candidates import TITLE, read, sections
from jv_assets.resources.range_files import RangeFiles

AS_OF = "2026-11-28T05:00:00+00:00"
NUMBERS: dict[str, Any] = {
    "best": 10,
    "profiles": 100,
    "places": 1000,
    "suggested": 250,
    "tiers": [
        {"tier": "Excellent", "places": 0, "suggested": 0},
        {"tier": "Good", "places": 400, "suggested": 200},
        {"tier": "Fair", "places": 600, "suggested": 50},
        {"tier": "Poor", "places": 0, "suggested": 0},
    ],
    "existing_pairs": 800,
    "existing_mean": 45.5,
    "spreads": [
        {"what": "existing", "cap": None, "places": 900, "mean": 52.0, "in_none": 7, "most": 80, "gini": 0.61,
         "top_1_percent": 0.08},
        {"what": "discovered", "cap": None, "places": 1000, "mean": 63.25, "in_none": 40, "most": 95, "gini": 0.9,
         "top_1_percent": 0.095},
        {"what": "allocation", "cap": 3, "places": 300, "mean": 60.0, "in_none": 1, "most": 3, "gini": 0.01,
         "top_1_percent": 0.01},
    ],
}  # fmt: skip


def files_of(folder: Path, **metadata: Any) -> RangeFiles:
    files = RangeFiles(str(folder), 4)
    files.write(CANDIDATE_ALLOCATION, WHOLE, pd.DataFrame({"profile_id": []}), metadata)
    return files


def test_there_is_no_section_before_discovery_ran(tmp_path: Path) -> None:
    assert read(RangeFiles(str(tmp_path), 4)) is None
    assert read(files_of(tmp_path, cap=3)) is None
    assert sections(None) == []
    assert sections({**NUMBERS, "places": 0}) == []


def test_the_section_shows_the_figures_of_the_file(tmp_path: Path) -> None:
    known = {FIGURES: NUMBERS, "policy": "harmonic/impute", "origin": {"as_of": AS_OF}}
    (section,) = sections(read(files_of(tmp_path, **known)))
    assert section.title == TITLE
    assert section.answer == (
        "Of each profile's best 10 pairs among all pairs, 75.0 % do not exist as matches. The best 10 pairs that do "
        "not exist have a mean value of 63.25; the best 10 that exist have 52.00. "
        f"As of {AS_OF}, under harmonic/impute."
    )
    choice, beyond, spreading = section.figures
    assert choice.table.rows[1] == ("Good", "400", "200", "50.0 %")
    assert choice.table.rows[0] == ("Excellent", "0", "0", NOTHING)
    assert choice.table.rows[-1] == ("all", "1,000", "250", "25.0 %")
    assert [row[2] for row in beyond.table.rows] == ["45.50", "52.00", "63.25"]
    assert spreading.table.rows[-1] == ("allocation, cap 3", "60.00", "0.01", "1.0 %", "3", "1")
    for figure in section.figures:
        assert figure.draw is None or re.match(r"<svg", figure.draw())


def test_without_matches_no_mean_is_invented() -> None:
    without = {"mean": None, "places": 0}
    spreads = [{**NUMBERS["spreads"][0], **without}, *NUMBERS["spreads"][1:]]
    numbers = {**NUMBERS, "existing_pairs": 0, "existing_mean": None, "spreads": spreads, "policy": "p", "as_of": AS_OF}
    (section,) = sections(numbers)
    assert "mean value of" not in section.answer
    assert section.figures[1].table.rows[0] == ("all existing pairs", "0", NOTHING)
