"""How fast pairs are scored, on one core: CPU time, and ratios measured in turns, so that the machine matters less.

The population is the demo's, with random vectors of the production model's length whose cosines reach every step.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pgvector import Vector

from benchmarks.figures import Row, figure
from jv_assets.demo.population import make_population
from jv_scoring import CURRENT_POLICY, Prepared, match_contexts, prepare, score_pair, score_pairs
from jv_scoring.prepare import combine_offering, profile_features
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed
from jv_scoring.vectors import MISSING, Vectors

MODEL, DIMENSION = "BAAI/bge-large-en-v1.5", 1024
SCORED_AT = "2026-02-17T21:04:11+00:00"
_PAIRS_AT_ONCE = 64
_SAMPLE = 300
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Workload:
    """The demo's profiles and matches, the profiles' features and vectors, and each field's vectors by profile."""

    profiles: pd.DataFrame
    matches: pd.DataFrame
    features: pd.DataFrame
    fields: dict[str, Vectors]

    def prepared(self) -> Prepared:
        """Prepared anew, so that nothing is remembered of an earlier measurement."""
        fields = self.fields
        offering = combine_offering(fields["offering"], fields["what_you_do"])
        vectors = {"seeking": fields["seeking"], "offering": offering, "who_you_serve": fields["who_you_serve"]}
        return Prepared(self.features, vectors)


def make_workload(seed: int = 20260217) -> Workload:
    population = make_population()
    profiles = population.profiles.set_index("id")
    rng = np.random.default_rng(seed)
    themes = rng.standard_normal((12, DIMENSION))
    fields = {name: _vectors(profiles[name].tolist(), themes, rng) for name in EMBEDDED_FIELDS}
    matches = population.matches[["id", "profile_id", "suggested_profile_id"]]
    return Workload(profiles, matches, profile_features(profiles), fields)


def _vectors(texts: list[object], themes: npt.NDArray[np.float64], rng: np.random.Generator) -> Vectors:
    """A unit vector for each text that would be embedded: one theme common to all, one of its own, and noise."""
    embedded = np.flatnonzero([text_to_embed(text) is not None for text in texts])
    own = themes[rng.integers(1, len(themes), len(embedded))] * rng.uniform(0, 1.2, (len(embedded), 1))
    drawn = (
        themes[0] + own + rng.uniform(0.2, 0.8, (len(embedded), 1)) * rng.standard_normal((len(embedded), DIMENSION))
    )
    row = np.full(len(texts), MISSING, np.intp)
    row[embedded] = np.arange(len(embedded))
    return Vectors.from_matrix((drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32), row)


