"""Do the intervals of the options for Momentum hold the truth? Populations whose hidden values are known say."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from jv_scoring.analysis.momentum_bottleneck import FIELDS
from jv_scoring.analysis.momentum_options import simulated
from jv_scoring.analysis.momentum_options_data import Filler, Matches
from jv_scoring.policy import parse_policy

Floats = npt.NDArray[np.float64]
POLICY = "harmonic/impute"
MATCHES = 40
WEIGHTS, NEUTRAL = np.array([[3.0], [2.0], [2.5], [2.5]]), np.array([[4.0], [3.0], [4.0], [3.0]])
OTHERS = {"intent": 0.45, "synergy": 0.25, "context": 0.10}


class Population:
    """Profiles of which each value is missing with one chance, and matches between them: all drawn by `seed`."""

    def __init__(self, seed: int, profiles: int, missing: float) -> None:
        rng = np.random.default_rng(seed)
        self.true: Floats = np.stack([
            rng.choice([3.0, 5.0, 6.0, 8.0, 10.0], profiles, p=[0.4, 0.2, 0.2, 0.15, 0.05]),
            rng.uniform(0.5, 10, profiles),
            rng.choice([4.0, 7.0, 8.0], profiles),
            0.5 + 9.5 * rng.beta(2, 4, profiles),
        ])  # fmt: skip
        self.known: Floats = np.where(rng.random(self.true.shape) < missing, np.nan, self.true)
        a = rng.integers(profiles, size=MATCHES)
        self.targets = {"ab": (a + rng.integers(1, profiles, size=MATCHES)) % profiles, "ba": a}
        self.others = {(name, of): rng.uniform(2, 10, MATCHES).round(2) for name in OTHERS for of in self.targets}

    def momentum(self, values: Floats) -> Floats:
        return (np.where(np.isnan(values), NEUTRAL, values) * WEIGHTS).sum(axis=0) / WEIGHTS.sum()

    def mean_score(self, values: Floats) -> float:
        """Of all matches under `POLICY`, by the rules' formula and without any code of ours."""
        momentum, shortfalls = self.momentum(values), []
        for of, targets in self.targets.items():
            rest = sum(weight / self.others[name, of] for name, weight in OTHERS.items())
            shortfalls.append(rest + 0.20 / momentum[targets])
        return float((20 / (shortfalls[0] + shortfalls[1])).mean())

    def rows(self) -> pd.DataFrame:
        columns = {f"{name}_{of}": self.others[name, of] for name in ("intent", "context") for of in self.targets}
        for of, targets in self.targets.items():
            for nulls in ("impute", "redistribute"):
                columns[f"synergy_{nulls}_{of}"] = self.others["synergy", of]
                columns[f"momentum_{nulls}_{of}"] = self.momentum(self.known)[targets]
        ids = {"id": np.arange(MATCHES), "profile_id": self.targets["ba"], "suggested_profile_id": self.targets["ab"]}
        return pd.DataFrame({**ids, **columns})

    def holds(self, fields: list[int], seed: int) -> bool | None:
        """Whether the interval of the effect of filling these fields holds the effect of the true values.

        None where no interval is given, because too few profiles have a value.
        """
        matches = Matches(self.rows(), pd.RangeIndex(self.true.shape[1]))
        filler = Filler(self.known, [FIELDS[k] for k in fields], seed)
        now = matches.scored(parse_policy(POLICY))
        (record,) = simulated(matches, now, filler, policy=POLICY, shares=[1.0], repeats=100)
        if record["effect_on_mean"]["low"] is None:
            return None
        filled = self.known.copy()
        filled[fields] = self.true[fields]
        effect = self.mean_score(filled) - self.mean_score(self.known)
        return bool(record["effect_on_mean"]["low"] <= effect <= record["effect_on_mean"]["high"])


def test_the_plain_score_is_the_engines() -> None:
    population = Population(1, 40, 0.5)
    matches = Matches(population.rows(), pd.RangeIndex(40))
    measured = matches.scored(parse_policy(POLICY)).harmonic_mean.mean() / 100
    assert measured == pytest.approx(population.mean_score(population.known), abs=0.005)


def coverage(populations: int, profiles: int, missing: float, fields: list[int]) -> float:
    every = [Population(seed, profiles, missing).holds(fields, seed) for seed in range(populations)]
    held = [each for each in every if each is not None]
    assert len(held) > 0.99 * populations
    return sum(held) / len(held)


@pytest.mark.parametrize(("profiles", "missing", "fields"), [(40, 0.5, [0, 1, 2, 3]), (40, 0.7, [1])])
def test_the_interval_holds_the_true_effect(profiles: int, missing: float, fields: list[int]) -> None:
    assert 0.92 <= coverage(150, profiles, missing, fields) <= 0.98


@pytest.mark.long
@pytest.mark.parametrize(
    ("profiles", "missing", "fields"),
    [(40, 0.5, [0, 1, 2, 3]), (40, 0.7, [1]), (100, 0.5, [3]), (60, 0.3, [0])],
)
def test_the_interval_holds_the_true_effect_in_a_thousand_populations(
    profiles: int, missing: float, fields: list[int]
) -> None:
    assert 0.92 <= coverage(1_000, profiles, missing, fields) <= 0.98
