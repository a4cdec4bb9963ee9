"""The data of the simulation: matches whose profiles' Momentum can change, and draws that fill missing fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.aggregation_comparison import BEST
from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.analysis.rows import column, dimensions
from jv_scoring.analysis.tallies import SCORES, Ints, hundredths
from jv_scoring.columns import Floats, aggregates, match_scores, round2, weighted_means
from jv_scoring.engine import DIRECTIONS
from jv_scoring.factors import MOMENTUM
from jv_scoring.policy import DIMENSIONS, TIERS, Nulls, Policy

Positions = npt.NDArray[np.intp]
Flags = npt.NDArray[np.bool_]

TIER_MEASURES = tuple(name.lower() for name, _ in TIERS)
MEASURES = (
    "mean", "effect_on_mean", "bottleneck_share", *TIER_MEASURES, "tiers_up", "tiers_down", "churn", "churn_with_more",
)  # fmt: skip
"""The measures of a way to score: see `Matches.measures`."""

_MOMENTUM = DIMENSIONS.index("momentum")
_LIMITS = [round(least * 100) for _, least in reversed(TIERS)][1:]


@dataclass(frozen=True)
class Fill:
    """New factor scores of some profiles.

    profiles: (filled,) their positions. scores: (fields, filled), 0..10, NaN without data.
    """

    profiles: Positions
    scores: Floats


@dataclass(frozen=True)
class Scored:
    """All matches scored one way.

    harmonic_mean: (matches,) in hundredths. best: (ranked,) whether a match is among its profile's best 10. bottleneck:
    directions where Momentum is the weakest dimension, alone or tied.
    """

    harmonic_mean: Ints
    best: Flags
    bottleneck: int

    @cached_property
    def tiers(self) -> Positions:
        """Return (matches,) the tier of each, 0 the lowest."""
        return np.searchsorted(_LIMITS, self.harmonic_mean, "right")


class Matches:
    """Matches, sorted by id, as they are and as they would be with other factor scores of some profiles."""

    def __init__(self, rows: pd.DataFrame, profiles: pd.Index, of: int | None = None) -> None:
        """`rows`: the columns `momentum_options.COLUMNS` of range files; `profiles`: the ids that a `Fill` has
        positions of.

        `of`: how many matches there are, where the rows are a sample: counts of matches are scaled up to them.
        """
        rows = rows.sort_values("id", ignore_index=True)
        self.count, self._profiles = len(rows), len(profiles)
        self.every = self.count if of is None else of
        self.scale = self.every / self.count if self.count else 1.0
        nulls: tuple[Nulls, Nulls] = ("impute", "redistribute")
        self.dimensions = {kind: [dimensions(rows, direction, kind) for direction in DIRECTIONS] for kind in nulls}
        target = {"ab": "suggested_profile_id", "ba": "profile_id"}
        self.targets: list[Positions] = [
            profiles.get_indexer(pd.Index(rows[target[direction]], dtype=object)) for direction in DIRECTIONS
        ]
        self._others = {
            kind: [_lowest([*scores[:_MOMENTUM], *scores[_MOMENTUM + 1 :]]) for scores in of]
            for kind, of in self.dimensions.items()
        }
        group = pd.factorize(rows["profile_id"])[0]
        sizes = np.bincount(group) if len(group) else np.zeros(0, np.intp)
        self.sources, self.sources_with_more = len(sizes), int((sizes > BEST).sum())
        # Only a profile with more than 10 matches can have another best 10: only theirs are ranked.
        ranked = np.flatnonzero(sizes[group] > BEST)
        self._ranked = ranked[np.argsort(group[ranked], kind="stable")]
        self._group = group[self._ranked].astype(np.int64)
        ends = np.flatnonzero(np.diff(self._group, prepend=-1))
        place = np.arange(len(self._group)) - np.repeat(ends, np.diff(ends, append=len(self._group)))
        self._top = place < BEST
        self._group = np.cumsum(place == 0, dtype=np.int64)

    def scored(self, policy: Policy, fill: Fill | None = None) -> Scored:
        """Score all matches under a policy; profiles that are not filled keep the Momentum they were scored with."""
        raw, bottleneck = [], 0
        for direction, others, momentum in zip(
            self.dimensions[policy.nulls], self._others[policy.nulls], self.momenta(policy.nulls, fill), strict=True
        ):
            raw.append(aggregates([*direction[:_MOMENTUM], momentum, *direction[_MOMENTUM + 1 :]], policy.aggregation))
            bottleneck += int((momentum <= others).sum())
        scores = hundredths(round2(match_scores(*raw)))
        return Scored(scores, self._best(scores), bottleneck)

    def momenta(self, nulls: Nulls, fill: Fill | None = None) -> list[Floats]:
        """(matches,) Momentum of the target, 0..10 (NaN: none), of each direction."""
        today = [scores[_MOMENTUM] for scores in self.dimensions[nulls]]
        if fill is None or not len(fill.profiles):
            return today
        fresh, filled = np.zeros(self._profiles + 1), np.zeros(self._profiles + 1, np.bool_)
        fresh[fill.profiles] = weighted_means(list(fill.scores), MOMENTUM, nulls)
        filled[fill.profiles] = True  # and the last, that of a profile that is gone, never is
        return [np.where(filled[at], fresh[at], of) for at, of in zip(self.targets, today, strict=True)]

    def measures(self, now: Scored, then: Scored) -> list[float]:
        """`MEASURES` of `then`, NaN where there is nothing to measure.

        Means are of harmonic_mean, 0..100, and the effect is the difference from `now`; the share is of directions;
        each tier's count and those that go to a higher or a lower one are of matches. Churn: the share of a profile's
        best 10 that is not among them `then`, mean over profiles with matches, and over those with more than 10.
        """
        if not self.count:
            return [float("nan")] * len(MEASURES)
        points = int(then.harmonic_mean.sum())
        counts = np.bincount(then.tiers, minlength=len(TIERS))[::-1]
        lost = int((now.best & ~then.best).sum()) / BEST
        return [
            points / (100 * self.count),
            (points - int(now.harmonic_mean.sum())) / (100 * self.count),
            then.bottleneck / (len(DIRECTIONS) * self.count),
            *(self.scale * counts).tolist(),
            self.scale * int((then.tiers > now.tiers).sum()),
            self.scale * int((then.tiers < now.tiers).sum()),
            lost / self.sources,
            lost / self.sources_with_more if self.sources_with_more else float("nan"),
        ]

    def _best(self, scores: Ints) -> Flags:
        """Return the highest harmonic_mean of each A, ties to the smaller id, as in `best_matches`."""
        count = len(self._ranked)
        keys = (self._group * SCORES.bins + (SCORES.bins - 1 - scores[self._ranked])) * count + np.arange(count)
        keys.sort()
        best = np.zeros(count, np.bool_)
        best[keys[self._top] % max(count, 1)] = True
        return best


FEWEST_DONORS = 5
"""The fewest donors of a field for an interval: with fewer, a true 95 % interval is too wide to be drawn from them."""


class Filler:
    """Draws of what some of the fields could be where they are missing, from the scores of the donors.

    The donors of a field are the profiles that have it. They are a sample themselves, so each draw first draws a pool
    of donors, with replacement, and fills from the pool: an approximate Bayesian bootstrap. A field without a donor
    cannot be filled. scores: (fields, profiles) as they are, NaN without data. lower_half: draw from the donors with
    the lower scores, half of them rounded up, because who lacks a field may have less of it.
    """

    def __init__(self, scores: Floats, fields: Sequence[str], seed: int, *, lower_half: bool = False) -> None:
        self.scores, self.fields = scores, tuple(FIELDS.index(field) for field in fields)
        self._seed = [seed, sum(1 << k for k in self.fields)]
        self._observed = [np.sort(row[~np.isnan(row)]) for row in scores]
        if lower_half:
            self._observed = [donors[: -(-len(donors) // 2)] for donors in self._observed]
        fillable = [k for k in self.fields if len(self._observed[k])]
        self._gaps = {k: np.flatnonzero(np.isnan(scores[k])) for k in fillable}
        self._pools = {k: pool_size(len(self._observed[k])) for k in fillable}
        missing = np.isnan(scores[fillable]).any(axis=0) if fillable else np.zeros(scores.shape[1], np.bool_)
        self.lacking: Positions = np.flatnonzero(missing)

    @property
    def has_interval(self) -> bool:
        """Return whether the donors of each filled field are enough, and differ: otherwise the draws give no
        interval.
        """
        donors = [self._observed[k] for k, gaps in self._gaps.items() if len(gaps)]
        return all(len(each) >= FEWEST_DONORS and each[0] < each[-1] for each in donors)

    def count(self, share: float) -> int:
        """How many profiles that share of those that lack a field is."""
        return round(share * len(self.lacking))

    def draw(self, repeat: int) -> Fill:
        """Every profile that lacks a field, filled, in a random order: a share of them is the first so many.

        So a larger share of the same repeat fills the same profiles with the same values, and some more.
        """
        rng = np.random.default_rng([*self._seed, repeat])
        order, scores = rng.permutation(self.lacking), self.scores.copy()
        for k, gaps in self._gaps.items():
            pool = self._observed[k][rng.integers(len(self._observed[k]), size=self._pools[k])]
            scores[k, gaps] = pool[rng.integers(len(pool), size=len(gaps))]
        return Fill(order, scores[:, order])

    def first(self, fill: Fill, share: float) -> Fill:
        """The first profiles of a draw."""
        count = self.count(share)
        return Fill(fill.profiles[:count], fill.scores[:, :count])


def pool_size(donors: int) -> int:
    """Return how many donors a draw takes.

    Three fewer than there are: the mean of so many has the variance of Student's t with n - 1 degrees of freedom, which
    is how uncertain the mean of n values is. With all of them, the mean would vary too little.
    """
    return max(1, donors - 3)


def factor_scores(features: pd.DataFrame) -> Floats:
    """(fields, profiles) Momentum's factors, 0..10, NaN without data."""
    return np.array([column(features, field) for field in FIELDS]).reshape(len(FIELDS), len(features))


def _lowest(scores: list[Floats]) -> Floats:
    """Of each row; infinity of none."""
    lowest: Floats = np.fmin.reduce(scores)
    return np.where(np.isnan(lowest), np.inf, lowest)
