"""How well a value orders matches by label: exact counts, so that no order of the rows moves a last digit.

Throughout: `groups` (rows,) has the place of each match's profile, 0 up to but not including `count`; `values` (rows,)
is what ranks the matches, without NaN; `positive` (rows,) is whether the label is 1.
"""

from dataclasses import dataclass
from math import fsum, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from jv_scoring.analysis.tallies import Ints
from jv_scoring.columns import Floats

Bools = npt.NDArray[np.bool_]
Values = Floats | npt.NDArray[np.uint64]

PLACES = 10
"""How many of the highest values NDCG looks at."""
_Z = NormalDist().inv_cdf(0.975)
_DISCOUNTS = 1 / np.log2(np.arange(2, PLACES + 2))


@dataclass(frozen=True)
class _Ties:
    """Matches of one group with one value, an entry each, in order of group and value: how many with label 1 and 0."""

    group: Ints
    ones: Ints
    zeros: Ints

    @classmethod
    def of(cls, groups: Ints, values: Values, positive: Bools) -> "_Ties":
        order = np.lexsort((values, groups))
        group, value, one = groups[order], values[order], positive[order]
        begins = np.ones(len(order), np.bool_)
        begins[1:] = (group[1:] != group[:-1]) | (value[1:] != value[:-1])
        starts = np.flatnonzero(begins)
        sizes = np.diff(np.append(starts, len(order)))
        ones = np.add.reduceat(one.astype(np.int64), starts) if len(starts) else np.zeros(0, np.int64)
        return cls(group[starts], ones, sizes - ones)

    def before(self, counts: Ints) -> Ints:
        """The sum of `counts` over the entries of the same group before each."""
        upto = np.cumsum(counts) - counts
        first = np.searchsorted(self.group, self.group)  # the group's first entry
        return upto - upto[first]


def wins(groups: Ints, values: Values, positive: Bools, count: int) -> tuple[Ints, Ints]:
    """Return, by group, twice the pairs that the match with label 1 wins (a tie is half a win), and all pairs.

    A pair is two matches of one group with different labels. Both arrays have shape (count,).
    """
    ties = _Ties.of(groups, values, positive)
    twice = _summed(ties.group, ties.ones * (2 * ties.before(ties.zeros) + ties.zeros), count)
    return twice, _summed(ties.group, ties.ones, count) * _summed(ties.group, ties.zeros, count)


def auc(twice_wins: int, pairs: int) -> float | None:
    """Return the share of pairs won, 0..1; None without a pair."""
    return twice_wins / 2 / pairs if pairs else None


def ndcg(groups: Ints, values: Values, positive: Bools, count: int) -> tuple[float | None, int]:
    """Return the mean of NDCG at 10 over the groups that have one, and how many these are.

    A group has one if it has a label 1 and at least two matches. Tied matches get the mean gain of their tie.
    """
    ties = _Ties.of(groups, values, positive)
    sizes = ties.ones + ties.zeros
    ones, matches = _summed(ties.group, ties.ones, count), _summed(ties.group, sizes, count)
    above = matches[ties.group] - ties.before(sizes) - sizes
    gain = ties.ones / np.maximum(sizes, 1)
    gains = np.zeros((count, PLACES))
    for place in range(PLACES):
        here = (above <= place) & (place < above + sizes)
        gains[ties.group[here], place] = gain[here]
    gained, ideal = np.zeros(count), np.zeros(PLACES + 1)
    for place, discount in enumerate(_DISCOUNTS):  # from left to right, as a plain sum is made
        gained += gains[:, place] * discount
        ideal[place + 1] = ideal[place] + discount
    best = ideal[np.minimum(ones, PLACES)]
    has = (ones > 0) & (matches > 1)
    number = int(has.sum())
    return (fsum((gained[has] / best[has]).tolist()) / number if number else None), number


def weighted_auc(
    groups: Ints, values: Values, positive: Bools, stratum: Ints, weights: Floats
) -> tuple[float | None, float | None]:
    """Return the share of pairs won, a pair counting the product of its matches' weights, and the effective number.

    `stratum` (rows,) is the place of a match's weight in `weights`. The effective number of matches is the square of
    the sum of their weights over the sum of their squares. None without a pair, and without a match.
    """
    won, every = 0.0, 0.0
    strata = len(weights)
    for other in range(strata):  # of the match with label 0
        kept = positive | (stratum == other)
        at, labels, chosen = groups[kept], positive[kept], stratum[kept]
        twice, pairs = _wins_by_match(at, values[kept], labels)
        for one in range(strata):
            mine = labels & (chosen == one)
            weight = float(weights[one] * weights[other])
            won += weight * int(twice[mine].sum()) / 2
            every += weight * int(pairs[mine].sum())
    counts = np.bincount(stratum, minlength=strata)
    squares = float((counts * weights**2).sum())
    effective = float((counts * weights).sum()) ** 2 / squares if squares else None
    return (won / every if every else None), effective


def tenths(values: Floats, counts: Ints) -> Ints:
    """Return the tenth, 0..9, of each of some distinct values in ascending order, of which `counts` says how many.

    A value's tenth is the whole part of 10 times the share of values below it: equal values are in one tenth.
    """
    below = np.cumsum(counts) - counts
    return 10 * below // max(int(counts.sum()), 1)


def wilson(part: int, whole: int) -> tuple[float | None, float | None]:
    """Return the 95 % interval of a share by Wilson's formula; None without matches."""
    if not whole:
        return None, None
    share, z2 = part / whole, _Z**2
    middle, away = share + z2 / (2 * whole), _Z * sqrt(share * (1 - share) / whole + z2 / (4 * whole**2))
    low, high = ((middle + sign * away) / (1 + z2 / whole) for sign in (-1, 1))
    return (low if part else 0.0), (high if part < whole else 1.0)


def _wins_by_match(groups: Ints, values: Values, positive: Bools) -> tuple[Ints, Ints]:
    """Return, by match, twice its wins against the matches of its group with label 0, and how many these are."""
    zero_groups, zero_values = groups[~positive], values[~positive]
    order = np.lexsort((zero_values, zero_groups))
    distinct, code = np.unique(values, return_inverse=True)
    width = len(distinct) + 1
    keys = zero_groups[order] * width + code[~positive][order]
    mine = groups * width + code
    first, last = (np.searchsorted(keys, groups * width + edge) for edge in (0, width))
    below, upto = np.searchsorted(keys, mine), np.searchsorted(keys, mine, "right")
    return (below - first) + (upto - first), last - first


def _summed(groups: Ints, counts: Ints, count: int) -> Ints:
    """Sums of whole numbers by group, exact as long as they are below 2**53."""
    return np.bincount(groups, counts, count).astype(np.int64)
