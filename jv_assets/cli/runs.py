"""Commands that run the pipeline, and show what is left to do."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import (
    AsJson,
    app,
    chosen_policy,
    definitions,
    execute,
    production_database,
    range_files,
    ready_database,
    run,
)
from jv_assets.cli.discovery import discover_as
from jv_assets.cli.json_answer import answer, answer_outcome
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PROFILES, PUBLISHED_SCORES, PUT_BACK, Job

Ranges = Annotated[str | None, typer.Option(help="Only these partitions, such as 00-3c,80.")]
OnlyMissing = Annotated[bool, typer.Option("--only-missing", help="Write only where harmonic_mean is NULL.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Count what would be written, and write nothing to the database.")
]
PolicyName = Annotated[str | None, typer.Option(help="Score under this policy; by default that of JV_POLICY.")]
SwitchPolicy = Annotated[
    bool, typer.Option("--switch-policy", help="Replace scores that are stored under another policy or version.")
]
AcceptShift = Annotated[
    bool, typer.Option("--accept-shift", help="Publish even if the scores moved further than on an ordinary night.")
]
AcceptWordOverlap = Annotated[
    bool,
    typer.Option(
        "--accept-word-overlap", help="Publish even if many more texts than before are compared by word overlap."
    ),
]


@app.command()
def embed(*, ranges: Ranges = None, as_json: AsJson = False) -> None:
    """Embed the texts that are new or were edited."""
    from jv_assets.automation.execution import chosen_keys
    from jv_assets.automation.finishing import parts

    run(Job.EMBED, parts((PROFILE_EMBEDDINGS,), chosen_keys(ranges)))


@app.command()
def rescore(
    *,
    ranges: Ranges = None,
    only_missing: OnlyMissing = False,
    dry_run: DryRun = False,
    policy: PolicyName = None,
    switch_policy: SwitchPolicy = False,
    accept_shift: AcceptShift = False,
    accept_word_overlap: AcceptWordOverlap = False,
    as_json: AsJson = False,
) -> None:
    """Score every match, and publish the scores that differ. Embeds nothing."""
    from jv_assets.automation.execution import chosen_keys
    from jv_assets.automation.finishing import parts
    from jv_assets.automation.schedules import OF_MATCHES, RESCORE

    keys = chosen_keys(ranges)
    # A match may refer to profiles of any partition.
    of_some = parts((PROFILES,), chosen_keys(None)) + parts(OF_MATCHES, keys)
    plan = parts(RESCORE, keys) if ranges is None else of_some
    publish: dict[str, object] = {
        "only_missing": only_missing,
        "dry_run": dry_run,
        "switch_policy": switch_policy,
        "accept_shift": accept_shift,
        "accept_word_overlap": accept_word_overlap,
    }
    ops: dict[str, dict[str, object]] = {MATCH_SCORES: {"policy": chosen_policy(policy)}, PUBLISHED_SCORES: publish}
    run(Job.RESCORE, plan, ops, use="dry run" if dry_run else "write")


@app.command()
def nightly(*, as_json: AsJson = False) -> None:
    """Run the whole pipeline: embed changed texts, score every match, publish the scores that differ.

    At the end, purges runs older than JV_KEPT_DAYS, and entries of the score log older than JV_SCORE_LOG_DAYS.
    """
    from jv_assets.automation.execution import chosen_keys
    from jv_assets.automation.finishing import parts
    from jv_assets.automation.retention import purge_old_runs
    from jv_assets.automation.schedules import WITH_TRIALS
    from jv_assets.pipeline.matches.score_log import purge
    from jv_assets.platform.instance import open_instance

    chosen_policy(None)
    settings.kept_days()
    settings.score_log_days()
    outcome = execute(Job.NIGHTLY, parts(WITH_TRIALS, chosen_keys(None)))
    with open_instance() as instance:
        purge_old_runs(instance)
    purge(production_database())
    if not outcome.succeeded:
        raise typer.Exit(1)


@app.command()
def retry(*, as_json: AsJson = False) -> None:
    """Retry only the partitions that failed, were interrupted or were never done."""
    from jv_assets.automation.discovery_retry import rest_of_discovery, unfinished_request
    from jv_assets.automation.execution import retry_plan
    from jv_assets.automation.outcome import Outcome
    from jv_assets.platform.instance import open_instance

    chosen_policy(None)
    files = range_files(ready_database())
    with open_instance() as instance:
        plan, discovery = retry_plan(instance, files), rest_of_discovery(instance)
        request = unfinished_request(instance, files)
    outcome = Outcome()
    if not plan and discovery is None and request is None:
        typer.echo("No range has failed and none is left to do.")
    if plan:
        outcome.add(execute(Job.NIGHTLY, plan))
    if request and request.out:
        outcome.add(discover_as(request, Path(request.out)))
    elif discovery:
        outcome.add(execute(Job.DISCOVER, discovery.plan, discovery.ops, use="dry run"))
    answer_outcome(outcome, "jv retry")
    if not outcome.succeeded:
        raise typer.Exit(1)


@app.command()
def undo(
    run_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="Id of the run, or its first 8 characters. Without it, lists the runs that can be undone.",
        ),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be restored, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Restore the scores that a run replaced. Shows what would change, and asks first."""
    from jv_assets.automation.execution import execute_op
    from jv_assets.cli.console import waiting
    from jv_assets.cli.undo_lines import UNDONE, kept_fields, preview_fields, show_kept_runs, show_preview, show_undone
    from jv_assets.pipeline.matches.undo_units import describe
    from jv_assets.pipeline.undo import count_kept, find_run, kept_runs, preview_undo
    from jv_assets.platform.instance import open_instance

    if run_id is None and (yes or dry_run):
        raise UserError(f"{'--yes' if yes else '--dry-run'}: name the run that is to be undone; jv undo lists them")
    database = ready_database("read" if run_id is None else "dry run" if dry_run else "write")
    with open_instance() as instance:
        if run_id is None:
            runs = kept_runs(database)
            units = {run.run_id: describe(instance, run.run_id) for run in runs}
            kept = kept_fields(runs, count_kept(database), units)
            answer(kept_runs=kept)
            show_kept_runs(kept)
            return
        full_id = find_run(database, run_id, instance)
        if not (yes or dry_run or sys.stdin.isatty()):
            raise UserError(
                f"jv undo asks before it writes, and there is no terminal to ask at; to put back what run "
                f"{full_id[:8]} replaced, type: jv undo {full_id[:8]} --yes"
            )
        if dry_run or not yes:
            with waiting("looking up what would be put back"):
                preview, unit = preview_undo(database, full_id), describe(instance, full_id)
            answer(run=full_id, **preview_fields(preview))
            show_preview(preview, full_id, unit)
            if dry_run or not preview.restored:
                return
            if not _confirmed("Put these back?"):
                typer.echo("Nothing was put back.")
                raise typer.Exit(1)
        outcome = execute_op(instance, definitions().resolve_job_def(Job.UNDO), PUT_BACK, {"run": full_id})
    show_undone(outcome, full_id)
    answer(run=full_id, **{name: int(outcome.total(PUBLISHED_SCORES, name)) for name in UNDONE})
    answer_outcome(outcome, f"jv undo {full_id}")
    if not outcome.succeeded:
        raise typer.Exit(1)


