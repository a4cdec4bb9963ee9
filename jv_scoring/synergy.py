"""Synergy's four factors: how two profiles complement each other (docs/ismc.md, Factors, Similarity)."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from jv_scoring import roles, similarity
from jv_scoring.factors import NO_DATA, Factor, Profile, Reading, known_tier
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP, Calibration, Steps
from jv_scoring.text import words

Vector = npt.NDArray[np.float64]
TIER_ORDER = ("micro", "emerging", "established", "premium", "enterprise")
_STEPS_APART = (9.0, 7.0, 5.0, 2.0, 2.0)
_TIER_NEUTRAL = 5.0


def offering_text(target: Profile) -> object:
    """Return the text that a partner's `seeking` is compared with: `offering`, or `what_you_do` if that is null or
    empty.
    """
    offering = target.get("offering")
    return offering if isinstance(offering, str) and offering else target.get("what_you_do")


def tier_score(a: str | None, b: str | None) -> float | None:
    """Return 2..9 by the steps between two known tiers, 5 if one is not in the list; None if one is not known."""
    if a is None or b is None:
        return None
    if a not in TIER_ORDER or b not in TIER_ORDER:
        return _TIER_NEUTRAL
    return _STEPS_APART[abs(TIER_ORDER.index(a) - TIER_ORDER.index(b))]


def semantic_detail(cosine: str, score: float) -> str:
    """Return the breakdown's words on a cosine, given with three decimals."""
    return f"Cosine similarity: {cosine} → {score}/10"


def overlap_detail(share: float, score: float) -> str:
    """Return the breakdown's words on a share of common words, 0..1."""
    return f"Word overlap: {share:.3f} → {score}/10"


def role_detail(a: str | None, b: str | None) -> str:
    """Return the breakdown's words on two normalised roles, source first."""
    return f"{a or 'Unknown'} with {b or 'Unknown'}"


def tier_detail(a: str | None, b: str | None) -> str:
    """Return the breakdown's words on two tiers. Only listed ones are named: another one is a person's own words."""
    if a is None or b is None:
        return NO_DATA
    return " with ".join(tier if tier in TIER_ORDER else "unlisted tier" for tier in (a, b))


def _similarity(source: Vector | None, target: Vector | None, source_text: object, target_text: object,
                steps: Steps) -> Reading:  # fmt: skip
    if source is not None and target is not None:
        cosine = similarity.cosine(source, target)
        score = similarity.step_score(cosine, steps)
        return Reading(score, semantic_detail(f"{cosine:.3f}", score), SEMANTIC)
    share = similarity.word_overlap(words(source_text), words(target_text))
    score = similarity.step_score(share, similarity.OVERLAP_STEPS)
    return Reading(score, overlap_detail(share, score), WORD_OVERLAP)


def _offering_seeking(source: Profile, target: Profile, calibration: Calibration) -> Reading:
    offered = similarity.as_vector(target.get("embedding_offering"))
    if offered is None:
        offered = similarity.as_vector(target.get("embedding_what_you_do"))
    sought = similarity.as_vector(source.get("embedding_seeking"))
    return _similarity(
        sought, offered, source.get("seeking"), offering_text(target), calibration.steps_of("offering_seeking")
    )


def _audience_alignment(source: Profile, target: Profile, calibration: Calibration) -> Reading:
    a, b = (similarity.as_vector(profile.get("embedding_who_you_serve")) for profile in (source, target))
    steps = calibration.steps_of("audience_alignment")
    return _similarity(a, b, source.get("who_you_serve"), target.get("who_you_serve"), steps)


def _role_compatibility(source: Profile, target: Profile, calibration: Calibration) -> Reading:
    a, b = (roles.normalise_role(profile.get("network_role")) for profile in (source, target))
    return Reading(roles.role_compatibility(a, b), role_detail(a, b))


def _revenue_tier(source: Profile, target: Profile, calibration: Calibration) -> Reading:
    a, b = (known_tier(profile.get("revenue_tier")) for profile in (source, target))
    return Reading(tier_score(a, b), tier_detail(a, b))


OfPair = Callable[[Profile, Profile, Calibration], Reading]

SYNERGY: tuple[Factor[OfPair], ...] = (
    Factor("Offering↔Seeking", "offering_seeking", 3.5, _offering_seeking),
    Factor("Audience Alignment", "audience_alignment", 3.0, _audience_alignment),
    Factor("Role Compatibility", "role_compatibility", 2.5, _role_compatibility),
    Factor("Revenue Tier", "revenue_tier", 2.0, _revenue_tier, neutral=_TIER_NEUTRAL),
)
