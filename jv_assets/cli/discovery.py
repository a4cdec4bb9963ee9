"""The command that finds pairs that no match joins yet."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jv_assets.cli.common import AsJson, app, chosen_policy, execute, range_files, ready_database
from jv_assets.cli.json_answer import answer
from jv_assets.cli.streams import is_standard_output, refuse_two_documents, told, write_table
from jv_assets.errors import UserError
from jv_assets.names import CANDIDATE_ALLOCATION, MATCH_CANDIDATES, PROFILES, Job

if TYPE_CHECKING:
    from jv_assets.automation.discovery_retry import Request
    from jv_assets.automation.outcome import Outcome


@app.command()
def discover(
    top: Annotated[int, typer.Option(help="How many candidates each profile gets, the best first.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write; - for standard output.")],
    cap: Annotated[int | None, typer.Option(help="Spread the pairs: no profile is in more than this many.")] = None,
    ranges: Annotated[str | None, typer.Option(help="Only profiles of these partitions, such as 00-3c,80.")] = None,
    policy: Annotated[str | None, typer.Option(help="Score under this policy; by default that of JV_POLICY.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find the best pairs that no match joins yet. Writes nothing to the platform's tables; embeds nothing."""
    from jv_assets.automation.discovery_retry import Request
    from jv_assets.automation.execution import chosen_keys

    refuse_two_documents(out, as_json)
    if top < 1:
        raise UserError(f"--top {top}: ask for 1 candidate or more")
    if cap is not None and cap < 0:
        raise UserError(f"--cap {cap}: give 0 or more")
    chosen_keys(ranges)
    request = Request(top, cap, ranges, chosen_policy(policy), None if is_standard_output(out) else str(out.resolve()))
    if not discover_as(request, out).succeeded:
        raise typer.Exit(1)


def discover_as(request: "Request", out: Path) -> "Outcome":
    """Run discovery, and write the CSV file if that succeeded. Until it is written, `jv retry` finds the request."""
    from jv_assets.automation.discovery_retry import forget, remember
    from jv_assets.automation.execution import chosen_keys
    from jv_assets.automation.finishing import parts
    from jv_assets.automation.schedules import DISCOVER
    from jv_assets.pipeline.candidates import WHOLE, csv_rows
    from jv_assets.platform.instance import open_instance

    keys, every, cap, under = chosen_keys(request.ranges), chosen_keys(None), request.cap, {"policy": request.policy}
    plan = parts((PROFILES,), every) + parts((MATCH_CANDIDATES,), keys)
    if cap is not None:
        plan += parts((CANDIDATE_ALLOCATION,), every)
    if request.ranges is None:
        plan = parts(DISCOVER if cap is not None else DISCOVER[:2], every)
    ops: dict[str, dict[str, object]] = {MATCH_CANDIDATES: {"top": request.top, **under}}
    if cap is not None:
        ops[CANDIDATE_ALLOCATION] = {"cap": cap, **under}
    files = range_files(ready_database("dry run"))
    with open_instance() as instance:
        remember(instance, files, request)
    outcome = execute(Job.DISCOVER, plan, ops, use="dry run")
    for cause in dict.fromkeys(each["not_stored"] for each in outcome.done.get(MATCH_CANDIDATES, {}).values()
                               if "not_stored" in each):  # fmt: skip
        typer.echo(f"jv: warning: {cause}", err=True)
    if not outcome.succeeded:
        return outcome
    files = range_files(ready_database("read"))
    lists = files.read_all(MATCH_CANDIDATES, keys)
    rows = csv_rows(lists, None if cap is None else files.read(CANDIDATE_ALLOCATION, WHOLE))
    write_table(rows, out)
    forget(files)
    profiles = lists["profile_id"].nunique()
    answer(rows=len(rows), profiles=profiles, out=out)
    typer.echo(f"{len(rows):,} candidates of {profiles:,} profiles in {told(out)}")
    return outcome
