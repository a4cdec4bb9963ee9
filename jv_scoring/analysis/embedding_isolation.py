"""Compare matches scored with embeddings with the same matches scored by word overlap only, all else equal."""

import numpy as np
import pandas as pd

from jv_scoring.analysis.largest import Largest
from jv_scoring.analysis.rows import BOTH, DIMENSION_COLUMNS, column, dimensions, policy_of, share
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
SIMILARITIES = tuple(factor.column for factor in SYNERGY[:2])
_FACTORS = [f"{factor}_{direction}" for factor in SIMILARITIES for direction in DIRECTIONS]
MEASURES = (*FINAL, *_FACTORS)
"""The compared measures: three scores, 0..100, and two factors of each direction, 0..10."""
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
    by method. largest: `changed`, the most changed matches, and `best`, those with the highest match_score.
    """


def tally(rows: pd.DataFrame) -> Isolation:
    """Tally the rows of a partition's file (`COLUMNS`): both values of every measure, under the policy that scored
    them.
    """
    policy = policy_of(rows)
    embeddings = {name: column(rows, name) for name in MEASURES}
    words = words_only(rows, parse_policy(policy or CURRENT_POLICY))
    histograms: dict[str, Histogram] = {}
    values: dict[str, object] = {name: rows[name] for name in IDS}
    for name in MEASURES:
        scale, change_scale = _scales(name)
        change = (hundredths(embeddings[name]) - hundredths(words[name])) / 100
        histograms[f"words_{name}"] = Histogram.of(words[name], scale)
        histograms[f"embeddings_{name}"] = Histogram.of(embeddings[name], scale)
        histograms[f"change_{name}"] = Histogram.of(change, change_scale)
        values |= {f"words_{name}": words[name], f"embeddings_{name}": embeddings[name]}
        if name == "harmonic_mean":
            values["size_of_change"] = np.abs(change)
    ranked = pd.DataFrame(values | {"match_score": column(rows, "match_score")})
    final = [f"{side}_{name}" for name in FINAL for side in ("words", "embeddings")]
    largest = {
        "changed": Largest.of(ranked[[*IDS, *final, "size_of_change"]], MOST_CHANGED, ["size_of_change"]),
        "best": Largest.of(ranked.drop(columns="size_of_change"), BEST, ["match_score"]),
    }
    return Isolation(policy, histograms, {"evaluations": _evaluations(rows)}, largest)


def words_only(rows: pd.DataFrame, policy: Policy) -> dict[str, Floats]:
    """Return each of `MEASURES` as it would be without any vector."""
    values = {f"{factor}_{of}": column(rows, f"{factor}_overlap_{of}") for factor in SIMILARITIES for of in DIRECTIONS}
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


def report(isolation: Isolation, best: int = BEST) -> Json:
    """Return what embeddings changed. `best`: how many of the highest match_score to show apart, at most 50.

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
        "most_changed": _changed_records(isolation.largest["changed"]),
        "best_by_match_score": _best_records(isolation.largest["best"], best),
    }


def _scales(measure: str) -> tuple[Scale, Scale]:
    return (SCORES, SCORE_CHANGES) if measure in FINAL else (POINTS, POINT_CHANGES)


def _evaluations(rows: pd.DataFrame) -> Counts:
    codes = []
    for d, direction in enumerate(DIRECTIONS):
        for f, factor in enumerate(SIMILARITIES):
            by_words = (rows[f"{factor}_method_{direction}"] == WORD_OVERLAP).to_numpy(np.intp)
            codes.append(np.stack([np.full_like(by_words, d), np.full_like(by_words, f), by_words]))
    return Counts.of((DIRECTIONS, SIMILARITIES, METHODS), *np.concatenate(codes, axis=1))


def _directions_of_change(measure: str, changes: Histogram) -> Json:
    most = changes.scale.bins
    raised, lowered = changes.between(1, most), changes.between(-most, 0)
    return {"measure": measure, "raised": raised, "unchanged": changes.between(0, 1), "lowered": lowered}


def _evaluation_records(counts: Counts) -> list[Json]:
    records = []
    for direction in (*DIRECTIONS, BOTH):
        for factor in (*SIMILARITIES, BOTH):
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
