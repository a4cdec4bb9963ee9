"""What some runs came to, from the events of Dagster's log."""

from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from jv_assets.automation.attempts import is_dry
from jv_assets.automation.causes import run_causes
from jv_assets.automation.finishing import failed_ranges
from jv_assets.names import TRIAL_SCORES

Metadata = dict[str, dict[str, dict[str, Any]]]


@dataclass
class Outcome:
    """The outcome of some runs: the metadata of each partition by asset, and the failures."""

    run_ids: list[str] = field(default_factory=list)
    done: Metadata = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    """By asset and partition: the cause."""
    broken: list[str] = field(default_factory=list)
    """Failures that are not of one partition, one line each."""
    whole: dict[str, float] = field(default_factory=dict)
    """By step that has no partitions (an asset that is one file, or checks): how many seconds it took."""
    dry_run: bool = False
    seconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        return not self.failed and not self.broken

    def add(self, other: "Outcome") -> None:
        """Add the outcome of later runs."""
        self.run_ids += other.run_ids
        self.done |= other.done
        self.failed |= other.failed
        self.broken += other.broken
        self.whole |= other.whole
        self.dry_run |= other.dry_run
        self.seconds += other.seconds

    def total(self, asset: str, name: str) -> float:
        """Return the sum of one number over the partitions of an asset; 0 if there is none."""
        values = [metadata.get(name) for metadata in self.done.get(asset, {}).values()]
        return sum(value for value in values if isinstance(value, (int, float)))


def take_in(instance: dg.DagsterInstance, run: dg.DagsterRun, outcome: Outcome) -> None:
    """Add to `outcome` what an ended run did, and why it failed if it did."""
    outcome.run_ids.append(run.run_id)
    outcome.dry_run |= is_dry(run)
    _collect(instance, run, outcome)
    if run.status != dg.DagsterRunStatus.SUCCESS:
        _collect_failure(instance, run, outcome)


def _collect(instance: dg.DagsterInstance, run: dg.DagsterRun, outcome: Outcome) -> None:
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.ASSET_OBSERVATION}
    idle = {TRIAL_SCORES}  # Without a trial, its step does nothing, and is not shown.
    for entry in instance.all_logs(run.run_id, of_type=kinds):
        event = entry.asset_materialization or entry.asset_observation
        if event and event.partition:
            values = {name: value.value for name, value in event.metadata.items()}
            outcome.done.setdefault(event.asset_key.to_user_string(), {})[event.partition] = values
        elif event:
            idle.discard(event.asset_key.to_user_string())
    for step in instance.get_run_step_stats(run.run_id):
        if step.status and step.status.value == "SUCCESS" and step.step_key not in {*outcome.done, *idle}:
            seconds = (step.end_time or 0) - (step.start_time or 0)
            outcome.whole[step.step_key] = outcome.whole.get(step.step_key, 0) + seconds


def _collect_failure(instance: dg.DagsterInstance, run: dg.DagsterRun, outcome: Outcome) -> None:
    failed = dict(failed_ranges(instance, run.run_id))
    for asset, causes in failed.items():
        outcome.failed.setdefault(asset, {}).update(causes)
    if not failed:
        outcome.broken += run_causes(instance, run)
