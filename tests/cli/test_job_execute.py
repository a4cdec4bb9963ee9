"""A job that Dagster's own command starts without partitions: one line says what to type, and that works."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from jv_assets import settings
from jv_assets.partitions import all_ranges_tags
from jv_assets.platform import postgres
from tests.support.pipelines import Pipeline
from tests.support.program import SECONDS, Program, assert_scored, removed_at_last, scored

SAYS = "this run has no partitions; to do all of them, type: --tags "


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with removed_at_last(tmp_path_factory.mktemp("execute") / "home") as home:
        program = Program(home)
        program.succeeds("load", "demo", "--profiles", "40", "--matches", "80")
        yield program


def execute(program: Program, *more: str) -> "subprocess.CompletedProcess[str]":
    dagster = Path(sys.executable).with_name("dagster")
    return subprocess.run(
        [dagster, "job", "execute", "-m", "jv_assets.definitions", "-j", "rescore", *more],
        cwd=settings.ROOT,
        env=program.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )


def test_it_says_what_to_type(program: Program) -> None:
    refused = execute(program)
    assert refused.returncode == 1
    assert scored(program.matches()) == set()
    (words,) = set(re.findall(f"{SAYS}('{{\"[^']+')", refused.stderr))  # Not the line of code in the trace.
    done = execute(program, "--tags", *shlex.split(words))
    assert done.returncode == 0, done.stderr
    assert_scored(program)
    assert "published_scores: never done" not in program.succeeds("status").out


@pytest.mark.parametrize("job", ["rescore", "refresh", "nightly", "discover"])
def test_every_job_that_reads_profiles_says_so(program: Program, job: str) -> None:
    """In `embed` and `report`, Dagster fails before a step begins if an asset outside the job has partitions."""
    with program.instance() as instance:
        pipeline = Pipeline(postgres.start(program.home / "postgres").url(), program.home, instance)
        run = pipeline.defs.resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False)
        failures = [event.step_failure_data.user_failure_data for event in run.all_events if event.is_step_failure]
    assert not run.success
    assert f"{SAYS}'{json.dumps(all_ranges_tags())}'" in {failure.description for failure in failures if failure}
