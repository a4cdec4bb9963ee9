"""Explain a pair of profiles that no match needs to join, such as a candidate of discovery."""

from collections.abc import Mapping
from dataclasses import replace

from jv_assets import settings
from jv_assets.errors import CallError
from jv_assets.explain.changes import SIDES, Embed, typed
from jv_assets.explain.explanation import Explanation, check_options, checked, explained, inputs_hash
from jv_assets.explain.reading import Match, find_id, read_pair
from jv_assets.pipeline.rules import in_force
from jv_assets.resources.database import Database
from jv_scoring.policy import parse_policy
from jv_scoring.reference import PairScore, score_pair
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed


def explain_profiles(
    database: Database,
    embedder_model: str,
    profile_ids: tuple[str, str],
    policy: str | None = None,
    *,
    changes: Mapping[str, str] | None = None,
    embed: Embed | None = None,
) -> Explanation:
    """Explain the value of two profiles A and B, as `explain` explains that of a match.

    `policy`: by default that of JV_POLICY. UserError also for an unknown profile, and for the same profile twice.
    """
    of_changes = typed(changes or {})
    check_options(embedder_model, policy)
    a, b = (_profile_id(database, given) for given in profile_ids)
    if a == b:
        raise CallError(f"both ids are of profile {a}: name two different profiles")
    chosen = policy or str(checked("JV_POLICY", parse_policy, settings.policy()))
    match = database.run(lambda connection: read_pair(connection, a, b, embedder_model))
    explanation, notes = explained(match, embedder_model, chosen, of_changes, embed)
    return replace(explanation, notes=(*_notes(match), *notes))


def score_now(database: Database, model: str, profile_ids: tuple[str, str], policy: str) -> tuple[str, PairScore]:
    """Return the inputs hash and the score that a match of two profiles would get now; UserError if one is gone."""
    match = database.run(lambda connection: read_pair(connection, *profile_ids, model))
    a, b = match.profiles
    assert a is not None
    assert b is not None
    return inputs_hash(match, model), score_pair(a, b, policy, in_force(model).calibration)


def _profile_id(database: Database, given: str) -> str:
    return database.run(lambda connection: find_id(connection, "profiles", given))


def _notes(match: Match) -> list[str]:
    notes = ["no match joins these profiles: this is the value that a match of them would get"]
    if match.id:
        notes = [f"match {match.id} joins these profiles; what is stored for it shows: jv explain {match.id}"]
    for side, profile in zip(SIDES, match.profiles, strict=True):
        if profile and not any(text_to_embed(profile[name]) for name in EMBEDDED_FIELDS):
            notes.append(f"profile {side.upper()} has no usable text, so that discovery does not propose it")
    if match.waiting:
        notes.append(
            f"{', '.join(match.waiting)}: the text waits to be embedded, and is compared by its last vector or by word "
            "overlap until then; next: jv nightly"
        )
    return notes
