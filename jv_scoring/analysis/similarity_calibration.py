"""What a model's cosines mean: how many random pairs and how many text pairs of known meaning reach each step.

A step's false positive rate is the share of random pairs of profiles that reach it. The proposed steps are the
quantiles of random pairs that have given false positive rates. Intervals are by a bootstrap over profiles: a draw that
has a profile twice has its pairs twice, so a few profiles with many pairs cannot make a quantile look certain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from jv_scoring.analysis.calibration_pairs import FACTORS, NEAR_MISS, PARAPHRASE, RandomPairs
from jv_scoring.analysis.evaluation_bootstrap import DRAWS, interval, multiplicities
from jv_scoring.analysis.tallies import Ints, Json
from jv_scoring.columns import Floats
from jv_scoring.similarity import Steps

LEAST_PAIRS = 20_000
"""With fewer random pairs, no steps are proposed."""
MOST_HALF_WIDTH = 0.01
"""With a wider 95 % interval on either side of a proposed step, no steps are proposed."""
FALSE_POSITIVE_RATES = (0.5, 0.2, 0.08, 0.02)
"""The default false positive rates of the four steps, the lowest step first."""
ENOUGH, NOT_ENOUGH = "proposed", "not enough data"
BINS = 1_000
EDGES = np.arange(BINS + 1) / BINS
"""Histograms have bars of 0.001, and steps have three decimals, so a bar is on one side of each step."""
_SEED = 20261130
_ROWS = 32
"""How many draws are weighed at once: memory holds a number for each of their pairs."""


@dataclass(frozen=True)
class TextCosines:
    """The cosines of one factor's paraphrases and near misses."""

    paraphrases: Floats
    near_misses: Floats

    @property
    def sorted(self) -> Json:
        """Return the cosines of each kind in ascending order."""
        kinds = {PARAPHRASE: self.paraphrases, NEAR_MISS: self.near_misses}
        return {kind: np.sort(cosines).tolist() for kind, cosines in kinds.items()}


def histogram(cosines: Floats) -> Ints:
    """Return how many cosines, 0..1, are in each bar; the last bar holds 1 alone."""
    places = np.searchsorted(EDGES, cosines, "right") - 1
    return np.bincount(places, minlength=BINS + 1).astype(np.int64)


@dataclass(frozen=True)
class Ladder:
    """`steps`: those in force. `rates`: the false positive rate that is wanted of each step, the lowest step first."""

    steps: Steps
    rates: Sequence[float] = FALSE_POSITIVE_RATES


def figures(factor: str, pairs: RandomPairs, texts: TextCosines | None, ladder: Ladder, profiles: int) -> Json:
    """Return what random pairs and text pairs say of one factor's steps.

    `profiles`: how many profiles the positions in `pairs` count. Without `texts` there are no shares of text pairs and
    no AUC.
    """
    steps = ladder.steps
    weighed = _Weighed.of(pairs, ladder, texts, profiles)
    proposal = _proposal(weighed, ladder, texts)
    counts = histogram(pairs.cosines)
    filled = np.flatnonzero(counts)
    return {
        "factor": factor,
        "source": FACTORS[factor][0],
        "target": FACTORS[factor][1],
        "pairs": len(pairs.a),
        "profiles": len(np.unique(np.concatenate([pairs.a, pairs.b]))),
        "mean": float(pairs.cosines.mean()) if len(pairs.a) else None,
        "sd": float(pairs.cosines.std()) if len(pairs.a) else None,
        "histogram": {"at": filled.tolist(), "counts": counts[filled].tolist()},
        "text_cosines": None if texts is None else texts.sorted,
        "steps": [
            {"limit": limit, "score": score, **weighed.rate(place), **_shares(limit, texts)}
            for place, (limit, score) in enumerate(steps)
        ],
        "auc": [] if texts is None else _aucs(weighed, pairs, texts),
        "proposal": proposal,
        "languages": [_of_language(pairs.of_language(name), name, steps) for name in _languages(pairs)],
    }


def _languages(pairs: RandomPairs) -> list[str]:
    return sorted({str(name) for name in pairs.languages if name is not None})


