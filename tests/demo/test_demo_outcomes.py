"""Evaluation finds what the demo's model of outcomes plants, in as many of 1,000 small populations as it claims.

The populations are made once for all statements: 60 profiles with 16 matches each, seen and acted upon by the model.
The score tells the affinity of matches with a high match_score, which are seen more often, so exposure is biased. The
truth is that of one population of 20,000 profiles.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_assets.demo.dice import Floats
from jv_assets.demo.outcomes import action, exposure, ranks, standardised
from jv_scoring import CURRENT_POLICY
from jv_scoring.analysis.evaluation_figures import NO_EVIDENCE, figures_of
from jv_scoring.analysis.evaluation_labels import Labelled
from jv_scoring.analysis.evaluation_metrics import wins
from jv_scoring.analysis.tallies import Json

POPULATIONS, PROFILES, EACH = 1000, 60, 16
TRUTH = 20_000
"""Profiles of the population whose figures are the truth."""


@dataclass(frozen=True)
class Made:
    """Matches, whether each is seen, and whether who sees it acts: by affinity, and where the score tells nothing."""

    profiles: npt.NDArray[np.int64]
    score: Floats
    match_score: Floats
    seen: npt.NDArray[np.bool_]
    acted: npt.NDArray[np.bool_]
    acted_anyhow: npt.NDArray[np.bool_]


def made(profiles: int, rng: np.random.Generator) -> Made:
    count = profiles * EACH
    groups = np.repeat(np.arange(profiles), EACH)
    score = standardised(rng.standard_normal(count) + 0.5 * np.repeat(rng.standard_normal(profiles), EACH))
    older = standardised(0.3 * score + rng.standard_normal(count))
    known = standardised(1.5 * np.where(older > 0, score, 0.0) + rng.standard_normal(count))
    seen = rng.random(count) < exposure(older, ranks(groups, older))
    acted, anyhow = (rng.random(count) < action(each) for each in (known, rng.standard_normal(count)))
    return Made(groups, score, older, seen, acted, anyhow)


def figures(population: Made, acted: npt.NDArray[np.bool_]) -> Json:
    values, matches = np.unique(population.match_score, return_counts=True)
    place = np.searchsorted(values, population.match_score)
    exposed = np.bincount(place, population.seen, len(values)).astype(np.int64)
    seen = population.seen
    rows = pd.DataFrame({"profile_id": [f"{k:06}" for k in population.profiles[seen]]})
    label = Labelled(np.ones(len(rows), np.bool_), acted[seen], len(rows), 0, 0, 0, 0)
    ranked = {CURRENT_POLICY: population.score[seen], "match_score": population.match_score[seen]}
    return figures_of(rows, dict(ranked), label, CURRENT_POLICY, (values, matches.astype(np.int64), exposed))


@cache
def truth() -> tuple[float, float]:
    """AUC within profiles of all matches, and of those that are seen."""
    whole = made(TRUTH, np.random.default_rng(1))
    found = []
    for some in (np.ones_like(whole.seen), whole.seen):
        twice, pairs = wins(whole.profiles[some], whole.score[some], whole.acted[some], TRUTH)
        found.append(float(twice.sum() / 2 / pairs.sum()))
    return found[0], found[1]


@cache
def small_populations() -> pd.DataFrame:
    rows = []
    for seed in range(POPULATIONS):
        population = made(PROFILES, np.random.default_rng([2, seed]))
        told, anyhow = figures(population, population.acted), figures(population, population.acted_anyhow)
        current = told["rankings"][0]
        rows.append(
            {name: current[name] for name in ("auc_within", "low", "high")}
            | {"weighted": told["auc_weighted"], "verdict": told["verdict"], "anyhow": anyhow["verdict"]}
        )
    return pd.DataFrame(rows)


def test_the_interval_holds_the_planted_figure() -> None:
    found = small_populations()
    _, of_seen = truth()
    assert 0.92 <= ((found["low"] <= of_seen) & (of_seen <= found["high"])).mean() <= 0.98
    assert (found["verdict"] == "predicts").mean() > 0.9


def test_a_score_that_tells_nothing_is_no_evidence() -> None:
    found = small_populations()
    assert (found["anyhow"] == NO_EVIDENCE).mean() >= 0.92
    assert not (found["anyhow"] == "too few").any()


def test_weights_bring_the_figure_nearer_to_that_of_all_matches() -> None:
    found = small_populations()
    of_all, of_seen = truth()
    assert of_seen > of_all + 0.03, "exposure is biased"
    assert abs(found["weighted"].mean() - of_all) < abs(found["auc_within"].mean() - of_all)
    assert (found["weighted"] - of_all).abs().mean() < (found["auc_within"] - of_all).abs().mean()
