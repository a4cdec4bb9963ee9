"""The section trial_scores: is the policy, or the calibration, on trial as good as the one in production?"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from jv_assets.reports.figures import NOTHING, Figure, Section, Table, number
from jv_assets.resources.database import Database
from jv_assets.trials.criteria import FAIL, NOT_ENOUGH, PASS, Judged, Night, judge, verdict
from jv_assets.trials.store import Trial, nights, trials
from jv_scoring.analysis.tallies import Json

TITLE = "Is the policy on trial as good as the one in production?"
_SAID = {
    PASS: "passes every criterion",
    FAIL: "fails",
    NOT_ENOUGH: "has not enough nights or data for a verdict",
}
_FIGURE = 3
"""Decimals of a figure of a criterion."""


@dataclass(frozen=True)
class Told:
    """A trial, its nights and what they say of each criterion."""

    trial: Trial
    nights: Sequence[Night]
    judged: Sequence[Judged]

    def fields(self) -> Json:
        """Return the same for `--json` and for the report."""
        trial, last = self.trial, self.nights[-1] if self.nights else None
        return {
            "name": trial.name,
            "policy": trial.rules.policy,
            "calibration": trial.rules.calibration,
            "scoring_version": trial.rules.version,
            "embedding_model": trial.rules.model,
            "criteria": trial.criteria,
            "criteria_sha256": trial.criteria_sha256,
            "started_at": trial.started_at.isoformat(),
            "started_by": trial.started_by,
            "ended_at": trial.ended_at.isoformat() if trial.ended_at else None,
            "ended_by": trial.ended_by,
            "verdict": verdict(self.judged),
            "judged": [{**asdict(each), "figures": dict(each.figures)} for each in self.judged],
            "nights": [
                {
                    "run": night.run,
                    "night": night.night.isoformat(),
                    "production_policy": night.policy,
                    "production_version": night.version,
                    "why_not_complete": night.why_not_complete,
                }
                for night in self.nights
            ],
            "last_figures": last.figures if last else {},
        }


def told(database: Database, trial: Trial) -> Told:
    """Return what the nights of a trial say."""
    found = nights(database, trial)
    return Told(trial, found, judge(trial.criteria, found))


def read(database: Database) -> list[Json]:
    """Return the trials that go on, with what their nights say."""
    return [told(database, trial).fields() for trial in trials(database, going_on=True)]


CRITERIA_COLUMNS = ["criterion", "segment", "limit", "first night", "last night", "state", "why"]


def criteria_rows(judged: Sequence[Judged]) -> list[list[str]]:
    """Return the cells of `CRITERIA_COLUMNS`; the first and the last night are those that are judged."""
    return [_cells(asdict(each)) for each in judged]


def _cells(each: Json) -> list[str]:
    figures = list(each["figures"].values())
    ends = [number(figures[place], _FIGURE) if figures else NOTHING for place in (0, -1)]
    return [each["criterion"], each["segment"] or NOTHING, each["limit"], *ends, each["state"], each["why"] or NOTHING]


def sections(found: Sequence[Json] | None) -> list[Section]:
    """Return the section; none without a trial."""
    if not found:
        return []
    return [Section(TITLE, " ".join(map(_sentence, found)), [_figure(each) for each in found])]


def _sentence(trial: Json) -> str:
    counts = sum(night["why_not_complete"] is None for night in trial["nights"])
    failed = [each for each in trial["judged"] if each["state"] == FAIL]
    which = f" in {number(len(failed))} of {number(len(trial['judged']))} criteria" if failed else ""
    return (
        f"Trial {trial['name']} of {candidate(trial)} {_SAID[trial['verdict']]}{which}; {number(counts)} nights were "
        "complete. A higher mean is no better score, so no mean is compared."
    )


def candidate(trial: Json) -> str:
    """Return what is tried, in words."""
    named = f" under calibration {trial['calibration']}" if trial["calibration"] else ""
    return f"{trial['policy']}{named}"


def _figure(trial: Json) -> Figure:
    rows = tuple(tuple(_cells(each)) for each in trial["judged"])
    return Figure(
        f"Which criteria does {trial['name']} pass?",
        Table(tuple(CRITERIA_COLUMNS), rows, texts=(0, 1, 2, 5, 6)),
        None,
        f"Started at {trial['started_at']} by {trial['started_by']}. The criteria were written down then, sha256 "
        f"{trial['criteria_sha256'][:16]}…; each is judged over the last complete nights.",
    )
