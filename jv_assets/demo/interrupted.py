"""Recreate the interrupted state of production: a script wrote 25,619 scores over one connection, and lost it."""

import json

import pandas as pd
from sqlalchemy import text

from jv_assets.demo.population import MATCHES
from jv_assets.pipeline.publishing import write_scores
from jv_assets.pipeline.reading import matches_within, read_profiles
from jv_assets.pipeline.rules import in_force
from jv_assets.pipeline.scoring import ProfilesToScore, features_of
from jv_assets.resources.database import Database
from jv_scoring.breakdown import match_contexts
from jv_scoring.engine import score_pairs
from jv_scoring.policy import CURRENT_POLICY

SCORED = 25_619
_FIRST, _LAST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"
_SCORED_AT = "2026-02-17T21:04:11+00:00"
_NOT_YET_KNOWN = ("policy", "embedding_model", "inputs_hash")
"""Keys of match_context that the script did not write."""


def write_interrupted_scores(database: Database, model: str) -> int:
    """Write what the script had written, and return how many rows; 0 if any match is scored already.

    The matches come in the order of suggestion. Of those that can be scored, the first 25,619 in 29,863 are written.
    """
    with database.transaction() as connection:
        matches = matches_within(connection, _FIRST, _LAST)
        suggested = connection.execute(text("SELECT id::text FROM match_suggestions ORDER BY suggested_at, id"))
        order = [match_id for (match_id,) in suggested]
    if matches["stored_harmonic_mean"].notna().any():
        return 0
    rows = _scored(database, matches.set_index("id").loc[order].reset_index(), model)
    with database.transaction() as connection:
        write_scores(connection, rows, logged=False)
    return len(rows)


def _scored(database: Database, matches: pd.DataFrame, model: str) -> pd.DataFrame:
    profiles = ProfilesToScore(database, features_of(read_profiles(database, _FIRST, _LAST)), model)
    parts = []
    for part, prepared in profiles.in_chunks(matches):
        rules = in_force(model)
        scored = score_pairs(prepared, part, CURRENT_POLICY, rules.calibration)
        contexts, _ = match_contexts(
            prepared, scored, policy=CURRENT_POLICY, model=model, scored_at=_SCORED_AT, version=rules.version
        )
        parts.append(scored.assign(match_context=[_as_written_then(context) for context in contexts]))
    return pd.concat(parts, ignore_index=True).iloc[: round(len(matches) * SCORED / MATCHES)]


def _as_written_then(context: str) -> str:
    whole = json.loads(context)
    return json.dumps({name: value for name, value in whole.items() if name not in _NOT_YET_KNOWN})
