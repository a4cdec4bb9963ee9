"""Compare matches scored with embeddings with the same matches scored by word overlap only, all else equal.

Cosines and shares of common words are scored by two ladders of steps, and one may be higher than the other for any two
texts. So pairs drawn at random are compared in the same way: only what suggested pairs change beyond them is due to
the suggestions.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from jv_scoring.analysis.clustered import Mean, by_profile, difference, interval, mean_of
from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.rows import BOTH, DIMENSION_COLUMNS, column, dimensions, policy_of, share
from jv_scoring.analysis.stored import COMPARISONS, ONE_WAY, SIMILARITIES
from jv_scoring.analysis.sums import Sums
from jv_scoring.analysis.tallies import (
    POINT_CHANGES,
    POINTS,
    SCORE_CHANGES,
    SCORES,
    Counts,
    Histogram,
    Json,
    Scale,
    Tally,
    hundredths,
)
from jv_scoring.columns import Floats, aggregates, match_scores, round2, weighted_means
from jv_scoring.engine import DIRECTIONS, IDS
from jv_scoring.engine import SCORES as FINAL
from jv_scoring.policy import CURRENT_POLICY, DIMENSIONS, Policy, parse_policy
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP
from jv_scoring.synergy import SYNERGY

METHODS = (SEMANTIC, WORD_OVERLAP)
MEASURES = (*FINAL, *(f"{factor}_{direction}" for factor, direction in COMPARISONS))
"""The compared measures: three scores, 0..100, and the factors of `COMPARISONS`, 0..10."""
MOST_CHANGED, BEST = 20, 50

COLUMNS = [
    *IDS, *FINAL, *DIMENSION_COLUMNS, "match_score", "policy",
    *(f"{factor.column}_{direction}" for factor in SYNERGY for direction in DIRECTIONS),
    *(f"{factor}_overlap_{direction}" for factor in SIMILARITIES for direction in DIRECTIONS),
    *(f"{factor}_method_{direction}" for factor in SIMILARITIES for direction in DIRECTIONS),
]  # fmt: skip
"""The columns of a partition's file that `tally` reads."""


class Isolation(Tally):
    """What `tally` counts.

    histograms: `words_…`, `embeddings_…`, `change_…` of each of `MEASURES`. counts: `evaluations`, direction by factor
    by method, as in `COMPARISONS`. largest: `changed`, the most changed matches, and `best`, those with the highest
    match_score. sums: `profiles`, by profile, the change and the value of `harmonic_mean` in hundredths over the
    matches that it has.
    """


class RandomPairs(Tally):
    """What `tally_random` counts: histograms and sums as in `Isolation`, of pairs drawn at random."""


def tally(rows: pd.DataFrame) -> Isolation:
    """Tally the rows of a partition's file (`COLUMNS`): both values of every measure, under the policy that scored
    them.
    """
    sides = _both_sides(rows)
    final = [f"{side}_{name}" for name in FINAL for side in ("words", "embeddings")]
    size_of_change = np.abs(sides["change_harmonic_mean"])
    ranked = pd.DataFrame({name: rows[name] for name in IDS} | sides | {"size_of_change": size_of_change})
    kept = [f"{side}_{name}" for name in MEASURES for side in ("words", "embeddings")]
    best = ranked[[*IDS, *kept]].assign(match_score=column(rows, "match_score"))
    largest = {
        "changed": Largest.of(ranked[[*IDS, *final, "size_of_change"]], MOST_CHANGED, ["size_of_change"]),
        "best": Largest.of(best, BEST, ["match_score"]),
    }
    counts = {"evaluations": _evaluations(rows)}
    return Isolation(policy_of(rows), _histograms(sides), counts, largest, sums=_sums(rows, sides))


def tally_random(rows: pd.DataFrame) -> RandomPairs:
    """Tally pairs drawn at random, with the columns `COLUMNS`."""
    sides = _both_sides(rows)
    return RandomPairs(policy_of(rows), _histograms(sides), sums=_sums(rows, sides))


def _both_sides(rows: pd.DataFrame) -> dict[str, Floats]:
    """Return `words_…`, `embeddings_…` and `change_…` of each measure."""
    words = words_only(rows, parse_policy(policy_of(rows) or CURRENT_POLICY))
    sides: dict[str, Floats] = {}
    for name in MEASURES:
        embeddings = column(rows, name)
        change = (hundredths(embeddings) - hundredths(words[name])) / 100
        sides |= {f"words_{name}": words[name], f"embeddings_{name}": embeddings, f"change_{name}": change}
    return sides


def _histograms(sides: Mapping[str, Floats]) -> dict[str, Histogram]:
    histograms = {}
    for name, values in sides.items():
        side, _, measure = name.partition("_")
        histograms[name] = Histogram.of(values, _scales(measure)[side == "change"])
    return histograms


def _sums(rows: pd.DataFrame, sides: Mapping[str, Floats]) -> dict[str, Sums]:
    columns = {side: hundredths(sides[f"{side}_harmonic_mean"]) for side in ("change", "embeddings")}
    return {"profiles": by_profile(rows["profile_id"], rows["suggested_profile_id"], columns)}


def words_only(rows: pd.DataFrame, policy: Policy) -> dict[str, Floats]:
    """Return each of `MEASURES` as it would be without any vector."""
    words = {f"{factor}_{of}": column(rows, f"{factor}_overlap_{of}") for factor in SIMILARITIES for of in DIRECTIONS}
    return with_similarities(rows, policy, words)


