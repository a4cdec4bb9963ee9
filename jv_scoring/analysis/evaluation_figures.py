"""The figures of one label in one analysis: rankings with their intervals, tiers, tenths, exposure and the verdict."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import ceil, sqrt

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.evaluation_bootstrap import drawn_sums, interval, shares
from jv_scoring.analysis.evaluation_labels import Labelled
from jv_scoring.analysis.evaluation_metrics import Bools, Values, auc, ndcg, tenths, weighted_auc, wilson, wins
from jv_scoring.analysis.rows import share
from jv_scoring.analysis.tallies import Ints, Json
from jv_scoring.columns import Floats
from jv_scoring.policy import TIERS

TOO_FEW, PREDICTS, MISLEADS, NO_EVIDENCE = "too few", "predicts", "misleads", "no evidence"
BETTER, WORSE, NO_DIFFERENCE = "better", "worse", "no difference shown"
LEAST_POSITIVE, LEAST_PROFILES = 50, 20
"""Matches with label 1, and profiles with a pair, below which there is no verdict."""
LEAST_EXPOSED, MOST_WEIGHT = 20, 10.0
"""Exposed matches below which nothing can be said for a tenth of match_score; the largest weight of a match."""


def figures_of(
    rows: pd.DataFrame,
    values: dict[str, Values],
    label: Labelled,
    policy: str,
    match_scores: tuple[Floats, Ints, Ints],
) -> Json:
    """Return the record of a label: `rows` are the exposed matches of an analysis, `values` its rankings.

    `match_scores` has, of all matches: each distinct match_score, how many have it, and how many of these are exposed.
    """
    taken = np.flatnonzero(label.used)
    groups = np.unique(rows["profile_id"].to_numpy()[taken], return_inverse=True)[1].astype(np.int64)
    used = _Used(groups, label.positive[taken], {name: of[taken] for name, of in values.items()})
    rankings = _rankings(used, policy)
    current = next(record for record in rankings if record["ranking"] == policy)
    exposure, weights = _exposure(match_scores)
    weighted, effective = _weighted(used, policy, match_scores, weights)
    positive = label.counts["positive"]
    return {
        **label.counts,
        "verdict": _verdict(current, positive),
        "rankings": rankings,
        "tiers": _tiers(used, policy),
        "tenths": _tenths(used, policy),
        "exposure": exposure,
        "auc_weighted": weighted,
        "effective": effective,
    }


def paired(profiles: npt.NDArray[np.object_], label: Labelled, production: Floats, candidate: Floats) -> Json:
    """Return the difference of two scores of the same exposed matches: AUC within profiles, of `candidate` less that of
    `production`, with its 95 % interval, beside how many matches have label 1 and how many profiles have a pair.

    `enough`: whether there are enough of both for a verdict.
    """
    taken = np.flatnonzero(label.used)
    groups = np.unique(profiles[taken], return_inverse=True)[1].astype(np.int64)
    values: dict[str, Values] = {"production": production[taken], "candidate": candidate[taken]}
    now, then = _rankings(_Used(groups, label.positive[taken], values), "production")
    positive = label.counts["positive"]
    return {
        "positive": positive,
        "profiles": now["profiles"],
        "enough": _verdict(now, positive) != TOO_FEW,
        **{name: then[name] for name in ("difference", "difference_low", "difference_high")},
    }


def positives_needed(share_positive: float = 0.5) -> int:
    """Return how many matches with label 1 tell an AUC of 0.60 from 0.50, after Hanley and McNeil (1982).

    The lower end of the 95 % interval of 0.60 is then above 0.50, if every match were of one profile; and never fewer
    than `LEAST_POSITIVE`. `share_positive`: the share of the matches with a label that have 1.
    """
    auc_value, a, b = 0.60, 0.60 / 1.40, 2 * 0.36 / 1.60
    zeros = max(1 - share_positive, 0.01) / max(share_positive, 0.01)
    for ones in range(LEAST_POSITIVE, 100_000):
        zero = max(ceil(ones * zeros), 1)
        spread = auc_value * (1 - auc_value) + (ones - 1) * (a - auc_value**2) + (zero - 1) * (b - auc_value**2)
        if auc_value - 1.96 * sqrt(spread / (ones * zero)) > 0.50:
            return ones
    return 100_000


@dataclass
class _Used:
    """The used matches: the place of each one's profile, whether the label is 1, and values by ranking."""

    groups: Ints
    positive: Bools
    values: dict[str, Values]
    count: int = field(init=False)
    """How many profiles have a used match."""

    def __post_init__(self) -> None:
        self.count = int(self.groups.max()) + 1 if len(self.groups) else 0

    def has(self, ranking: str) -> Bools:
        return ~np.isnan(self.values[ranking].astype(np.float64))

    def select(self, ranking: str, mask: Bools) -> tuple[Ints, Values, Bools]:
        return self.groups[mask], self.values[ranking][mask], self.positive[mask]


