"""The job `forget`, which purges old runs and old entries of the score log, and its schedule."""

import dagster as dg

from jv_assets import settings
from jv_assets.names import Job
from jv_assets.partitions import one_line_failure
from jv_assets.pipeline.matches.score_log import purge
from jv_assets.resources.database import Database


@dg.op(
    name="delete_old_runs",
    description="""
Deletes runs older than `JV_KEPT_DAYS` days, with their events and logs. Keeps each run that holds the latest
materialization, attempt or check result of something. Does not touch scores, files, or what `jv undo` needs.
""",
)
def delete_old_runs(context: dg.OpExecutionContext) -> None:
    # Imported here, because it takes long to load, and every process that lists the jobs loads this module.
    from jv_assets.automation.retention import purge_old_runs

    with one_line_failure():
        count = purge_old_runs(context.instance)
    context.log.info(f"{count:,} runs older than {settings.kept_days()} days are deleted")


@dg.op(
    name="drop_old_months",
    description="""
Drops the months of `jv.score_log` that ended more than `JV_SCORE_LOG_DAYS` days ago. Keeps the last entry of each
match, because that score may still stand in production.
""",
)
def drop_old_months(context: dg.OpExecutionContext, database: dg.ResourceParam[Database]) -> None:
    with one_line_failure():
        dropped = purge(database)
    context.log.info(f"months of the log of published scores that are dropped: {', '.join(dropped) or 'none'}")


@dg.job(
    name=Job.PURGE,
    executor_def=dg.in_process_executor,
    description="Retention: delete runs older than JV_KEPT_DAYS days with their events and logs, and drop the months "
    "of the log of published scores that are older than JV_SCORE_LOG_DAYS days.",
)
def purge_runs() -> None:
    delete_old_runs()
    drop_old_months()


@dg.schedule(
    job=purge_runs,
    cron_schedule="@daily",
    execution_timezone=settings.nightly_timezone(),
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Runs the job forget once a day, so that Dagster's database and the run logs do not grow without "
    "bound.",
)
def every_day() -> dg.RunRequest:
    return dg.RunRequest()
