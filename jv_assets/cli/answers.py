"""Commands that explain, export, evaluate and report the scores."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import AsJson, app, execute, range_files, ready_database
from jv_assets.cli.json_answer import answer
from jv_assets.cli.streams import refuse_two_documents, told, write_table
from jv_assets.errors import UserError
from jv_assets.names import DIAGNOSTIC_REPORT, EVALUATION, MATCH_SCORES, MOMENTUM_OPTIONS, PRODUCTION_IMPACT, Job


@app.command()
def explain(
    match_id: Annotated[
        str, typer.Argument(metavar="ID", help="The id of a match, or of a profile A; its beginning will do.")
    ],
    candidate_id: Annotated[
        str | None, typer.Argument(metavar="[B]", help="The id of a profile B, which no match needs to join with A.")
    ] = None,
    *,
    policy: Annotated[
        str | None, typer.Option(help="Explain under this policy; by default that of the stored score.")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="COLUMN=VALUE",
            help="Show the score if B had this value (a.COLUMN: if A had it). Repeatable.",
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the explanation as a page to this file.")] = None,
    names: Annotated[bool, typer.Option("--names", help="Also show the names of both profiles.")] = False,
    as_json: AsJson = False,
) -> None:
    """Explain the score of a match, or of two profiles that no match joins: what costs points, and what a change
    would do.
    """
    from jv_assets.cli.explain_tables import show
    from jv_assets.explain import explain as explain_match
    from jv_assets.explain import explain_profiles, fields, parse_changes, to_html, with_names
    from jv_assets.reports.exporting import write_whole
    from jv_assets.resources.embedder import Embedder

    model, wanted = settings.embedding_model(), parse_changes(changes or [])
    database, embed = ready_database("read"), Embedder(model).embed
    if candidate_id is None:
        explanation = explain_match(database, model, match_id, policy, changes=wanted, embed=embed)
    else:
        ids = (match_id, candidate_id)
        explanation = explain_profiles(database, model, ids, policy, changes=wanted, embed=embed)
    if names:
        explanation = with_names(database, explanation)
    answer(**fields(explanation))
    show(explanation)
    if html:
        write_whole(html, to_html(explanation))
        typer.echo(f"The page: {html}")


@app.command()
def export(
    top: Annotated[int, typer.Option(help="How many matches to export, the best first.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write; - for standard output.")],
    profile: Annotated[str | None, typer.Option(help="Only matches of this profile, on either side.")] = None,
    *,
    missing: Annotated[
        bool,
        typer.Option(
            "--missing-data",
            help="Write the profiles whose missing data costs most points instead, by field: data to ask for.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the best matches to a CSV file. harmonic_mean has the name match_score there."""
    from jv_assets.reports.exporting import top_matches
    from jv_assets.reports.missing_data import missing_data

    refuse_two_documents(out, as_json)
    if missing:
        if profile is not None:
            raise UserError("--missing-data is of all profiles; leave out --profile")
        rows = missing_data(range_files(ready_database("read")), top)
        write_table(rows, out)
        answer(rows=len(rows), out=out)
        typer.echo(f"{len(rows):,} profiles in {told(out)}: their missing data costs most, and is data to ask for")
        return
    best = top_matches(ready_database("read"), top, profile)
    write_table(best.rows, out)
    answer(rows=len(best.rows), out=out, without_score=best.without_score, not_scorable=best.not_scorable)
    gone = f", and {best.not_scorable:,} that can never be scored again" if best.not_scorable else ""
    typer.echo(f"{len(best.rows):,} matches in {told(out)}; {best.without_score:,} without a score{gone} were left out")


@app.command()
def evaluate(
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Evaluate as of this moment (2026-11-28T03:00Z); by default now.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="Print only this label: acted or feedback.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure whether the scores predict what people do with the matches."""
    from jv_assets.automation.execution import chosen_keys
    from jv_assets.automation.finishing import parts
    from jv_assets.cli.evaluation import show
    from jv_assets.reports.evaluation import evaluated, write
    from jv_assets.reports.exporting import reports_folder
    from jv_assets.reports.impact_rows import moment_in
    from jv_scoring.analysis.evaluation_labels import LABELS

    if label is not None and label not in LABELS:
        raise UserError(f"--label {label}: use one of {', '.join(LABELS)}")
    moment = moment_in("--at", at) if at else None
    settings.feedback_labels()
    settings.outcome_days()
    database = ready_database("read")
    keys, files = chosen_keys(None), range_files(database)
    if not files.made(MATCH_SCORES, keys):
        raise UserError("no match is scored yet; type: jv nightly")
    outcome = execute(Job.REPORT, parts((EVALUATION,), keys), use="read")
    if evaluation := evaluated(database, files, moment):
        show(evaluation, label)
        page = write(evaluation, reports_folder())
        typer.echo(page)
        answer(evaluation=evaluation, file=page)
    if not outcome.succeeded:
        raise typer.Exit(1)


@app.command()
def report(
    sample: Annotated[
        int | None, typer.Option(help="Use about this many matches, drawn by a hash of the id; by default all.")
    ] = None,
    *,
    hours: Annotated[float, typer.Option(help="Compare production with this many hours ago.")] = 24,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|TIME", help="Compare with a moment (2026-11-28T03:00Z), or with the end of a run (its id)."
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(metavar="RUN|TIME", help="Up to another run or moment; by default the scores computed last."),
    ] = None,
    old_sample: Annotated[
        bool,
        typer.Option("--old-sample", help="Also show the 50 best by match_score, the biased sample of older figures."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the report page, the simulated options for Momentum, and the best matches as a CSV file."""
    from jv_assets.automation.execution import chosen_keys
    from jv_assets.automation.finishing import parts
    from jv_assets.automation.schedules import REPORTS
    from jv_assets.cli.console import show_report
    from jv_assets.reports.tallies import TALLIED

    if sample is not None and sample < 1:
        raise UserError(f"--sample {sample}: ask for 1 match or more")
    settings.feedback_labels()
    settings.outcome_days()
    files = range_files(ready_database("read"))
    keys, made = chosen_keys(None), settings.reports_dir() / "report.json"
    if not files.made(MATCH_SCORES, keys):
        raise UserError("no match is scored yet; type: jv nightly")
    before = made.stat().st_mtime_ns if made.exists() else None
    ops: dict[str, dict[str, object]] = {
        DIAGNOSTIC_REPORT: {"old_sample": old_sample},
        PRODUCTION_IMPACT: {"hours": hours, "since": since, "until": until},
    }
    if sample is not None:
        for name in (*TALLIED, MOMENTUM_OPTIONS):
            ops.setdefault(name, {})["sample"] = sample
    outcome = execute(Job.REPORT, parts(REPORTS, keys), ops, use="read")
    if made.exists() and made.stat().st_mtime_ns != before:
        numbers = json.loads(made.read_text())
        pages = [made.with_suffix(f".{kind}") for kind in ("html", "txt", "json")]
        answer(report=numbers, files=pages)
        show_report(numbers, pages)
    if not outcome.succeeded:
        raise typer.Exit(1)
