"""Compare what was stored earlier with what is computed now: what changed in production, and for whom."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.attribution import INPUTS, UNIT, shares
from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.rows import column, policy_of
from jv_scoring.analysis.stored import (
    COMPARISONS,
    FACTORS,
    METHODS,
    SIMILARITIES,
    Factors,
    stored_factors,
    told_policies,
)
from jv_scoring.analysis.tallies import SCORE_CHANGES, Counts, Histogram, Ints, Joint, Tally, hundredths
from jv_scoring.columns import Floats
from jv_scoring.engine import IDS
from jv_scoring.policy import POLICIES, SCORING_VERSION
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP

STATES = ("same", "policy", "version", "new", "gone")
"""Of a match: scored before under the same policy and version, under another policy, under another version of the rules
(or none that is told), not scored before, and not scored any more."""
COMPARED = STATES[:2]
"""Those of which is asked what changed the score; of the second the two scores are of two scales."""
NOT_ATTRIBUTED = "not attributed"
SHARES = (*INPUTS, NOT_ATTRIBUTED)
POLICIES_BEFORE = (*POLICIES, "another policy")
VERSIONS = ("same version", "another version")
SIDES = ("before", "now", "new")
NOT_KNOWN = "not known"
MADE_BY = (SEMANTIC, WORD_OVERLAP, NOT_KNOWN)
MOST = 20

COLUMNS = [*IDS, "match_score", "harmonic_mean", "policy", "scoring_version", "inputs_hash", *FACTORS, *METHODS]
"""The columns of a partition's file that `tally` reads. A match that is not scored any more has the ids, and null for
all else.
"""
BEFORE = ["before_harmonic_mean", "before_policy", "before_version", "before_inputs_hash", "before_context"]
"""What it reads beside them: what production held before, null where it held none. The context (JSON text) is needed
only where policy, version or hash is another than now, or where no policy is named."""


class Impact(Tally):
    """What `tally` counts.

    histograms: `before …` and `now …` of the matches in each of `COMPARED`, `change same`, `now version`, `now new`,
    and `gone …` by the policy that scored them. counts: `scales` (matches scored then and now) and `gone`, both by the
    policy and version of then; `shares`, the sums of what each input changed, in 1/600 of a point, and `unattributed`,
    matches, by state; `evaluations`, by side, factor and method. joints: `scores`, before and now of the same scale;
    `order_before`, `order_now` and `order_all`, match_score with harmonic_mean. largest: `gains` and `losses`.
    """


def tally(rows: pd.DataFrame) -> Impact:
    """Tally matches with the columns `COLUMNS` and `BEFORE`."""
    pairs = _Rows.of(rows)
    of_state = {state: pairs.state == place for place, state in enumerate(STATES)}
    changed, unattributed = pairs.changes()
    same, both = of_state["same"], pairs.state < STATES.index("new")
    histograms = {
        **{f"before {state}": Histogram.of(pairs.before[of_state[state]]) for state in COMPARED},
        **{f"now {state}": Histogram.of(pairs.now[of_state[state]]) for state in STATES[:4]},
        "change same": Histogram.of(pairs.points[same], SCORE_CHANGES),
    }
    for place, policy in enumerate(POLICIES):
        of_policy = of_state["gone"] & (pairs.policy_before == place) & (pairs.version_before == 0)
        histograms[f"gone {policy}"] = Histogram.of(pairs.before[of_policy])
    scale = (POLICIES_BEFORE, VERSIONS)
    counts = {
        "scales": Counts.of(scale, pairs.policy_before[both], pairs.version_before[both]),
        "gone": Counts.of(scale, pairs.policy_before[of_state["gone"]], pairs.version_before[of_state["gone"]]),
        "shares": Counts((COMPARED, SHARES), np.stack([changed[of_state[state]].sum(axis=0) for state in COMPARED])),
        "unattributed": Counts.of((COMPARED,), pairs.state[unattributed]),
        "evaluations": _evaluations(pairs, both, of_state["new"]),
    }
    return Impact(
        policy_of(pairs.rows.loc[pairs.state != STATES.index("gone")]),
        histograms,
        counts,
        _most_moved(pairs, changed, same),
        {"scores": Joint.of(pairs.before[same], pairs.now[same]), **_orders(pairs, same)},
    )


@dataclass(frozen=True)
class _Rows:
    """The matches that were scored then or are now. All arrays are (rows,); places are those in the tuples above."""

    rows: pd.DataFrame
    before: Floats
    now: Floats
    state: npt.NDArray[np.intp]
    policy_before: npt.NDArray[np.intp]
    version_before: npt.NDArray[np.intp]

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "_Rows":
        before, now = column(rows, "before_harmonic_mean"), column(rows, "harmonic_mean")
        some = ~(np.isnan(before) & np.isnan(now))
        rows, before, now = rows.loc[some].reset_index(drop=True), before[some], now[some]
        policies = told_policies(rows["before_policy"], rows["before_context"], before, rows["policy"])
        policy_before = pd.Index(POLICIES_BEFORE).get_indexer(pd.Index(policies, dtype=object))
        policy_before = np.where(policy_before < 0, len(POLICIES), policy_before)
        readable = (before >= 0) & (before <= 100)
        versions = rows["scoring_version"].astype(object)
        versions = versions.where(versions.notna(), SCORING_VERSION)
        ours = (rows["before_version"] == versions).to_numpy(np.bool_) & readable
        same_version = ours & (policy_before < len(POLICIES))
        same_policy = (policies == rows["policy"].to_numpy(object)).astype(np.bool_)
        kinds = [np.isnan(before), np.isnan(now), same_version & same_policy, same_version]
        states = [STATES.index(state) for state in ("new", "gone", "same", "policy")]
        state = np.select(kinds, states, STATES.index("version")).astype(np.intp)
        return cls(rows, before, now, state, policy_before, np.where(ours, 0, 1))

    @property
    def points(self) -> Floats:
        """now - before, of two-decimal scores exactly so; NaN where there is no such number."""
        return np.round((self.now - self.before) * 100) / 100

    @property
    def untouched(self) -> npt.NDArray[np.bool_]:
        """Of the same inputs, policy and version as now."""
        same = (self.rows["before_inputs_hash"] == self.rows["inputs_hash"]).to_numpy(np.bool_)
        untouched: npt.NDArray[np.bool_] = same & (self.state == STATES.index("same"))
        return untouched

    def changes(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """(rows, 4) the change of each score by `SHARES`, and the rows in which it cannot be attributed.

        These are of contexts that cannot be read, or that do not give the score they were stored with.
        """
        by_input = np.zeros((len(self.rows), len(SHARES)), np.int64)
        unattributed = np.zeros(len(self.rows), np.bool_)
        compared = self.state < len(COMPARED)
        for place, policy in enumerate(POLICIES):
            at = np.flatnonzero(compared & ~self.untouched & (self.policy_before == place))
            if len(at):
                by_input[at, : len(INPUTS)], told = self._shares(at, policy)
                unattributed[at[~told]] = True
        unattributed |= self.untouched & (self.before != self.now)
        by_input[unattributed] = 0
        change = hundredths(np.where(compared, self.points, 0))
        by_input[unattributed, -1] = change[unattributed] * (UNIT // 100)
        return by_input, unattributed

    def _shares(self, at: npt.NDArray[np.intp], policy: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        rows = self.rows.iloc[at]
        stored = stored_factors(rows["before_context"])
        readable = stored["readable"].to_numpy(np.bool_)
        then: Factors = {name: np.where(readable, column(stored, name), 0.0) for name in FACTORS}
        now: Factors = {name: column(rows, name) for name in FACTORS}
        by_input, before, after = shares(then, now, policy, str(rows["policy"].iloc[0]))
        told = readable & (before == hundredths(self.before[at])) & (after == hundredths(self.now[at]))
        return by_input, told


def _evaluations(pairs: _Rows, both: npt.NDArray[np.bool_], new: npt.NDArray[np.bool_]) -> Counts:
    """Three of each match: of those scored then and now, then and now; of new ones, now."""
    touched = both & ~pairs.untouched
    now = _made_by(pairs.rows)
    then = now.copy()
    if touched.any():
        then[touched] = _made_by(stored_factors(pairs.rows["before_context"][touched]))
    factors = [SIMILARITIES.index(factor) for factor, _ in COMPARISONS]
    sides = (then[both], now[both], now[new])
    codes = zip(*(np.broadcast_arrays(side, factors, made_by) for side, made_by in enumerate(sides)), strict=True)
    return Counts.of((SIDES, SIMILARITIES, MADE_BY), *(np.concatenate(each, axis=None) for each in codes))


def _made_by(rows: pd.DataFrame) -> Ints:
    """(rows, 3) the method of each of `METHODS`, as a place in `MADE_BY`."""
    is_one = np.array([[rows[name] == method for name in METHODS] for method in MADE_BY[:2]], np.bool_)
    return np.select(list(is_one), [0, 1], MADE_BY.index(NOT_KNOWN)).T


def _most_moved(pairs: _Rows, changed: npt.NDArray[np.int64], same: npt.NDArray[np.bool_]) -> dict[str, Largest]:
    rows = pairs.rows.loc[same, IDS].assign(before=pairs.before[same], now=pairs.now[same])
    for name, values in zip(SHARES, changed[same].T, strict=True):
        rows[name] = values / UNIT
    largest = {}
    for name, sign in (("gains", 1), ("losses", -1)):
        points = sign * pairs.points[same]
        largest[name] = Largest.of(rows.assign(points=points).loc[points > 0], MOST, ["points"])
    return largest


def _orders(pairs: _Rows, same: npt.NDArray[np.bool_]) -> dict[str, Joint]:
    older = column(pairs.rows, "match_score")
    ranked = older >= 0
    both, every = same & ranked, ~np.isnan(pairs.now) & ranked
    return {
        "order_before": Joint.of(older[both], pairs.before[both]),
        "order_now": Joint.of(older[both], pairs.now[both]),
        "order_all": Joint.of(older[every], pairs.now[every]),
    }
