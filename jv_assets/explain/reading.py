"""Read a match: its stored score, and both its profiles. Or read two profiles that no match needs to join."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pgvector import Vector
from sqlalchemy import Connection, RowMapping, text

from jv_assets import settings
from jv_assets.errors import CallError, UserError
from jv_assets.pipeline.database.profile_spans import Span
from jv_assets.pipeline.database.values import parse_column
from jv_assets.pipeline.matches.match_states import context_of, fits
from jv_assets.pipeline.texts.embedding_plan import stale_plan
from jv_assets.pipeline.texts.stored_vectors import model_of
from jv_assets.setup.csv_cells import PARSERS
from jv_assets.tables import selected
from jv_scoring.analysis.stored import read_breakdown, read_context
from jv_scoring.factors import INPUT_COLUMNS, Profile
from jv_scoring.reference import PairScore
from jv_scoring.similarity import calibration_of
from jv_scoring.stored_rules import OTHER_RULES, told_policy
from jv_scoring.text import EMBEDDED_FIELDS

_VECTORS = tuple(f"embedding_{name}" for name in EMBEDDED_FIELDS)
PROFILE_FIELDS = (*INPUT_COLUMNS, *_VECTORS)
_MODEL = model_of("embeddings_model")

_MATCH = f"""
    SELECT m.id::text, m.profile_id::text, m.suggested_profile_id::text,
        {selected("match_suggestions", ("score_ab", "score_ba", "harmonic_mean"), "m")}, m.match_context::text,
        {fits("m")} AS fits
    FROM match_suggestions m {context_of("m")} WHERE m.id = :id
"""  # noqa: S608 - of our own constants
_PROFILES = f"""
    SELECT id::text, {selected("profiles", INPUT_COLUMNS)},
        {", ".join(f"CASE WHEN {_MODEL} = :model THEN {name}::text END AS {name}" for name in _VECTORS)}
    FROM profiles WHERE id IN (:a, :b)
"""  # noqa: S608 - of our own constants

_JOINED = """
    SELECT id::text FROM match_suggestions
    WHERE profile_id = :a AND suggested_profile_id = :b OR profile_id = :b AND suggested_profile_id = :a
    ORDER BY id LIMIT 1
"""


@dataclass(frozen=True)
class Stored:
    """The published score in a match's row, as far as it is readable.

    `pair` has the scores, and the numbers and methods of the stored breakdowns ({} if unreadable). It has no details
    except that data is missing, because details of other programs may quote the profiles. `fits`: the policies that
    give the stored scores from the stored breakdown, from `match_states.fits`.
    """

    pair: PairScore
    fits: str | None
    policy: str | None
    version: str | None
    model: str | None
    scored_at: str | None
    inputs_hash: str | None

    @property
    def made_under(self) -> str:
        """Return the named policy, or else the one that the breakdown tells; `OTHER_RULES` if nothing does."""
        return told_policy(self.policy, self.fits, settings.policy()) or OTHER_RULES


@dataclass(frozen=True)
class Match:
    """A match, and its profiles A and B with `PROFILE_FIELDS`; None for a deleted one.

    `id`: None if no match joins the two profiles. `waiting`: the texts, such as `a.seeking`, whose vector is missing or
    stale.
    """

    id: str | None
    profile_ids: tuple[str, str]
    profiles: tuple[Profile | None, Profile | None]
    stored: Stored | None
    waiting: tuple[str, ...] = ()

    @property
    def unscorable(self) -> str | None:
        """Return why the match can never be scored; None if it can."""
        a, b = self.profile_ids
        gone = [name for name, profile in zip(self.profile_ids, self.profiles, strict=True) if profile is None]
        if gone:
            return f"its profile {' and '.join(dict.fromkeys(gone))} is gone"
        return f"it matches profile {a} with itself" if a == b else None


Table = Literal["match_suggestions", "profiles"]


def find_id(connection: Connection, table: Table, given: str) -> str:
    """Return the id of the one row whose id is `given` or begins with it; CallError if there is none or several.

    A whole id is not looked up.
    """
    metavar, one, several = _NAMES[table]
    try:
        return str(PARSERS["uuid"](given))
    except ValueError as error:
        digits = given.strip().lower().replace("-", "")
        if not digits or len(digits) > _DIGITS or not set(digits) <= set("0123456789abcdef"):
            raise CallError(f"{metavar}: {error}") from None
    ends = {"low": digits.ljust(_DIGITS, "0"), "high": digits.ljust(_DIGITS, "f")}
    ids = connection.execute(text(_BEGINNING.format(table)), ends).scalars().all()
    if not ids:
        raise CallError(f"no {one} has an id that begins with {given}")
    if len(ids) > 1:
        raise CallError(f"{given} is the beginning of several {several}: {ids[0]}, {ids[1]}; type more of it")
    return str(ids[0])


_DIGITS = 32
"""How many digits an id has."""
_NAMES = {
    "match_suggestions": ("MATCH_ID", "match", "matches"),
    "profiles": ("PROFILE_ID", "profile", "profiles"),
}
_BEGINNING = """
    SELECT id::text FROM {} WHERE id BETWEEN CAST(:low AS uuid) AND CAST(:high AS uuid)
    ORDER BY id LIMIT 2
