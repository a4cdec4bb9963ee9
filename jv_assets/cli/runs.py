"""Commands that materialize assets, and say what is left to do."""

from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import app, chosen_policy, execute, ready_database, run

Ranges = Annotated[str | None, typer.Option(help="Only these id ranges, such as 00,3c.")]
OnlyMissing = Annotated[bool, typer.Option("--only-missing", help="Write only where harmonic_mean is NULL.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing to the database; say what would be written.")]
PolicyName = Annotated[str | None, typer.Option(help="Score under this policy; by default JV_POLICY.")]
SwitchPolicy = Annotated[
    bool, typer.Option("--switch-policy", help="Replace scores stored under another policy or version.")
]
AcceptShift = Annotated[
    bool, typer.Option("--accept-shift", help="Publish although the scores moved further than on an ordinary night.")
]
AcceptWordOverlap = Annotated[
    bool,
    typer.Option("--accept-word-overlap", help="Publish although more texts than before are compared by word overlap."),
]


@app.command()
def embed(ranges: Ranges = None) -> None:
    """Embed the texts that are new or were edited."""
    from jv_assets.finishing import parts
    from jv_assets.running import chosen_keys

    run("embed", parts(("profile_embeddings",), chosen_keys(ranges)))


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
) -> None:
    """Score every match and publish what differs. Embeds nothing."""
    from jv_assets.finishing import parts
    from jv_assets.running import chosen_keys
    from jv_assets.schedules import OF_MATCHES, RESCORE

    keys = chosen_keys(ranges)
    # a match may refer to profiles of any range
    of_some = parts(("profiles",), chosen_keys(None)) + parts(OF_MATCHES, keys)
    plan = parts(RESCORE, keys) if ranges is None else of_some
    publish = {
        "only_missing": only_missing,
        "dry_run": dry_run,
        "switch_policy": switch_policy,
        "accept_shift": accept_shift,
        "accept_word_overlap": accept_word_overlap,
    }
    run("rescore", plan, {"match_scores": {"policy": chosen_policy(policy)}, "published_scores": publish})


@app.command()
def nightly() -> None:
    """Everything, as the schedule does it: embed what changed, score every match, publish what differs.

    Forgets runs that are older than JV_KEPT_DAYS, too.
    """
    from jv_assets.finishing import parts
    from jv_assets.retention import forget_old_runs
    from jv_assets.running import chosen_keys, open_instance
    from jv_assets.schedules import NIGHTLY

    chosen_policy(None)
    settings.kept_days()
    outcome = execute("nightly", parts(NIGHTLY, chosen_keys(None)))
    with open_instance() as instance:
        forget_old_runs(instance)
    if not outcome.well:
        raise typer.Exit(1)


@app.command()
def retry() -> None:
    """Do the ranges that failed, that were cut off or that were never done, and no others."""
    from jv_assets.running import open_instance, retry_plan

    chosen_policy(None)
    ready_database()
    with open_instance() as instance:
        plan = retry_plan(instance)
    if not plan:
        typer.echo("No range has failed and none is left to do.")
        return
    run("nightly", plan)


@app.command()
def undo(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Its id, or 8 characters of it; without: what can be undone.")
    ] = None,
) -> None:
    """Put back the scores that a run replaced."""
    from jv_assets.console import show_kept_runs, show_undone
    from jv_assets.running import execute_op, open_instance
    from jv_assets.undoing import PUT_BACK, count_kept, find_run, kept_runs

    database = ready_database()
    if run_id is None:
        show_kept_runs(kept_runs(database), count_kept(database))
        return
    found = find_run(database, run_id)
    with open_instance() as instance:
        outcome = execute_op(instance, "undo", PUT_BACK, {"run": found})
    show_undone(outcome, found)
    if not outcome.well:
        raise typer.Exit(1)


@app.command()
def status() -> None:
    """What is embedded, scored, skipped and NULL, by reason; which ranges failed."""
    from jv_assets.console import show_status, waiting
    from jv_assets.running import left_over, open_instance, under_way
    from jv_assets.status import count_older, count_waiting_texts, read_status

    database, model = ready_database(), settings.embedding_model()
    with open_instance() as instance, waiting("comparing the stored scores with the data"):
        left, going_on = left_over(instance), under_way(instance)
        status, older = read_status(database, model), count_older(database, model)
        texts = count_waiting_texts(database, model)
    show_status(status, model, older, texts=texts, left=left, under_way=going_on)
