"""By which policy and version of the rules a stored score was made, from what is stored beside it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jv_scoring.policy import POLICIES, SCORING_VERSION

OTHER_RULES = "other rules"
"""In place of a policy: none of the six makes the stored score of its stored breakdown, or there is no breakdown."""
STAMP = ["stored_policy", "stored_version", "stored_fits"]
"""The columns that tell the rules of a stored score: the policy and version that its context names, and the policies,
with commas between, that make the stored scores of the stored breakdown (empty: none; null: no breakdown)."""
_ROW = ["policy", "scoring_version", *STAMP]


@dataclass(frozen=True, order=True)
class Rules:
    """A policy, or `OTHER_RULES`, and a version of the rules."""

    policy: str
    version: str = SCORING_VERSION


def told_policy(policy: str | None, fits: str | None, preferred: str) -> str | None:
    """The policy of a stored score: the one that is named, or one that fits. None where nothing tells it.

    Several policies fit where no data are missing, for example; then it is `preferred`, or the first of them.
    """
    if policy is not None or fits is None:
        return policy
    names = fits.split(",")
    return preferred if preferred in names else names[0] or OTHER_RULES


def is_whole(policy: str | None, fits: str | None) -> bool:
    """Whether a stored score has a breakdown, and is what that adds up to under the policy that is named.

    Under no policy of ours nothing can be added up: then it takes a breakdown that can be read.
    """
    return fits is not None and (policy not in POLICIES or policy in fits.split(","))


def fitting(policies: Iterable[str], fits: pd.Series) -> npt.NDArray[np.bool_]:
    """Row by row, whether the policy is among those that fit."""
    names = {each: frozenset(each.split(",")) for each in fits.dropna().unique().tolist()}
    return np.array([policy in names.get(fit, ()) for policy, fit in zip(policies, fits, strict=True)], np.bool_)


def same_rules(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Row by row, whether the stored score was made by the rules of the new one: `policy` and `scoring_version`.

    A stored score that names no version is older than the name. False where nothing tells the policy.
    """
    named = rows["stored_policy"].notna().to_numpy()
    same = np.where(named, rows["stored_policy"] == rows["policy"], fitting(rows["policy"], rows["stored_fits"]))
    versions = rows["stored_version"].astype(object).fillna(SCORING_VERSION)
    of_both: npt.NDArray[np.bool_] = same & (versions == rows["scoring_version"]).to_numpy(np.bool_)
    return of_both


def rules_among(rows: pd.DataFrame) -> Iterator[tuple[Rules, Rules]]:
    """The rules of stored scores, each with the rules that the same rows were scored by now.

    Passed over is a score whose rules nothing tells: it has no breakdown, and names no policy and no other version. No
    run of ours left it like that, so it is replaced and not kept.
    """
    distinct = rows[_ROW].astype(object).drop_duplicates()
    for policy, version, *stamp in distinct.where(distinct.notna(), None).itertuples(index=False, name=None):
        named, stored_version, fits = stamp
        told, made = told_policy(named, fits, policy), Rules(policy, version)
        if told is not None or (stored_version or SCORING_VERSION) != version:
            yield Rules(told or OTHER_RULES, stored_version or SCORING_VERSION), made
