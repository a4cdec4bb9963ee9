"""Scoring a range of matches: what of the profiles it takes, and the rows that its file holds."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import numpy as np
import pandas as pd

from jv_assets.errors import UserError
from jv_assets.partitions import ID_RANGES
from jv_assets.reading import STORED_COLUMNS, read_vectors
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.vector_cache import VectorCache
from jv_scoring.breakdown import match_contexts
from jv_scoring.columns import weighted_means
from jv_scoring.engine import DIRECTIONS, Pairs, score_pairs
from jv_scoring.factors import INPUT_COLUMNS, MOMENTUM
from jv_scoring.policy import SCORING_VERSION
from jv_scoring.prepare import NULLS, Prepared, profile_facts
from jv_scoring.similarity import WORD_OVERLAP, calibration_of
from jv_scoring.synergy import SYNERGY
from jv_scoring.vectors import Positions, Vectors

GONE = "gone_matches"
"""The files of the matches that are not scored any more, as their deleted rows cannot tell."""
KEPT_DAYS = 30
STORED_BEFORE = ["id", "stored_harmonic_mean", "stored_policy", "stored_version", "stored_inputs_hash"]
_SCORE = ["id", "harmonic_mean", "policy", "scoring_version"]


@dataclass(frozen=True)
class ScoredRange:
    """`rows`: a row a scorable match, as the file of the range has it. `skipped`: the others' ids and the reason."""

    rows: pd.DataFrame
    skipped: Mapping[str, str]


class ProfilesToScore:
    """Profiles by their facts, by id, and the vectors that `model` made of them, of which memory holds a part."""

    def __init__(self, database: Database, facts: pd.DataFrame, model: str) -> None:
        dimension = calibration_of(model).dimension

        def fetch(profiles: Positions) -> Mapping[str, Vectors]:
            return read_vectors(database, model, dimension, facts.index[profiles])

        self._cache = VectorCache(len(facts), dimension, fetch)
        self._prepared = Prepared(facts, self._cache.vectors)
        self._pairs_at_once = self._cache.capacity // 2
        if self._cache.capacity == len(facts):  # all in few queries, and not some by some for each range
            self._cache.hold(np.arange(len(facts)))
            self._pairs_at_once = sys.maxsize

    def of(self, matches: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, Prepared]]:
        """The matches, as many at a time as memory holds the vectors of, and their profiles: good until the next."""
        for start in range(0, max(len(matches), 1), self._pairs_at_once):
            part = matches.iloc[start : start + self._pairs_at_once]
            pairs = Pairs.of(self._prepared, part)
            profiles = np.concatenate([pairs.a, pairs.b])
            self._prepared.forget_hashes(self._cache.hold(profiles[profiles >= 0]))
            yield part, self._prepared


def profiles_of_files(database: Database, files: RangeFiles, model: str) -> ProfilesToScore:
    """All profiles, as the asset `profiles` left them."""
    facts = pd.concat([files.read("profiles", key) for key in ID_RANGES.get_partition_keys()], ignore_index=True)
    return ProfilesToScore(database, facts.set_index("id"), model)


def facts_of(profiles: pd.DataFrame) -> pd.DataFrame:
    """What scoring needs of profiles as `read_profiles` reads them, by id."""
    return profile_facts(profiles.set_index("id")[list(INPUT_COLUMNS)])


def score_range(profiles: ProfilesToScore, matches: pd.DataFrame, model: str, policy: str) -> ScoredRange:
    """Score the matches that `read_matches` read."""
    parts = [score_matches(prepared, part, model, policy) for part, prepared in profiles.of(matches)]
    if len(parts) == 1:
        return parts[0]
    skipped = {match: reason for part in parts for match, reason in part.skipped.items()}
    return ScoredRange(pd.concat([part.rows for part in parts], ignore_index=True), skipped)


