"""Runs over ranges that do not exist here: of another `JV_ID_RANGES`, or an old run that was executed again."""

import dagster as dg

from jv_assets.automation.execution import under_way
from jv_assets.automation.finishing import parts, rest_of
from jv_assets.partitions import ID_RANGES, keys_of_run, range_tags
from tests.support.dagster_internals import create_run_for_test


def a_run(instance: dg.DagsterInstance, tags: dict[str, str]) -> dg.DagsterRun:
    return create_run_for_test(instance, job_name="nightly", status=dg.DagsterRunStatus.STARTED, tags=tags)


def test_they_are_shown_as_they_are_tagged() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        old = a_run(instance, range_tags("04", "fc"))
        one = a_run(instance, {"dagster/partition": "3c"})
        here = a_run(instance, range_tags(ID_RANGES.get_partition_keys()[0], ID_RANGES.get_partition_keys()[1]))
        assert keys_of_run(old) == ["04", "fc"]
        assert set(under_way(instance)) == {
            f"run {old.run_id[:8]} of nightly, ranges 04 to fc, is still running",
            f"run {one.run_id[:8]} of nightly, ranges 3c to 3c, is still running",
            f"run {here.run_id[:8]} of nightly, ranges 0 to 4, is still running",
        }


def test_nothing_is_done_for_them() -> None:
    assert parts(("match_scores",), ["04", "fc"]) == []
    with dg.DagsterInstance.ephemeral() as instance:
        assert rest_of(instance, a_run(instance, range_tags("04", "fc")), ("match_scores", "published_scores")) == []
