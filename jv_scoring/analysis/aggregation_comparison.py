"""Compare all six policies over the same matches with the policy that scored them."""

from hashlib import sha256
from math import sqrt

import numpy as np
import pandas as pd

from jv_scoring.analysis import pair_share
from jv_scoring.analysis.clustered import MATCHES, by_profile
from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.rows import (
    DIMENSION_COLUMNS,
    dimensions,
    policy_of,
    share,
    weakest_counts,
    weakest_report,
)
from jv_scoring.analysis.tallies import SCORE_CHANGES, SCORES, Histogram, Ints, Joint, Json, Tally, hundredths
from jv_scoring.columns import Floats, aggregates, match_scores, round2
from jv_scoring.engine import DIRECTIONS, IDS
from jv_scoring.engine import SCORES as FINAL
from jv_scoring.policy import CURRENT_POLICY, POLICIES, TIERS, Policy
from jv_scoring.prepare import NULLS

BEST = 10

RANDOM = "random"
"""The name of an order of the matches by a hash of the id: what the best 10 have in common with it is chance."""

COLUMNS = [*IDS, "policy", *DIMENSION_COLUMNS, *pair_share.COLUMNS]
"""The columns of a partition's file that `tally` reads."""


class Aggregation(Tally):
    """What `tally` counts, of rows that one policy scored: the current one of the report.

    histograms: `policy score`, for each policy and each of score_ab, score_ba and harmonic_mean, and `policy change`,
    of harmonic_mean against the current policy. counts: `impute` and `redistribute`, direction by weakest dimensions.
    joints: each policy, harmonic_mean under the current one and under it; `filled …`, score_ab and filled fields of B.
    largest: `best`, the matches with the 11 highest harmonic_mean of each profile (A), under any policy or in a
    random order: one more than the best 10, which tells whether there are more. sums: `as_a` and `as_b`, by profile on
    that side; `profiles`, on either side, harmonic_mean and its changes. Memory: that of at most 77 matches a profile,
    and of the distinct pairs of scores, of which there are at most 2**18.
    """


def tally(rows: pd.DataFrame) -> Aggregation:
    """Tally the rows of a partition's file (`COLUMNS`)."""
    of_nulls = {nulls: {of: dimensions(rows, of, nulls) for of in DIRECTIONS} for nulls in NULLS}
    histograms: dict[str, Histogram] = {}
    scored_by = policy_of(rows)
    scores = {name: finals(of_nulls[policy.nulls], policy) for name, policy in POLICIES.items()}
    current_scores = scores[scored_by or CURRENT_POLICY]
    matches = {name: of_policy["harmonic_mean"] for name, of_policy in scores.items()}
    now = current_scores["harmonic_mean"]
    changes = {name: hundredths(then) - hundredths(now) for name, then in matches.items()}
    for name in POLICIES:
        histograms |= {f"{name} {of}": Histogram.of(values, SCORES) for of, values in scores[name].items()}
        histograms[f"{name} change"] = Histogram.of(changes[name] / 100, SCORE_CHANGES)
    at_random = {RANDOM: np.array([random_place(match) for match in rows["id"].tolist()], np.float64)}
    ranked = pd.DataFrame({name: rows[name] for name in IDS} | matches | at_random)
    by_either = by_profile(
        rows["profile_id"], rows["suggested_profile_id"], {"harmonic_mean": hundredths(now)} | changes
    )
    return Aggregation(
        policy=scored_by,
        histograms=histograms,
        counts={nulls: weakest_counts(dict(of)) for nulls, of in of_nulls.items()},
        largest={"best": Largest.of(ranked, BEST + 1, [*POLICIES, RANDOM], within="profile_id")},
        joints={name: Joint.of(now, then) for name, then in matches.items()}
        | pair_share.filled_joints(rows, current_scores["score_ab"]),
        sums=pair_share.sums_by_side(rows, current_scores) | {"profiles": by_either},
    )