def bare_dots(prepared: Prepared, a: Positions, b: Positions) -> list[npt.NDArray[np.float32]]:
    """The three cosines of each pair and nothing else, in batches of the size that is fastest here."""
    vectors = prepared.vectors
    seeking, offering, audience = (vectors[name] for name in ("seeking", "offering", "who_you_serve"))
    found = []
    for source, target, i, j in ((seeking, offering, a, b), (seeking, offering, b, a), (audience, audience, a, b)):
        left, right = source.row[i], target.row[j]
        both = (left >= 0) & (right >= 0)
        left, right = left[both], right[both]
        dots = np.empty(len(left), np.float32)
        for start in range(0, len(left), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            dots[part] = np.einsum("ij,ij->i", source.matrix[left[part]], target.matrix[right[part]])
        found.append(dots)
    return found


def score_with_contexts(prepared: Prepared, pairs: pd.DataFrame) -> list[str]:
    scored = score_pairs(prepared, pairs)
    return match_contexts(prepared, scored, policy=CURRENT_POLICY, model=MODEL, scored_at=SCORED_AT)[0]


def plain_loop(rows: dict[str, dict[str, Any]], pairs: list[tuple[str, str]]) -> list[str]:
    """What the engine is for: a row a profile as Postgres hands it out, vectors in text, pair by pair."""
    contexts = []
    for profiles in pairs:
        a, b = ({name: _parsed(name, value) for name, value in rows[profile].items()} for profile in profiles)
        scored = score_pair(a, b)
        breakdowns = {"breakdown_ab": scored.breakdown_ab, "breakdown_ba": scored.breakdown_ba}
        contexts.append(json.dumps(breakdowns | {"scored_at": SCORED_AT}, ensure_ascii=False))
    return contexts


def _parsed(name: str, value: Any) -> Any:
    return Vector.from_text(value).to_numpy() if name.startswith("embedding_") and value is not None else value


def plain_rows(work: Workload, pairs: list[tuple[str, str]]) -> dict[str, dict[str, Any]]:
    """The profiles of the pairs as rows of a query, with pgvector's text."""
    rows: dict[str, dict[str, Any]] = {}
    for profile in sorted({profile for pair in pairs for profile in pair}):
        place = work.profiles.index.get_loc(profile)
        vectors = {f"embedding_{name}": work.fields[name].vector(place) for name in EMBEDDED_FIELDS}
        texts = {name: None if vector is None else Vector(vector).to_text() for name, vector in vectors.items()}
        rows[profile] = work.profiles.loc[profile].to_dict() | texts
    return rows


def medians(repeats: int, **works: Callable[[], object]) -> dict[str, float]:
    """CPU seconds of each work: the median of so many turns, of which each has all works one after the other."""
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        for name, work in works.items():
            start = time.process_time()
            work()
            if turn:  # the first is to warm up
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def run(repeats: int = 15) -> list[Row]:
    """Every figure with its unit and target."""
    work = make_workload()
    prepared, matches = work.prepared(), work.matches
    index = work.profiles.index
    a, b = (index.get_indexer(matches[name]) for name in ("profile_id", "suggested_profile_id"))
    scorable = (a >= 0) & (b >= 0) & (a != b)
    a, b, count = a[scorable], b[scorable], int(scorable.sum())
    chosen = np.random.default_rng(1).permutation(count)[:_SAMPLE]
    sample = [(index[x], index[y]) for x, y in zip(a[chosen].tolist(), b[chosen].tolist(), strict=True)]
    rows = plain_rows(work, sample)
    with_vectors = work.profiles.assign(
        **{f"embedding_{name}": [vectors.vector(k) for k in range(len(index))] for name, vectors in work.fields.items()}
    )
    took = medians(
        repeats,
        bare=lambda: bare_dots(prepared, a, b),
        scores=lambda: score_pairs(prepared, matches),
        overlap=lambda: score_pairs(prepared, matches, overlap=True),
        contexts=lambda: score_with_contexts(work.prepared(), matches),
    )
    rest = medians(
        max(repeats // 3, 1),
        loop=lambda: plain_loop(rows, sample),
        features=lambda: profile_features(work.profiles),
        prepare=lambda: prepare(with_vectors),
    )
    a_pair = rest["loop"] / len(sample)
    return [
        figure("score_pairs ÷ speed of its bare dot products", took["bare"] / took["scores"], "x", at_least=0.8),
        figure("score_pairs", count / took["scores"], "pairs/s"),
        figure("score_pairs with overlap", count / took["overlap"], "pairs/s", at_least=30_000),
        figure("score_pairs and match_contexts", count / took["contexts"], "pairs/s", at_least=60_000),
        figure("plain loop over pairs, vectors as text", 1 / a_pair, "pairs/s"),
        figure("score_pairs and match_contexts ÷ plain loop", a_pair * count / took["contexts"], "x", at_least=150),
        figure("profile_facts", len(index) / rest["features"], "profiles/s", at_least=20_000),
        figure("prepare, with vectors in columns", len(index) / rest["prepare"], "profiles/s"),
    ]


def main() -> None:
    for row in run():
        value = f"{row['value']:,.2f}" if row["value"] < 10 else f"{row['value']:,.0f}"
        target = "" if row["target"] is None else f"{row['target']:<10}{'met' if row['met'] else 'MISSED'}"
        print(f"{row['name']:<46}{value:>10} {row['unit']:<12}{target}".rstrip())


if __name__ == "__main__":
    main()
