"""Commands for people's ratings: make a rating sheet, and load what a rater saved."""

from pathlib import Path
from typing import Annotated

import typer

from jv_assets import settings
from jv_assets.cli.common import AsJson, app, range_files, ready_database
from jv_assets.cli.json_answer import answer

ratings = typer.Typer(no_args_is_help=True, help="What people think of pairs of profiles.")
app.add_typer(ratings, name="ratings")


@app.command()
def rating_sheet(
    matches: Annotated[
        int, typer.Option(help="How many pairs the sheet has: matches, proposed pairs and random pairs.")
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write. It contains texts of profiles.")],
    seed: Annotated[int, typer.Option(help="Another seed draws other pairs.", min=0)] = 0,
    *,
    as_json: AsJson = False,
) -> None:
    """Write a page on which people rate pairs of profiles, without their scores."""
    from jv_assets.ratings.drawing import draw
    from jv_assets.ratings.sheet import read_profiles, to_html
    from jv_assets.ratings.store import keep_sheet
    from jv_assets.reports.exporting import write_whole

    database = ready_database()
    sheet = draw(
        database, range_files(database), settings.embedding_model(), settings.policy(), count=matches, seed=seed
    )
    page = to_html(sheet, read_profiles(database, sheet))
    keep_sheet(database, sheet.name, sheet.pairs)
    write_whole(out, page, mode=0o600)
    answer(sheet=sheet.name, pairs=len(sheet.pairs), out=out)
    typer.echo(f"sheet {sheet.name}, {len(sheet.pairs):,} pairs: {out}")
    typer.echo("It holds texts of profiles. Load what a rater saves of it: jv ratings load FILE")


@ratings.command()
def load(
    file: Annotated[Path, typer.Argument(help="The CSV file that a rating sheet saved.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Load the file that a rater saved. Idempotent; a later file of the same rater replaces the earlier one."""
    from jv_assets.ratings.loading import read_ratings
    from jv_assets.ratings.store import keep_ratings

    database = ready_database()
    rows = read_ratings(database, file)
    replaced = keep_ratings(database, rows)
    raters = {row.rater for row in rows}
    answer(ratings=len(rows), raters=len(raters), replaced=replaced)
    again = f"; {replaced:,} of before replaced" if replaced else ""
    typer.echo(f"{len(rows):,} ratings of {len(raters):,} raters loaded{again}")
