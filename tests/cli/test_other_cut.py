"""`JV_ID_RANGES` set to another number and back: what was made under the number of before is void."""

from collections.abc import Iterator

import pytest

from jv_assets.automation.execution import execute
from jv_assets.automation.finishing import parts
from jv_assets.definitions import defs
from tests.support.program import KEYS, Program, assert_scored, removed_at_last

FEWER = "2"


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("cut") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        program.succeeds("rescore")
        yield program


def test_files_of_the_number_of_before_publish_nothing(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores that another number of ranges published since are newer, and stay."""
    first = program.matches()
    program.sql("UPDATE profiles SET list_size = 40000, current_projects = 'a course', audience_engagement_score = 0.9")
    program.succeeds("rescore", JV_ID_RANGES=FEWER)
    newer = program.matches()
    assert {match for match in newer if newer[match]["harmonic_mean"] != first[match]["harmonic_mean"]}

    status = program.succeeds("status").out
    for asset in ("profiles", "match_scores"):
        assert f"{asset}: never done in 4 ranges ({', '.join(KEYS)})" in status
    assert status.endswith("Next: jv retry\n")
    monkeypatch.setenv("JV_HOME", str(program.home))
    with program.instance() as instance:
        outcome = execute(instance, defs.resolve_job_def("rescore"), parts(("published_scores",), KEYS))
    assert not outcome.succeeded
    assert "match_scores was never made: " in f"{outcome.broken} {outcome.failed}"
    assert program.matches() == newer

    program.succeeds("retry")
    assert program.matches() == newer
    assert_scored(program)
    assert program.succeeds("status").out.endswith("Next: jv nightly\n")  # nothing was embedded yet
