"""Make the demo's matches: who was suggested to whom by the older matcher, and with which score."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from jv_assets.demo.dice import Dice, Floats, bell
from jv_assets.demo.lexicon import AUDIENCES, TOPICS
from jv_assets.demo.outcomes import Chances, action, exposure, outcome, ranks, rising, standardised
from jv_assets.demo.people import Person
from jv_assets.demo.profiles import LATEST, Row
from jv_assets.errors import UserError

Positions = npt.NDArray[np.int64]
_REASONS = ("same audience", "offers what you look for", "similar topic", "popular with people like you")


@dataclass(frozen=True)
class Crowd:
    """What the older matcher knew about the people, one entry each."""

    popularity: Floats
    effort: Floats
    topic: Positions
    sought: Positions
    """shape (people, 2)"""
    audience: Positions

    @classmethod
    def of(cls, people: Sequence[Person], popularity: Floats) -> "Crowd":
        """Return the crowd of these people."""
        return cls(
            popularity=popularity,
            effort=np.array([person.effort for person in people]),
            topic=np.array([person.topic for person in people]),
            sought=np.array([person.sought for person in people]),
            audience=np.array([person.audience for person in people]),
        )


def draw_pairs(crowd: Crowd, count: int, rng: np.random.Generator) -> Positions:
    """Return `count` pairs of different people, no two people twice; shape (count, 2), first who gets the
    suggestion.
    """
    people = len(crowd.popularity)
    if count > people * (people - 1) // 16:
        raise UserError(
            f"{count} matches among {people} profiles are too many to look real; "
            f"ask for at most {people * (people - 1) // 16}, or for more profiles"
        )
    everybody = _Draw(1, np.zeros(people, np.int64), np.minimum(crowd.popularity, 4 * np.median(crowd.popularity)))
    by_topic = _Draw(len(TOPICS), crowd.topic, crowd.popularity)
    by_audience = _Draw(len(AUDIENCES), crowd.audience, crowd.popularity)
    pairs = np.empty((0, 2), np.int64)
    while len(pairs) < count:
        size = 2 * (count - len(pairs)) + 16
        one = everybody.draw(np.zeros(size, np.int64), rng)
        wanted = crowd.sought[one, rng.integers(0, 2, size)]
        way = rng.random(size)
        other = np.select(
            [way < 0.4, way < 0.8],
            [by_topic.draw(wanted, rng), by_audience.draw(crowd.audience[one], rng)],
            everybody.draw(np.zeros(size, np.int64), rng),
        )
        pairs = np.concatenate([pairs, np.stack([one, other], axis=1)[one != other]])
        unordered = pairs.min(axis=1) * people + pairs.max(axis=1)
        pairs = pairs[np.sort(np.unique(unordered, return_index=True)[1])]
    return pairs[:count]


def older_scores(crowd: Crowd, pairs: Positions, rng: np.random.Generator) -> list[float]:
    """Return the older matcher's scores, 0..100, two decimals: what they seek, whom they serve, completeness, and
    noise.
    """
    a, b = pairs.T
    score = (
        50.0
        + 7.0 * (crowd.sought[a] == crowd.topic[b, None]).any(axis=1)
        + 5.0 * (crowd.sought[b] == crowd.topic[a, None]).any(axis=1)
        + 8.0 * (crowd.audience[a] == crowd.audience[b])
        + 4.0 * (crowd.topic[a] == crowd.topic[b])
        + 3.0 * (crowd.effort[a] + crowd.effort[b] - 1.2)
        + 5.5 * bell(rng, len(pairs))
    )
    return [round(value, 2) for value in np.clip(score, 3.0, 99.5).tolist()]


def affinities(crowd: Crowd, pairs: Positions, rng: np.random.Generator) -> Floats:
    """Return how well each match truly suits who gets it, mean 0 and standard deviation 1.

    The scores can know what the profiles tell: whom A looks for, whom both serve, how much B put into the profile. They
    cannot know the rest.
    """
    a, b = pairs.T
    told = (
        1.2 * (crowd.sought[a] == crowd.topic[b, None]).any(axis=1)
        + 0.8 * (crowd.audience[a] == crowd.audience[b])
        + 2.5 * crowd.effort[b]
    )
    return standardised(1.4 * standardised(told) + bell(rng, len(pairs)))


def match_row(match_id: str, profile_id: str, suggested_id: str, score: float, dice: Dice) -> Row:
    """Return a match as the platform keeps it before anybody sees it; our four columns are null."""
    analysed = dice.chance(0.02)
    suggested = LATEST - timedelta(minutes=dice.whole(0, 400_000))
    return {
        "id": match_id,
        "profile_id": profile_id,
        "suggested_profile_id": suggested_id,
        "match_score": score,
        "match_reason": " + ".join(dice.sample(_REASONS, dice.whole(1, 2))) if dice.chance(0.9) else None,
        "source": dice.pick(("matcher", "matcher", "matcher", "manual", "import")),
        "suggested_at": suggested,
        "rich_analysis": "Both work with the same people." if analysed else None,
        "analysis_generated_at": suggested if analysed else None,
        "scale_symmetry_score": round(100 * dice.unit(), 2) if dice.chance(0.3) else None,
        "trust_level": dice.pick(("low", "medium", "high")) if dice.chance(0.3) else None,
        "expires_at": suggested + timedelta(days=90) if dice.chance(0.5) else None,
    }


def draw_outcomes(crowd: Crowd, pairs: Positions, rows: Sequence[Row], rng: np.random.Generator) -> None:
    """Add the outcomes to the rows, in place: see outcomes.py."""
    scores = np.array([row["match_score"] for row in rows], np.float64)
    affinity = affinities(crowd, pairs, rng)
    seen = exposure(standardised(scores), ranks(pairs[:, 0], scores)).tolist()
    acts, likes = action(affinity).tolist(), rising(2 * affinity).tolist()
    dice = Dice(rng)
    for row, chances in zip(rows, map(Chances, seen, acts, likes), strict=True):
        row.update(outcome(chances, row["suggested_at"], LATEST, dice))
        if contacted := row.get("contacted_at"):
            row["notes"] = "asked to be introduced" if dice.chance(0.1) else None
            row["email_sent_at"] = contacted if dice.chance(0.5) else None


class _Draw:
    """Draws members of given groups (0 up to but not including `groups`), by their weights."""

    def __init__(self, groups: int, group: Positions, weight: Floats) -> None:
        self._order = np.argsort(group, kind="stable")
        self._upto = np.concatenate([[0.0], np.cumsum(weight[self._order])])
        self._first = np.searchsorted(group[self._order], np.arange(groups + 1))

    def draw(self, groups: Positions, rng: np.random.Generator) -> Positions:
        """Return a member of each of `groups`, or somebody of another group if it has none."""
        low, high = self._upto[self._first[groups]], self._upto[self._first[groups + 1]]
        at = np.searchsorted(self._upto, low + (high - low) * rng.random(len(groups)), side="right") - 1
        members: Positions = self._order[np.minimum(at, len(self._order) - 1)]
        return members