def _confirmed(question: str) -> bool:
    """Return whether the answer is yes. End of input and Ctrl-C count as no."""
    try:
        return bool(typer.confirm(question))
    except typer.Abort:
        typer.echo()
        return False


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """Count what is embedded, scored and skipped, and list the partitions that failed."""
    from jv_assets.automation.execution import at_work, left_over, under_way
    from jv_assets.cli.console import next_command, show_status, told_cuts, waiting
    from jv_assets.pipeline.database.stored_cut import read_cut_times
    from jv_assets.platform.instance import open_instance
    from jv_assets.setup.status import count_older, count_waiting_texts, read_status

    policy = chosen_policy(None)
    database, model = ready_database("read"), settings.embedding_model()
    with open_instance() as instance, waiting("comparing the stored scores with the data"):
        left, going_on = left_over(instance, range_files(database)), under_way(instance)
        busy = any(run.job_name not in (Job.REPORT, Job.DISCOVER) for run in at_work(instance))
        status, older = read_status(database, model), count_older(database, model)
        texts = count_waiting_texts(database, model)
    lines = [*told_cuts(read_cut_times(database, settings.id_ranges()), settings.id_ranges()), *going_on]
    show_status(status, model=model, policy=policy, older=older, texts=texts, left=left, going_on=lines, at_work=busy)
    answer(
        model=model,
        policy=policy,
        profiles=status.profiles,
        matches=status.matches,
        scored=[
            {"policy": name, "scoring_version": version, "model": of, "matches": count}
            for (name, version, of), count in status.scored.items()
        ],
        scored_by_another_program=status.foreign,
        scored_once=status.once,
        without_score=status.null,
        older_than_data=older,
        texts_waiting=texts,
        unfinished=left,
        under_way=going_on,
        at_work=busy,
        next="jv status" if busy else next_command(status, older, texts, any(left.values())),
    )
