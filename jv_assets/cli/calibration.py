"""Commands that measure what cosines mean, and keep a proposal under a name."""

from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import AsJson, app, execute, range_files, ready_database
from jv_assets.cli.json_answer import answer
from jv_assets.names import SIMILARITY_CALIBRATION, Job

calibration = typer.Typer(no_args_is_help=True, help="What a cosine of the model means, and which steps score it.")
app.add_typer(calibration, name="calibration")


@calibration.command()
def measure(*, as_json: AsJson = False) -> None:
    """Measure how many random pairs reach each step, and propose steps. Changes no score."""
    from jv_assets.automation.execution import chosen_keys
    from jv_assets.automation.finishing import parts
    from jv_assets.cli.console import table
    from jv_assets.pipeline.calibration import path_of, read_file
    from jv_assets.reports.similarity_calibration import proposal_rows

    settings.calibration_rates()
    outcome = execute(Job.CALIBRATE, parts((SIMILARITY_CALIBRATION,), chosen_keys(None)), use="dry run")
    if not outcome.succeeded:
        raise typer.Exit(1)
    files, model = range_files(ready_database("read")), settings.embedding_model()
    report = read_file(files, model)
    assert report
    table(f"steps of {model}", *proposal_rows(report))
    answer(model=model, out=str(path_of(files, model)), calibration={
        each["factor"]: each["proposal"] for each in report["factors"]})  # fmt: skip


@calibration.command()
def save(
    name: Annotated[str, typer.Argument(help="A new name: small letters, digits, - and _.")], *, as_json: AsJson = False
) -> None:
    """Write the proposed steps of the last measurement to a file of this name. Changes no score."""
    from jv_assets.pipeline.calibration import save_named
    from jv_assets.pipeline.rules import version_of

    files = range_files(ready_database("read"))
    path, content = save_named(files, settings.embedding_model(), name)
    version = version_of(content)
    answer(name=name, model=content["model"], out=str(path), scoring_version=version)
    typer.echo(f"{path}: calibration {name} of {content['model']}. Commit it; no score has changed.")
    typer.echo(
        f"To score under it (version {version}): set JV_CALIBRATION={name}, then type: jv rescore --switch-policy"
    )
