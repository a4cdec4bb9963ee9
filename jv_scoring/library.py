"""The public functions: the rules, with checked input. Every mistake is a ValueError that names it."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import pandas as pd

from jv_scoring import engine, reference
from jv_scoring.policy import CURRENT_POLICY
from jv_scoring.prepare import Prepared
from jv_scoring.prepare import prepare as prepare_plain
from jv_scoring.reference import PairScore
from jv_scoring.similarity import CALIBRATIONS, REFERENCE_MODEL, Calibration
from jv_scoring.values import FIELDS, VECTORS, plain, plain_profile

_PAIR = ("id", "profile_id", "suggested_profile_id")
_ALIKE = 0.8
_FEWEST_NUMBERS = 8
"""Fewest numbers of a vector in a table: no model makes shorter ones. A single pair may have any number, as in
examples.
"""
_LONGEST_EXAMPLE = 32
"""From this many numbers on, a vector must be of a model."""


def score_pair(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
) -> PairScore:
    """Score profile `a` and profile `b` for each other.

    `a` and `b` map the columns of the profiles table to values; absent keys are null. ValueError for an unknown policy,
    for a key that looks like a misspelt column, for a value that a column cannot hold, and for vectors of another model
    than that of `calibration`.
    """
    _refuse_calibration(calibration)
    plain = []
    for side, profile in (("a", a), ("b", b)):
        if not isinstance(profile, (Mapping, pd.Series)):
            raise ValueError(f"{side} is {_kind(profile)}: give a dict of columns, such as {{'seeking': '…'}}")  # noqa: TRY004
        _refuse_misspelt(side, profile.keys(), FIELDS)
        plain.append(plain_profile(profile, side))
        _refuse_dimensions(side, (plain[-1].get(name) for name in VECTORS), calibration, fewest=0)
    return reference.score_pair(plain[0], plain[1], policy, calibration)


def prepare(profiles: pd.DataFrame) -> Prepared:
    """Prepare profiles once for many calls of `score_pairs`: a frame indexed by id, with the profiles table's columns.

    Absent columns are null. ValueError for another kind of input, for a column that looks misspelt, for a duplicate id,
    and for a value that a column cannot hold, with the id and the column.
    """
    if not isinstance(profiles, pd.DataFrame):
        raise ValueError(f"profiles is {_kind(profiles)}: give pd.DataFrame(rows).set_index('id')")  # noqa: TRY004
    if "id" in profiles and not _same_ids(profiles.index, profiles["id"]):
        raise ValueError("profiles has its ids in the column id, not as index: give profiles.set_index('id')")
    _refuse_twice("profiles", profiles.columns)
    _refuse_misspelt("profiles", profiles.columns, FIELDS)
    if len(profiles.columns) and not set(FIELDS) & set(profiles.columns):
        raise ValueError(f"profiles has none of the columns that scores depend on; it has {_listed(profiles.columns)}")
    named = profiles.set_axis(plain_ids(profiles.index))
    known = [name for name in FIELDS if name in profiles]
    columns = {
        name: pd.Series(
            [plain(name, value, f"profile {of}") for of, value in zip(named.index, named[name].tolist(), strict=True)],
            named.index,
            dtype=object,
        )
        for name in known
    }
    return prepare_plain(pd.DataFrame(columns, named.index))


def score_pairs(
    profiles: pd.DataFrame | Prepared,
    pairs: pd.DataFrame,
    policy: str = CURRENT_POLICY,
    calibration: Calibration = CALIBRATIONS[REFERENCE_MODEL],
    overlap: bool = False,
) -> pd.DataFrame:
    """Check the input, and score every pair in both directions, as in `engine.score_pairs`.

    Ids may be strings in either case or `uuid.UUID`; they come back as strings. ValueError for an unknown policy, for
    what `prepare` refuses, for `pairs` without one of its three columns, for ids of another kind than those of
    `profiles`, and for vectors that are not of the model of `calibration`.
    """
    _refuse_calibration(calibration)
    prepared = profiles if isinstance(profiles, Prepared) else prepare(profiles)
    if not isinstance(pairs, pd.DataFrame):
        columns = ", ".join(_PAIR)
        raise ValueError(f"pairs is {_kind(pairs)}: give pd.DataFrame(rows) with {columns}")  # noqa: TRY004
    _refuse_twice("pairs", pairs.columns)
    _refuse_misspelt("pairs", pairs.columns, _PAIR)
    if missing := [name for name in _PAIR if name not in pairs]:
        raise ValueError(f"pairs has no column {', '.join(missing)}; it has {_listed(pairs.columns)}")
    known, named = prepared.features.index, pairs.loc[:, list(_PAIR)]
    if not all(named[name].isin(known).all() for name in _PAIR[1:]):
        named = named.assign(**{name: plain_ids(named[name]) for name in _PAIR[1:]})
        kinds, named_kinds = (
            {type(value).__name__ for value in of} for of in (known, [*named[_PAIR[1]], *named[_PAIR[2]]])
        )
        if named_kinds and kinds and not named_kinds & kinds:
            raise ValueError(
                f"pairs names profiles by {' and '.join(sorted(named_kinds))}, and profiles is indexed by "
                f"{' and '.join(sorted(kinds))}"
            )
    for name, vectors in prepared.vectors.items():
        shown = [*np.flatnonzero(vectors.row >= 0)[:1].tolist(), *vectors.irregular]
        each = (vectors.vector(profile) for profile in shown)
        _refuse_dimensions(f"profiles, vectors of {name}", each, calibration, fewest=_FEWEST_NUMBERS)
    return engine.score_pairs(prepared, named, policy, calibration, overlap)


def _refuse_calibration(calibration: object) -> None:
    if not isinstance(calibration, Calibration):
        raise ValueError(f"calibration is {_kind(calibration)}: give calibration_of('{REFERENCE_MODEL}')")  # noqa: TRY004


def _refuse_twice(what: str, names: pd.Index) -> None:
    if names.has_duplicates:
        raise ValueError(f"{what} has the column {_listed(dict.fromkeys(names[names.duplicated()]))} twice")


def _refuse_misspelt(what: str, names: Iterable[object], known: Sequence[str]) -> None:
    """Raise ValueError for an unknown name that looks like a missing one."""
    there = {str(name) for name in names}
    missing = {name.lower(): name for name in known if name not in there}
    for name in sorted(there - set(known)):
        if alike := get_close_matches(name.strip().lower(), missing, n=1, cutoff=_ALIKE):
            raise ValueError(f"{what} has no {missing[alike[0]]}, but {name}: rename it, or leave it out")


def _refuse_dimensions(what: str, vectors: Iterable[Any], calibration: Calibration, fewest: int) -> None:
    """Raise ValueError for a vector of another model, or with fewer numbers than any model makes."""
    others = {each.dimension: name for name, each in CALIBRATIONS.items() if each != calibration}
    for vector in vectors:
        if vector is None or len(vector) == calibration.dimension:
            continue
        if len(vector) in others:
            hint = f"calibration_of({others[len(vector)]!r}) is for those"
        elif len(vector) < fewest:
            hint = "no embedding model makes such vectors"
        elif len(vector) > _LONGEST_EXAMPLE:
            hint = f"there are calibrations for {' and '.join(str(each.dimension) for each in CALIBRATIONS.values())}"
        else:
            continue
        raise ValueError(
            f"{what}: a vector of {len(vector)} numbers, where the calibration's model makes {calibration.dimension}; "
            f"{hint}"
        )


def _same_ids(index: pd.Index, column: pd.Series) -> bool:
    return list(index) == column.tolist()


def plain_ids(values: Iterable[object]) -> pd.Index:
    """Return ids as the database writes them: UUIDs as lower-case text. Other texts and numbers stay as they are."""
    return pd.Index([_plain_id(value) for value in values], dtype=object)


def _plain_id(value: object) -> object:
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, str) and len(value) == 36 and not value.islower():
        try:
            return str(uuid.UUID(value))
        except ValueError:
            return value
    return value


def _listed(names: Iterable[object]) -> str:
    return ", ".join(map(str, names)) or "no columns"


def _kind(value: object) -> str:
    return f"of type {type(value).__name__}"
