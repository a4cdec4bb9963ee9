"""Report a tally of the impact: who moved how far, and an exact decomposition of the change of the mean."""

from fractions import Fraction

import numpy as np

from jv_scoring.analysis.aggregation_comparison import kendall, migration, spearman, tier_counts, tier_places
from jv_scoring.analysis.attribution import UNIT
from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.production_impact import COMPARED, MADE_BY, POLICIES_BEFORE, SHARES, SIDES, VERSIONS, Impact
from jv_scoring.analysis.rows import share
from jv_scoring.analysis.stored import SIMILARITIES
from jv_scoring.analysis.tallies import Histogram, Joint, Json
from jv_scoring.engine import IDS
from jv_scoring.policy import POLICIES, TIERS

NEW, GONE = "new matches", "gone matches"
PIECES = (*SHARES, NEW, GONE)
"""The pieces of the mean's change."""
ONE_SCALE, TWO_SCALES = "same policy", "any policy"
_GOOD = round(dict(TIERS)["Good"] * 100)


def report(impact: Impact) -> Json:
    """What changed between then and now.

    `compared` matches were scored then and now under the same policy and version; all of `scores`, `tiers`,
    `migration`, `moved`, `gains` and `losses` are of them alone. Of the others `states` and `scales` say how many there
    are. Records under: `scores` (distributions before, now, and of the changes), `evaluations` (by side, factor and
    method), `attribution` (the change of the mean over all matches, by scale and piece; the pieces of a scale add up to
    its change), `means` (what they add up to) and `order` (rank correlation with the older matcher's match_score).
    """
    scores = impact.joints["scores"]
    compared = impact.histograms["change same"].count
    scales = [ONE_SCALE, *([TWO_SCALES] if _has_two_scales(impact) else [])]
    taken_apart = [_taken_apart(impact, scale) for scale in scales]
    return {
        "policy": impact.policy,
        "matches": sum(impact.histograms[f"now {state}"].count for state in ("same", "policy", "version", "new")),
        "compared": compared,
        "unattributed": impact.counts["unattributed"].at("same"),
        "states": _states(impact),
        "scales": _by_scale(impact, "scales"),
        "scores": [
            {"side": side, **impact.histograms[f"{side} same"].summary()} for side in ("before", "now", "change")
        ],
        "tiers": [{"side": side, **tier_counts(impact.histograms[f"{side} same"])} for side in ("before", "now")],
        "migration": migration(scores),
        "moved": _moved(scores, impact.histograms["change same"]),
        "gains": _most(impact.largest["gains"]),
        "losses": _most(impact.largest["losses"]),
        "evaluations": _evaluations(impact),
        "means": [means for means, _ in taken_apart],
        "attribution": [piece for _, pieces in taken_apart for piece in pieces],
        "order": [
            {"side": side, "matches": int(joint.counts.sum()), "spearman": spearman(joint), "kendall": kendall(joint)}
            for side, joint in ((side, impact.joints[f"order_{side}"]) for side in ("before", "now", "all"))
        ],
    }


def _states(impact: Impact) -> Json:
    counts = {state: impact.histograms[f"now {state}"].count for state in ("same", "policy", "version", "new")}
    return counts | {"gone": impact.counts["gone"].at(None, None)}


def _by_scale(impact: Impact, name: str) -> list[Json]:
    counts = impact.counts[name]
    cells = [(policy, version, counts.at(policy, version)) for policy in POLICIES_BEFORE for version in VERSIONS]
    return [{"policy": policy, "version": version, "matches": count} for policy, version, count in cells if count]


def _has_two_scales(impact: Impact) -> bool:
    other = [name for name in POLICIES if name != impact.policy]
    gone = sum(impact.histograms[f"gone {name}"].count for name in other) if impact.policy else 0
    return impact.histograms["before policy"].count + gone > 0


