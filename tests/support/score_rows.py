"""Rows as a `match_scores` range file has them: scored from profiles, made by hand, and cut into ranges."""

import json
import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from jv_assets.pipeline.changes import STORED_COLUMNS
from jv_assets.pipeline.scoring import score_matches
from jv_scoring import CURRENT_POLICY
from jv_scoring.analysis.tallies import Tally, total
from jv_scoring.prepare import prepare
from tests.support.profile_strategies import BGE, Profile, everyone_with_everyone, frame, pairs_of, seeded_population

AnyTally = TypeVar("AnyTally", bound=Tally)


def scored_rows(
    profiles: Sequence[Profile], places: list[tuple[int, int]], policy: str = CURRENT_POLICY, match_score: Any = np.nan
) -> pd.DataFrame:
    """What the asset writes for the matches m0, m1, … between the profiles at these places."""
    stored = {name: match_score if name == "match_score" else np.nan for name in STORED_COLUMNS}
    return score_matches(prepare(frame(profiles)), pairs_of(*places).assign(**stored), BGE, policy).rows


def population(seed: int, count: int = 7) -> tuple[list[Profile], list[tuple[int, int]]]:
    """Seeded profiles, and most of their pairs."""
    profiles = seeded_population(count, 8, seed)
    return profiles, [pair for k, pair in enumerate(everyone_with_everyone(count)) if (k + seed) % 5]


def without_vectors(profile: Profile) -> Profile:
    return {name: value for name, value in profile.items() if not name.startswith("embedding_")}


def merged_in_pieces(
    rows: pd.DataFrame, tally: Callable[[pd.DataFrame], AnyTally], cuts: list[int], rng: Any
) -> AnyTally:
    """The tallies of the rows, shuffled and cut at these places, kept as JSON, merged in a random order."""
    order = list(range(len(rows)))
    rng.shuffle(order)
    rows = rows.iloc[order]
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    pieces = [tally(rows.iloc[first:last]) for first, last in pairwise(edges)]
    rng.shuffle(pieces)
    return total(type(piece).from_json(json.loads(json.dumps(piece.to_json()))) for piece in pieces)


CUTS = st.lists(st.integers(0, 45), max_size=5)


def nothing_is_nan(value: Any) -> bool:
    """Whether a report, at any depth, is free of NaN and made of what JSON has."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and nothing_is_nan(part) for key, part in value.items())
    if isinstance(value, list):
        return all(map(nothing_is_nan, value))
    return value is None or type(value) in (str, int) or (type(value) is float and math.isfinite(value))
