"""The job `undo`: restores the scores that a run replaced, over all partitions."""

import dagster as dg

from jv_assets.names import PUBLISHED_SCORES, PUT_BACK, Job
from jv_assets.partitions import observe_each, one_line_failure
from jv_assets.pipeline.database.identity import require_home
from jv_assets.pipeline.undo import SHORTEST, find_run, undo_range
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.writability import require_writable


class UndoConfig(dg.Config):
    """`run`: the id of the run to undo, or its first eight characters or more."""

    run: str


@dg.op(
    name=PUT_BACK,
    description="""
Restores `score_ab`, `score_ba`, `harmonic_mean` and `match_context` to what they were before a run replaced them. Works
in short transactions over all partitions; if it is interrupted, launch it again. Leaves a match that a later run
replaced again, and counts it. Keeps what it replaces, so an undo can be undone too.
""",
)
def put_back(
    context: dg.OpExecutionContext,
    config: UndoConfig,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    with one_line_failure():
        require_home(database, files)
        require_writable(database)
        run_id = find_run(database, config.run, context.instance)

    def work(key: str) -> dict[str, object]:
        done = undo_range(database, files.cut.matches.bounds(key), run_id, context.run_id)
        return {**vars(done), "replaced_by": sorted(done.replaced_by), "run": run_id}

    observe_each(context, PUBLISHED_SCORES, work, again=f"jv undo {run_id[:SHORTEST]}")


@dg.job(
    name=Job.UNDO,
    executor_def=dg.in_process_executor,
    description="Restore the scores that a run replaced. Set the config ops: put_back: config: run: to the run's id.",
)
def undo() -> None:
    put_back()
