"""Score a partition of matches, and make the rows of its file."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_assets.errors import UserError
from jv_assets.names import PROFILES
from jv_assets.partition_cut import every_range
from jv_assets.pipeline.changes import STORED_COLUMNS, Fingerprint, still_right, vector_digests
from jv_assets.pipeline.reading import read_vectors
from jv_assets.pipeline.rules import in_force
from jv_assets.pipeline.vector_cache import VectorCache
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.fallbacks import rise_of
from jv_scoring.analysis.stored import GROUPS, METHODS
from jv_scoring.breakdown import match_contexts
from jv_scoring.columns import weighted_means
from jv_scoring.engine import DIRECTIONS, Pairs, score_pairs
from jv_scoring.factors import INPUT_COLUMNS
from jv_scoring.inputs import inputs_hashes, profile_hashes
from jv_scoring.policy import CODE_VERSION, parse_policy
from jv_scoring.prepare import NULLS, Prepared, profile_features
from jv_scoring.similarity import WORD_OVERLAP, calibration_of
from jv_scoring.vectors import Positions, Vectors

STORED_BEFORE = ["id", "stored_harmonic_mean", "stored_policy", "stored_version", "stored_inputs_hash"]

_NULLABLE = ("synergy", "momentum")
"""The dimensions that have nullable factors."""
PAIRS_AT_ONCE = 5_000
"""How many pairs are scored at once. Memory grows with it: 5,000 pairs take 0.3 GB less than 15,000."""


@dataclass(frozen=True)
class ScoredRange:
    """`rows`: one row per scorable match, as in the partition's file. `skipped`: the other ids, and the reason.

    `reused`: how many of the rows are reused.
    """

    rows: pd.DataFrame
    skipped: Mapping[str, str]
    reused: int = 0


class ProfilesToScore:
    """Profiles by id: their features, and the vectors of `model`, of which memory holds a part at a time."""

    def __init__(self, database: Database, features: pd.DataFrame, model: str) -> None:
        dimension = calibration_of(model).dimension
        features = features.set_axis(
            features.index.astype(object)
        )  # Matches name profiles by objects, so the lookup needs no conversion.

        def fetch(profiles: Positions) -> Mapping[str, Vectors]:
            return read_vectors(database, model, dimension, features.index[profiles])

        self._database, self.model = database, model
        self._cache = VectorCache(len(features), dimension, fetch)
        self._prepared = Prepared(features, self._cache.vectors)
        held = sys.maxsize if self._cache.capacity == len(features) else self._cache.capacity // 2
        self._pairs_at_once = min(held, PAIRS_AT_ONCE)

    def inputs_hashes(self, matches: pd.DataFrame) -> npt.NDArray[np.object_]:
        """Return the current inputs hash of each match; None if a profile is gone. Reads no vector."""
        pairs = Pairs.of(self._prepared, matches)
        both = np.flatnonzero((pairs.a >= 0) & (pairs.b >= 0))
        hashes = np.full(len(matches), None, object)
        hashes[both] = inputs_hashes(self._hashes, pairs.a[both], pairs.b[both], self.model)
        return hashes

    @cached_property
    def _hashes(self) -> list[bytes]:
        """By profile, the hash of its features and of its vectors when this was first asked for."""
        features = self._prepared.features
        return profile_hashes(features, vector_digests(self._database, features, self.model))

    def in_chunks(self, matches: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, Prepared]]:
        """Yield the matches in chunks whose vectors fit into memory, with their profiles, which are valid until the
        next chunk.
        """
        for start in range(0, max(len(matches), 1), self._pairs_at_once):
            part = matches.iloc[start : start + self._pairs_at_once]
            pairs = Pairs.of(self._prepared, part)
            profiles = np.concatenate([pairs.a, pairs.b])
            self._prepared.evict_hashes(self._cache.hold(profiles[profiles >= 0]))
            yield part, self._prepared


def profiles_of_files(database: Database, files: RangeFiles, model: str, may_reuse: bool = True) -> ProfilesToScore:
    """Return all profiles, from the files of the asset `profiles`.

    Without `may_reuse`, ignores what the files say of the vectors.
    """
    features = files.read_all(PROFILES, every_range())
    if not may_reuse:
        features = features.drop(columns="row_version")
    return ProfilesToScore(database, features.set_index("id"), model)


def known_policy(name: str) -> None:
    """Raise UserError, naming all six, if there is no such policy."""
    try:
        parse_policy(name)
    except ValueError as error:
        raise UserError(str(error)) from None


def features_of(profiles: pd.DataFrame) -> pd.DataFrame:
    """Return the features of profiles that `read_profiles` read, by id."""
    return profile_features(profiles.set_index("id")[list(INPUT_COLUMNS)])


def score_range(
    profiles: ProfilesToScore, matches: pd.DataFrame, policy: str, former: pd.DataFrame | None = None
) -> ScoredRange:
    """Score the matches that `read_matches` read, and reuse the `former` rows of the partition that are unchanged."""
    kept = pd.DataFrame({"id": []}, dtype=object)
    if former is not None and len(former):
        version = in_force(profiles.model).version
        made_of = {"policy": policy, "scoring_version": version, "code_version": CODE_VERSION}
        hashes = pd.DataFrame({"inputs_hash": profiles.inputs_hashes(matches)})
        kept = still_right(former, matches, hashes.assign(**made_of))
    rest = matches.loc[~matches["id"].isin(kept["id"])]
    if not len(rest) and len(kept):
        return ScoredRange(kept, {}, len(kept))
    parts = [score_matches(prepared, part, profiles.model, policy) for part, prepared in profiles.in_chunks(rest)]
    skipped = {match: reason for part in parts for match, reason in part.skipped.items()}
    rows = [part.rows for part in parts]
    if len(kept):
        rows.append(kept.astype({name: kind for name, kind in rows[0].dtypes.items() if kind == "category"}))
    whole = rows[0] if len(rows) == 1 else pd.concat(rows).sort_values("id", ignore_index=True, kind="stable")
    return ScoredRange(whole, skipped, len(kept))


def score_matches(prepared: Prepared, matches: pd.DataFrame, model: str, policy: str) -> ScoredRange:
    """Score matches whose profiles' vectors are all in memory.

    A row also has what the reports compare with: the columns of `for_reports`, and what was stored before.
    """
    rules, scored_at = in_force(model), datetime.now(UTC).isoformat(timespec="seconds")
    scored = score_pairs(prepared, matches, policy, rules.calibration, overlap=True)
    contexts, hashes = match_contexts(
        prepared, scored, policy=policy, model=model, scored_at=scored_at, version=rules.version
    )
    skipped = scored.attrs["unscorable"]
    before = matches.loc[~matches["id"].isin(list(skipped)), list(STORED_COLUMNS)].reset_index(drop=True)
    stamp = {"scoring_version": rules.version, "policy": policy, "inputs_hash": hashes, "code_version": CODE_VERSION}
    made = {name: np.full(len(hashes), value, object) for name, value in (stamp | {"match_context": contexts}).items()}
    made["reused"] = np.zeros(len(hashes), np.bool_)
    rows = pd.concat([for_reports(scored), pd.DataFrame(made), before], axis=1)
    return ScoredRange(rows, skipped)


def for_reports(scored: pd.DataFrame) -> pd.DataFrame:
    """Return scored pairs with both null treatments of Synergy and Momentum in place of the policy's."""
    both: dict[str, object] = {}
    for direction in DIRECTIONS:
        for dimension in _NULLABLE:
            factors = GROUPS[dimension]
            columns = [scored[f"{factor.column}_{direction}"].to_numpy(np.float64) for factor in factors]
            both |= {f"{dimension}_{nulls}_{direction}": weighted_means(columns, factors, nulls) for nulls in NULLS}
    of_policy = [f"{dimension}_{direction}" for dimension in _NULLABLE for direction in DIRECTIONS]
    return pd.concat([scored.drop(columns=of_policy), pd.DataFrame(both, index=scored.index)], axis=1)