def with_similarities(rows: pd.DataFrame, policy: Policy, values: dict[str, Floats]) -> dict[str, Floats]:
    """Return each of `MEASURES` as it would be with other `values` of the similarity factors, both ways."""
    raw = []
    for direction in DIRECTIONS:
        factors = [
            values.get(f"{factor.column}_{direction}", column(rows, f"{factor.column}_{direction}"))
            for factor in SYNERGY
        ]
        of_policy = dimensions(rows, direction, policy.nulls)
        of_policy[DIMENSIONS.index("synergy")] = weighted_means(factors, SYNERGY, policy.nulls)
        raw.append(aggregates(of_policy, policy.aggregation))
    finals = (*raw, match_scores(*raw))
    return {name: round2(score) for name, score in zip(FINAL, finals, strict=True)} | values


def report(isolation: Isolation, best: int = BEST, random: RandomPairs | None = None) -> Json:
    """Return what embeddings changed. `best`: how many of the highest match_score to show apart, at most 50.

    `random`: the same of pairs at random, without which `beyond_random` is unknown: by how much more embeddings change
    the mean of suggested pairs than that of random pairs, with an interval clustered by profile.

    Records under: `measures` (a side of a measure: word overlap only, with embeddings, and the change), `changes` (how
    many went up and down), `evaluations` (by method), `most_changed` (by harmonic_mean), and `best_by_match_score`:
    means over a sample that favours the older matcher's choice, kept only to repeat old figures.
    """
    if not 0 <= best <= BEST:
        raise ValueError(f"the {BEST} highest by match_score are kept, not {best}")
    sides = {"word_overlap": "words", "embeddings": "embeddings", "change": "change"}
    return {
        "policy": isolation.policy,
        "matches": isolation.histograms["change_harmonic_mean"].count,
        "measures": [
            {"measure": name, "side": shown, **isolation.histograms[f"{side}_{name}"].summary()}
            for name in MEASURES
            for shown, side in sides.items()
        ],
        "changes": [_directions_of_change(name, isolation.histograms[f"change_{name}"]) for name in MEASURES],
        "evaluations": _evaluation_records(isolation.counts["evaluations"]),
        "random": _random_records(random),
        "beyond_random": interval(difference(_change(isolation), _change(random))),
        "most_changed": _changed_records(isolation.largest["changed"]),
        "best_by_match_score": _best_records(isolation.largest["best"], best),
    }


def _random_records(random: RandomPairs | None) -> list[Json]:
    """Return a record for each measure: the mean of both sides and of the change, of pairs at random."""
    if random is None or not random.histograms["change_harmonic_mean"].count:
        return []
    sides = {"word_overlap": "words", "embeddings": "embeddings", "change": "change"}
    return [
        {"measure": name, "pairs": random.histograms[f"change_{name}"].count}
        | {shown: random.histograms[f"{side}_{name}"].mean for shown, side in sides.items()}
        for name in MEASURES
    ]


def _change(tally: Isolation | RandomPairs | None) -> Mean | None:
    if tally is None:
        return None
    return mean_of(tally.histograms["change_harmonic_mean"], tally.sums["profiles"], "change")


def _scales(measure: str) -> tuple[Scale, Scale]:
    return (SCORES, SCORE_CHANGES) if measure in FINAL else (POINTS, POINT_CHANGES)


def _evaluations(rows: pd.DataFrame) -> Counts:
    codes = []
    for factor, direction in COMPARISONS:
        by_words = (rows[f"{factor}_method_{direction}"] == WORD_OVERLAP).to_numpy(np.intp)
        places = DIRECTIONS.index(direction), SIMILARITIES.index(factor)
        codes.append(np.stack([*(np.full_like(by_words, place) for place in places), by_words]))
    return Counts.of((DIRECTIONS, SIMILARITIES, METHODS), *np.concatenate(codes, axis=1))


def _directions_of_change(measure: str, changes: Histogram) -> Json:
    most = changes.scale.bins
    raised, lowered = changes.between(1, most), changes.between(-most, 0)
    return {"measure": measure, "raised": raised, "unchanged": changes.between(0, 1), "lowered": lowered}


def _evaluation_records(counts: Counts) -> list[Json]:
    records = []
    for direction, factor in (*((way, name) for name, way in COMPARISONS if name != ONE_WAY),
                              *((BOTH, name) for name in SIMILARITIES), (BOTH, BOTH)):  # fmt: skip
        labels = [None if label == BOTH else label for label in (direction, factor)]
        semantic, by_words = (counts.at(*labels, method) for method in METHODS)
        of_both = semantic + by_words
        records.append({
            "direction": direction, "factor": factor, SEMANTIC: semantic, WORD_OVERLAP: by_words,
            "semantic_share": share(semantic, of_both), "word_overlap_share": share(by_words, of_both),
        })  # fmt: skip
    return records


def _changed_records(changed: Largest) -> list[Json]:
    rows = {name: values[np.argsort(changed.places("size_of_change"))] for name, values in changed.columns.items()}
    rows["change"] = np.round(rows["embeddings_harmonic_mean"] - rows["words_harmonic_mean"], 2)
    names = (*IDS, *(f"{side}_{name}" for name in FINAL for side in ("words", "embeddings")), "change")
    return [dict(zip(names, row, strict=True)) for row in zip(*(rows[name].tolist() for name in names), strict=True)]


def _best_records(best: Largest, count: int) -> Json:
    kept = best.places("match_score") < count
    means = []
    for name in MEASURES if kept.any() else ():
        words, embeddings = (hundredths(best.columns[f"{side}_{name}"][kept]) for side in ("words", "embeddings"))
        ends = {"word_overlap": float(words.mean()) / 100, "embeddings": float(embeddings.mean()) / 100}
        means.append({"measure": name, **ends, "change": float((embeddings - words).mean()) / 100})
    return {"matches": int(kept.sum()), "means": means}
