"""The criteria of a trial, which are written down when it starts, and what its nights say about them.

Each criterion is judged over the last complete nights, all under the same rules of production. It passes if it passes
in each of them, and fails if it fails in one. No criterion compares means: a policy has a scale of its own.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256

from jv_scoring.analysis.tallies import Json
from jv_scoring.analysis.trial_scores import ALL, CANDIDATE, FEWEST_LISTS, FEWEST_MATCHES, PRODUCTION

PASS, FAIL, NOT_ENOUGH = "pass", "fail", "not enough"
NO_EVIDENCE = "no evidence of better"
"""The verdict on outcomes if there are too few: it is no pass."""
NIGHTS = "complete nights"
OUTCOMES = "outcomes"


def written_down(nights: int) -> Json:
    """Return the criteria of a trial over so many nights. Shares and differences are 0..1."""
    return {
        "nights": nights,
        "fewest_matches": FEWEST_MATCHES,
        "fewest_lists": FEWEST_LISTS,
        "rank_correlation": {"all": 0.8, "segment": 0.6},
        "best_10_overlap": {"all": 0.5, "segment": 0.3},
        "tier_moves": {"all": 0.3, "segment": 0.45},
        "outcome_loss": 0.02,
        "congestion_rise": 0.02,
        "trap_rise": 0.05,
        "missing_data_rise": 0.05,
    }


def hash_of(criteria: Json) -> str:
    """Return the sha256 of criteria, whatever the order of their keys."""
    return sha256(json.dumps(criteria, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class Night:
    """What a nightly run found of a trial. `why_not_complete`: None if the night counts."""

    run: str
    night: date
    policy: str | None
    version: str | None
    why_not_complete: str | None
    figures: Json


@dataclass(frozen=True)
class Judged:
    """A criterion of a segment (empty: of no segment): its limit in words, its state, and why it has that state.

    figures: by night, the oldest first; a night without a figure has none.
    """

    criterion: str
    segment: str
    limit: str
    state: str
    why: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)


def complete(nights: Sequence[Night]) -> list[Night]:
    """Return the last complete night of each day, of those under the rules that production had last."""
    days = {night.night: night for night in nights if night.why_not_complete is None}
    found = [days[day] for day in sorted(days)]
    return [night for night in found if (night.policy, night.version) == (found[-1].policy, found[-1].version)]


def judge(criteria: Json, nights: Sequence[Night]) -> list[Judged]:
    """Return every criterion, as the nights of a trial, the oldest first, bear it out."""
    counted, wanted = complete(nights), int(criteria["nights"])
    judged = counted[-wanted:]
    lacking = wanted - len(judged)
    why = f"{lacking} more to come" if lacking else ""
    if lacking and nights and (cause := nights[-1].why_not_complete):
        why = f"{why}; the last night does not count: {cause}"
    found = [
        Judged(NIGHTS, "", f"{len(judged)} of {wanted}", NOT_ENOUGH if lacking else PASS, why),
        *_of_segments(criteria, judged),
        *_of_all(criteria, judged),
    ]
    if not judged:
        return [found[0]]
    return [*found, _outcomes(criteria, judged)]


def verdict(judged: Sequence[Judged]) -> str:
    """Return the state of all criteria together."""
    states = {each.state for each in judged}
    return next((state for state in (FAIL, NOT_ENOUGH) if state in states), PASS)


@dataclass(frozen=True)
class _Limit:
    """A name in the criteria and in the figures, its name for people, and whether the limit is a lower one."""

    key: str
    name: str
    is_least: bool

    def words(self, limit: float) -> str:
        return f"{'at least' if self.is_least else 'at most'} {limit:g}"

    def state(self, figure: float | None, limit: float) -> str:
        if figure is None:
            return NOT_ENOUGH
        return PASS if (figure >= limit if self.is_least else figure <= limit) else FAIL


_TIES = (
    _Limit("rank_correlation", "rank correlation", True),
    _Limit("best_10_overlap", "best 10 kept beyond chance", True),
    _Limit("tier_moves", "tier moves at equal sizes", False),
)
_RISES = (
    _Limit("congestion_rise", "rise of the Gini of places in best 10", False),
    _Limit("trap_rise", "rise of the share of profiles that a true value would lower", False),
    _Limit("missing_data_rise", "rise of the share of lost points that missing data loses", False),
)
_COMPARED = {"congestion_rise": "congestion", "trap_rise": "trap", "missing_data_rise": "missing_data"}


def _of_segments(criteria: Json, nights: Sequence[Night]) -> Iterator[Judged]:
    records = [{each["segment"]: each for each in night.figures["segments"]} for night in nights]
    for segment in dict.fromkeys(name for of_night in records for name in of_night):
        for limit in _TIES:
            least = criteria[limit.key]["all" if segment == ALL else "segment"]
            here = [(night, of[segment]) for night, of in zip(nights, records, strict=True) if segment in of]
            if limit.key == "best_10_overlap":  # Without longer lists, every order keeps all of the best 10.
                here = [(night, of) for night, of in here if of["lists"] >= criteria["fewest_lists"]]
            if here:
                yield _judged(limit, segment, least, [(night, of[limit.key]) for night, of in here])


def _of_all(criteria: Json, nights: Sequence[Night]) -> Iterator[Judged]:
    for limit in _RISES:
        found = [(night, night.figures[_COMPARED[limit.key]]) for night in nights]
        rises = [(night, _rise(of[PRODUCTION], of[CANDIDATE])) for night, of in found]
        if nights:
            yield _judged(limit, "", criteria[limit.key], rises)


def _rise(production: float | None, candidate: float | None) -> float | None:
    return None if production is None or candidate is None else candidate - production


def _judged(limit: _Limit, segment: str, bound: float, figures: Sequence[tuple[Night, float | None]]) -> Judged:
    states = [limit.state(figure, bound) for _, figure in figures]
    by_night = {night.night.isoformat(): figure for night, figure in figures if figure is not None}
    why = "cannot be computed in a night" if NOT_ENOUGH in states else ""
    return Judged(limit.name, segment, limit.words(bound), _worst(states), why, by_night)


def _worst(states: Sequence[str]) -> str:
    return next((state for state in (FAIL, NOT_ENOUGH) if state in states), PASS)


def _outcomes(criteria: Json, nights: Sequence[Night]) -> Judged:
    """Judge by the labels that have enough outcomes in the last night: outcomes only add up, so it knows the most."""
    loss = float(criteria["outcome_loss"])
    state: Callable[[Json], str] = lambda each: _of_label(each, loss)  # noqa: E731
    enough = [each for each in nights[-1].figures["outcomes"] if each["enough"]]
    states = [state(each) for each in enough]
    why = "; ".join(
        f"{each['label']}: {each['difference']:+.3f} (95 % {each['difference_low']:+.3f} to "
        f"{each['difference_high']:+.3f})"
        for each in enough
    )
    if not enough:
        states, why = [NOT_ENOUGH], f"{NO_EVIDENCE}: too few outcomes"
    figures = {
        night.night.isoformat(): each["difference"]
        for night in nights
        for each in night.figures["outcomes"]
        if each["enough"] and each["label"] == (enough[0]["label"] if enough else "")
    }
    words = f"AUC within profiles at most {loss:g} lower, for sure"
    return Judged(OUTCOMES, "", words, _worst(states), why, figures)


def _of_label(record: Json, loss: float) -> str:
    """Fail if the candidate is worse for sure, pass if it is at most `loss` worse for sure."""
    if record["difference_low"] is None:
        return NOT_ENOUGH
    if record["difference_high"] < 0:
        return FAIL
    return PASS if record["difference_low"] >= -loss else NOT_ENOUGH
