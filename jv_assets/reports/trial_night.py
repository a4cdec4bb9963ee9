"""A night of a trial: the candidate's scores of all matches, from the files of production's, and their figures."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from math import ceil

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_assets import progress, settings
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, PROFILES, TRIAL_SCORES
from jv_assets.partition_cut import every_range
from jv_assets.pipeline.database.id_spans import after
from jv_assets.pipeline.outcomes import read_seen
from jv_assets.pipeline.rules import in_force, rules_of
from jv_assets.reports.congestion_numbers import congestion
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.trials.criteria import Night
from jv_assets.trials.scores import COLUMNS as STORED
from jv_assets.trials.scores import Stored, store
from jv_assets.trials.store import Trial
from jv_scoring.analysis.evaluation_figures import paired
from jv_scoring.analysis.evaluation_labels import LABELS, labelled, outcomes_of
from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.analysis.momentum_options_trap import share_at_risk
from jv_scoring.analysis.tallies import Json
from jv_scoring.analysis.trial_scores import (
    CANDIDATE,
    COLUMNS,
    OF_MISSING,
    OF_STEPS,
    PRODUCTION,
    Beside,
    missing_share,
    scores,
    ties,
    under,
)
from jv_scoring.columns import Floats
from jv_scoring.policy import parse_policy

SAMPLED = 20_000
"""About how many matches the share of missing data is of: the first ones of each partition."""
Objects = npt.NDArray[np.object_]


class Profiles:
    """What figures need of all profiles, in the order of `ids`: the role, and Momentum's factors."""

    def __init__(self, files: RangeFiles) -> None:
        columns = ["id", "role", *FIELDS]
        parts = [files.read(PROFILES, key, columns) for key in files.made(PROFILES, every_range())]
        rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
        self.ids = pd.Index(rows["id"], dtype=object)
        self.roles: Objects = rows["role"].astype(object).where(rows["role"].notna(), None).to_numpy(object)
        self.momentum: Floats = np.stack([rows[name].to_numpy(np.float64, na_value=np.nan) for name in FIELDS])


class Tried:
    """Collects a trial's night, partition by partition. Memory: about 30 bytes a match."""

    def __init__(self, trial: Trial, profiles: Profiles, model: str) -> None:
        self.trial, self._profiles = trial, profiles
        self.why_not = _other_rules(trial, model)
        named = trial.rules.calibration if self.why_not is None else None
        self.steps = dict(rules_of(model, named).calibration.measured) if named else {}
        self._policy = parse_policy(trial.rules.policy)
        self._beside: list[Beside] = []
        self._seen: list[pd.DataFrame] = []
        self._sample: list[pd.DataFrame] = []
        self.stored, self.ended = Stored(), False
        self.rules: set[tuple[str, str]] = set()
        """The policies and versions of production's scores."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be computed: the trial has ended, or its rules are others than at the start."""
        return self.ended or self.why_not is not None

    def note(self, database: Database, within: tuple[str, str], rows: pd.DataFrame, outcomes: pd.DataFrame) -> None:
        """Score and store the rows of a file whose id is `within` these two; `outcomes` by id, of those that were seen.

        If the trial has ended, keeps nothing.
        """
        made = scores(under(rows, self._policy, self.steps), self._policy)
        production = rows["harmonic_mean"].to_numpy(np.float64)
        self.store(database, within, rows[["id"]].assign(**made, production=production))
        if self.ended:
            return
        self.rules |= set(zip(rows["policy"].tolist(), rows["scoring_version"].tolist(), strict=True))
        self._beside.append(Beside.of(rows, made["harmonic_mean"], self._profiles.ids))
        at = pd.Index(rows["id"]).get_indexer(outcomes.index)
        both = {"profile_id": rows["profile_id"].to_numpy(object)[at], PRODUCTION: production[at]}
        self._seen.append(outcomes.assign(**both, **{CANDIDATE: made["harmonic_mean"][at]})[at >= 0])

    def store(self, database: Database, within: tuple[str, str], rows: pd.DataFrame) -> None:
        """Make the trial's scores of the ids `within` these two those of `rows`, and count what production holds."""
        stored = store(database, self.trial, within, rows)
        self.ended = stored is None
        if stored:
            self.stored += stored

    def note_sample(self, rows: pd.DataFrame) -> None:
        """Keep rows of a file, with the columns that missing data needs."""
        self._sample.append(rows)

    def figures(self) -> Json:
        """Return the figures of a complete night."""
        beside = Beside.joined(self._beside)
        [(policy, _)] = self.rules
        now = parse_policy(policy)
        everyone = len(self._profiles.ids)
        gini = {side: congestion(beside.best(side), everyone)["gini"] for side in (PRODUCTION, CANDIDATE)}
        profiles, trap = share_at_risk(self._profiles.momentum, now.nulls)
        _, trap_then = share_at_risk(self._profiles.momentum, self._policy.nulls)
        sample = pd.concat(self._sample, ignore_index=True)
        return {
            "matches": len(beside.a),
            "segments": ties(beside, self._profiles.roles),
            "outcomes": self._outcomes(),
            "congestion": gini,
            "trap": {"profiles": profiles, PRODUCTION: trap, CANDIDATE: trap_then},
            "missing_data": {
                "matches": len(sample),
                PRODUCTION: missing_share(under(sample, now, {}), now),
                CANDIDATE: missing_share(under(sample, self._policy, self.steps), self._policy),
            },
        }

    def _outcomes(self) -> list[Json]:
        seen = pd.concat(self._seen, ignore_index=True)
        at, days = datetime.now(UTC), settings.outcome_days()
        return [
            {
                "label": label,
                **paired(
                    seen["profile_id"].to_numpy(object),
                    labelled(seen, label, at, days),
                    seen[PRODUCTION].to_numpy(np.float64),
                    seen[CANDIDATE].to_numpy(np.float64),
                ),
            }
            for label in LABELS
        ]

    def why_not_complete(self, missing: int) -> str | None:
        """Return why the night does not count; None if it does. `missing`: partitions without a file of scores."""
        if self.why_not:
            return self.why_not
        if missing:
            return f"{missing} ranges have no scores"
        if self.stored.without:
            return f"{self.stored.without:,} matches with a score have none of the candidate"
        if self.stored.unpublished:
            return f"{self.stored.unpublished:,} scores in production are not those of the files"
        if len(self.rules) > 1:
            return "production has scores of several rules"
        return None if self.rules else "no match is scored"

    def night(self, run: str, day: date, missing: int) -> Night:
        """Return what the night found."""
        why = self.why_not_complete(missing)
        policy, version = next(iter(self.rules)) if len(self.rules) == 1 else (None, None)
        return Night(run, day, policy, version, why, {} if why else self.figures())


