"""Measure what edits of a text that leave its meaning do to steps and best matches.

A cosine becomes a score by steps, so a small change of a vector may move a pair to another step. The edits are made to
what a profile (A) seeks, which is compared with what its suggested profiles (B) offer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.analysis.aggregation_comparison import BEST, beyond_chance
from jv_scoring.analysis.clustered import Z
from jv_scoring.analysis.embedding_isolation import with_similarities
from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.rows import DIMENSION_COLUMNS, policy_of, share
from jv_scoring.analysis.tallies import Ints, Json
from jv_scoring.columns import Floats
from jv_scoring.engine import DIRECTIONS, IDS
from jv_scoring.policy import CURRENT_POLICY, parse_policy
from jv_scoring.synergy import SYNERGY

EDITS: Mapping[str, Callable[[str], str]] = {
    "one full stop at the end": lambda text: f"{text}.",
    "“I am looking for” in front": lambda text: f"I am looking for {text}",
}
"""By name, an edit of a stripped text."""
FACTOR = "offering_seeking_ab"
COLUMNS = [
    *IDS, "policy", *DIMENSION_COLUMNS,
    *(f"{factor.column}_{direction}" for factor in SYNERGY for direction in DIRECTIONS),
]  # fmt: skip
"""The columns of a partition's file that `report` reads."""


@dataclass(frozen=True)
class Compared:
    """What A seeks, compared with what B offers, by vectors, for each match.

    there: (rows,) whether both vectors exist. scores: (rows,) the factor, 0..10, if they do.
    """

    there: npt.NDArray[np.bool_]
    scores: Floats


def report(rows: pd.DataFrame, before: Compared, edited: Mapping[str, Compared]) -> Json:
    """Return what each edit changes. `rows`: all matches of some profiles (A) that have more than 10 each.

    `edits`, a record each: `moved`, the share of the pairs with both vectors whose step changes; `change`, how far
    their match scores move on average; `kept`, the share of the places in profiles' best 10 that stay, what a random
    order keeps, and what is kept beyond that. The 95 % intervals are clustered by profile.
    """
    policy = parse_policy(policy_of(rows) or CURRENT_POLICY)
    profiles = pd.factorize(rows["profile_id"])[0]
    count_of = np.bincount(profiles).astype(np.int64)
    now = with_similarities(rows, policy, {FACTOR: _factor(rows, before)})["harmonic_mean"]
    records = []
    for name, each in edited.items():
        pairs = before.there & each.there
        then = with_similarities(rows, policy, {FACTOR: _factor(rows, each)})["harmonic_mean"]
        kept, places = _kept(rows[IDS].assign(now=now, then=then))
        moved = np.bincount(profiles, pairs & (before.scores != each.scores))
        beyond = beyond_chance(share(int(kept.sum()), int(places.sum())), count_of)
        records.append({
            "edit": name, "pairs": int(pairs.sum()),
            **_with_interval("moved", moved, np.bincount(profiles, pairs)),
            "change": float(np.abs(then - now)[pairs].mean()) if pairs.any() else None,
            **_with_interval("kept", kept, places),
            "by_chance": beyond["best_overlap_by_chance"], "beyond_chance": beyond["best_overlap_beyond_chance"],
        })  # fmt: skip
    return {"policy": policy_of(rows), "profiles": len(count_of), "matches": len(rows), "edits": records}


def _factor(rows: pd.DataFrame, compared: Compared) -> Floats:
    """Return the factor; where a vector is missing, as it is: then both texts have no word in common, or few."""
    return np.where(compared.there, compared.scores, rows[FACTOR].to_numpy(np.float64))


def _kept(ranked: pd.DataFrame) -> tuple[Ints, Ints]:
    """Return by profile how many of the best 10 by `now` are among those by `then`, and how many there are."""
    best = Largest.of(ranked, BEST, ["now", "then"], within="profile_id")
    profiles, was = pd.factorize(best.columns["profile_id"])[0], best.places("now") < BEST
    stays = was & (best.places("then") < BEST)
    return np.bincount(profiles, stays).astype(np.int64), np.bincount(profiles, was).astype(np.int64)


def _with_interval(name: str, part: npt.NDArray[np.number], whole: npt.NDArray[np.number]) -> Json:
    """Return a share, and its 95 % interval: both sums are by profile, and other profiles would have other ones."""
    profiles, value = len(whole), share(int(part.sum()), int(whole.sum()))
    found: Json = {name: value, f"{name}_low": None, f"{name}_high": None}
    if value is None or profiles < 3:
        return found
    errors = part - value * whole
    away = Z * sqrt(float(errors @ errors) * profiles / (profiles - 1)) / float(whole.sum())
    return found | {f"{name}_low": max(0.0, value - away), f"{name}_high": min(1.0, value + away)}
