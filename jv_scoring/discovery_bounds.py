"""Compute a pair's value from the levels of its similarities, and bound it by what each profile contributes alone.

The value of a pair is `2 / (1/score_ab + 1/score_ba)`, so `2 / value` is a sum with one term for each direction. The
term of a direction depends on the target's Intent, Momentum and Context (`Parts.own`) and on Synergy, which has few
levels (`SynergyTable`). All numbers here are within float error; `exact_scores` gives the rules' own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jv_scoring.columns import match_scores, round2, weighted_means
from jv_scoring.engine import ROLE_TABLE, TIER_TABLE, momentum_name, raw_directions
from jv_scoring.policy import DIMENSION_WEIGHTS, FLOOR, Aggregation, Nulls, Policy
from jv_scoring.prepare import ROLE_NAMES, TIER_NAMES, Prepared
from jv_scoring.similarity import LOWEST_SCORE, OVERLAP_STEPS, Steps
from jv_scoring.synergy import SYNERGY
from jv_scoring.vectors import Floats, Positions

LEVEL_SCORES = np.array([LOWEST_SCORE, *(score for _, score in reversed(OVERLAP_STEPS))])
"""The score of each level of a similarity: level 0 reaches no step, level 4 reaches the highest."""
TOP = len(LEVEL_SCORES) - 1
_LEVELS = len(LEVEL_SCORES)
_SYNERGY_WEIGHT = DIMENSION_WEIGHTS["synergy"]


def level_limits(steps: Steps) -> Floats:
    """Return the least similarity, 0..1, of levels 1 to 4; infinite if every similarity or none reaches the level.

    A similarity reaches a level by its own step or a higher one.
    """
    limits = np.minimum.accumulate(np.array([limit for limit, _ in steps], np.float64))[::-1]
    return np.where(limits <= 0, -np.inf, np.where(limits > 1, np.inf, limits))


@dataclass(frozen=True)
class SynergyTable:
    """Synergy, 0..10 and rounded as scores have it, of every combination of levels, roles and tiers.

    base: (groups, groups) where in `synergy` the combinations of two groups begin; a group is a role and a tier.
    synergy: (codes,) Synergy by code; a code is a base, plus 5 times the level of Offering↔Seeking, plus that of
    Audience Alignment.
    """

    base: Positions
    synergy: Floats

    @classmethod
    def of(cls, nulls: Nulls) -> "SynergyTable":
        role, tier = (_of_groups(table, axis) for axis, table in enumerate((ROLE_TABLE, TIER_TABLE)))
        # A tier score without data is NaN; -1 replaces it, because NaN differs from itself.
        kinds, kind = np.unique(
            np.stack([role, np.nan_to_num(tier, nan=-1)]).reshape(2, -1), axis=1, return_inverse=True
        )
        offering, audience = np.divmod(np.arange(_LEVELS**2), _LEVELS)
        columns = [np.tile(LEVEL_SCORES[level], kinds.shape[1]) for level in (offering, audience)]
        columns += [np.repeat(scores, _LEVELS**2) for scores in (kinds[0], np.where(kinds[1] < 0, np.nan, kinds[1]))]
        return cls(kind.reshape(role.shape).astype(np.intp) * _LEVELS**2, weighted_means(columns, SYNERGY, nulls))


def code(offering: int, audience: int) -> int:
    """Return the part of a code that says both levels."""
    return _LEVELS * offering + audience


def groups_of(prepared: Prepared) -> Positions:
    """Return each profile's group: its role and its tier in one number."""
    return prepared.roles * len(TIER_NAMES) + prepared.tiers


def _of_groups(table: Floats, axis: int) -> Floats:
    """(groups, groups) the table's score of the role (axis 0) or tier (axis 1) of two groups."""
    of_group = np.divmod(np.arange(len(ROLE_NAMES) * len(TIER_NAMES)), len(TIER_NAMES))[axis]
    return table[of_group[:, None], of_group]


