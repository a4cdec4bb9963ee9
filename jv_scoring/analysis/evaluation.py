"""Do the scores predict what people do? Outcomes of matches held against every ranking, exact for any cut into ranges.

The figures, their names and the verdicts are those of docs/evaluation.md.

A pair of two matches of one profile may come from any two ranges, and AUC needs the value of each exposed match. So a
tally keeps the exposed matches themselves, some 300 bytes each, and of all others only counts: in how many matches each
profile stands, and how many matches have each match_score. Counts add up and rows are put together, so any split into
ranges, merged in any order, gives the same figures. Memory grows with the exposed matches and with the profiles, not
with the matches. All figures are made of whole numbers, or summed by `fsum`, so no order of the rows moves a digit.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import isnan
from typing import Any

import numpy as np
import pandas as pd

from jv_scoring.analysis.evaluation_figures import figures_of
from jv_scoring.analysis.evaluation_labels import (
    FEEDBACK_LABELS,
    LABELS,
    OUTCOME_COLUMNS,
    OUTCOME_DAYS,
    labelled,
    outcomes_of,
)
from jv_scoring.analysis.evaluation_rankings import COLUMNS as RANKED
from jv_scoring.analysis.evaluation_rankings import KEPT, at_seen, baselines, values_of
from jv_scoring.analysis.rows import column, policy_of
from jv_scoring.analysis.tallies import Ints, Json
from jv_scoring.columns import Floats
from jv_scoring.engine import IDS
from jv_scoring.policy import CURRENT_POLICY

COLUMNS = RANKED
"""The columns of a partition's file of `match_scores` that `tally` reads."""
ANALYSES = ("retrospective", "prospective")
STOOD = ("policy", "score_ab", "harmonic_mean")
"""The columns of the score log that `tally` reads: the last entry of a match at or before it was seen."""

RECURRING, LONGEST_WORD, OTHER_TEXTS = 3, 40, "other texts"
"""Unmapped feedback is listed only if it occurs this often and is not longer: free text is not repeated."""

