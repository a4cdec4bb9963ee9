"""Attribute a changed score to its policy, its texts and vectors, or other data of its profiles.

One input at a time changes from its old to its new value, and the gain of the score is that input's share. It depends
on the order, so it is averaged over all six orders (Shapley's values). The shares of a match add up exactly to the
change of its score: they are whole sixths of a hundredth of a point.

A text counts twice: it is compared with the partner's, and it is one of the fields that three factors count as filled.
A stored breakdown says how many fields were filled, and not which. All three factors count the four texts and the
niche, and no other field. So a common change of all three counts is attributed to texts that came or went.
"""

from itertools import product

import numpy as np
import numpy.typing as npt

from jv_scoring.analysis.stored import FACTORS, SIMILARITIES, Factors, scores
from jv_scoring.analysis.tallies import Ints, hundredths
from jv_scoring.columns import Floats
from jv_scoring.engine import DIRECTIONS
from jv_scoring.factors import FIELDS_COUNTED
from jv_scoring.policy import parse_policy

INPUTS = ("policy", "texts and vectors", "other profile data")
UNIT = 600
"""How many units one point has."""

_TEXTS = frozenset(name for name in FACTORS if name.startswith(SIMILARITIES))
_Corner = tuple[int, ...]


def shares(
    before: Factors, now: Factors, policy_before: str, policy_now: str
) -> tuple[npt.NDArray[np.int64], Ints, Ints]:
    """Return what each of `INPUTS` changed: (rows, 3), in `UNIT`s of a point; and the scores before and now, in
    hundredths.

    The scores are (rows,), computed from the given inputs. A row whose stored score differs was not made from them.
    """
    at: dict[_Corner, Ints] = {}
    mixed = {(0, 0): before, (0, 1): _mixed(before, now, texts=False), (1, 0): _mixed(before, now, texts=True)}
    mixed[1, 1] = now
    for policy, texts, others in product((0, 1), repeat=3):
        known = policy and policy_before == policy_now
        name = policy_now if policy else policy_before
        factors = mixed[texts, others]
        at[policy, texts, others] = at[0, texts, others] if known else hundredths(scores(factors, parse_policy(name)))
    by_input = [_share(at, place) for place in range(len(INPUTS))]
    return np.stack(by_input, axis=1), at[0, 0, 0], at[1, 1, 1]


def _mixed(before: Factors, now: Factors, *, texts: bool) -> Factors:
    """Return the factors with the texts as they are now and all else as it was, or the other way round."""
    mixed = {name: (now if (name in _TEXTS) == texts else before)[name] for name in FACTORS}
    for of in DIRECTIONS:
        names = {f"{name}_{of}": len(fields) for name, fields in FIELDS_COUNTED.items()}
        then = {name: _filled(before[name], every) for name, every in names.items()}
        change = {name: _filled(now[name], every) - then[name] for name, every in names.items()}
        of_texts = _shared(list(change.values()))
        for name, every in names.items():
            moved = of_texts if texts else change[name] - of_texts
            mixed[name] = np.where(moved == 0, before[name], 10 * (then[name] + moved) / every)
    return mixed


def _filled(scores: Floats, fields: int) -> Ints:
    """Return how many of so many fields are filled, from the factor's score."""
    return np.rint(np.nan_to_num(scores) * fields / 10).astype(np.int64)


def _shared(changes: list[Ints]) -> Ints:
    """Return by how much all of these went up, or all went down; 0 if they did not."""
    least, most = np.minimum.reduce(changes), np.maximum.reduce(changes)
    shared: Ints = np.maximum(least, 0) + np.minimum(most, 0)
    return shared


def _share(at: dict[_Corner, Ints], place: int) -> npt.NDArray[np.int64]:
    """First of three in two orders, last in two, between the others in one each."""
    total = np.zeros(len(at[0, 0, 0]), np.int64)
    for corner, before in at.items():
        if not corner[place]:
            after = at[*corner[:place], 1, *corner[place + 1 :]]
            total += (1 if sum(corner) == 1 else 2) * (after - before)
    return total
