"""What became of the demo's suggestions: a stated model, so that evaluation can be held against a known truth.

- Exposure: people see a match with a probability that rises with its match_score and falls with its rank among the
  profile's suggestions (`exposure`). Seeing takes some days, so late suggestions are not seen yet.
- Affinity: how well a match truly suits a person. The score knows it partly: it can tell whom somebody looks for, whom
  both serve, and how much the other has to offer, and it cannot tell the rest (`Crowd` in population.py).
- Action: people who see a match contact the other with a probability that rises with the affinity. A share `NOISE` of
  them acts by chance, whatever the affinity. Acting takes some days: who saw a match lately may act later, which
  evaluation counts as censored.
- Feedback: some who saw a match answer, in favourable words with a probability that rises with the affinity. Some words
  are mapped to neither label.
- A share `UNDATED` of the seen matches lost its times, and a few have a status that nobody knows.

All of it is plain arithmetic on seeded uniform numbers, so it is the same on every machine.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from jv_assets.demo.dice import Dice, Floats, quantile

NOISE = 0.2
"""The share of viewers who act by chance."""
UNDATED = 0.03
"""The share of the seen matches without any time."""
_BY_CHANCE = 0.3
"""The share of those who act by chance and do act."""
_ODD_STATUS = 0.004
_FAVOURABLE = ("good", "good", "Great ", "interested", "positive")
_UNFAVOURABLE = ("not a fit", "Not a fit", "not interested", "bad")
_UNMAPPED = ("later", "ask me next year", "who is this?", "")
_DAYS_TO_SEE = ((0.0, 0.0), (0.5, 2.0), (0.9, 12.0), (1.0, 40.0))
_DAYS_TO_ACT = ((0.0, 0.0), (0.5, 3.0), (0.9, 16.0), (1.0, 45.0))
_DAYS_TO_ANSWER = ((0.0, 0.0), (0.7, 1.0), (1.0, 20.0))


def exposure(match_score: Floats, rank: npt.NDArray[np.int64]) -> Floats:
    """Return the probability that a match is seen: `match_score` standardised, `rank` from 1 within its profile."""
    shown: Floats = 0.9 * rising(1.5 * match_score) / (1 + 0.1 * (rank - 1))
    return shown


def action(affinity: Floats) -> Floats:
    """Return the probability that somebody who saw a match acts upon it: `affinity` standardised."""
    return NOISE * _BY_CHANCE + (1 - NOISE) * rising(2.5 * (affinity - 0.8))


def rising(value: Floats) -> Floats:
    """Return 0..1, one half at 0, rising with the value."""
    share: Floats = 0.5 + 0.5 * value / (1 + np.abs(value))
    return share


def standardised(values: Floats) -> Floats:
    """Return the values with mean 0 and standard deviation 1; all 0 if they are all the same."""
    spread = values.std() if len(values) else 0.0
    return (values - values.mean()) / spread if spread else np.zeros_like(values)


def ranks(groups: npt.NDArray[np.int64], values: Floats) -> npt.NDArray[np.int64]:
    """Return each value's rank, from 1 for the highest, among those of its group."""
    order = np.lexsort((-values, groups))
    ordered = groups[order]
    first = np.searchsorted(ordered, ordered)
    places = np.empty(len(values), np.int64)
    places[order] = np.arange(len(values)) - first + 1
    return places


@dataclass(frozen=True)
class Chances:
    """The probabilities that a match is seen, then acted upon, and answered favourably."""

    seen: float
    acted: float
    liked: float


def outcome(chances: Chances, suggested: datetime, latest: datetime, dice: Dice) -> dict[str, Any]:
    """Draw the outcome columns of a match; nothing happens before `suggested` or after `latest`."""
    columns: dict[str, Any] = {"status": "pending"}
    seen_at = suggested + timedelta(days=quantile(dice.unit(), _DAYS_TO_SEE))
    if not dice.chance(chances.seen) or seen_at > latest:
        return columns
    columns |= {"status": "viewed", "viewed_at": seen_at}
    acted_at = seen_at + timedelta(days=quantile(dice.unit(), _DAYS_TO_ACT))
    if dice.chance(chances.acted) and acted_at <= latest:
        drafted = dice.chance(0.4)
        columns["status"] = "connected" if dice.chance(0.3) else "contacted"
        columns["draft_intro_clicked_at"] = acted_at if drafted else None
        columns["contacted_at"] = acted_at if not drafted or dice.chance(0.5) else None
    elif dice.chance(0.25 * (1 - chances.liked)):
        columns["status"] = "dismissed"
    answered_at = seen_at + timedelta(days=quantile(dice.unit(), _DAYS_TO_ANSWER))
    if dice.chance(0.35) and answered_at <= latest:
        words = _UNMAPPED if dice.chance(0.15) else _FAVOURABLE if dice.chance(chances.liked) else _UNFAVOURABLE
        columns |= {"user_feedback": dice.pick(words), "feedback_at": answered_at}
    if dice.chance(UNDATED):
        times = ("viewed_at", "contacted_at", "draft_intro_clicked_at", "feedback_at")
        columns |= dict.fromkeys(times)
    elif dice.chance(_ODD_STATUS):
        columns["status"] = dice.pick(("ghosted", "Archived"))
    return columns
