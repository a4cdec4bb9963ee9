"""Compute once per profile what does not depend on the partner."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from math import isnan
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.columns import weighted_means
from jv_scoring.factors import INPUT_COLUMNS, TARGET_DIMENSIONS, Factor, Profile, Reading, known_tier
from jv_scoring.inputs import profile_hashes, vectors_digest
from jv_scoring.policy import Nulls
from jv_scoring.reference import counted_score
from jv_scoring.roles import ROLES, normalise_role
from jv_scoring.similarity import as_vector
from jv_scoring.synergy import TIER_ORDER, offering_text
from jv_scoring.text import words
from jv_scoring.vectors import MISSING, Vector, Vectors

UNLISTED_TIER = "unlisted"
ROLE_NAMES = (*ROLES, None)
TIER_NAMES = (*TIER_ORDER, UNLISTED_TIER, None)
COMPARED = ("seeking", "offering", "who_you_serve")
"""The three compared texts; `what_you_do` replaces a missing `offering`."""

NULLS: tuple[Nulls, Nulls] = ("impute", "redistribute")
_NUMBERS = (
    *(factor.column for group in TARGET_DIMENSIONS.values() for factor in group),
    *("intent", "momentum", "momentum_redistribute", "context"),
)


@dataclass(frozen=True)
class Prepared:
    """Profiles ready to be scored: `features` of `profile_features`, and `vectors` by the names in `COMPARED`."""

    features: pd.DataFrame
    vectors: dict[str, Vectors]
    _hashes: dict[int, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def input_hashes(self, profiles: npt.NDArray[np.intp]) -> Mapping[int, bytes]:
        """Return, by position, a hash of all inputs of each profile: its features, the words and vectors of its texts.

        Each hash is computed once, until `evict_hashes`.
        """
        new = [profile for profile in np.unique(profiles).tolist() if profile not in self._hashes]
        digests = [vectors_digest(self.vectors[name].vector(profile) for name in COMPARED) for profile in new]
        self._hashes.update(zip(new, profile_hashes(self.features.iloc[new], digests), strict=True))
        return self._hashes

    def evict_hashes(self, profiles: npt.NDArray[np.intp]) -> None:
        """Drop the hashes of profiles whose vectors were replaced: a score keeps the hash of the vectors it used."""
        for profile in profiles.tolist():
            self._hashes.pop(profile, None)

    @cached_property
    def numbers(self) -> dict[str, npt.NDArray[np.float64]]:
        """The numeric features: factors and dimensions, per profile.

        Selected by name, not by type: with no profiles at all, the columns may have any type.
        """
        return {name: self.features[name].to_numpy(np.float64, na_value=np.nan) for name in _NUMBERS}

    @cached_property
    def words(self) -> dict[str, list[str]]:
        """The words of each compared text, per profile, separated by one space."""
        return {name: self.features[f"words_{name}"].tolist() for name in COMPARED}

    @cached_property
    def word_counts(self) -> dict[str, npt.NDArray[np.intp]]:
        """How many words each compared text has, per profile."""
        return {
            name: np.array([text.count(" ") + 1 if text else 0 for text in spelled], np.intp)
            for name, spelled in self.words.items()
        }

    @cached_property
    def word_numbers(self) -> dict[str, npt.NDArray[np.int32]]:
        """The words of each compared text as numbers, one profile after the other: a word has one number in all."""
        texts = [" ".join(spelled) for spelled in self.words.values()]
        numbers = pd.factorize(np.array(" ".join(texts).split(), object))[0].astype(np.int32)
        ends = np.cumsum([counts.sum() for counts in self.word_counts.values()])
        return dict(zip(self.words, np.split(numbers, ends[:-1]), strict=True))

    def word_sets(self, name: str, positions: npt.NDArray[np.intp]) -> dict[int, frozenset[str]]:
        """Return the words of one compared text, by profile position."""
        spelled = self.words[name]
        return {k: frozenset(spelled[k].split()) for k in np.unique(positions).tolist()}

    @cached_property
    def roles(self) -> npt.NDArray[np.intp]:
        """Each profile's place in `ROLE_NAMES`."""
        return _codes(self.features["role"], ROLE_NAMES)

    @cached_property
    def tiers(self) -> npt.NDArray[np.intp]:
        """Each profile's place in `TIER_NAMES`."""
        return _codes(self.features["tier"], TIER_NAMES)


def prepare(profiles: pd.DataFrame) -> Prepared:
    """Prepare profiles, indexed by id (unique), with the columns of the profiles table; absent columns are null.

    Vectors are in the columns `embedding_…`, as sequences, arrays or None.
    """
    if not profiles.index.is_unique:
        raise ValueError("profiles are indexed by id, and an id is there twice")
    offered = [
        what_you_do if as_vector(offering) is None else offering
        for offering, what_you_do in zip(
            _column(profiles, "embedding_offering"), _column(profiles, "embedding_what_you_do"), strict=True
        )
    ]
    vectors = {
        "seeking": Vectors.from_values(_column(profiles, "embedding_seeking")),
        "offering": Vectors.from_values(offered),
        "who_you_serve": Vectors.from_values(_column(profiles, "embedding_who_you_serve")),
    }
    return Prepared(profile_features(profiles), vectors)


