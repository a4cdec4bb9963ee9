"""The figures of evaluation worked out by plain loops over lists of dicts, one rule of docs/evaluation.md at a time."""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from hashlib import sha256
from typing import Any

import numpy as np

Match = dict[str, Any]
"""A scorable match: ids, outcome columns (None for null), `values` by ranking, and `stood`: None, or policy and scores.

All times have a time zone, or are None.
"""
TIMES = ("viewed_at", "contacted_at", "draft_intro_clicked_at", "feedback_at")
TIERS = (("Excellent", 80, 101), ("Good", 60, 80), ("Fair", 40, 60), ("Poor", 0, 40))
Z = 1.959963984540054


def evaluate(
    matches: Sequence[Match], policy: str, rankings: Sequence[str], *, at: datetime, days: int, labels: dict[str, int]
) -> dict[str, Any]:
    """`analyses` of the report."""
    stands: Counter[str] = Counter()
    for match in matches:
        stands[match["profile_id"]] += 1
        stands[match["suggested_profile_id"]] += 1
    found: dict[str, Any] = {}
    for analysis in ("retrospective", "prospective"):
        some = [match for match in matches if is_exposed(match) and bool(match["stood"]) == (analysis == "prospective")]
        values = [values_in(match, analysis, policy, rankings, stands) for match in some]
        found[analysis] = {
            "labels": {
                label: of_label(
                    matches, some, values, label, policy=policy, rankings=rankings, at=at, days=days, labels=labels
                )
                for label in ("acted", "feedback")
            }
        }
    return found


def seen_at(match: Match) -> datetime | None:
    return min((match[name] for name in TIMES if match[name] is not None), default=None)


def word(value: str | None) -> str:
    return (value or "").strip().lower()


def is_exposed(match: Match) -> bool:
    return seen_at(match) is not None or word(match["status"]) in ("viewed", "contacted", "connected", "dismissed")


def is_acted(match: Match) -> bool:
    times = match["contacted_at"], match["draft_intro_clicked_at"]
    return any(time is not None for time in times) or word(match["status"]) in ("contacted", "connected")


def values_in(
    match: Match, analysis: str, policy: str, rankings: Sequence[str], stands: Counter[str]
) -> dict[str, float | int | None]:
    values = dict(match["values"])
    if analysis == "prospective":
        then, score_ab, harmonic_mean = match["stood"]
        for name in rankings:
            if name not in ("match_score", "popularity", "random"):
                values[name] = harmonic_mean if name == then else None
        values["score_ab"] = score_ab if then == policy else None
    values["popularity"] = stands[match["suggested_profile_id"]]
    values["random"] = int.from_bytes(sha256(match["id"].encode()).digest()[:8], "big")
    return values


def of_label(
    every: Sequence[Match],
    some: Sequence[Match],
    values: list[dict[str, Any]],
    label: str,
    *,
    policy: str,
    rankings: Sequence[str],
    at: datetime,
    days: int,
    labels: dict[str, int],
) -> dict[str, Any]:
    counts = Counter({"exposed": 0, "undated": 0, "future": 0, "censored": 0, "unmapped": 0})
    used: list[tuple[str, int, dict[str, Any]]] = []
    for match, value in zip(some, values, strict=True):
        counts["exposed"] += 1
        seen = seen_at(match)
        if seen is None:
            counts["undated"] += 1
        elif seen > at:
            counts["future"] += 1
        elif label == "acted":
            waited = seen <= at - timedelta(days=days)
            if is_acted(match) or word(match["status"]) == "dismissed" or waited:
                used.append((match["profile_id"], int(is_acted(match)), value))
            else:
                counts["censored"] += 1
        elif match["user_feedback"] is not None:
            said = word(match["user_feedback"])
            if said in labels:
                used.append((match["profile_id"], labels[said], value))
            else:
                counts["unmapped"] += 1
    positive = sum(one for _, one, _ in used)
    found = [of_ranking(used, name, policy) for name in rankings]
    current = next(record for record in found if record["ranking"] == policy)
    return {
        **counts,
        "used": len(used),
        "positive": positive,
        "verdict": verdict(positive, current),
        "rankings": found,
        "tiers": [
            {"tier": name, **counted([one for _, one, value in used if in_tier(value[policy], low, high)])}
            for name, low, high in TIERS
        ],
        "tenths": [
            {"from": min(value for value, _ in part), "to": max(value for value, _ in part)}
            | counted([one for _, one in part])
            for part in tenths([(value[policy], one) for _, one, value in used if value[policy] is not None])
        ],
        **exposure(every, used, policy),
    }


def in_tier(value: float | None, low: float, high: float) -> bool:
    return value is not None and low <= value < high