_STOOD = [f"stood_{name}" for name in STOOD]
_KEPT = [*IDS, "seen_at", "exposed", "acted", "dismissed", "feedback", "stood", *_STOOD, *KEPT]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `tally` keeps.

    rows: the exposed matches, with outcomes and the values of the rankings. places: in how many matches each profile
    stands. matches: how many there are. match_scores: each distinct match_score in ascending order, how many matches
    have it, and how many of these are exposed. unknown_status, unmapped_feedback: words and how often they occur.
    missing: columns that the platform lacks.
    """

    policy: str | None
    rows: pd.DataFrame
    places: Counter[str]
    matches: int
    match_scores: tuple[Floats, Ints, Ints]
    unknown_status: Counter[str]
    unmapped_feedback: Counter[str]
    missing: tuple[str, ...]

    def to_json(self) -> Json:
        """Plain dicts, lists, numbers and strings."""
        rows = {name: list(map(_none, self.rows[name].tolist())) for name in _KEPT}
        return {
            "policy": self.policy,
            "rows": rows,
            "places": dict(self.places),
            "matches": self.matches,
            "match_scores": [part.tolist() for part in self.match_scores],
            "unknown_status": dict(self.unknown_status),
            "unmapped_feedback": dict(self.unmapped_feedback),
            "missing": list(self.missing),
        }

    @classmethod
    def from_json(cls, data: Json) -> "Evaluation":
        values, matches, exposed = data["match_scores"]
        return cls(
            data["policy"],
            _typed(pd.DataFrame(data["rows"], columns=_KEPT)),
            Counter(data["places"]),
            data["matches"],
            (np.array(values, np.float64), np.array(matches, np.int64), np.array(exposed, np.int64)),
            Counter(data["unknown_status"]),
            Counter(data["unmapped_feedback"]),
            tuple(data["missing"]),
        )


def tally(
    rows: pd.DataFrame,
    outcomes: pd.DataFrame,
    stood: pd.DataFrame | None = None,
    labels: Mapping[str, int] = FEEDBACK_LABELS,
) -> Evaluation:
    """Of the rows of a range file (`COLUMNS`).

    outcomes: `id` and `OUTCOME_COLUMNS`, of which any may be missing; matches that it lacks have no outcome. stood:
    `id` and `STOOD`, for the matches of which a score stood in production when they were seen. labels: feedback to 1
    or 0, as `feedback_map` returns it.
    """
    rows = rows.reset_index(drop=True)
    labelled = outcomes_of(outcomes.set_index("id").reindex(rows["id"]).reset_index(drop=True), labels)
    exposed = labelled.rows["exposed"].to_numpy()
    kept = rows.loc[exposed].reset_index(drop=True)
    of_match = labelled.rows.loc[exposed].reset_index(drop=True)
    stood = pd.DataFrame(columns=["id", *STOOD]) if stood is None else stood
    then = stood.set_index("id").reindex(kept["id"]).reset_index(drop=True)[list(STOOD)].set_axis(_STOOD, axis=1)
    has_stood = kept["id"].isin(stood["id"]).rename("stood")
    values = pd.DataFrame(values_of(kept))
    known = rows.loc[column(rows, "match_score") == column(rows, "match_score")]
    return Evaluation(
        policy_of(rows),
        _typed(pd.concat([kept[IDS], of_match, has_stood, then, values], axis=1)),
        Counter(rows["profile_id"].tolist()) + Counter(rows["suggested_profile_id"].tolist()),
        len(rows),
        _distinct(column(known, "match_score"), np.ones(len(known), np.int64), exposed[known.index].astype(np.int64)),
        labelled.unknown_status,
        labelled.unmapped_feedback,
        labelled.missing,
    )


def total(tallies: Iterable[Evaluation]) -> Evaluation:
    """Merge all tallies; ValueError if there is none, or if they are of different policies."""
    parts = list(tallies)
    if not parts:
        raise ValueError("no tally to merge")
    policies = {part.policy for part in parts} - {None}
    if len(policies) > 1:
        raise ValueError(f"scores of different policies do not add up: {', '.join(sorted(map(str, policies)))}")
    places: Counter[str] = Counter()
    status: Counter[str] = Counter()
    feedback: Counter[str] = Counter()
    for part in parts:
        places.update(part.places)
        status.update(part.unknown_status)
        feedback.update(part.unmapped_feedback)
    columns = [np.concatenate([part.match_scores[k] for part in parts]) for k in range(3)]
    missing = {name for part in parts for name in part.missing}
    filled = [part.rows for part in parts if len(part.rows)] or [parts[0].rows]
    return Evaluation(
        next(iter(policies), None),
        pd.concat(filled, ignore_index=True).sort_values("id", ignore_index=True),
        places,
        sum(part.matches for part in parts),
        _distinct(columns[0], columns[1].astype(np.int64), columns[2].astype(np.int64)),
        status,
        feedback,
        tuple(name for name in OUTCOME_COLUMNS if name in missing),
    )


def report(evaluation: Evaluation, at: datetime, days: int = OUTCOME_DAYS) -> Json:
    """Return the figures at the time of evaluation `at`, which has a time zone.

    As docs/evaluation.md has them, and beside these: `policy`, the current one; `outcome_days`; `matches`;
    `missing_columns`; and `unknown_status` and `unmapped_feedback`, words and how often they occur. Feedback that does
    not recur is counted as `OTHER_TEXTS`.
    """
    policy = evaluation.policy or CURRENT_POLICY
    rows = evaluation.rows
    values: dict[str, Any] = {name: column(rows, name) for name in KEPT}
    ordered = baselines(rows, evaluation.places)
    stood = rows["stood"].to_numpy(np.bool_)
    analyses = {}
    for name, taken, of_analysis in (
        ("retrospective", ~stood, values),
        ("prospective", stood, at_seen(rows, policy)),
    ):
        some = rows.loc[taken].reset_index(drop=True)
        ranked = {each: of[taken] for each, of in {**of_analysis, **ordered}.items()}
        labels = {
            label: figures_of(some, ranked, labelled(some, label, at, days), policy, evaluation.match_scores)
            for label in LABELS
        }
        analyses[name] = {"labels": labels}
    return {
        "at": at.isoformat(),
        "policy": policy,
        "outcome_days": days,
        "matches": evaluation.matches,
        "missing_columns": list(evaluation.missing),
        "unknown_status": _listed(evaluation.unknown_status),
        "unmapped_feedback": _listed(evaluation.unmapped_feedback, RECURRING),
        "analyses": analyses,
        "ratings": None,
    }


def _typed(rows: pd.DataFrame) -> pd.DataFrame:
    kinds: dict[str, Any] = dict.fromkeys(("exposed", "acted", "dismissed", "stood"), np.bool_)
    kinds |= {"feedback": np.int8, "seen_at": np.int64} | dict.fromkeys((*IDS, "stood_policy"), object)
    kinds |= dict.fromkeys((*_STOOD[1:], *KEPT), np.float64)
    return rows[_KEPT].astype(kinds)


def _none(value: object) -> object:
    return None if isinstance(value, float) and isnan(value) else value


def _distinct(values: Floats, matches: Ints, exposed: Ints) -> tuple[Floats, Ints, Ints]:
    distinct, place = np.unique(values, return_inverse=True)
    sums = (np.bincount(place, counts, len(distinct)).astype(np.int64) for counts in (matches, exposed))
    first, second = sums
    return distinct, first, second


def _listed(words: Counter[str], least: int = 1) -> dict[str, int]:
    """Return words, the most frequent first; long words, and words rarer than `least` times, as one entry at
    the end.
    """
    shown = {word: count for word, count in words.items() if count >= least and len(word) <= LONGEST_WORD}
    others = words.total() - sum(shown.values())
    ordered = dict(sorted(shown.items(), key=lambda entry: (-entry[1], entry[0])))
    return ordered | ({OTHER_TEXTS: others} if others else {})
