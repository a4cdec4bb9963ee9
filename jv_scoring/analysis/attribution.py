"""What a changed score is due to: its policy, its texts and vectors, or other data of its profiles.

One input at a time is put from what it was to what it is, and what the score gains by that is the input's share. That
depends on which inputs were put before it, so it is averaged over all six orders (Shapley's values). The shares of a
match add up to the change of its score exactly: they are whole numbers of sixths of a hundredth of a point.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

from jv_scoring.analysis.stored import FACTORS, SIMILARITIES, Factors, scores
from jv_scoring.analysis.tallies import Ints, hundredths
from jv_scoring.policy import parse_policy

INPUTS = ("policy", "texts and vectors", "other profile data")
UNIT = 600
"""Shares of a point."""

_TEXTS = frozenset(name for name in FACTORS if name.startswith(SIMILARITIES))
_Corner = tuple[int, ...]


def shares(
    before: Factors, now: Factors, policy_before: str, policy_now: str
) -> tuple[npt.NDArray[np.int64], Ints, Ints]:
    """What each of `INPUTS` changed: (rows, 3), in `UNIT`s of a point. And the scores before and now, in hundredths.

    The scores are (rows,), of the inputs as given: a row whose stored score is another was not made of them.
    """
    at: dict[_Corner, Ints] = {}
    for policy, texts, others in product((0, 1), repeat=3):
        known = policy and policy_before == policy_now
        inputs = (policy, texts, others)
        at[inputs] = at[0, texts, others] if known else _score(before, now, (policy_before, policy_now), inputs)
    found = [_share(at, place) for place in range(len(INPUTS))]
    return np.stack(found, axis=1), at[0, 0, 0], at[1, 1, 1]


def _score(before: Factors, now: Factors, policies: tuple[str, str], corner: _Corner) -> Ints:
    """With each of `INPUTS` as it was (0) or as it is (1)."""
    policy, texts, others = corner
    mixed = {name: (before, now)[texts if name in _TEXTS else others][name] for name in FACTORS}
    return hundredths(scores(mixed, parse_policy(policies[policy])))


def _share(at: dict[_Corner, Ints], place: int) -> npt.NDArray[np.int64]:
    """First of three in two orders, last in two, between the others in one each."""
    total = np.zeros(len(at[0, 0, 0]), np.int64)
    for corner, before in at.items():
        if not corner[place]:
            after = at[*corner[:place], 1, *corner[place + 1 :]]
            total += (1 if sum(corner) == 1 else 2) * (after - before)
    return total