def _taken_apart(impact: Impact, scale: str) -> tuple[Json, list[Json]]:
    """The means before and now, and the pieces of their difference, exact until they become floats.

    With B, C and N the matches scored before, both times and now: the mean over N less that over B is the change of the
    mean over C, in which each input has its share; what the new matches do to the mean now, N against C; and what
    those that are gone did to the mean before, C against B. Where C is empty, all is of the new.
    """
    states = COMPARED[:1] if scale == ONE_SCALE else COMPARED
    gone_under = [impact.policy] if scale == ONE_SCALE and impact.policy else list(POLICIES)
    before = [impact.histograms[f"before {state}"] for state in states]
    now = [impact.histograms[f"now {state}"] for state in states]
    gone = [impact.histograms[f"gone {name}"] for name in gone_under]
    new = [impact.histograms["now new"]]
    mean_before, mean_now = _mean([*before, *gone]), _mean([*now, *new])
    means = {
        "scale": scale,
        "before": _count([*before, *gone]), "compared": _count(before), "now": _count([*now, *new]),
        "mean_before": _float(mean_before), "mean_now": _float(mean_now), "change": None,
    }  # fmt: skip
    matches = dict.fromkeys(SHARES, _count(before)) | {NEW: _count(new), GONE: _count(gone)}
    if mean_before is None or mean_now is None:
        return means, [{"scale": scale, "piece": name, "points": None, "matches": matches[name]} for name in PIECES]
    both_before, both_now = _mean(before), _mean(now)
    if both_before is None or both_now is None:
        both_before = both_now = mean_before
    points = {name: _shares(impact, states, name) / max(_count(before), 1) for name in SHARES}
    points |= {NEW: mean_now - both_now, GONE: both_before - mean_before}
    assert sum(points.values()) == mean_now - mean_before
    means["change"] = _float(mean_now - mean_before)
    return means, [
        {"scale": scale, "piece": name, "points": _float(points[name]), "matches": matches[name]} for name in PIECES
    ]


def _shares(impact: Impact, states: tuple[str, ...], name: str) -> Fraction:
    return Fraction(sum(impact.counts["shares"].at(state, name) for state in states), UNIT)


def _count(histograms: list[Histogram]) -> int:
    return sum(each.count for each in histograms)


def _mean(histograms: list[Histogram]) -> Fraction | None:
    """Over all of them together."""
    count = _count(histograms)
    total = sum(int(each.counts @ (np.arange(each.scale.bins) + each.scale.low)) for each in histograms)
    return Fraction(total, 100 * count) if count else None


def _float(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _moved(scores: Joint, change: Histogram) -> Json:
    """How many matches moved. rescued: from below 60 to 60 and over; lost: the other way round."""
    before, now = scores.scores
    tier_before, tier_now = map(tier_places, scores.scores)
    signs = {"raised": change.between(1, change.scale.bins), "unchanged": change.between(0, 1)}
    signs["lowered"] = change.count - sum(signs.values())
    counts = {
        "tiers_up": tier_now < tier_before, "tiers_down": tier_now > tier_before,
        "rescued": (before < _GOOD) & (now >= _GOOD), "lost": (before >= _GOOD) & (now < _GOOD),
    }  # fmt: skip
    return signs | {name: int(scores.counts[chosen].sum()) for name, chosen in counts.items()}


def _most(largest: Largest) -> list[Json]:
    """The largest first; `change` is signed, and the shares are in points."""
    rows = {name: values[np.argsort(largest.places("points"))] for name, values in largest.columns.items()}
    rows["change"] = np.round(rows["now"] * 100 - rows["before"] * 100) / 100
    names = (*IDS, "before", "now", "change", *SHARES)
    labels, values = [name.replace(" ", "_") for name in names], [rows[name].tolist() for name in names]
    return [dict(zip(labels, row, strict=True)) for row in zip(*values, strict=True)]


def _evaluations(impact: Impact) -> list[Json]:
    counts = impact.counts["evaluations"]
    records = []
    for side in SIDES:
        for factor in SIMILARITIES:
            of_method = {method.replace(" ", "_"): counts.at(side, factor, method) for method in MADE_BY}
            every = sum(of_method.values())
            shares = {f"{name}_share": share(count, every) for name, count in of_method.items()}
            records.append({"side": side, "factor": factor, **of_method, **shares})
    return records
