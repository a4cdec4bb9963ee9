"""Print progress, tables, and the command to type next."""

import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from jv_assets import progress
from jv_assets.cli.streams import lasting
from jv_assets.names import ASSETS, MATCH_SCORES, PROFILE_EMBEDDINGS
from jv_assets.partition_cut import listed

if TYPE_CHECKING:  # Not every command needs what these load.
    from jv_assets.automation.outcome import Outcome
    from jv_assets.setup.doctor import Finding
    from jv_assets.setup.repartition import Proposal
    from jv_assets.setup.status import Status

# Rows of a table are not wrapped if the output goes to a file.
out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else 200)
# Uses a copy of descriptor 2, because Dagster redirects 1 and 2 to the run's log while a step runs.
errors = Console(file=lasting(os.dup(2), sys.stderr.encoding), highlight=False, emoji=False)


@contextmanager
def progress_bars() -> Iterator[None]:
    """Show progress bars on a terminal while the context is open, with the time left at the speed so far."""
    left = (TextColumn("left, at this speed:"), TimeRemainingColumn())
    columns = (TextColumn("{task.description:<20}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), *left)
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as bars:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        progress.listener = show
        try:
            yield
        finally:
            progress.listener = None


def waiting(what: str) -> AbstractContextManager[object]:
    """Show a spinner on a terminal, for work of unknown length."""
    return errors.status(what)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: the first column is text, the others are right-aligned."""
    if title:
        out.print(f"[bold]{escape(title)}[/]", soft_wrap=True)
    shown = Table()
    for number, column in enumerate(columns):
        shown.add_column(column, justify="right" if number else "left")
    for row in rows:
        shown.add_row(*(f"{value:,}" if isinstance(value, int) else escape(str(value)) for value in row))
    out.print(shown)


def show_outcome(outcome: "Outcome", again: str = "jv retry") -> None:
    """Print one row per stage, then the failures, and the command `again` that does the rest."""
    rows: list[tuple[object, ...]] = [
        (
            asset,
            len(outcome.done.get(asset, ())),
            len(outcome.failed.get(asset, ())),
            _what(outcome, asset),
            f"{outcome.total(asset, 'seconds'):.1f}",
        )
        for asset in dict.fromkeys([*outcome.done, *outcome.failed])
    ]
    rows += [(asset, 1, 0, "", f"{seconds:.1f}") for asset, seconds in outcome.whole.items() if asset in ASSETS]
    checks = sum(seconds for step, seconds in outcome.whole.items() if step not in ASSETS)
    if outcome.whole:
        rows.append(("checks", "", "", "", f"{checks:.1f}"))
    work = sum(outcome.total(asset, "seconds") for asset in outcome.done) + sum(outcome.whole.values())
    rows.append(("Dagster and reading", "", "", "", f"{max(0.0, outcome.seconds - work):.1f}"))
    rows.append(("together", "", "", "", f"{outcome.seconds:.1f}"))
    table("", ("stage", "done", "failed", "what", "seconds"), rows)
    _show_word_overlap(outcome)
    for values in outcome.done.get(PROFILE_EMBEDDINGS, {}).values():
        if texts := values.get("not_finite_texts"):
            from jv_assets.pipeline.embedding import NOT_FINITE

            errors.print(f"[yellow]warning:[/] {escape(NOT_FINITE.format(texts))}", soft_wrap=True)
    show_failures(outcome, again)


def _show_word_overlap(outcome: "Outcome") -> None:
    """Print the share of text comparisons by word overlap, now and in the stored scores."""
    of = {name: outcome.total(MATCH_SCORES, name) for name in _COMPARISONS}
    if now := of["semantic"] + of["word_overlap"]:
        stored = of["stored_word_overlap"] / of["stored_comparisons"] if of["stored_comparisons"] else None
        before = "" if stored is None else f", {stored:.1%} in the stored scores"
        out.print(f"text comparisons by word overlap: {of['word_overlap'] / now:.1%}{before}", soft_wrap=True)


_COMPARISONS = ("semantic", "word_overlap", "stored_comparisons", "stored_word_overlap")


def show_failures(outcome: "Outcome", again: str) -> None:
    """Print one line per cause, and what to type once it is fixed."""
    for asset, causes in outcome.failed.items():
        for cause, where in _by_cause(causes).items():
            errors.print(f"[red]{asset} failed in {_listed(where)}:[/] {escape(cause)}", soft_wrap=True)
    for line in outcome.broken:
        errors.print(f"[red]failed:[/] {escape(line)}", soft_wrap=True)
    if not outcome.succeeded:
        advice = "type it again" if outcome.dry_run else f"the rest is done by: [bold]{again}[/]"
        errors.print(f"Once fixed, {advice}", soft_wrap=True)


def show_report(report: dict[str, Any], files: Sequence[Path]) -> None:
    """Print the headline numbers of the diagnostic report, and the paths of its files."""
    from jv_assets.reports.sections import warnings
    from jv_assets.reports.text import headline_text

    out.print(escape(headline_text(report)), soft_wrap=True)
    for warning in warnings(report):
        errors.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    for file in files:
        out.print(escape(str(file)), soft_wrap=True)


def show_status(
    status: "Status",
    *,
    model: str,
    policy: str,
    older: int | None,
    texts: int,
    left: Mapping[str, Mapping[str, str]],
    going_on: Sequence[str],
    at_work: bool = False,
) -> None:
    """Print counts of profiles and matches, runs in progress, unfinished partitions, and what to type next.

    `policy`: what the next run scores under. `older`: how many scores are stale; None if a profile cannot be read.
    `texts`: how many texts wait to be embedded. `left`: causes by asset and partition. `at_work`: whether a run is in
    progress that may do all of that.
    """
    from jv_assets.automation.causes import NEVER_DONE

    rows: list[tuple[object, ...]] = [(name.replace("_", " "), count) for name, count in status.profiles.items()]
    table(f"profiles, model {model}", ("", "profiles"), rows)
    rows = [
        (f"scored: {policy}, {version}, model {of}", count) for (policy, version, of), count in status.scored.items()
    ]
    table("matches", ("", "matches"), [*rows, *status.others.items(), ("together", status.matches)])
    for line in going_on:
        out.print(escape(line), soft_wrap=True)
    for asset, causes in left.items():
        for cause, where in _by_cause(causes).items():
            what = f"never done in {_listed(where)}" if cause == NEVER_DONE else f"failed in {_listed(where)}: {cause}"
            out.print(f"{asset}: {escape(what)}", soft_wrap=True)
    if older is None:
        out.print("whether scores are older than the data cannot be told: a profile cannot be read", soft_wrap=True)
    elif older:
        out.print(f"scores that are older than their profiles or vectors: {older:,}", soft_wrap=True)
    if status.waiting:
        out.print(f"matches that can be scored and are not: {status.waiting:,}", soft_wrap=True)
    if status.foreign:
        out.print(f"scores that another program wrote or changed: {status.foreign:,}", soft_wrap=True)
    if others := status.other_rules(policy):
        cure = "" if at_work else f"; to replace them, type: jv rescore --policy {policy} --switch-policy"
        out.print(f"scores of other rules than {policy}: {others:,}{cure}", soft_wrap=True)
    if texts:
        out.print(f"texts that wait to be embedded, new or edited: {texts:,}", soft_wrap=True)
    if command := next_command(status, older, texts, any(left.values())):
        wait = "wait for the run in progress, then: [bold]jv status[/]"
        out.print(f"Next: {wait if at_work else f'[bold]{command}[/]'}")


def next_command(status: "Status", older: int | None, texts: int, is_any_left: bool) -> str | None:
    """Return the command that does what is left to do."""
    if is_any_left:
        return "jv retry"
    if texts:
        return "jv nightly"
    return "jv rescore" if older or status.waiting or status.foreign else None


def told_cuts(cut_at: Mapping[str, datetime], ranges: int) -> list[str]:
    """Return one line per table whose partitions do not have equal width."""
    return [
        f"{table}: {ranges} ranges with bounds from its ids, cut on {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        for table, at in cut_at.items()
    ]


def show_proposal(proposal: "Proposal", ranges: int) -> None:
    """Print the rows of each table, of its mean partition, and of its largest partition under both cuts."""
    rows = [
        (name, of.rows, f"{of.rows / ranges:,.1f}", of.largest_now, of.largest_then)
        for name, of in proposal.sizes.items()
    ]
    table(f"{ranges} ranges", ("", "rows", "mean range", "largest now", "largest then"), rows)


def show_findings(findings: "Sequence[Finding]") -> None:
    """Print one line per finding."""
    marks = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "error": "[red]error  [/]"}
    for finding in findings:
        out.print(f"{marks[finding.level]} {finding.subject}: {escape(finding.text)}", soft_wrap=True)


def _what(outcome: "Outcome", asset: str) -> str:
    parts = [(name, int(outcome.total(asset, name))) for name in COUNTED[asset]]
    words = {"written": "would be written"} if outcome.dry_run else {}
    shown = [f"{count:,} {words.get(name, name.replace('_', ' '))}" for name, count in parts if count]
    return ", ".join(shown) or "nothing to do"


COUNTED: Mapping[str, tuple[str, ...]] = defaultdict(
    tuple,
    profiles=("rows",),
    profile_embeddings=(
        "embedded_texts",
        "adopted",
        "older_than_edit",
        "overwritten",
        "not_finite",
        "current",
        "cleared",
        "edited_meanwhile",
        "skipped",
    ),
    match_scores=("scored", "skipped"),
    published_scores=("written", "unchanged", "kept", "deleted", "moved", "overtaken"),
    embedding_isolation=("rows",),
    momentum_bottleneck=("rows", "profiles"),
    aggregation_comparison=("rows",),
    production_impact=("rows",),
    match_candidates=("rows", "profiles"),
    candidate_allocation=("rows",),
    evaluation=("rows", "exposed"),
)
"""By asset, the numbers of its metadata that a table and `--json` add up over the partitions."""


def _by_cause(causes: Mapping[str, str]) -> dict[str, list[str]]:
    by_cause: defaultdict[str, list[str]] = defaultdict(list)
    for key, cause in causes.items():
        by_cause[cause].append(key)
    return by_cause


def _listed(keys: Sequence[str]) -> str:
    return f"{len(keys)} range{'' if len(keys) == 1 else 's'} ({listed(keys)})"
