"""Network roles: their many spellings, and how well two of them go together (docs/ismc.md, Factors)."""

import json
from importlib.resources import files

_TABLE = json.loads(files("jv_scoring").joinpath("roles.json").read_text(encoding="utf-8"))
_NORMALISED: dict[str, str] = _TABLE["normalise"]
NEUTRAL: float = _TABLE["neutral"]
COMPATIBILITY: dict[tuple[str, str], float] = {
    pair: entry["score"]
    for entry in _TABLE["compatibility"]
    for pair in {(entry["roles"][0], entry["roles"][-1]), (entry["roles"][-1], entry["roles"][0])}
}
ROLES = tuple(sorted(set(_NORMALISED.values())))


def normalise_role(value: object) -> str | None:
    """Return the role of a spelling, None if it is missing or unknown."""
    return _NORMALISED.get(value.strip().lower()) if isinstance(value, str) else None


def role_compatibility(a: str | None, b: str | None) -> float:
    """Return the symmetric table's score, 3..9, of two normalised roles; neutral 5 if it has none."""
    return COMPATIBILITY.get((a, b), NEUTRAL) if a and b else NEUTRAL