@dataclass
class _Columns:
    """Columns whose sums over each draw's profiles are wanted, each once."""

    used: _Used
    columns: list[Ints] = field(default_factory=list)
    places: dict[tuple[str, bytes], int] = field(default_factory=dict)

    def place(self, ranking: str, mask: Bools) -> int:
        """Return the place of the wins of a ranking over the matches of a mask; those of the pairs come next."""
        key = ranking, mask.tobytes()
        if key not in self.places:
            self.places[key] = len(self.columns)
            self.columns += wins(*self.used.select(ranking, mask), self.used.count)
        return self.places[key]


def _rankings(used: _Used, policy: str) -> list[Json]:
    columns = _Columns(used)
    places = []
    for name in used.values:
        own = used.has(name)
        both = own & used.has(policy)
        places.append((columns.place(name, own), columns.place(name, both), columns.place(policy, both)))
    table = np.stack(columns.columns, axis=1)
    sums, drawn = table.sum(axis=0), drawn_sums(table)
    records = []
    for name, (alone, mine, currents) in zip(used.values, places, strict=True):
        low, high = interval(shares(*_two(drawn, alone)))
        difference: float | None = None
        ends: tuple[float | None, float | None] = None, None
        if name != policy and sums[mine + 1]:
            difference = _auc(sums, mine) - _auc(sums, currents)
            ends = interval(shares(*_two(drawn, mine)) - shares(*_two(drawn, currents)))
        has = used.has(name)
        groups, values, positive = used.select(name, has)
        gain, gained = ndcg(groups, values, positive, used.count)
        pooled_wins, pooled_pairs = wins(np.zeros_like(groups), values, positive, 1)
        records.append({
            "ranking": name,
            "left_out": int((~has).sum()),
            "auc_within": auc(int(sums[alone]), int(sums[alone + 1])),
            "low": low,
            "high": high,
            "pairs": int(sums[alone + 1]),
            "profiles": int((table[:, alone + 1] > 0).sum()),
            "auc_pooled": auc(int(pooled_wins[0]), int(pooled_pairs[0])),
            "ndcg_10": gain,
            "ndcg_profiles": gained,
            "difference": difference,
            "difference_low": ends[0],
            "difference_high": ends[1],
            "compared": _compared(*ends),
        })  # fmt: skip
    return records


def _two(drawn: Floats, place: int) -> tuple[Floats, Floats]:
    return drawn[:, place], drawn[:, place + 1]


def _auc(sums: Ints, place: int) -> float:
    return int(sums[place]) / 2 / int(sums[place + 1])


def _verdict(current: Json, positive: int) -> str:
    if positive < LEAST_POSITIVE or current["profiles"] < LEAST_PROFILES or current["low"] is None:
        return TOO_FEW
    if current["low"] > 0.50:
        return PREDICTS
    return MISLEADS if current["high"] < 0.50 else NO_EVIDENCE


def _compared(low: float | None, high: float | None) -> str | None:
    if low is None or high is None:
        return None
    if low > 0:
        return BETTER
    return WORSE if high < 0 else NO_DIFFERENCE


def in_tiers(scores: Values) -> Iterator[tuple[str, Bools]]:
    """Yield each tier with (rows,) whether a score is in it; a NaN is in none."""
    below = np.inf
    for name, least in TIERS:
        yield name, (scores >= least) & (scores < below)
        below = least


def _tiers(used: _Used, policy: str) -> list[Json]:
    return [{"tier": name, **_counted(used.positive[mine])} for name, mine in in_tiers(used.values[policy])]


def _tenths(used: _Used, policy: str) -> list[Json]:
    has = used.has(policy)
    scores, positive = used.values[policy][has].astype(np.float64), used.positive[has]
    distinct, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    tenth = tenths(distinct, counts.astype(np.int64))[place]
    return [
        {"from": float(scores[mine].min()), "to": float(scores[mine].max()), **_counted(positive[mine])}
        for mine in (tenth == k for k in np.unique(tenth))
    ]


def _counted(positive: Bools) -> Json:
    whole, part = len(positive), int(positive.sum())
    low, high = wilson(part, whole)
    return {"used": whole, "positive": part, "share": share(part, whole), "low": low, "high": high}


def _exposure(match_scores: tuple[Floats, Ints, Ints]) -> tuple[list[Json], Floats]:
    """The records by tenth of match_score, and (10,) the weight of a match of each; 0 where none is exposed."""
    values, matches, exposed = match_scores
    tenth, weights, records = tenths(values, matches), np.zeros(10), []
    for k in np.unique(tenth).tolist():
        mine = tenth == k
        every, seen = int(matches[mine].sum()), int(exposed[mine].sum())
        ends = {"from": float(values[mine].min()), "to": float(values[mine].max())}
        records.append({**ends, "matches": every, "exposed": seen})
        if seen:
            weights[k] = min(every / seen, MOST_WEIGHT)
    return records, weights


def _weighted(
    used: _Used, policy: str, match_scores: tuple[Floats, Ints, Ints], weights: Floats
) -> tuple[float | None, float | None]:
    values, matches, _ = match_scores
    has = used.has(policy) & used.has("match_score")
    scores = used.values["match_score"].astype(np.float64)
    tenth = np.zeros(len(scores), np.int64)
    tenth[has] = tenths(values, matches)[np.searchsorted(values, scores[has])]
    return weighted_auc(*used.select(policy, has), tenth[has], weights)
