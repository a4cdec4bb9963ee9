"""The job that forgets old runs, and when it does: `retention.py` says which."""

import dagster as dg

from jv_assets import settings
from jv_assets.partitions import one_line_failure


@dg.op(
    name="delete_old_runs",
    description="""
Deletes the runs that are older than `JV_KEPT_DAYS` days, with their events and logs, but for those that hold the latest
materialization, attempt or check of anything. Scores, files and what `jv undo` needs are not touched.
""",
)
def delete_old_runs(context: dg.OpExecutionContext) -> None:
    # not above: what reads Dagster's own tables takes long to load, and every process that lists the jobs would
    from jv_assets.retention import forget_old_runs

    with one_line_failure():
        count = forget_old_runs(context.instance)
    context.log.info(f"{count:,} runs older than {settings.kept_days()} days are deleted")


@dg.job(
    name="forget",
    executor_def=dg.in_process_executor,
    description="Delete the runs that are older than JV_KEPT_DAYS days, with their events and logs.",
)
def forget() -> None:
    delete_old_runs()


@dg.schedule(
    job=forget,
    cron_schedule="@daily",
    execution_timezone=settings.nightly_timezone(),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Once a day, so that Dagster's database and the logs of runs do not grow for ever.",
)
def every_day() -> dg.RunRequest:
    return dg.RunRequest()