class ToldOfRange:
    """Collects, chunk by chunk, the summary and the metadata of a partition's file. Keeps 20 bytes per row."""

    def __init__(self) -> None:
        self._kept: list[pd.DataFrame] = []
        self._skipped: dict[str, str] = {}
        self._reused = 0
        self._fingerprint = Fingerprint()

    def note(self, scored: ScoredRange) -> None:
        self._kept.append(scored.rows[_SUMMED_UP])
        self._skipped |= scored.skipped
        self._reused += scored.reused
        self._fingerprint.add(scored.rows)

    @cached_property
    def summary(self) -> dict[str, int | float]:
        """`range_summary` of all chunks, once they are noted."""
        return range_summary(ScoredRange(pd.concat(self._kept, ignore_index=True), self._skipped, self._reused))

    @property
    def file_metadata(self) -> dict[str, object]:
        """The metadata of the file, without what all partitions have in common."""
        counts = {name: self.summary[name] for name in ("rows", "semantic", "word_overlap")}
        return {**counts, "skipped": self._skipped, "fingerprint": self._fingerprint.value}


_SUMMED_UP = [*METHODS, "harmonic_mean", "stored_harmonic_mean"]


def range_summary(scored: ScoredRange) -> dict[str, int | float]:
    """Return what the asset shows of a partition: counts, and the distribution of the match's score, 0..100."""
    rows, reasons = scored.rows, pd.Series(scored.skipped, dtype=object)
    methods = [rows[name] for name in METHODS]
    fallback = sum(int((method == WORD_OVERLAP).sum()) for method in methods)
    stored = rise_of(rows)
    summary: dict[str, int | float] = {
        "rows": len(rows) + len(reasons),
        "scored": len(rows),
        "reused": scored.reused,
        "skipped": len(reasons),
        **{f"skipped_{str(reason).replace(' ', '_')}": int(count) for reason, count in reasons.value_counts().items()},
        "semantic": len(methods) * len(rows) - fallback,
        "word_overlap": fallback,
        "stored_comparisons": len(methods) * stored.matches,
        "stored_word_overlap": stored.before,
        "null_before": int(rows["stored_harmonic_mean"].isna().sum()),
    }
    if len(rows):
        p10, p50, p90 = np.quantile(rows["harmonic_mean"], (0.1, 0.5, 0.9))
        summary |= {"mean": round(float(rows["harmonic_mean"].mean()), 2)}
        summary |= {"p10": round(float(p10), 2), "p50": round(float(p50), 2), "p90": round(float(p90), 2)}
    return summary
