"""The command `jv demo`: interrupts a rescore of the demo, and resumes it through Dagster."""

import time

from sqlalchemy import text

from jv_assets import settings
from jv_assets.automation.execution import execute
from jv_assets.automation.finishing import parts
from jv_assets.automation.outcome import Outcome
from jv_assets.automation.schedules import RESCORE
from jv_assets.cli.console import out, progress_bars, show_outcome, table, waiting
from jv_assets.cli.json_answer import answer_outcome
from jv_assets.definitions import defs
from jv_assets.demo.interrupted import write_interrupted_scores
from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PUBLISHED_SCORES, Job
from jv_assets.partitions import ID_RANGES
from jv_assets.platform.instance import open_instance
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.status import NOT_NAMED, Status, read_status

_NO_DEMO = "the database holds other matches than the demo's: set JV_HOME to a new folder to try the demo there"


def tell(database: Database, model: str) -> int:
    """Load, embed, interrupt and finish; return the exit code. Steps that are done already are skipped."""
    with waiting("making the demo population"):
        _load_once(database)
    keys = list(ID_RANGES.get_partition_keys())
    with open_instance() as instance:
        out.print(f"1. Embedding what has no vector yet, with {model}", soft_wrap=True)
        with progress_bars():
            embedded = execute(instance, defs.resolve_job_def(Job.EMBED), parts((PROFILE_EMBEDDINGS,), keys))
        answer_outcome(embedded, "jv demo")
        if not embedded.succeeded:
            show_outcome(embedded)
            return 1
        with waiting("scoring as the interrupted script did"):
            written = write_interrupted_scores(database, model)
        if written:
            out.print(f"2. Wrote {written:,} scores, as the script had when its connection was closed")
        before = read_status(database, model)
        incomplete = sum(count for (policy, *_), count in before.scored.items() if policy.endswith(NOT_NAMED))
        waiting_for = f"{before.waiting:,} matches have no score{_incomplete(incomplete)}"
        out.print(f"3. Finishing through Dagster: {waiting_for}", soft_wrap=True)
        with progress_bars():
            finished = execute(instance, defs.resolve_job_def(Job.RESCORE), parts(RESCORE, keys))
    show_outcome(finished)
    answer_outcome(finished, "jv demo")
    after = read_status(database, model)
    _compare(before, after)
    rows = int(finished.total(PUBLISHED_SCORES, "written"))
    if not finished.succeeded:
        return 1
    if rows:
        seconds = finished.total(PUBLISHED_SCORES, "seconds")
        speed = f"{rows:,} rows written in {seconds:.1f} s, {rows / seconds:,.0f} rows a second"
        out.print(f"{speed}{_completed(finished)}.", soft_wrap=True)
    else:
        out.print("Nothing had to be written: every score in the database is up to date.")
    jv = ".venv/bin/jv" if settings.in_checkout() else "jv"
    out.print(f"Next: [bold]{jv} ui[/] shows the runs; [bold]{jv} status[/] where the database stands.")
    return 0


def _load_once(database: Database) -> None:
    started, population = time.perf_counter(), make_population()
    with database.transaction() as connection:
        there = connection.scalar(text("SELECT count(*) FROM profiles"))
    if there:
        with database.transaction() as connection:
            known = connection.scalar(
                text("SELECT count(*) FROM match_suggestions WHERE id = ANY(CAST(:ids AS uuid[]))"),
                {"ids": population.matches["id"].iloc[:100].tolist()},
            )
        if not known:
            raise UserError(_NO_DEMO)
        return
    load_frames(database, population.profiles, population.matches)
    out.print(
        f"0. Loaded {len(population.profiles):,} synthetic profiles and {len(population.matches):,} matches "
        f"in {time.perf_counter() - started:.1f} s"
    )


def _incomplete(matches: int) -> str:
    """Say why more rows will be written than matches have no score; nothing if none is incomplete."""
    if not matches:
        return ""
    return f", and {matches:,} have one without policy, model and inputs hash, which the script did not store"


def _completed(finished: Outcome) -> str:
    """Say how many of the written rows had no score, and why the others were written."""
    missing = int(finished.total(MATCH_SCORES, "null_before"))
    completed = int(finished.total(PUBLISHED_SCORES, "written")) - missing
    if completed <= 0:
        return ""
    return f": {missing:,} had no score, and {completed:,} got the policy, model and inputs hash that they lacked"


def _compare(before: Status, after: Status) -> None:
    names = dict.fromkeys([*before.scored, *after.scored])
    rows: list[tuple[object, ...]] = [
        (f"scored: {policy}, model {of}", before.scored.get(name, 0), after.scored.get(name, 0))
        for name in names
        for policy, _, of in [name]
    ]
    rows += [
        (what, before.others.get(what, 0), after.others.get(what, 0))
        for what in dict.fromkeys([*before.others, *after.others])
    ]
    table("matches", ("", "before", "after"), [*rows, ("together", before.matches, after.matches)])