def _other_rules(trial: Trial, model: str) -> str | None:
    """Return why the rules of a trial are not those that it started with; None if they are."""
    if model != trial.rules.model:
        return f"the model is {model}, and the trial is of {trial.rules.model}"
    named = trial.rules.calibration
    try:
        version = (rules_of(model, named) if named else in_force(model)).version
    except UserError as error:
        return str(error)
    if version == trial.rules.version:
        return None
    return f"the rules are {version} now, and the trial started under {trial.rules.version}"


def look(
    database: Database, files: RangeFiles, model: str, trials: Sequence[Trial], *, run: str, day: date
) -> list[Night | None]:
    """Score the candidates of these trials in one pass over the files, and return what the night found of each.

    None for a trial that ended meanwhile. UserError whenever something could not be read or stored.
    """
    profiles = Profiles(files)
    tried = [Tried(trial, profiles, model) for trial in trials]
    keys = every_range()
    made = set(files.made(MATCH_SCORES, keys))
    for number, key in enumerate(keys, start=1):
        live = [each for each in tried if not each.is_over]
        if live and key in made:
            _look_at(database, files, key, live, ceil(SAMPLED / len(keys)))
        progress.report(TRIAL_SCORES, number, len(keys))
    return [None if each.ended else each.night(run, day, len(keys) - len(made)) for each in tried]


def _look_at(database: Database, files: RangeFiles, key: str, tried: Sequence[Tried], sampled: int) -> None:
    low, high = files.cut.matches.bounds(key)
    seen = read_seen(database, low, high)
    outcomes = outcomes_of(seen, settings.feedback_labels()).rows.set_index(pd.Index(seen["id"], dtype=object))
    of_steps = OF_STEPS if any(each.steps for each in tried) else []
    with files.opened(MATCH_SCORES, key) as file:
        [first, *_] = file.groups(1)
        sample = file.read(list(dict.fromkeys([*OF_MISSING, *of_steps])), groups=first).head(sampled)
        for each in tried:
            each.note_sample(sample)
        for groups in file.groups():
            rows = file.read(list(dict.fromkeys([*COLUMNS, *of_steps])), groups=groups)
            if not len(rows):
                continue
            last = rows["id"].iloc[-1]
            for each in tried:
                if not each.is_over:
                    each.note(database, (low, last), rows, outcomes)
            if last == high:
                return
            low = after(last)
    for each in tried:
        if not each.is_over:
            each.store(database, (low, high), pd.DataFrame(columns=list(STORED)))
