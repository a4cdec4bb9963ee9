"""What Dagster loads: everything described, nothing slow imported, the ranges whole, jobs and schedule right."""

import os
import re
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from jv_assets import partitions, settings
from jv_assets.assets.columns import MADE_FROM
from jv_assets.automation import schedules
from jv_assets.definitions import defs
from jv_assets.errors import UserError
from jv_assets.names import GROUPS
from jv_assets.partition_cut import equal_width, listed, range_keys
from jv_assets.partitions import range_tags
from jv_scoring.policy import CODE_VERSION
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.dagster_internals import create_run_for_test

GRAPH = defs.resolve_asset_graph()
RANGED = ["match_candidates", "match_scores", "profile_embeddings", "profiles", "published_scores"]
SLOW = [
    "alembic",
    "altair",
    "dagster_postgres",
    "rich",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "torch",
    "transformers",
]
SCHEDULE = """
from jv_assets.automation.schedules import every_night as s
print(s.cron_schedule, s.execution_timezone, sep="\\n")
"""


def python(code: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run code in an interpreter that has imported nothing yet."""
    env = {**os.environ, **more}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)


def test_they_load_and_can_be_run() -> None:
    dg.Definitions.validate_loadable(defs)


@pytest.mark.parametrize("key", sorted(GRAPH.get_all_asset_keys()), ids=dg.AssetKey.to_user_string)
def test_every_asset_says_what_it_is(key: dg.AssetKey) -> None:
    node = GRAPH.get(key)
    assert node.description
    assert len(node.description.strip()) > 50
    assert node.kinds
    if node.is_materializable:
        assert node.code_version == CODE_VERSION
        assert re.search(r"^Runs .*(every night|`jv discover`|only, not every night)", node.description, re.MULTILINE)
        assert "Takes " in node.description


def test_the_arrows_between_groups_run_one_way() -> None:
    places = list(GROUPS)
    for key in GRAPH.get_all_asset_keys():
        for parent in GRAPH.get(key).parent_keys:
            groups = [GRAPH.get(each).group_name for each in (parent, key)]
            assert places.index(str(groups[0])) <= places.index(str(groups[1])), (parent, key)


def columns_of(key: dg.AssetKey) -> list[str]:
    schema = GRAPH.get(key).metadata.get("dagster/column_schema")
    return [column.name for column in schema.columns] if schema else []


@pytest.mark.parametrize("key", sorted(GRAPH.get_all_asset_keys()), ids=dg.AssetKey.to_user_string)
def test_every_column_is_a_row_and_names_columns_that_are_there(key: dg.AssetKey) -> None:
    metadata, columns = GRAPH.get(key).metadata, columns_of(key)
    assert all(re.fullmatch(r"\w+", name) for name in columns), columns
    assert len(set(columns)) == len(columns)
    lineage = metadata.get("dagster/column_lineage")
    if lineage is None:
        assert key.path[0] == "production" or not columns
        return
    assert set(lineage.deps_by_column) <= set(columns)
    rows = {row.split(" | ")[0].strip("|` "): row for row in metadata[MADE_FROM].value.splitlines()[2:]}
    assert rows.keys() == lineage.deps_by_column.keys()
    before = GRAPH.get_ancestor_asset_keys(key)
    for column, sources in lineage.deps_by_column.items():
        for source in sources:
            assert source.asset_key in before
            assert source.column_name in columns_of(source.asset_key)
            assert f"(/assets/{source.asset_key.to_user_string()})" in rows[column]
            assert source.column_name in rows[column]


def test_a_score_leads_back_to_its_texts() -> None:
    seen, left = set(), [(dg.AssetKey("published_scores"), "harmonic_mean")]
    while left:
        key, column = left.pop()
        seen.add((key.to_user_string(), column))
        lineage = GRAPH.get(key).metadata.get("dagster/column_lineage")
        sources = lineage.deps_by_column.get(column, ()) if lineage else ()
        left += [(source.asset_key, source.column_name) for source in sources]
    assert {("production/profiles", name) for name in EMBEDDED_FIELDS} <= seen
    assert ("match_scores", "harmonic_mean") in seen


def test_every_job_schedule_sensor_and_check_says_what_it_is() -> None:
    repository = defs.get_repository_def()
    jobs = [job for job in repository.get_all_jobs() if not job.name.startswith("__")]
    assert {job.name for job in jobs} == {
        *("calibrate", "discover", "embed", "forget", "nightly", "refresh", "report", "rescore", "undo"),
    }
    for each in [*jobs, *repository.schedule_defs, *repository.sensor_defs]:
        assert each.description, each.name
    for check in GRAPH.asset_check_keys:
        assert GRAPH.get(check).description, check


def test_every_resource_says_what_it_is_and_no_run_can_be_given_another() -> None:
    resources = defs.resources or {}
    assert sorted(resources) == ["database", "embedder", "files"]
    for name, resource in resources.items():
        assert len(resource.description or "") > 50, name
        with pytest.raises(dg.DagsterInvalidConfigError, match="unexpected config"):
            dg.validate_run_config(defs.resolve_job_def("embed"), {"resources": {name: {"config": {"model": "other"}}}})
    assert settings.embedding_model() in str(resources["embedder"].description)


def test_loading_them_imports_nothing_slow_and_writes_nothing(home: os.PathLike[str]) -> None:
    done = python(f"import sys, jv_assets.definitions; print([name for name in {SLOW} if name in sys.modules])")
    assert done.stdout == "[]\n", done.stderr
    assert not os.path.exists(home)  # noqa: PTH110


def test_64_ranges_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JV_ID_RANGES")
    assert range_keys(settings.id_ranges()) == [f"{first:02x}" for first in range(0, 256, 4)]


def test_ranges_of_the_assets() -> None:
    keys = partitions.ID_RANGES.get_partition_keys()
    assert keys == list("048c")
    for name in RANGED:
        definition = GRAPH.get(dg.AssetKey(name)).partitions_def
        assert definition
        assert definition.get_partition_keys() == keys


def test_many_ranges_are_listed_in_short() -> None:
    assert listed(range_keys(8)) == "0, 2, 4, 6, 8, a, c, e"
    assert listed(range_keys(16)[:9]) == "0, 1, 2, …, 8"


@pytest.mark.parametrize("count", [2**power for power in range(13)])
def test_ranges_of_any_number_tile_the_uuids(count: int) -> None:
    cut = equal_width(count)
    assert cut.keys == range_keys(count)
    ends = [[int(uuid.replace("-", ""), 16) for uuid in cut.bounds(key)] for key in cut.keys]
    assert len(ends) == count
    assert ends[0][0] == 0
    assert ends[-1][1] == 2**128 - 1
    assert all(first <= last for first, last in ends)
    assert all(ends[at][1] + 1 == ends[at + 1][0] for at in range(count - 1))


@pytest.mark.parametrize("text", ["7", "0", "8192", "-4", "64.0", "many"])
def test_another_number_of_ranges_is_refused_in_one_line(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_ID_RANGES", text)
    with pytest.raises(UserError) as caught:
        settings.id_ranges()
    assert str(caught.value) == f"JV_ID_RANGES={text}: set it to a power of two from 1 to 4096"


def test_jv_refuses_it_in_the_same_line() -> None:
    done = python("import sys; from jv_assets.cli import main; sys.argv[1:] = ['rescore']; main()", JV_ID_RANGES="7")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "jv: JV_ID_RANGES=7: set it to a power of two from 1 to 4096\n"


def test_a_match_needs_the_profiles_of_all_ranges() -> None:
    scores = dg.AssetKey("match_scores")
    parents = {key.to_user_string() for key in GRAPH.get(scores).parent_keys}
    assert parents == {"profiles", "profile_embeddings", "production/match_suggestions"}
    for name in ("profiles", "profile_embeddings"):
        assert isinstance(GRAPH.get_partition_mapping(scores, dg.AssetKey(name)), dg.AllPartitionMapping)


def test_the_other_assets_follow_range_by_range() -> None:
    for name, parent in (("published_scores", "match_scores"), ("profile_embeddings", "profiles")):
        mapping = GRAPH.get_partition_mapping(dg.AssetKey(name), dg.AssetKey(parent))
        assert isinstance(mapping, dg.IdentityPartitionMapping)


def assets_of(job: str) -> set[str]:
    selected = defs.resolve_job_def(job).asset_layer.selected_asset_keys
    return {key.to_user_string() for key in selected}


def test_the_jobs_hold_the_right_assets() -> None:
    assert assets_of("embed") == {"profile_embeddings"}
    assert assets_of("rescore") >= {"profiles", "match_scores", "published_scores"}
    assert "profile_embeddings" not in assets_of("rescore")
    assert assets_of("nightly") == assets_of("rescore") | {"profile_embeddings", "trial_scores"}


def test_one_nightly_run_over_all_ranges(tmp_path: Path) -> None:
    schedule = defs.resolve_schedule_def("every_night")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance, dg.build_schedule_context(instance) as context:
        [request] = schedule.evaluate_tick(context).run_requests or []
        for status in set(dg.DagsterRunStatus) - {dg.DagsterRunStatus.QUEUED}:  # which Dagster's helper cannot make
            run = create_run_for_test(instance, job_name="nightly", status=status)
            skipped = schedule.evaluate_tick(context).skip_message
            ended = status.name in ("SUCCESS", "FAILURE", "CANCELED", "MANAGED")
            assert skipped == (None if ended else f"the nightly run {run.run_id} is still running")
            instance.delete_run(run.run_id)
    assert schedule.job.name == "nightly"
    assert range_tags("0", "c").items() <= request.tags.items()
    assert schedules.every_night.cron_schedule == "0 3 * * *"
    assert schedules.every_night.execution_timezone == "UTC"


def test_the_environment_says_when() -> None:
    done = python(SCHEDULE, JV_NIGHTLY_CRON="30 4 * * 1", JV_NIGHTLY_TIMEZONE="Europe/Berlin")
    assert done.stdout == "30 4 * * 1\nEurope/Berlin\n", done.stderr


def test_a_cron_that_is_none_is_named() -> None:
    done = python(SCHEDULE, JV_NIGHTLY_CRON="every night")
    assert done.stderr.splitlines()[-1].endswith(
        "JV_NIGHTLY_CRON=every night: set it to minute, hour, day, month and weekday, such as 0 3 * * *"
    )


@pytest.mark.parametrize(
    ("cron", "warn", "fail"),
    [
        ("0 3 * * *", "26:00:00", "50:00:00"),
        ("0 3 * * 1-5", "74:00:00", "146:00:00"),
        ("* * * * *", "2:01:00", "2:02:00"),
    ],
)
def test_scores_and_report_are_late_when_a_night_was_left_out(cron: str, warn: str, fail: str) -> None:
    code = """
from jv_assets.definitions import defs
for name in ("published_scores", "diagnostic_report"):
    policy = defs.resolve_asset_graph().get(dg.AssetKey(name)).freshness_policy
    for window in (policy.warn_window, policy.fail_window):
        seconds = int(window.to_timedelta().total_seconds())
        print(f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}")
"""
    done = python(f"import dagster as dg{code}", JV_NIGHTLY_CRON=cron)
    assert done.stdout.split() == [warn, fail, warn, fail], done.stderr


def test_a_time_zone_that_does_not_exist_is_named() -> None:
    done = python(SCHEDULE, JV_NIGHTLY_TIMEZONE="Mars")
    assert done.stderr.splitlines()[-1].endswith(
        "JV_NIGHTLY_TIMEZONE=Mars: no such time zone; use a name such as Europe/Berlin"
    )