def report(aggregation: Aggregation) -> Json:
    """Return what another policy would change, all else equal.

    Records under: `scores` and `tiers` (by policy and score), `weakest` and `combinations` (by null treatment: the
    weakest dimension does not depend on the aggregation), `migration` (matches from a tier under the current policy to
    one under another, by harmonic_mean), `tier_moves` (how many change their tier at fixed limits, and at limits that
    keep the sizes of the tiers), `against_current` (rank correlations over all matches, and what becomes of profiles'
    best 10, beside what a random order keeps).
    """
    now = current(aggregation)
    others = [name for name in POLICIES if name != now]
    finals = {(policy, score): aggregation.histograms[f"{policy} {score}"] for policy in POLICIES for score in FINAL}
    weakest, combinations = [], []
    for nulls in NULLS:
        by_dimension, by_combination = weakest_report(aggregation.counts[nulls])
        weakest += [{"nulls": nulls, **record} for record in by_dimension]
        combinations += [{"nulls": nulls, **record} for record in by_combination]
    return {
        "current": now,
        "matches": finals[now, "harmonic_mean"].count,
        "scores": [{"policy": policy, "score": score, **of.summary()} for (policy, score), of in finals.items()],
        "tiers": [{"policy": policy, "score": score, **tier_counts(of)} for (policy, score), of in finals.items()],
        "weakest": weakest,
        "combinations": combinations,
        "migration": [{"policy": name, **record} for name in others for record in migration(aggregation.joints[name])],
        "tier_moves": [{"policy": name, **tier_moves(aggregation.joints[name])} for name in others],
        "against_current": [_against_current(aggregation, name) for name in others],
    }


def current(aggregation: Aggregation) -> str:
    """Return the policy that scored the matches; without matches, the default policy."""
    return aggregation.policy or CURRENT_POLICY


def best_matches(aggregation: Aggregation, order: str | None = None) -> pd.DataFrame:
    """Return the best 10 matches of each profile: ids, `harmonic_mean` and `place`, 1..10; sorted by id.

    `order`: a policy or `RANDOM`; by default the policy that scored the matches, whose scores are given in any case.
    """
    best, policy = aggregation.largest["best"], current(aggregation)
    places = best.places(order or policy)
    ranked = best.rows[IDS].assign(harmonic_mean=best.rows[policy], place=places + 1)
    return ranked.loc[places < BEST].reset_index(drop=True)


def tier_counts(scores: Histogram) -> dict[str, int]:
    """Return how many scores, 0..100, are in each tier, the highest first."""
    limits = [SCORES.bins, *(round(least * 100) for _, least in TIERS)]
    return {name: scores.between(limits[k + 1], limits[k]) for k, (name, _) in enumerate(TIERS)}


def tier_places(scores: Ints) -> Ints:
    """Return the place in `TIERS`, 0 for the highest, of scores in hundredths."""
    limits = np.array([round(least * 100) for _, least in TIERS])
    places: Ints = len(TIERS) - np.searchsorted(limits[::-1], scores, "right")
    return places


def migration(joint: Joint) -> list[Json]:
    """Return counts of matches from each tier of the first score to each of the second, the highest first."""
    table = np.zeros((len(TIERS), len(TIERS)), np.int64)
    np.add.at(table, tuple(map(tier_places, joint.scores)), joint.counts)
    names = [name for name, _ in TIERS]
    return [
        {"from": names[k], "to": name, "matches": count}
        for k, row in enumerate(table.tolist())
        for name, count in zip(names, row, strict=True)
    ]


def tier_moves(joint: Joint) -> Json:
    """Return how many matches change their tier: at the `fixed` limits, and with tiers of `equal_sizes`.

    Of equal sizes: under the second score as many matches are in each tier as under the first. Where a limit divides
    matches with the same second score, the number is the mean over all orders of them.
    """
    before = tier_places(joint.scores[0])
    fixed = int(joint.counts[before != tier_places(joint.scores[1])].sum())
    sizes = np.bincount(before, joint.counts, len(TIERS))
    distinct, at = np.unique(-joint.scores[1], return_inverse=True)  # The highest second score first.
    equal = np.bincount(at, joint.counts, len(distinct))
    ends, limits = np.cumsum(equal), np.cumsum(sizes)
    inside = [
        np.clip(np.minimum(ends, limit) - np.maximum(ends - equal, limit - size), 0, None)
        for limit, size in zip(limits, sizes, strict=True)
    ]
    stays = np.array(inside)[before, at] / equal[at] if len(at) else np.zeros(0)
    return {"fixed": fixed, "equal_sizes": float(joint.counts @ (1 - stays))}


def spearman(joint: Joint) -> float | None:
    """Return Spearman's rank correlation, where equal scores share their middle rank; None if a side never varies."""
    first, second = (_middle_ranks(scores, joint.counts) for scores in joint.scores)
    norm = sqrt(float(joint.counts @ first**2) * float(joint.counts @ second**2))
    return float(joint.counts @ (first * second)) / norm if norm else None