"""


def read_match(connection: Connection, match_id: str, model: str) -> Match:
    """Read the match with the vectors of `model`; UserError if it can neither be scored nor explained from its row."""
    row = connection.execute(text(_MATCH), {"id": match_id}).one_or_none()
    if row is None:
        raise CallError(f"no match has the id {match_id}")
    a, b = row.profile_id, row.suggested_profile_id
    waiting = tuple(_waiting(connection, model, (a, b)))
    match = Match(row.id, (a, b), _two_profiles(connection, model, a, b), _stored(row), waiting)
    stored = match.stored
    if match.unscorable and not (stored and stored.pair.breakdown_ab and stored.pair.breakdown_ba):
        kept = ", and its stored breakdown cannot be read" if stored else ""
        raise UserError(f"match {match_id} cannot be scored: {match.unscorable}{kept}")
    return match


def read_pair(connection: Connection, a: str, b: str, model: str) -> Match:
    """Read two profiles as a match without a stored score; UserError if one does not exist.

    The `id` is that of a match that joins them, in either order; None if none does.
    """
    profiles = _two_profiles(connection, model, a, b)
    for name, profile in zip((a, b), profiles, strict=True):
        if profile is None:
            raise UserError(f"no profile has the id {name}: it was deleted, or it never existed")
    joined = connection.scalar(text(_JOINED), {"a": a, "b": b})
    return Match(joined, (a, b), profiles, None, tuple(_waiting(connection, model, (a, b))))


def _two_profiles(connection: Connection, model: str, a: str, b: str) -> tuple[Profile | None, Profile | None]:
    rows = connection.execute(text(_PROFILES), {"a": a, "b": b, "model": model}).mappings().all()
    profiles = {str(row["id"]): _profile(row) for row in rows}
    return profiles.get(a), profiles.get(b)


def _waiting(connection: Connection, model: str, profile_ids: Sequence[str]) -> Iterator[str]:
    for side, profile_id in zip("ab", profile_ids, strict=True):
        plan = stale_plan(connection, Span(profile_id, profile_id), model, calibration_of(model).dimension)
        yield from (f"{side}.{item.field}" for item in (*plan.embed, *plan.clear))


def short(value: str) -> str:
    """Return another program's text, cut to what a line can quote."""
    return value if len(value) <= 60 else value[:60] + "…"


def _profile(row: RowMapping) -> Profile:
    values = {name: parse_column("profiles", name, [row["id"]], [row[name]])[0] for name in INPUT_COLUMNS}
    return {"id": row["id"], **values, **{name: _vector(row[name]) for name in _VECTORS}}


def _vector(value: str | None) -> npt.NDArray[np.float32] | None:
    return None if value is None else Vector.from_text(value).to_numpy()


def _stored(row: Any) -> Stored | None:
    if row.harmonic_mean is None:
        return None
    context = read_context(row.match_context)
    scores = (row.score_ab, row.score_ba, row.harmonic_mean)
    ab, ba, mean = (math.nan if score is None else float(score) for score in scores)
    pair = PairScore(ab, ba, mean, *(read_breakdown(context.get(name)) for name in ("breakdown_ab", "breakdown_ba")))
    stamp = (context.get(name) for name in ("policy", "scoring_version", "embedding_model", "scored_at", "inputs_hash"))
    return Stored(pair, row.fits, *(short(value) if isinstance(value, str) else None for value in stamp))
