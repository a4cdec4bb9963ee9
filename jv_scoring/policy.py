"""Policies, weights of the dimensions, tiers and the version of the rules (docs/ismc.md, Policies)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, cast

SCORING_VERSION = "ismc_v2_embeddings"
"""The name of the rules in every stored score. A test ties it to their content: whoever changes a rule must change
this.
"""

CODE_VERSION = "2"
"""The name of what the code makes from the same inputs under the same rules: the rows of `profiles` and `match_scores`.

Rows of another version are not reused. A test over golden rows fails if results change and the version does not.
"""

DIMENSION_WEIGHTS = {"intent": 0.45, "synergy": 0.25, "momentum": 0.20, "context": 0.10}
DIMENSIONS = tuple(DIMENSION_WEIGHTS)
FLOOR = 1e-10
TIERS = (("Excellent", 80.0), ("Good", 60.0), ("Fair", 40.0), ("Poor", 0.0))

Aggregation = Literal["harmonic", "geometric", "arithmetic"]
Nulls = Literal["impute", "redistribute"]


@dataclass(frozen=True)
class Policy:
    """How dimensions become a score, and how a factor without data is treated."""

    aggregation: Aggregation
    nulls: Nulls

    def __str__(self) -> str:
        return f"{self.aggregation}/{self.nulls}"


POLICIES = {
    str(policy): policy
    for policy in (
        Policy(cast(Aggregation, aggregation), cast(Nulls, nulls))
        for aggregation, nulls in product(("harmonic", "geometric", "arithmetic"), ("impute", "redistribute"))
    )
}
CURRENT_POLICY = "harmonic/impute"


def parse_policy(name: str) -> Policy:
    """Return the policy of that name; ValueError, naming all six, for any other."""
    if name not in POLICIES:
        raise ValueError(f"policy {name} is unknown; use one of {', '.join(POLICIES)}")
    return POLICIES[name]


def aggregate(dimensions: Sequence[float | None], aggregation: Aggregation) -> float:
    """Return one direction's score, 0..100 and not rounded, from the four dimensions in order, 0..10; None
    drops out.
    """
    pairs = [(w, max(s, FLOOR)) for w, s in zip(DIMENSION_WEIGHTS.values(), dimensions, strict=True) if s is not None]
    weight = left_sum([w for w, _ in pairs])
    if aggregation == "harmonic":
        return weight / left_sum([w / s for w, s in pairs]) * 10
    if aggregation == "geometric":
        return math.exp(left_sum([w * math.log(s) for w, s in pairs]) / weight) * 10
    return left_sum([w * s for w, s in pairs]) / weight * 10


def match_score(score_ab: float, score_ba: float) -> float:
    """Return the harmonic mean of both directions, 0..100 and not rounded; 0 if one of them is 0."""
    return 2 / (1 / score_ab + 1 / score_ba) if min(score_ab, score_ba) > FLOOR else 0.0


def left_sum(terms: Sequence[float]) -> float:
    """Return the sum from left to right: `sum` compensates since Python 3.12, which would change a last digit."""
    total = 0.0
    for term in terms:
        total += term
    return total


def tier(score: float) -> str:
    """Return the tier of a score, 0..100."""
    return next(name for name, least in TIERS if score >= least)