def kendall(joint: Joint) -> float | None:
    """Return Kendall's tau-b; None if a side never varies.

    From counts: pairs of matches that differ in both scores are concordant, except those in the opposite order. These
    are counted in one pass over the first score, which keeps how many passed matches lie above each second score.
    """
    (first, second), counts = joint.scores, joint.counts
    every = _pairs(np.array([counts.sum()]))
    tied_first, tied_second = (
        _pairs(np.bincount(np.unique(of, return_inverse=True)[1], counts)) for of in (first, second)
    )
    norm = sqrt((every - tied_first) * (every - tied_second))
    if not norm:
        return None
    differing = every - tied_first - tied_second + _pairs(counts)
    return (differing - 2 * _discordant(first, second, counts)) / norm


def finals(of_direction: dict[str, list[Floats]], policy: Policy) -> dict[str, Floats]:
    """Return score_ab, score_ba and harmonic_mean under a policy, from each direction's four dimensions in order."""
    ab, ba = (aggregates(of_direction[direction], policy.aggregation) for direction in DIRECTIONS)
    return {name: round2(raw) for name, raw in zip(FINAL, (ab, ba, match_scores(ab, ba)), strict=True)}


def random_place(match: str) -> int:
    """Return the first 8 bytes of sha256 of the match's id, which order the matches at random."""
    return int.from_bytes(sha256(match.lower().encode()).digest()[:8])


def _middle_ranks(scores: Ints, counts: Ints) -> Floats:
    """(entries,) each entry's rank among all matches, less the middle of all ranks; equals share theirs."""
    _, at = np.unique(scores, return_inverse=True)
    equal = np.bincount(at, counts)
    ranks: Floats = np.cumsum(equal) - (equal - 1) / 2 - (counts.sum() + 1) / 2
    return ranks[at]


def _pairs(sizes: np.ndarray[tuple[int], np.dtype[np.generic]]) -> int:
    """Return how many pairs of two there are within groups of these sizes."""
    whole = sizes.astype(np.int64)
    return int((whole * (whole - 1)).sum()) // 2


def _discordant(first: Ints, second: Ints, counts: Ints) -> int:
    """Return how many pairs of matches have the opposite order in both scores; entries are sorted by the first."""
    distinct, at = np.unique(second, return_inverse=True)
    above = np.zeros(len(distinct), np.int64)
    discordant = 0
    starts = np.flatnonzero(np.diff(first, prepend=-1))
    for places, sizes in zip(np.split(at, starts[1:]), np.split(counts, starts[1:]), strict=True):
        discordant += int(sizes @ above[places])
        added = np.zeros(len(distinct), np.int64)
        added[places] = sizes  # Distinct, because an entry is a pair of scores.
        above[:-1] += added[:0:-1].cumsum()[::-1]
    return discordant


def _against_current(aggregation: Aggregation, policy: str) -> Json:
    joint = aggregation.joints[policy]
    correlations = {"policy": policy, "spearman": spearman(joint), "kendall": kendall(joint)}
    best = best_overlap(aggregation.largest["best"], current(aggregation), policy)
    matches = aggregation.sums["as_a"].values[MATCHES]
    return correlations | best | beyond_chance(best["best_overlap_with_more"], matches)


def beyond_chance(kept: float | None, matches: Ints) -> Json:
    """Return what a random order keeps of the best 10 of profiles with more than 10 matches, and `kept` beyond that.

    Of m matches a random order keeps 10 / m of the best 10 on average. Beyond chance: 0 if as much is kept as in a
    random order, 1 if all are kept.
    """
    of_more = matches[matches > BEST]
    if kept is None or not len(of_more):
        return {"best_overlap_by_chance": None, "best_overlap_beyond_chance": None}
    chance = float((BEST / of_more).mean())
    return {"best_overlap_by_chance": chance, "best_overlap_beyond_chance": (kept - chance) / (1 - chance)}


def best_overlap(best: Largest, now: str, policy: str) -> Json:
    """Return how much of each profile's best 10 by the column `now` stays by the column `policy`.

    A profile with 10 matches or fewer always keeps all of them. So the same figures follow for those with more.
    """
    places = best.places(now)
    is_best, stays = places < BEST, best.places(policy) < BEST
    flags = pd.DataFrame({"now": is_best, "kept": is_best & stays, "more": places == BEST})
    of_profile = flags.groupby(best.rows["profile_id"]).sum()
    kept = of_profile["kept"] / of_profile["now"]
    record: Json = {}
    for suffix, overlaps in (("", kept), ("_with_more", kept[of_profile["more"] > 0])):
        profiles, unchanged = len(overlaps), int((overlaps == 1).sum())
        record |= {
            f"profiles{suffix}": profiles,
            f"best_overlap{suffix}": float(overlaps.mean()) if profiles else None,
            f"best_unchanged{suffix}": share(unchanged, profiles),
        }
    return record
