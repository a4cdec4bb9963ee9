"""The output of `jv undo`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from jv_assets.automation.outcome import Outcome
from jv_assets.cli.console import out, show_failures, table
from jv_assets.names import PUBLISHED_SCORES
from jv_assets.pipeline.matches.undo_units import Unit
from jv_assets.pipeline.undo import KeptRun, Preview


def kept_fields(runs: Sequence[KeptRun], matches: Mapping[str, int], units: Mapping[str, Unit]) -> list[dict[str, Any]]:
    """Return the runs that can be undone, the latest first, with how many matches each replaced."""
    return [
        {
            "run": run.run_id,
            "wrote_at": run.started_at,
            "matches": matches.get(run.run_id, 0),
            **asdict(units[run.run_id]),
        }
        for run in runs
    ]


def show_kept_runs(kept: Sequence[Mapping[str, Any]]) -> None:
    """Print what `kept_fields` returned."""
    if not kept:
        out.print("No run has written a score yet.")
        return
    columns = ("run", "wrote at", "matches", "job", "ranges", "policy")
    shown = [{**each, "wrote_at": f"{each['wrote_at']:%Y-%m-%d %H:%M} UTC"} for each in kept]
    table("runs that can be undone", columns, [list(each.values()) for each in shown])


def preview_fields(preview: Preview) -> dict[str, Any]:
    """Return what an undo would restore and leave; a policy of None stands for no score."""
    restored = [{"policy": policy, "matches": count} for policy, count in preview.restored.most_common()]
    return {"would_restore": restored, "would_leave": {name: preview.left[name] for name in _LEFT}}


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
