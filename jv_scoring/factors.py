"""The ISMC factors, as data (docs/ismc.md, Factors). A factor reads a profile into a `Reading`: a score and the reason.

Intent, Momentum and Context depend on the target alone. Synergy's four factors depend on both profiles and are in
`synergy.py`.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from jv_scoring.text import has_text

Profile = Mapping[str, Any]
"""A profile's columns by name; an absent key is null."""

NO_DATA = "No data"


class Reading(NamedTuple):
    """A factor's score, 0..10 (None: no data), the detail for people, and Synergy's method of similarity."""

    score: float | None
    detail: str
    method: str | None = None


Measure = TypeVar("Measure")


@dataclass(frozen=True, eq=False)
class Factor(Generic[Measure]):
    """A row of the table of factors in docs/ismc.md. `neutral`: the value of a nullable factor without data under
    `impute`.
    """

    name: str
    column: str
    weight: float
    measure: Measure
    neutral: float | None = None


def _number(value: object) -> float | None:
    """Return a finite number from 0 up, or None: null, NaN, infinities, negative numbers and non-numbers are no
    data.
    """
    if not isinstance(value, Real):
        return None
    number = float(value)
    return number if math.isfinite(number) and number >= 0 else None


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


def _filled(value: object) -> bool:
    if isinstance(value, str):
        return has_text(value)
    return _is_list(value) and len(value) > 0  # type: ignore[arg-type]


def _not_empty(value: object) -> bool:
    """Return whether a field is filled. Blank strings count; "", [], {} and every kind of null do not."""
    return hasattr(value, "__len__") and len(value) > 0


def known_tier(value: object) -> str | None:
    """Return the revenue tier, or None if it is null, blank or `unknown`."""
    return value if isinstance(value, str) and has_text(value) and value != "unknown" else None


_INVESTMENT_FIELDS = (
    "bio", "what_you_do", "who_you_serve", "offering", "seeking", "niche", "tags", "company", "website", "booking_link",
    "linkedin", "audience_type", "network_role",
)  # fmt: skip
_COMPLETENESS_FIELDS = (
    "name", "email", "company", "website", "linkedin", "niche", "what_you_do", "who_you_serve", "seeking", "offering",
    "booking_link", "revenue_tier",
)  # fmt: skip
_ENRICHED_FIELDS = (
    "what_you_do", "who_you_serve", "niche", "offering", "seeking", "signature_programs", "revenue_tier",
    "content_platforms",
)  # fmt: skip
_REACH_STEPS = ((100_000, 10.0), (50_000, 8.0), (10_000, 6.5), (1_000, 5.0))
_LIST_STEPS = ((100_000, 9.0), (50_000, 8.0), (10_000, 7.0), (1_000, 5.5))
_CONTACTS = (("email", 9.0), ("linkedin", 7.0), ("phone", 6.0))


def _jv_history(profile: Profile) -> Reading:
    value = profile.get("jv_history")
    count = len(value) if _is_list(value) else 0  # type: ignore[arg-type]
    score = 10.0 if count >= 3 else 7.0 if count else 4.0
    return Reading(score, f"{count} past partnership{'' if count == 1 else 's'}")


def _presence(column: str, label: str, score: float, otherwise: float) -> Callable[[Profile], Reading]:
    present, absent = Reading(score, f"Has a {label}"), Reading(otherwise, f"No {label}")
    return lambda profile: present if has_text(profile.get(column)) else absent


def _share(columns: tuple[str, ...], counts: Callable[[object], bool]) -> Callable[[Profile], Reading]:
    total = len(columns)
    readings = [Reading(10 * filled / total, f"{filled} of {total} fields filled") for filled in range(total + 1)]
    return lambda profile: readings[sum(map(counts, map(profile.get, columns)))]


def _audience_engagement(profile: Profile) -> Reading:
    value = _number(profile.get("audience_engagement_score"))
    return Reading(None, NO_DATA) if value is None else Reading(min(value * 10, 10.0), f"Engagement {value:.3g}")


def _size(column: str, steps: tuple[tuple[int, float], ...], label: str) -> Callable[[Profile], Reading]:
    def measure(profile: Profile) -> Reading:
        value = _number(profile.get(column))
        if not value:
            return Reading(None, NO_DATA)
        return Reading(next((score for least, score in steps if value >= least), 4.0), f"{value:,.0f} {label}")

    return measure


def _active_projects(profile: Profile) -> Reading:
    value = profile.get("current_projects")
    active = isinstance(value, str) and len(value.strip()) > 10
    return Reading(8.0, "Has current projects") if active else Reading(None, NO_DATA)


def _revenue_known(profile: Profile) -> Reading:
    value = profile.get("revenue_tier")
    known = isinstance(value, str) and value not in ("", "unknown")
    return Reading(8.0, "Revenue tier known") if known else Reading(3.0, "Revenue tier unknown")


def _contact_available(profile: Profile) -> Reading:
    for column, score in _CONTACTS:
        if has_text(profile.get(column)):
            return Reading(score, f"Reachable by {column}")
    return Reading(2.0, "No contact")


OfTarget = Callable[[Profile], Reading]

INTENT: tuple[Factor[OfTarget], ...] = (
    Factor("JV History", "jv_history", 4.0, _jv_history),
    Factor("Booking Link", "booking_link", 3.5, _presence("booking_link", "booking link", 8.0, 3.0)),
    Factor("Profile Investment", "profile_investment", 3.0, _share(_INVESTMENT_FIELDS, _filled)),
    Factor("Website", "website", 2.5, _presence("website", "website", 7.0, 2.0)),
)
MOMENTUM: tuple[Factor[OfTarget], ...] = (
    Factor("Audience Engagement", "audience_engagement", 3.0, _audience_engagement, neutral=4.0),
    Factor("Social Reach", "social_reach", 2.0, _size("social_reach", _REACH_STEPS, "followers"), neutral=3.0),
    Factor("Active Projects", "active_projects", 2.5, _active_projects, neutral=4.0),
    Factor("List Size", "list_size", 2.5, _size("list_size", _LIST_STEPS, "subscribers"), neutral=3.0),
)
CONTEXT: tuple[Factor[OfTarget], ...] = (
    Factor("Profile Completeness", "profile_completeness", 3.0, _share(_COMPLETENESS_FIELDS, has_text)),
    Factor("Revenue Known", "revenue_known", 2.0, _revenue_known),
    Factor("Enrichment Quality", "enrichment_quality", 2.5, _share(_ENRICHED_FIELDS, _not_empty)),
    Factor("Contact Available", "contact_available", 2.5, _contact_available),
)
TARGET_DIMENSIONS = {"intent": INTENT, "momentum": MOMENTUM, "context": CONTEXT}

FIELDS_COUNTED = {
    "profile_investment": _INVESTMENT_FIELDS,
    "profile_completeness": _COMPLETENESS_FIELDS,
    "enrichment_quality": _ENRICHED_FIELDS,
}
"""By column of a factor that counts filled fields: the fields that it counts."""

INPUT_COLUMNS = tuple(
    dict.fromkeys(
        [
            *_INVESTMENT_FIELDS,
            *_COMPLETENESS_FIELDS,
            *_ENRICHED_FIELDS,
            *(column for column, _ in _CONTACTS),
            "jv_history",
            "audience_engagement_score",
            "social_reach",
            "current_projects",
            "list_size",
        ]
    )
)
"""The columns of a profile that a score depends on, beside its vectors."""
