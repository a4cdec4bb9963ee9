"""Commands that try a policy or a calibration beside production."""

from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import AsJson, app, chosen_policy, ready_database
from jv_assets.cli.json_answer import answer
from jv_assets.errors import UserError

trial = typer.Typer(no_args_is_help=True, help="A policy or a calibration beside production, night by night.")
app.add_typer(trial, name="trial")
Name = Annotated[str, typer.Argument(help="The name of the trial.")]


@trial.command()
def start(
    name: Annotated[str, typer.Argument(help="A new name: small letters, digits, - and _.")],
    policy: Annotated[str, typer.Option(help="The policy to try, such as geometric/redistribute.")],
    calibration: Annotated[
        str | None, typer.Option(help="The named calibration to try; by default that of production.")
    ] = None,
    nights: Annotated[int, typer.Option(help="How many complete nights the criteria take.")] = 7,
    *,
    as_json: AsJson = False,
) -> None:
    """Start a trial: every night computes this candidate's scores beside production's. Changes no score.

    Writes down the criteria that judge it.
    """
    from jv_assets.pipeline.rules import OtherModelError, in_force, rules_of
    from jv_assets.trials.criteria import written_down
    from jv_assets.trials.store import Rules
    from jv_assets.trials.store import start as start_trial

    chosen, model = chosen_policy(policy), settings.embedding_model()
    if not 1 <= nights <= 366:
        raise UserError(f"--nights {nights}: give 1 to 366")
    database = ready_database()
    try:
        version = (rules_of(model, calibration) if calibration is not None else in_force(model)).version
    except OtherModelError as error:
        raise UserError(f"--calibration {calibration} {error}") from None
    except ValueError as error:
        raise UserError(f"JV_EMBEDDING_MODEL: {error}") from None
    started = start_trial(database, name, Rules(chosen, calibration, version, model), written_down(nights))
    answer(name=name, policy=chosen, calibration=calibration, scoring_version=version,
           criteria=started.criteria, criteria_sha256=started.criteria_sha256)  # fmt: skip
    typer.echo(f"Trial {name} of {chosen} ({version}) goes on from the next night. No score in production changes.")
    typer.echo(f"Its criteria are written down, sha256 {started.criteria_sha256}. To see them, type: jv trial status")


@trial.command()
def status(*, as_json: AsJson = False) -> None:
    """Show each criterion of the trials that go on: its figure, and pass, fail or not enough."""
    from jv_assets.cli.console import table
    from jv_assets.reports.trial_scores import CRITERIA_COLUMNS, candidate, criteria_rows, told
    from jv_assets.trials.store import trials

    database = ready_database("read")
    every = trials(database)
    found = [told(database, each) for each in every if each.ended_at is None]
    answer(trials=[each.fields() for each in found], ended=[each.name for each in every if each.ended_at])
    if not found:
        typer.echo("No trial goes on; to start one, type: jv trial start NAME --policy geometric/redistribute")
    for each in found:
        fields = each.fields()
        title = f"trial {each.trial.name} of {candidate(fields)}: {fields['verdict']}"
        table(title, CRITERIA_COLUMNS, criteria_rows(each.judged))


@trial.command()
def end(name: Name, *, as_json: AsJson = False) -> None:
    """End a trial. Deletes the candidate's scores; keeps the criteria and the figures of the nights."""
    from jv_assets.trials.store import end as end_trial
    from jv_assets.trials.store import nights

    database = ready_database()
    ended = end_trial(database, name)
    kept = len(nights(database, ended))
    answer(name=name, ended_at=ended.ended_at, nights=kept)
    typer.echo(f"Trial {name} has ended. Its scores are deleted, and {kept} nights are kept.")
