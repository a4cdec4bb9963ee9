"""Isotonic regression of labels: accepted where the cosine says more than its step, and never by chance."""

import numpy as np
import pytest

from jv_scoring.analysis.calibration_labels import (
    ACCEPTED,
    LEAST_LABELS,
    NOT_BETTER,
    TOO_FEW,
    Labelled,
    isotonic,
)
from jv_scoring.analysis.tallies import Json
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL

STEPS = CALIBRATIONS[REFERENCE_MODEL].steps


def planted(count: int, rate: object, seed: int = 0, profiles: int = 200) -> Labelled:
    """Labels whose rate depends on the cosine as `rate` says."""
    rng = np.random.default_rng(seed)
    cosines, (a, b) = rng.uniform(0, 1, count), rng.integers(0, profiles, (2, count))
    assert callable(rate)
    return Labelled(cosines, a, b, rng.uniform(0, 1, count) < rate(cosines))


def found(labels: Labelled) -> Json:
    return isotonic("offering_seeking", labels, STEPS)


def test_a_rate_that_the_steps_do_not_see_is_found() -> None:
    shown = found(planted(4_000, lambda cosines: np.where(cosines > 0.3, 0.6, 0.05)))  # All steps are above 0.5.
    assert shown["verdict"] == ACCEPTED
    assert 0 < shown["low"] <= shown["improvement"] <= shown["high"]
    curve = [(point["cosine"], point["rate"]) for point in shown["curve"]]
    assert curve == sorted(curve)
    assert np.interp(0.15, *zip(*curve, strict=True)) == pytest.approx(0.05, abs=0.05)
    assert np.interp(0.6, *zip(*curve, strict=True)) == pytest.approx(0.6, abs=0.07)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("count", [300, 3_000])
def test_chance_and_the_steps_themselves_are_not_better(count: int, seed: int) -> None:
    assert found(planted(count, lambda cosines: np.full(len(cosines), 0.3), seed))["verdict"] == NOT_BETTER
    by_level = planted(count, lambda cosines: np.where(cosines >= 0.75, 0.8, 0.2), seed)
    assert found(by_level)["verdict"] == NOT_BETTER


def test_labels_of_one_profile_are_not_taken_for_the_rule() -> None:
    """What one profile does is not judged by its own matches."""
    labels = planted(400, lambda cosines: np.full(len(cosines), 0.5), profiles=400)
    one = Labelled(labels.cosines, np.zeros_like(labels.a), labels.b, labels.cosines > 0.2)
    shown = found(one)
    assert (shown["verdict"], shown["why"]) == (TOO_FEW, "the labels are of too few profiles")


def test_too_few_labels_say_nothing() -> None:
    few = found(planted(LEAST_LABELS - 1, lambda cosines: cosines))
    assert (few["verdict"], few["why"], few["curve"]) == (TOO_FEW, "199 labels, of 200 needed", [])
    alike = found(planted(LEAST_LABELS, np.zeros_like))
    assert (alike["verdict"], alike["why"]) == (TOO_FEW, "all labels are alike")
    assert found(planted(0, np.zeros_like))["verdict"] == TOO_FEW