def of_ranking(used: list[tuple[str, int, dict[str, Any]]], name: str, policy: str) -> dict[str, Any]:
    profiles = sorted({profile for profile, _, _ in used})
    mine = {p: won(used, p, [name], name) for p in profiles}
    both = {p: (won(used, p, [name, policy], name), won(used, p, [name, policy], policy)) for p in profiles}
    n = len(profiles)
    drawn = np.random.default_rng(20260217).integers(0, n, (1000, n)).tolist() if n else []
    aucs, differences = [], []
    for draw in drawn:
        picked = [profiles[place] for place in draw]
        aucs.append(share(mine[p] for p in picked))
        one, other = share(both[p][0] for p in picked), share(both[p][1] for p in picked)
        differences.append(None if one is None or other is None else one - other)
    low, high = percentiles(aucs)
    here, there = share(both[p][0] for p in profiles), share(both[p][1] for p in profiles)
    difference = None if name == policy or here is None or there is None else here - there
    ends = (None, None) if name == policy else percentiles(differences)
    known = [(one, value[name]) for _, one, value in used if value[name] is not None]
    gains = [gain for p in profiles if (gain := ndcg(used, p, name)) is not None]
    return {
        "ranking": name,
        "left_out": len(used) - len(known),
        "auc_within": share(mine.values()),
        "low": low,
        "high": high,
        "pairs": sum(pairs for _, pairs in mine.values()),
        "profiles": sum(pairs > 0 for _, pairs in mine.values()),
        "auc_pooled": share([pairs_of(known)]),
        "ndcg_10": math.fsum(gains) / len(gains) if gains else None,
        "ndcg_profiles": len(gains),
        "difference": difference,
        "difference_low": ends[0],
        "difference_high": ends[1],
        "compared": compared(*ends),
    }


def won(used: list[tuple[str, int, dict[str, Any]]], profile: str, needed: list[str], name: str) -> tuple[float, int]:
    return pairs_of(
        [(one, v[name]) for p, one, v in used if p == profile and all(v[each] is not None for each in needed)]
    )


def pairs_of(labelled: list[tuple[int, Any]]) -> tuple[float, int]:
    """Wins and pairs: a double loop."""
    wins, pairs = 0.0, 0
    for one, high in labelled:
        for other, low in labelled:
            if one == 1 and other == 0:
                pairs += 1
                wins += 1.0 if high > low else 0.5 if high == low else 0.0
    return wins, pairs


def share(counts: Any) -> float | None:
    wins, pairs = 0.0, 0
    for won, among in counts:
        wins, pairs = wins + won, pairs + among
    return wins / pairs if pairs else None


def percentiles(drawn: list[float | None]) -> tuple[float | None, float | None]:
    there = [value for value in drawn if value is not None]
    if not there:
        return None, None
    low, high = np.percentile(there, [2.5, 97.5])
    return float(low), float(high)


def ndcg(used: list[tuple[str, int, dict[str, Any]]], profile: str, name: str) -> float | None:
    mine = [(value[name], one) for p, one, value in used if p == profile and value[name] is not None]
    if len(mine) < 2 or not any(one for _, one in mine):
        return None
    mine.sort(key=lambda each: -each[0])
    gains = []
    for value, _ in mine:
        tied = [one for other, one in mine if other == value]
        gains.append(sum(tied) / len(tied))
    best = sorted((one for _, one in mine), reverse=True)
    discounts = [1 / math.log2(rank + 1) for rank in range(1, 11)]
    found = sum(gain * discount for gain, discount in zip(gains, discounts, strict=False))
    return found / sum(gain * discount for gain, discount in zip(best, discounts, strict=False))


def verdict(positive: int, current: dict[str, Any]) -> str:
    if positive < 50 or current["profiles"] < 20:
        return "too few"
    return "predicts" if current["low"] > 0.5 else "misleads" if current["high"] < 0.5 else "no evidence"


def compared(low: float | None, high: float | None) -> str | None:
    if low is None or high is None:
        return None
    return "better" if low > 0 else "worse" if high < 0 else "no difference shown"


def counted(ones: list[int]) -> dict[str, Any]:
    n, k = len(ones), sum(ones)
    if not n:
        return {"used": 0, "positive": 0, "share": None, "low": None, "high": None}
    middle = (k + Z**2 / 2) / (n + Z**2)
    away = Z / (n + Z**2) * math.sqrt(k * (n - k) / n + Z**2 / 4)
    return {"used": n, "positive": k, "share": k / n, "low": middle - away, "high": middle + away}


def tenths(valued: list[tuple[float, Any]]) -> list[list[tuple[float, Any]]]:
    """By the share of the values that are below each: ties are together."""
    parts: dict[int, list[tuple[float, Any]]] = {}
    for value, other in valued:
        below = sum(one < value for one, _ in valued)
        parts.setdefault(int(Fraction(10 * below, len(valued))), []).append((value, other))
    return [parts[k] for k in sorted(parts)]


def exposure(every: Sequence[Match], used: list[tuple[str, int, dict[str, Any]]], policy: str) -> dict[str, Any]:
    scored = [(match["values"]["match_score"], is_exposed(match)) for match in every]
    records, weight_of = [], {}
    for part in tenths([(score, exposed) for score, exposed in scored if score is not None]):
        seen = sum(exposed for _, exposed in part)
        scores = [score for score, _ in part]
        records.append({"from": min(scores), "to": max(scores), "matches": len(part), "exposed": seen})
        if seen:
            weight_of |= dict.fromkeys(scores, min(10.0, len(part) / seen))
    known = [
        (profile, one, value[policy], weight_of[value["match_score"]])
        for profile, one, value in used
        if value[policy] is not None and value["match_score"] in weight_of
    ]
    wins = every_pair = 0.0
    for p, one, high, w in known:
        for q, other, low, v in known:
            if p == q and one == 1 and other == 0:
                every_pair += w * v
                wins += w * v * (1.0 if high > low else 0.5 if high == low else 0.0)
    weights = [w for *_, w in known]
    return {
        "exposure": records,
        "auc_weighted": wins / every_pair if every_pair else None,
        "effective": sum(weights) ** 2 / sum(w * w for w in weights) if weights else None,
    }
