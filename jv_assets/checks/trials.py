"""The checks of `trial_scores`: whether the night counts, and whether a candidate fails a criterion."""

from collections.abc import Iterator

import dagster as dg

from jv_assets.checks.audit import check_result
from jv_assets.names import TRIAL_SCORES
from jv_assets.reports.trial_scores import Told, told
from jv_assets.resources.database import Database
from jv_assets.trials.criteria import FAIL
from jv_assets.trials.store import trials

_COUNTS, _CRITERIA = "trial_night_counts", "trial_criteria_hold"


@dg.multi_asset_check(
    name="trials_judged",
    specs=[
        dg.AssetCheckSpec(
            _COUNTS,
            asset=TRIAL_SCORES,
            blocking=False,
            description="The last night counts for every trial: each match with a score in production has one of the "
            "candidate, and production holds the scores of the files. A failure only warns.",
        ),
        dg.AssetCheckSpec(
            _CRITERIA,
            asset=TRIAL_SCORES,
            blocking=False,
            description="No candidate on trial fails a criterion that was written down when the trial started. A "
            "failure only warns; production stays as it is.",
        ),
    ],
)
def trials_judged(database: dg.ResourceParam[Database]) -> Iterator[dg.AssetCheckResult]:
    found = [told(database, trial) for trial in trials(database, going_on=True)]
    yield _warning(_COUNTS, {each.trial.name: _not_counted(each) for each in found})
    yield _warning(_CRITERIA, {each.trial.name: _failed(each) for each in found})


def _not_counted(found: Told) -> str | None:
    return found.nights[-1].why_not_complete if found.nights else "no night was looked at"


def _failed(found: Told) -> str | None:
    failed = [f"{each.criterion} {each.segment}".strip() for each in found.judged if each.state == FAIL]
    return ", ".join(failed) or None


def _warning(name: str, causes: dict[str, str | None]) -> dg.AssetCheckResult:
    problem = "; ".join(f"{trial}: {cause}" for trial, cause in causes.items() if cause) or None
    return check_result(TRIAL_SCORES, name, problem, {"trials": len(causes)}, dg.AssetCheckSeverity.WARN)