Numbers = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Parts:
    """The parts of a direction's term, 1 / score.

    own: (profiles,) the target's part, from its Intent, Momentum and Context. missing: (profiles,) 1 if the target has
    no Momentum, so that the other dimensions weigh more, else 0. shared: (2, codes) the part of Synergy, by `missing`
    and by code.
    """

    aggregation: Aggregation
    own: Numbers
    missing: Positions
    shared: Numbers

    @classmethod
    def of(cls, prepared: Prepared, policy: Policy, synergy: Floats) -> "Parts":
        momentum = prepared.numbers[momentum_name(policy.nulls)]
        missing = np.isnan(momentum).astype(np.intp)
        columns = {"intent": prepared.numbers["intent"], "momentum": momentum, "context": prepared.numbers["context"]}
        weights = sum(DIMENSION_WEIGHTS.values()) - np.array([0.0, DIMENSION_WEIGHTS["momentum"]])
        weight, of_synergy = weights[missing], np.maximum(synergy, FLOOR)
        own = np.zeros(len(momentum))
        for name, scores in columns.items():
            floored = np.maximum(np.where(np.isnan(scores), 1.0, scores), FLOOR)
            present = np.where(np.isnan(scores), 0.0, DIMENSION_WEIGHTS[name])
            own += {"harmonic": present / floored, "geometric": present * np.log(floored)}.get(
                policy.aggregation, present * floored
            )
        if policy.aggregation == "harmonic":
            own, shared = own / weight / 10, [_SYNERGY_WEIGHT / of_synergy / w / 10 for w in weights]
        elif policy.aggregation == "geometric":
            own, shared = np.exp(-own / weight) / 10, [of_synergy ** (-_SYNERGY_WEIGHT / w) for w in weights]
        else:
            own, shared = own / weight * 10, [_SYNERGY_WEIGHT * of_synergy / w * 10 for w in weights]
        return cls(policy.aggregation, own, missing, np.array(shared))

    def in_single(self) -> "Parts":
        """Return the parts as float32, for sums that only have to bound a value: they take half the time."""
        own, shared = (values.astype(np.float32) for values in (self.own, self.shared))
        return Parts(self.aggregation, own, self.missing, shared)

    def term(self, own: Numbers, shared: Numbers) -> Numbers:
        """Return 1 / score of a direction from both parts, which broadcast."""
        if self.aggregation == "geometric":
            return own * shared
        return own + shared if self.aggregation == "harmonic" else 1 / (own + shared)


def exact_scores(
    prepared: Prepared, policy: Policy, a: Positions, b: Positions, *, synergy_ab: Floats, synergy_ba: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return score_ab, score_ba and harmonic_mean of pairs, (pairs,) 0..100, as scoring publishes them.

    a, b: (pairs,) positions in `prepared`. synergy_ab, synergy_ba: (pairs,) 0..10, rounded as scores have it.
    """
    numbers, columns = prepared.numbers, {"synergy_ab": synergy_ab, "synergy_ba": synergy_ba}
    for direction, target in (("ab", b), ("ba", a)):
        columns |= {f"{name}_{direction}": numbers[name][target] for name in ("intent", "context")}
        columns[f"momentum_{direction}"] = numbers[momentum_name(policy.nulls)][target]
    score_ab, score_ba = raw_directions(columns, policy)
    return round2(score_ab), round2(score_ba), round2(match_scores(score_ab, score_ba))


Levels = npt.NDArray[np.uint8]


def levels_of(similarities: npt.NDArray[np.floating], limits: Floats) -> Levels:
    """Return how many of the limits each similarity reaches, in the shape of the similarities."""
    reached: Levels = np.greater_equal(similarities, limits.astype(similarities.dtype)[0]).view(np.uint8)
    for limit in limits.astype(similarities.dtype)[1:]:
        reached += np.greater_equal(similarities, limit).view(np.uint8)
    return reached