def score_matches(prepared: Prepared, matches: pd.DataFrame, model: str, policy: str) -> ScoredRange:
    """Score matches whose profiles' vectors are all at hand.

    Beside the policy's own result a row has what the reports compare it with: both null treatments of Synergy and
    Momentum, the similarity factors by word overlap alone, and what was stored before.
    """
    scored = score_pairs(prepared, matches, policy, calibration_of(model), overlap=True)
    contexts, hashes = match_contexts(
        prepared, scored, policy=policy, model=model, scored_at=datetime.now(UTC).isoformat(timespec="seconds")
    )
    both: dict[str, object] = {}
    for direction in DIRECTIONS:
        for dimension, factors in (("synergy", SYNERGY), ("momentum", MOMENTUM)):
            columns = [scored[f"{factor.column}_{direction}"].to_numpy(np.float64) for factor in factors]
            both |= {f"{dimension}_{nulls}_{direction}": weighted_means(columns, factors, nulls) for nulls in NULLS}
    of_policy = [f"{dimension}_{direction}" for dimension in ("synergy", "momentum") for direction in DIRECTIONS]
    skipped = scored.attrs["unscorable"]
    before = matches.loc[~matches["id"].isin(list(skipped)), list(STORED_COLUMNS)].reset_index(drop=True)
    stamp = {"scoring_version": SCORING_VERSION, "policy": policy, "inputs_hash": hashes, "match_context": contexts}
    rows = pd.concat([scored.drop(columns=of_policy), pd.DataFrame(both | stamp), before], axis=1)
    return ScoredRange(rows, skipped)


def fingerprint(rows: pd.DataFrame) -> str:
    """Of a range's rows: another one when another match, profile, vector, policy or rule has a part in its scores."""
    columns = (rows[name].map(str) for name in ("id", "policy", "scoring_version", "inputs_hash"))
    return sha256("\n".join(map(" ".join, zip(*columns, strict=True))).encode()).hexdigest()


def keep_gone(files: RangeFiles, key: str, rows: pd.DataFrame) -> None:
    """Before these rows take the place of a range's file: keep what it had of matches that are not among them.

    `id`, `harmonic_mean`, `policy`, `scoring_version` and `gone_at` (ISO, UTC), for 30 days or until a match returns.
    """
    now = datetime.now(UTC)
    try:
        former = files.read("match_scores", key, _SCORE)
    except UserError:  # never made, or not to be read, which this run mends
        former = rows[_SCORE].iloc[:0]
    known = read_gone(files, key)
    gone = pd.concat([known, former.assign(gone_at=now.isoformat())], ignore_index=True)
    gone = gone.loc[~gone["id"].isin(rows["id"])].drop_duplicates("id")
    young = pd.to_datetime(gone["gone_at"], utc=True, format="ISO8601") > now - timedelta(days=KEPT_DAYS)
    if len(known) or young.any():
        files.write(GONE, key, gone.loc[young], {"rows": int(young.sum())})


def read_gone(files: RangeFiles, key: str) -> pd.DataFrame:
    """What `keep_gone` kept; none where it never did, or where that cannot be read."""
    try:
        return files.read(GONE, key)
    except UserError:
        return pd.DataFrame(columns=[*_SCORE, "gone_at"])


def range_summary(scored: ScoredRange) -> dict[str, int | float]:
    """What the asset shows of a range: counts, and the distribution of the match's score, 0..100."""
    rows, reasons = scored.rows, pd.Series(scored.skipped, dtype=object)
    methods = [rows[f"{factor.column}_method_{direction}"] for factor in SYNERGY[:2] for direction in DIRECTIONS]
    fallback = sum(int((method == WORD_OVERLAP).sum()) for method in methods)
    summary: dict[str, int | float] = {
        "rows": len(rows) + len(reasons),
        "scored": len(rows),
        "skipped": len(reasons),
        **{f"skipped_{str(reason).replace(' ', '_')}": int(count) for reason, count in reasons.value_counts().items()},
        "semantic": len(methods) * len(rows) - fallback,
        "word_overlap": fallback,
        "null_before": int(rows["stored_harmonic_mean"].isna().sum()),
    }
    if len(rows):
        p10, p50, p90 = np.quantile(rows["harmonic_mean"], (0.1, 0.5, 0.9))
        summary |= {"mean": round(float(rows["harmonic_mean"].mean()), 2)}
        summary |= {"p10": round(float(p10), 2), "p50": round(float(p50), 2), "p90": round(float(p90), 2)}
    return summary
