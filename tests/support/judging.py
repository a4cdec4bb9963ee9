"""What must be true whatever happened: of every match, whether it is right, lost or wrong, counted for the table."""

import functools
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from jv_assets.pipeline.reading import read_matches, read_profiles
from jv_assets.pipeline.scoring import ProfilesToScore, features_of, score_range
from jv_assets.resources.database import Database
from jv_scoring.policy import CURRENT_POLICY, SCORING_VERSION
from jv_scoring.reference import PairScore, score_pair
from jv_scoring.similarity import calibration_of
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.faults import FIRST, LAST, MATCHES, Production, connect
from tests.support.models import MINILM

FAULT = "fault"
"""The property of a test's report that says how many rows were compared, and how many were lost, wrong and doubled."""


def assert_whole(production: Production) -> None:
    """Every scorable match equals the reference; nothing that is not ours changed; no row was written twice."""
    judge(production, _lost_and_wrong(production.url))


def judge(production: Production, rows: dict[str, str]) -> None:
    """`rows`: by match that was compared, "" where it is right, else `lost` or `wrong`."""
    doubled = production.sql("SELECT match_id FROM writes GROUP BY match_id HAVING count(*) > 1")
    counts = {what: list(rows.values()).count(what) for what in ("lost", "wrong")}
    production.record(FAULT, {"rows": len(rows), **counts, "doubled": len(doubled)})
    assert {match_id: what for match_id, what in rows.items() if what} == {}
    assert doubled == []
    assert production.checksums() == production.before
    assert len(rows) > MATCHES / 2


def _lost_and_wrong(url: str) -> dict[str, str]:
    """Of every match: whether it has the reference's scores and breakdown for the profiles as they are stored, and the
    hash of what they are made from; one that cannot be scored must have none of it.
    """
    with connect(url) as connection:
        profiles = {row["id"]: row for row in connection.execute(_PROFILES)}
        matches = connection.execute(_MATCHES).fetchall()
    hashes = current_hashes(url)
    rows = {}
    for row in matches:
        stored = {name: row[name] for name in ("score_ab", "score_ba", "harmonic_mean", "match_context")}
        expected = _expected(row, profiles, hashes)
        context = stored["match_context"] or {}
        scored_at = context.pop("scored_at", None)
        if stored == expected and (scored_at is None) == (row["id"] not in hashes):
            rows[row["id"]] = ""
        else:
            rows[row["id"]] = "lost" if stored["harmonic_mean"] is None else "wrong"
    return rows


def _expected(row: dict[str, Any], profiles: dict[str, dict[str, Any]], hashes: dict[str, str]) -> dict[str, Any]:
    """What a match must hold, but for the time."""
    a, b = profiles.get(row["profile_id"]), profiles.get(row["suggested_profile_id"])
    if a is None or b is None or a is b:
        return {"score_ab": None, "score_ba": None, "harmonic_mean": None, "match_context": None}
    score = _reference(a["version"], b["version"], lambda: (_profile(a), _profile(b)))
    context = {
        "breakdown_ab": score.breakdown_ab,
        "breakdown_ba": score.breakdown_ba,
        "scoring_version": SCORING_VERSION,
        "policy": CURRENT_POLICY,
        "embedding_model": MINILM,
        "inputs_hash": hashes[row["id"]],
    }
    return {
        "score_ab": score.score_ab,
        "score_ba": score.score_ba,
        "harmonic_mean": score.harmonic_mean,
        "match_context": context,
    }


def current_hashes(url: str) -> dict[str, str]:
    """By match: the hash of what its score depends on, by the profiles and vectors as they are stored now."""
    database = Database(url=url)
    profiles = ProfilesToScore(database, features_of(read_profiles(database, FIRST, LAST)), MINILM)
    rows = score_range(profiles, read_matches(database, FIRST, LAST), CURRENT_POLICY).rows
    return dict(zip(rows["id"], rows["inputs_hash"], strict=True))


_known: dict[tuple[str, str], PairScore] = {}


def _reference(a: str, b: str, profiles: Callable[[], tuple[dict[str, Any], dict[str, Any]]]) -> PairScore:
    """The reference's result for two profiles with these checksums. It takes seconds for all, so it is kept."""
    if (a, b) not in _known:
        _known[a, b] = score_pair(*profiles(), CURRENT_POLICY, calibration_of(MINILM))
    return _known[a, b]


def _profile(row: dict[str, Any]) -> dict[str, Any]:
    ours = row["embeddings_model"] == MINILM  # vectors of another model are as good as none
    vectors = {name: row[name] if ours else None for name in (f"embedding_{field}" for field in EMBEDDED_FIELDS)}
    return row | {name: _vector(text) if text else None for name, text in vectors.items()}


@functools.cache
def _vector(text: str) -> "np.typing.NDArray[np.float32]":
    return np.array(json.loads(text), np.float32)


_PROFILES = """
    SELECT p.*, p.id::text AS id, md5(p::text) AS version FROM profiles p
"""
_MATCHES = """
    SELECT id::text, profile_id::text, suggested_profile_id::text, score_ab::float8, score_ba::float8,
        harmonic_mean::float8, match_context
    FROM match_suggestions ORDER BY id
"""