def _of_language(pairs: RandomPairs, name: str, steps: Steps) -> Json:
    shares = [{"limit": limit, "random": reached(pairs.cosines, limit)} for limit, _ in steps]
    return {"language": name, "pairs": len(pairs.a), "mean": float(pairs.cosines.mean()), "steps": shares}


def reached(cosines: Floats, limit: float) -> float | None:
    """Return the share of cosines that reach a limit."""
    return float(np.mean(cosines >= limit)) if len(cosines) else None


def _shares(limit: float, texts: TextCosines | None) -> Json:
    if texts is None:
        return {"paraphrases": None, "near_misses": None}
    return {
        "paraphrases": reached(texts.paraphrases, limit),
        "near_misses": reached(texts.near_misses, limit),
    }


@dataclass(frozen=True)
class _Weighed:
    """Random pairs in order of their cosines, and the figures of each draw of the bootstrap over profiles.

    rates: (draws, steps) the share over each step. quantiles: (draws, rates) the limit that has each rate.
    below: (draws, paraphrases) the share of random pairs below each paraphrase, equal ones counted half.
    """

    cosines: Floats
    limits: Floats
    rates: Floats
    quantiles: Floats
    below: Floats

    @classmethod
    def of(cls, pairs: RandomPairs, ladder: Ladder, texts: TextCosines | None, profiles: int) -> "_Weighed":
        limits, wanted = np.array([limit for limit, _ in ladder.steps]), np.array(ladder.rates)
        order = np.argsort(pairs.cosines, kind="stable")
        cosines, a, b = pairs.cosines[order], pairs.a[order], pairs.b[order]
        positives = np.zeros(0) if texts is None else texts.paraphrases
        at = np.concatenate([limits, positives])
        lower, upper = np.searchsorted(cosines, at, "left"), np.searchsorted(cosines, positives, "right")
        parts: list[tuple[Floats, Floats, Floats]] = []
        for drawn in _blocks(profiles) if len(cosines) else ():
            weights = np.zeros((len(drawn), len(cosines) + 1))
            np.cumsum(drawn[:, a] * drawn[:, b], axis=1, out=weights[:, 1:])
            weights = weights[weights[:, -1] > 0]
            total = weights[:, -1:]
            middle = (weights[:, lower[len(limits) :]] + weights[:, upper]) / 2
            quantiles = [_quantiles(row, cosines, wanted) for row in weights]
            parts.append((1 - weights[:, lower[: len(limits)]] / total, np.array(quantiles), middle / total))
        columns = zip(*parts, strict=True) if parts else ([np.zeros((0, n))] for n in (len(limits), len(wanted), 0))
        return cls(cosines, limits, *(np.concatenate(part) for part in columns))

    def rate(self, step: int) -> Json:
        """Return the share of random pairs over a step, with its interval."""
        low, high = interval(self.rates[:, step])
        return {"random": reached(self.cosines, float(self.limits[step])), "low": low, "high": high}


def _blocks(profiles: int) -> Iterator[Floats]:
    for drawn in multiplicities(profiles):
        for start in range(0, len(drawn), _ROWS):
            yield drawn[start : start + _ROWS]


def _quantiles(weights: Floats, cosines: Floats, rates: Floats) -> Floats:
    """Return for each rate the least cosine that at most this share of the weighed pairs is above."""
    places = np.searchsorted(weights[1:], (1 - rates) * weights[-1], "left")
    quantiles: Floats = cosines[np.minimum(places, len(cosines) - 1)]
    return quantiles


def _proposal(weighed: _Weighed, ladder: Ladder, texts: TextCosines | None) -> Json:
    """Return the steps that have the wanted false positive rates, the highest first, or why there are none."""
    cosines = weighed.cosines
    count = len(cosines)
    if not count:
        return {"verdict": NOT_ENOUGH, "why": f"0 random pairs, of {LEAST_PAIRS:,} needed", "steps": []}
    even = np.arange(count + 1, dtype=np.float64)
    found = []
    for place, (rate, (_, score)) in enumerate(zip(ladder.rates, reversed(ladder.steps), strict=True)):
        limit = round(float(_quantiles(even, cosines, np.array([rate]))[0]), 3)
        low, high = interval(weighed.quantiles[:, place])
        half = None if low is None or high is None else (high - low) / 2
        shares = {"rate": rate, "random": reached(cosines, limit), **_shares(limit, texts)}
        found.append({"limit": limit, "score": score, "low": low, "high": high, "half_width": half, **shares})
    why = _why_not(count, found)
    return {"verdict": NOT_ENOUGH if why else ENOUGH, "why": why, "steps": found[::-1]}


