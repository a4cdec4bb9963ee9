"""The output of `jv undo`."""

from collections.abc import Mapping, Sequence

from jv_assets.automation.execution import Outcome
from jv_assets.cli.console import out, show_failures, table
from jv_assets.names import PUBLISHED_SCORES
from jv_assets.pipeline.matches.undo_units import Unit
from jv_assets.pipeline.undo import KeptRun, Preview


def show_kept_runs(runs: Sequence[KeptRun], rows: Mapping[str, int], units: Mapping[str, Unit]) -> None:
    """Print the runs that can be undone, the latest first, and how many matches each replaced."""
    if not runs:
        out.print("No run has written a score yet.")
        return
    columns = ("run", "wrote at", "matches", "job", "ranges", "policy")
    shown = [
        (
            run.run_id,
            f"{run.started_at:%Y-%m-%d %H:%M} UTC",
            rows.get(run.run_id, 0),
            unit.job,
            unit.ranges,
            unit.policy,
        )
        for run in runs
        for unit in (units[run.run_id],)
    ]
    table("runs that can be undone", columns, shown)


def show_preview(preview: Preview, run_id: str, unit: Unit) -> None:
    """Print what an undo would restore, and what it would leave."""
    out.print(f"Undoing run {run_id[:8]} ({unit.job}, ranges {unit.ranges}, policy {unit.policy}):", soft_wrap=True)
    for policy, count in preview.restored.most_common():
        what = f"would have their scores under {policy} again" if policy else "would have no score again (NULL)"
        out.print(f"{count:,} matches {what}", soft_wrap=True)
    if not preview.restored:
        out.print("0 matches would change: there is nothing to put back", soft_wrap=True)
    for name, what in _LEFT.items():
        if preview.left[name]:
            out.print(f"{preview.left[name]:,} matches {what}", soft_wrap=True)


_LEFT = {
    "unchanged": "have their old scores already",
    "replaced_since": "were replaced again by a later run, and would be left",
    "deleted": "are gone",
}


def show_undone(outcome: Outcome, run_id: str) -> None:
    """Print what an undo restored and left, and that the next rescore publishes again."""
    counts = {name: int(outcome.total(PUBLISHED_SCORES, name)) for name in UNDONE}
    for name, what in UNDONE.items():
        if counts[name] or name == "restored":
            out.print(f"{counts[name]:,} matches {what}", soft_wrap=True)
    later = {run for of in outcome.done.get(PUBLISHED_SCORES, {}).values() for run in of.get("replaced_by", ())}
    if later:
        out.print(f"undo first: {', '.join(sorted(later))}", soft_wrap=True)
    out.print("The next rescore publishes the same scores again: first switch the schedule off, or fix the cause.")
    show_failures(outcome, f"jv undo {run_id}")


UNDONE = {
    "restored": "have their old scores again",
    "unchanged": "had them already",
    "replaced_since": "were replaced again by a later run, and left",
    "deleted": "are gone",
}
