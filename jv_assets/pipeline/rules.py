"""The calibration and the version of the rules in force: the package's own, or those of a named calibration.

A named calibration is a file that somebody saved under a name and committed. `JV_CALIBRATION` chooses it. Its scores
have a version of their own, which names it and the hash of its steps. So publishing never mixes them with others.
"""

import json
import re
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

from jv_assets import settings
from jv_assets.errors import UserError
from jv_scoring.policy import SCORING_VERSION
from jv_scoring.similarity import Calibration, Steps, calibration_of
from jv_scoring.synergy import SYNERGY

FORMAT = 1
"""The form of the file of a named calibration."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_SCORES = tuple(score for _, score in calibration_of(settings.PRODUCTION_MODEL).steps)
_FACTORS = tuple(factor.column for factor in SYNERGY[:2])


@dataclass(frozen=True)
class RulesInForce:
    """The version that scores get, and the calibration that makes them."""

    version: str
    calibration: Calibration


def in_force(model: str) -> RulesInForce:
    """Return the rules for a model. ValueError, as `calibration_of`, for a model without a calibration.

    UserError for a JV_CALIBRATION that does not exist, is damaged, or is of another model.
    """
    name = settings.calibration()
    try:
        return rules_of(model, name)
    except OtherModelError as error:
        raise UserError(f"JV_CALIBRATION={name} {error}, or unset JV_CALIBRATION") from None


class OtherModelError(UserError):
    """A named calibration is of another model."""


def rules_of(model: str, name: str | None) -> RulesInForce:
    """Return the rules for a model under a named calibration, or under the package's own for None.

    UserError for a calibration that does not exist or is damaged; OtherModelError for one of another model.
    """
    calibration = calibration_of(model)
    if name is None:
        return RulesInForce(SCORING_VERSION, calibration)
    content = read_named(name)
    if content["model"] != model:
        raise OtherModelError(
            f"is a calibration of {content['model']}, and the model is {model}: choose one of this model"
        )
    measured = tuple((factor, steps_in(content["steps"][factor])) for factor in _FACTORS)
    return RulesInForce(version_of(content), replace(calibration, name=name, measured=measured))


def version_of(content: dict[str, Any]) -> str:
    """Return the scoring version of a named calibration: of other steps under the same name, another one."""
    decisive = json.dumps([content["model"], content["steps"]], sort_keys=True)
    return f"{SCORING_VERSION}+{content['name']}.{sha256(decisive.encode()).hexdigest()[:8]}"


def require_name(name: str, of: str) -> None:
    """Raise UserError for a name that is none; `of`: what somebody gives it to."""
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name of {of}: write up to 40 small letters, digits, - and _, such as strict-2026"
        )


def path_of(name: str) -> Path:
    """Return where the named calibration is, or would be; UserError for a name that is none."""
    require_name(name, "a calibration")
    return settings.calibrations_dir() / f"{name}.json"


def read_named(name: str) -> dict[str, Any]:
    """Return the content of a named calibration; UserError if it does not exist or is damaged."""
    path = path_of(name)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return _checked(content, name)
    except FileNotFoundError:
        there = sorted(each.stem for each in path.parent.glob("*.json"))
        known = f"there are: {', '.join(there)}" if there else "there is none yet"
        raise UserError(
            f"no calibration is named {name} in {path.parent} ({known}); to make one, type: jv calibration save {name}"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{path} is no calibration ({' '.join(str(error).split())}): restore the file, or save one under another "
            "name"
        ) from None


def steps_in(value: Any) -> Steps:
    """Return steps from JSON; ValueError if they are not four limits that fall, with the scores of the rules."""
    steps = tuple((float(limit), float(score)) for limit, score in value)
    limits = [1.0, *(limit for limit, _ in steps), 0.0]
    if tuple(score for _, score in steps) != _SCORES or any(not a > b for a, b in pairwise(limits)):
        raise ValueError("steps are four limits between 1 and 0 that fall, with the scores 10, 8, 6 and 4.5")
    return steps


def _checked(content: Any, name: str) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"not a file of format {FORMAT}")
    if content["name"] != name:
        raise ValueError(f"it holds the calibration {content['name']}")
    for factor in _FACTORS:
        steps_in(content["steps"][factor])
    return {**content, "model": str(content["model"])}