def combine_offering(offering: Vectors, what_you_do: Vectors) -> Vectors:
    """Return `offering` vectors, and `what_you_do` vectors where these are missing (docs/ismc.md, Similarity)."""
    matrix, row, irregular = offering.matrix, offering.row.copy(), dict(offering.irregular)
    if not len(matrix):
        matrix = what_you_do.matrix[:0]
    borrowed = np.flatnonzero((row == MISSING) & (what_you_do.row != MISSING))
    alike = borrowed[what_you_do.row[borrowed] >= 0]
    if matrix.shape[1] == what_you_do.matrix.shape[1]:
        row[alike] = len(matrix) + np.arange(len(alike))
        matrix = np.concatenate([matrix, what_you_do.matrix[what_you_do.row[alike]]])
    for profile in borrowed[row[borrowed] == MISSING].tolist():
        irregular[profile] = cast(Vector, what_you_do.vector(profile))
    return Vectors.from_matrix(matrix, row, irregular)


def profile_features(profiles: pd.DataFrame) -> pd.DataFrame:
    """Return the features of each profile, same index: what scoring needs beside its vectors. Small, and fit for
    Parquet.

    - one column per factor of Intent, Momentum and Context: its score, float64 0..10, NaN without data
    - `intent`, `momentum`, `context`: the dimensions under `impute`; `momentum_redistribute`: NaN if none is left
    - `intent_json`, …: the same four as fragments of match_context
    - `role`, `tier`: normalised, None if unknown
    - `words_seeking`, `words_offering`, `words_who_you_serve`: the words for word overlap, sorted, one space between
    """
    texts: dict[str, list[str | None]] = {
        name: [] for name in ("role", "tier", "words_seeking", "words_offering", "words_who_you_serve")
    }
    factors = [factor for group in TARGET_DIMENSIONS.values() for factor in group]
    readings: list[list[Reading]] = []
    for values in zip(*(_column(profiles, column) for column in INPUT_COLUMNS), strict=True):
        profile = dict(zip(INPUT_COLUMNS, values, strict=True))
        readings.append([factor.measure(profile) for factor in factors])
        texts["role"].append(normalise_role(profile["network_role"]))
        texts["tier"].append(_tier(profile))
        texts["words_seeking"].append(_spell(profile["seeking"]))
        texts["words_offering"].append(_spell(offering_text(profile)))
        texts["words_who_you_serve"].append(_spell(profile["who_you_serve"]))
    scores = np.array([[reading.score for reading in row] for row in readings], np.float64).reshape(-1, len(factors))
    features: dict[str, npt.NDArray[Any]] = {factor.column: scores[:, k].copy() for k, factor in enumerate(factors)}
    first = 0
    for dimension, group in TARGET_DIMENSIONS.items():
        for nulls in NULLS if dimension == "momentum" else NULLS[:1]:
            name = dimension if nulls == "impute" else f"{dimension}_{nulls}"
            features[name] = weighted_means([features[factor.column] for factor in group], group, nulls)
            rows = [row[first : first + len(group)] for row in readings]
            features[f"{name}_json"] = _fragments(features[name], group, rows, nulls)
        first += len(group)
    return pd.DataFrame(features | {name: np.array(values, object) for name, values in texts.items()}, profiles.index)


def _fragments(
    scores: npt.NDArray[np.float64], group: Sequence[Factor[Any]], rows: Sequence[Sequence[Reading]], nulls: Nulls
) -> npt.NDArray[np.object_]:
    """Return a dimension of each profile as JSON, as in a breakdown."""
    fragments = [
        dimension_json(score, [_entry(factor, reading, nulls) for factor, reading in zip(group, row, strict=True)])
        for score, row in zip(scores.tolist(), rows, strict=True)
    ]
    return np.array(fragments, object)


def dimension_json(score: float, entries: Sequence[str]) -> str:
    """Return a breakdown's dimension from its score (NaN: none) and its factors, each JSON already."""
    return f'{{"score": {"null" if isnan(score) else score}, "factors": [{", ".join(entries)}]}}'


@lru_cache(maxsize=65536)
def _entry(factor: Factor[Any], reading: Reading, nulls: Nulls) -> str:
    score = counted_score(factor, reading.score, nulls)
    return factor_json(factor, score, reading.detail)


def factor_json(factor: Factor[Any], score: float | None, detail: str, method: str | None = None) -> str:
    """Return a breakdown's factor as JSON."""
    entry = {"name": factor.name, "score": score, "weight": factor.weight, "detail": detail}
    return json.dumps(entry | ({"method": method} if method else {}), ensure_ascii=False)


def _codes(values: pd.Series, names: tuple[str | None, ...]) -> npt.NDArray[np.intp]:
    """Return each value's place among the names; every null has the place of the last name, None."""
    codes = pd.Categorical(values, categories=list(names[:-1])).codes.astype(np.intp)
    return np.where(codes < 0, len(names) - 1, codes)


def _column(profiles: pd.DataFrame, name: str) -> list[object]:
    return profiles[name].tolist() if name in profiles else [None] * len(profiles)


def _tier(profile: Profile) -> str | None:
    tier = known_tier(profile["revenue_tier"])
    return tier if tier is None or tier in TIER_ORDER else UNLISTED_TIER


def _spell(text: object) -> str:
    return " ".join(sorted(words(text)))
