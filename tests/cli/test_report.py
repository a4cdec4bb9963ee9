"""`jv report` as its users have it."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jv_assets.automation.schedules import REPORTS
from tests.support.program import KEYS, Program, removed_at_last


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A few matches, not scored."""
    with removed_at_last(tmp_path_factory.mktemp("report") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        yield program


def test_before_anything_is_scored(program: Program) -> None:
    done = program.run("report")
    assert (done.code, done.out, done.err) == (2, "", "jv: no match is scored yet; type: jv nightly\n")


def test_it_says_what_it_found_and_where_it_is(program: Program) -> None:
    program.succeeds("rescore")
    before = program.versions()
    done = program.succeeds("report")
    folder = program.home / "reports"
    assert done.out.splitlines()[-3:] == [str(folder / f"report.{kind}") for kind in ("html", "txt", "json")]
    report = json.loads((folder / "report.json").read_text())
    matches = [row for row in program.matches().values() if row["harmonic_mean"] is not None]
    assert report["headline"]["matches"] == len(matches)
    assert f"Matches scored               {len(matches)}\n" in done.out
    assert {*REPORTS, "Dagster and reading"} <= done.cells.keys()
    parts = [float(row[3]) for name, row in done.cells.items() if len(row) == 4 and name not in ("stage", "together")]
    assert sum(parts) == pytest.approx(float(done.cells["together"][3]), abs=0.1 * len(parts))
    assert done.cells["momentum_bottleneck"][:3] == [str(len(KEYS)), "0", f"{len(matches)} rows, 40 profiles"]
    assert program.versions() == before


def test_a_range_that_is_missing_is_told_and_the_others_are_reported(program: Program) -> None:
    (path,) = Path(program.home).glob("ranges/*/match_scores/8.parquet")
    path.unlink()
    done = program.run("report")
    assert done.code == 1
    cause = "failed in 1 range (8): no scores: materialize match_scores first (jv rescore makes all)"
    for asset in ("embedding_isolation", "momentum_bottleneck", "aggregation_comparison"):
        assert f"{asset} {cause}" in done.err
    assert "the rest is done by: jv report" in done.err
    assert "warning: 1 of 4 ranges (8) are missing in embedding_isolation, " in done.err
    assert done.out.endswith("report.json\n")
    program.succeeds("rescore")
    assert "warning" not in program.succeeds("report").err


def test_the_profiles_to_ask_for_data(program: Program) -> None:
    program.succeeds("rescore")
    out = program.home / "ask.csv"
    done = program.succeeds("export", "--missing-data", "--top", "5", "--out", str(out))
    assert done.out == f"5 profiles in {out}: their missing data costs most, and is data to ask for\n"
    rows = list(csv.DictReader(out.read_text().splitlines()))
    cost = [float(row["points_lost"]) * int(row["directions"]) for row in rows]
    assert cost == sorted(cost, reverse=True)
    assert {"lost_by_current_projects", "lost_by_website", "lost_by_profile_investment"} < rows[0].keys()
    refused = program.run(
        "export", "--missing-data", "--top", "5", "--out", str(out), "--profile", rows[0]["profile_id"]
    )
    assert (refused.code, refused.err) == (2, "jv: --missing-data is of all profiles; leave out --profile\n")
