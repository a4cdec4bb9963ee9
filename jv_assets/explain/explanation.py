"""Compare the stored score of a match with the current one by the rules, and note the differences."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from jv_assets import settings
from jv_assets.errors import CallError, UserError
from jv_assets.explain.changes import SIDES, Embed, embedded, typed
from jv_assets.explain.reading import PROFILE_FIELDS, Match, Stored, find_id, read_match
from jv_assets.pipeline.rules import in_force
from jv_assets.resources.database import Database
from jv_assets.tables import frame
from jv_scoring.explain import explain_pair
from jv_scoring.inputs import inputs_hashes
from jv_scoring.policy import DIMENSIONS, POLICIES, parse_policy
from jv_scoring.prepare import prepare
from jv_scoring.reference import PairScore
from jv_scoring.similarity import calibration_of
from jv_scoring.stored_rules import OTHER_RULES, is_whole

T = TypeVar("T")


@dataclass(frozen=True)
class Version:
    """One way to score the pair, with the heading of its column."""

    label: str
    policy: str
    pair: PairScore


@dataclass(frozen=True)
class Explanation:
    """The explanation of a match, or of two profiles that no match joins (`match_id` is None).

    `policy`: that of `now`, the current scores (None if it cannot be scored), and of `what_if`, the same with `changes`
    (as `b.list_size`; None without any). `stale`: whether the stored row is stale; None if unknown. `notes`: what to
    know before reading on. `sizes`: by field, how much A and B have there. `names`: of both profiles (None for a
    deleted one); None if they are not to be shown.
    """

    match_id: str | None
    profiles: tuple[str, str]
    policy: str
    model: str
    stored: Stored | None
    stale: bool | None
    now: PairScore | None
    what_if: PairScore | None
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    sizes: Mapping[str, tuple[str, str]]
    names: tuple[str | None, str | None] | None = None

    @property
    def versions(self) -> list[Version]:
        """The columns: the stored score, if it differs from the current one, then the current one, then with the
        changes.
        """
        stored = self.stored
        if self.now is None:
            return [Version("stored", stored.made_under, stored.pair)] if stored else []
        shown = [Version("now", self.policy, self.now)]
        if stored and (stored.made_under != self.policy or _numbers(stored.pair) != _numbers(self.now)):
            shown.insert(0, Version("stored", stored.made_under, stored.pair))
        if self.what_if:
            shown.append(Version("changed", self.policy, self.what_if))
        return shown if len(shown) > 1 else [replace(shown[0], label="score")]


def explain(
    database: Database,
    embedder_model: str,
    match_id: str,
    policy: str | None = None,
    *,
    changes: Mapping[str, str] | None = None,
    embed: Embed | None = None,
) -> Explanation:
    """Explain why a match has its score.

    `match_id`: an id, or a beginning that no other match's id has.
    `embedder_model`: only vectors under its name are used. `policy`: by default that of the stored score. `changes`:
    what if a column of B, the suggested profile, had this value (`a.column` is A's); an empty value is null; values are
    written as in the CSV files of `jv load`. `embed` makes the vector of a changed text; without it, the text has none.

    If a match can never be scored again, explains the stored score; another policy and changes are then a UserError.
    UserError also for a match that does not exist or cannot be scored, and for a wrong policy, column or value.
    """
    of_changes = typed(changes or {})
    check_options(embedder_model, policy)
    match = database.run(
        lambda connection: read_match(connection, find_id(connection, "match_suggestions", match_id), embedder_model)
    )
    if match.unscorable:
        return _of_stored(match, embedder_model, policy, changes or {})
    chosen = policy or _policy_of(match.stored)
    explanation, notes = explained(match, embedder_model, chosen, of_changes, embed)
    assert explanation.now  # The match can be scored.
    return replace(explanation, notes=(*_notes(explanation, explanation.now, policy, match.waiting), *notes))


def explained(
    match: Match, model: str, policy: str, changes: tuple[dict[str, Any], dict[str, Any]], embed: Embed | None
) -> tuple[Explanation, list[str]]:
    """Return the explanation of a match whose profiles exist, and notes on the changes. `changes`: of A and of B."""
    a, b = match.profiles
    assert a is not None
    assert b is not None
    (changes_a, changes_b), notes = embedded((a, b), changes, embed)
    pair = explain_pair(a, b, policy, in_force(model).calibration, changes_a=changes_a, changes=changes_b)
    explanation = Explanation(
        match_id=match.id,
        profiles=match.profile_ids,
        policy=policy,
        model=model,
        stored=match.stored,
        stale=_stale(match, model),
        now=pair.before,
        what_if=pair.after if any(changes) else None,
        changes=tuple(f"{side}.{name}" for side, own in zip(SIDES, changes, strict=True) for name in own),
        notes=(),
        sizes=_sizes(match),
    )
    return explanation, notes


def _of_stored(match: Match, model: str, policy: str | None, changes: Mapping[str, str]) -> Explanation:
    """Explain a match that can never be scored again, from its stored row."""
    stored = match.stored
    assert stored  # read_match has checked it.
    if changes or policy not in (None, stored.made_under):
        option = "--set" if changes else "--policy"
        raise UserError(f"{option}: match {match.id} can only be shown as it is stored: {match.unscorable}")
    notes = [f"{match.unscorable}: this is what is stored, and no what-if is possible", *_of_row(stored)]
    return Explanation(
        match_id=match.id,
        profiles=match.profile_ids,
        policy=stored.made_under,
        model=model,
        stored=stored,
        stale=None,
        now=None,
        what_if=None,
        changes=(),
        notes=tuple(notes),
        sizes=_sizes(match),
    )


def check_options(model: str, policy: str | None) -> None:
    """Raise UserError for a model without calibration, and for an unknown policy."""
    checked("JV_EMBEDDING_MODEL", calibration_of, model)
    if policy is not None:
        checked("--policy", parse_policy, policy)


def checked(where: str, check: Callable[[str], T], value: str) -> T:
    try:
        return check(value)
    except ValueError as error:
        raise CallError(f"{where}: {error}") from None


def _policy_of(stored: Stored | None) -> str:
    if stored and stored.made_under in POLICIES:
        return stored.made_under
    return str(checked("JV_POLICY", parse_policy, settings.policy()))


def _stale(match: Match, model: str) -> bool | None:
    """Return whether the pipeline would store another inputs hash now."""
    stored = match.stored
    if stored is None or stored.inputs_hash is None or stored.model not in (None, model):
        return None
    now = inputs_hash(match, model)
    return stored.inputs_hash != now


def inputs_hash(match: Match, model: str) -> str:
    """Return the hash of what the pair would be scored from now. Both profiles must exist."""
    columns = {name: [profile[name] for profile in match.profiles if profile] for name in PROFILE_FIELDS}
    prepared = prepare(frame(columns).set_index(pd.Index(match.profile_ids, dtype=object)))
    both = np.array([0, 1])
    (now,) = inputs_hashes(prepared.input_hashes(both), both[:1], both[1:], model)
    return now


def _numbers(pair: PairScore) -> object:
    """Return what two versions are compared by."""
    dimensions = [
        (name, breakdown[name]["score"], [(factor["name"], factor["score"]) for factor in breakdown[name]["factors"]])
        for breakdown in (pair.breakdown_ab, pair.breakdown_ba)
        for name in DIMENSIONS
        if name in breakdown
    ]
    return (pair.score_ab, pair.score_ba, pair.harmonic_mean, dimensions)


def _notes(explanation: Explanation, now: PairScore, asked: str | None, waiting: Sequence[str]) -> list[str]:
    stored, waits = explanation.stored, []
    if waiting:
        waits.append(
            f"{', '.join(waiting)}: the text waits to be embedded, and is compared by its last vector or by word "
            "overlap until then; next: jv nightly"
        )
    if stored is None:
        return ["no score is stored for this match yet: this one is computed now", *waits]
    notes = []
    made_under = stored.made_under
    if stored.policy is None and made_under != OTHER_RULES:
        notes.append(
            f"the stored score names no policy: it is taken for {made_under}, under which its breakdown adds up"
        )
    if made_under == OTHER_RULES:
        notes.append("the stored score names no policy, and its breakdown tells none: another program wrote it")
    elif made_under != explanation.policy:
        notes.append(f"the stored score was made under another policy, {made_under}; now: {explanation.policy}")
    elif asked is None and made_under != settings.policy():
        notes.append(f"the stored score was made under {made_under}; the next rescore would be {settings.policy()}")
    version = in_force(explanation.model).version
    if stored.version != version:
        notes.append(f"the stored score was made by rules {stored.version or 'without a name'}; now: {version}")
    if stored.model not in (None, explanation.model):
        notes.append(f"the stored score was made with vectors of {stored.model}; now: {explanation.model}")
    same_rules = (made_under, stored.version) == (explanation.policy, version)
    differs = _numbers(stored.pair) != _numbers(now)
    if explanation.stale:
        though = ", though the same numbers come out of it" if same_rules and not differs else ""
        notes.append(
            f"the stored row is older than the data: profiles or vectors were changed since it was scored at "
            f"{stored.scored_at or '?'}{though}; next: jv {'nightly' if waiting else 'rescore'}"
        )
    elif explanation.stale is None and stored.model in (None, explanation.model):
        notes.append("the stored row has no inputs hash: whether it is older than the data cannot be told")
    elif explanation.stale is False and same_rules and differs:
        notes.append("the stored numbers are not what the rules make of the same data: something else wrote them")
    return notes + waits + _of_row(stored)


def _of_row(stored: Stored) -> list[str]:
    """Return the notes about a stored row, whatever the current score is."""
    if not (stored.pair.breakdown_ab and stored.pair.breakdown_ba):
        return ["the stored score has no breakdown that can be read"]
    is_number = not math.isnan(stored.pair.harmonic_mean)
    if is_number and (stored.made_under == OTHER_RULES or not is_whole(stored.policy, stored.fits)):
        return ["the stored score is not what its stored breakdown adds up to"]
    return []


def _sizes(match: Match) -> dict[str, tuple[str, str]]:
    a, b = (
        {name: _size(profile[name]) if profile else "gone" for name in PROFILE_FIELDS} for profile in match.profiles
    )
    return {name: (a[name], b[name]) for name in PROFILE_FIELDS}


def _size(value: object) -> str:
    """Return how much a field holds, not what."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return _counted(len(value), "character", "characters") if value.strip() else "blank"
    if isinstance(value, np.ndarray):
        return f"vector of {len(value)}"
    if isinstance(value, (list, dict)):
        return _counted(len(value), "entry", "entries")
    return "a number" if isinstance(value, (int, float)) else "set"


def _counted(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"
