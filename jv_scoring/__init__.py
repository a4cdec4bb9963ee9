"""ISMC: how good two joint-venture profiles are for each other.

Pure: numpy and pandas in, numpy and pandas out. `score_pair` is the rules for one pair, read top to bottom;
`score_pairs` gives the same, to the last digit, for as many as there are:

    prepared = prepare(profiles)  # once; `profiles` is indexed by id, vectors in the columns `embedding_…`
    calibration = calibration_of("BAAI/bge-large-en-v1.5")
    scored = score_pairs(prepared, pairs, CURRENT_POLICY, calibration)
    contexts, hashes = match_contexts(prepared, scored, policy=CURRENT_POLICY, model=…, scored_at=…)

Scores go from 0 to 100, their dimensions and factors from 0 to 10.
"""

from jv_scoring.breakdown import match_contexts
from jv_scoring.library import prepare, score_pair, score_pairs
from jv_scoring.policy import CURRENT_POLICY, POLICIES, SCORING_VERSION, Policy, tier
from jv_scoring.prepare import Prepared
from jv_scoring.reference import PairScore
from jv_scoring.similarity import Calibration, calibration_of

__all__ = [
    "CURRENT_POLICY",
    "POLICIES",
    "SCORING_VERSION",
    "Calibration",
    "PairScore",
    "Policy",
    "Prepared",
    "calibration_of",
    "match_contexts",
    "prepare",
    "score_pair",
    "score_pairs",
    "tier",
]