def _why_not(pairs: int, found: Sequence[Json]) -> str:
    if pairs < LEAST_PAIRS:
        return f"{pairs:,} random pairs, of {LEAST_PAIRS:,} needed"
    widths = [each["half_width"] for each in found]
    if any(width is None or width > MOST_HALF_WIDTH for width in widths):
        widest = max(width for width in widths if width is not None)
        return f"a step is known to ± {widest:.3f} only, and ± {MOST_HALF_WIDTH} is needed"
    limits = [each["limit"] for each in found]
    if any(low >= high for low, high in pairwise(limits)):
        return "two steps fall on the same cosine"
    if limits[0] <= 0 or limits[-1] >= 1:
        return "a step falls on cosine 0 or 1"
    return ""


def _aucs(weighed: _Weighed, pairs: RandomPairs, texts: TextCosines) -> list[Json]:
    """Return how often a paraphrase has the higher cosine, than a random pair and than a near miss."""
    rng = np.random.default_rng(_SEED)
    positives, near = texts.paraphrases, texts.near_misses
    if not len(positives):
        return []
    drawn = rng.integers(0, len(positives), (DRAWS, len(positives)))
    chosen = rng.integers(0, max(len(near), 1), (DRAWS, len(near)))
    below_near = _below(positives, near)
    against_near = np.array([below_near[np.ix_(p, n)].mean() for p, n in zip(drawn, chosen, strict=True)])
    against_random = np.array(
        [row[p].mean() for row, p in zip(weighed.below, drawn[: len(weighed.below)], strict=True)]
    )
    found = []
    if len(pairs.a):
        below = (
            np.searchsorted(weighed.cosines, positives, "left") + np.searchsorted(weighed.cosines, positives, "right")
        ) / 2
        found.append(_auc("random pairs", float(below.mean()) / len(pairs.a), against_random))
    if len(near):
        found.append(_auc("near misses", float(below_near.mean()), against_near))
    return found


def _below(positives: Floats, others: Floats) -> Floats:
    """Return (positives, others) 1 where the positive is higher, 0.5 where both are equal."""
    difference = positives[:, None] - others[None, :]
    return np.where(difference > 0, 1.0, np.where(difference == 0, 0.5, 0.0))


def _auc(against: str, value: float, draws: Floats) -> Json:
    low, high = interval(draws)
    return {"against": against, "value": value, "low": low, "high": high}


def drift(now: Json, before: Json) -> Json:
    """Return how far one factor's random pairs moved between two measurements.

    `distance`: the greatest difference of the two cumulative distributions, 0..1. `mean`: the change of the mean.
    `steps`: the change of the share over each step in force now, both by their histograms.
    """
    one, other = (_dense(each["histogram"]) for each in (now, before))
    if not one.sum() or not other.sum():
        return {"distance": None, "mean": None, "steps": []}
    cumulative = [np.cumsum(each) / each.sum() for each in (one, other)]
    over = [
        {"limit": step["limit"], "change": float(share_over(one, step["limit"]) - share_over(other, step["limit"]))}
        for step in now["steps"]
    ]
    distance = float(np.abs(cumulative[0] - cumulative[1]).max())
    return {"distance": distance, "mean": now["mean"] - before["mean"], "steps": over}


def _dense(data: Json) -> Ints:
    counts = np.zeros(BINS + 1, np.int64)
    counts[np.array(data["at"], np.intp)] = data["counts"]
    return counts


def share_over(counts: Ints, limit: float) -> float:
    """Return the share of a histogram at or over a limit of three decimals."""
    return float(counts[round(limit * BINS) :].sum() / max(counts.sum(), 1))
