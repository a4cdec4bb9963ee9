"""Determine by which policy and version of the rules a stored score was made."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.policy import POLICIES, SCORING_VERSION

OTHER_RULES = "other rules"
"""Instead of a policy: none of the six gives the stored score from its breakdown, or there is no breakdown."""
STAMP = ["stored_policy", "stored_version", "stored_fits"]
"""The columns that tell the rules of a stored score: the policy and version that its context names, and the policies,
separated by commas, that give the stored scores from the stored breakdown (empty: none; null: no breakdown).
"""
_ROW = ["policy", "scoring_version", *STAMP]


@dataclass(frozen=True, order=True)
class Rules:
    """A policy, or `OTHER_RULES`, and a version of the rules."""

    policy: str
    version: str = SCORING_VERSION


def told_policy(policy: str | None, fits: str | None, preferred: str) -> str | None:
    """Return the policy of a stored score: the named one, or one that fits. None if nothing tells it.

    Several policies may fit, for example if no data are missing. Then it is `preferred`, or the first of them.
    """
    if policy is not None or fits is None:
        return policy
    names = fits.split(",")
    return preferred if preferred in names else names[0] or OTHER_RULES


def is_whole(policy: str | None, fits: str | None) -> bool:
    """Return whether a stored score has a breakdown that adds up to it under the named policy.

    For an unknown policy, a readable breakdown is enough.
    """
    return fits is not None and (policy not in POLICIES or policy in fits.split(","))


def fitting(policies: Iterable[str], fits: pd.Series) -> npt.NDArray[np.bool_]:
    """Return, row by row, whether the policy is among those that fit."""
    names = {each: frozenset(each.split(",")) for each in fits.dropna().unique().tolist()}
    return np.array([policy in names.get(fit, ()) for policy, fit in zip(policies, fits, strict=True)], np.bool_)


def same_rules(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return, row by row, whether the stored score was made by the rules of the new one: `policy`, `scoring_version`.

    A stored score that names no version is older than the name. False if nothing tells the policy.
    """
    named = rows["stored_policy"].notna().to_numpy()
    same = np.where(named, rows["stored_policy"] == rows["policy"], fitting(rows["policy"], rows["stored_fits"]))
    versions = rows["stored_version"].astype(object).fillna(SCORING_VERSION)
    of_both: npt.NDArray[np.bool_] = same & (versions == rows["scoring_version"]).to_numpy(np.bool_)
    return of_both


def rules_among(rows: pd.DataFrame) -> Iterator[tuple[Rules, Rules]]:
    """Return the rules of stored scores, each with the rules that the same rows were scored by now.

    Skips a score whose rules nothing tells: it has no breakdown, and names no policy and no other version. No run of
    ours leaves a score like that, so it is replaced.
    """
    columns = (rows[name].astype(object).where(rows[name].notna(), None) for name in _ROW)
    for policy, version, named, stored_version, fits in dict.fromkeys(zip(*columns, strict=True)):
        told, made = told_policy(named, fits, policy), Rules(policy, version)
        if told is not None or (stored_version or SCORING_VERSION) != version:
            yield Rules(told or OTHER_RULES, stored_version or SCORING_VERSION), made
