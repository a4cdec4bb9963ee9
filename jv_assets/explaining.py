"""`jv explain`: why one match has its score, as it is stored and as it would be scored now, with or without changes.

Shown are ids, scores, what the rules say of a factor, and how long a profile's fields are: never what is in them.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape as escape_html
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.csv_cells import PARSERS
from jv_assets.errors import UserError
from jv_assets.loading import PROFILE_COLUMNS, frame
from jv_assets.resources.database import Database
from jv_scoring.breakdown import match_contexts
from jv_scoring.engine import score_pairs
from jv_scoring.explain import Contribution, edited_texts, explain_pair, null_costs, waterfall
from jv_scoring.factors import INPUT_COLUMNS, Profile
from jv_scoring.policy import (
    CURRENT_POLICY,
    DIMENSION_WEIGHTS,
    DIMENSIONS,
    POLICIES,
    SCORING_VERSION,
    aggregate,
    parse_policy,
    tier,
)
from jv_scoring.prepare import prepare
from jv_scoring.reference import Breakdown, PairScore
from jv_scoring.similarity import SEMANTIC, WORD_OVERLAP, Calibration, calibration_of
from jv_scoring.text import EMBEDDED_FIELDS, text_to_embed

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""The vectors of texts, as `Embedder.embed` makes them."""

SIDES = ("a", "b")
_VECTORS = tuple(f"embedding_{name}" for name in EMBEDDED_FIELDS)


@dataclass(frozen=True)
class Stored:
    """A match's row, if it has a score: what was published, as far as it can be read.

    `pair` has the scores, and the numbers and methods of the stored breakdowns ({} where there is none that can be
    read), without their details: other programs' may quote the profiles.
    """

    pair: PairScore
    policy: str | None
    version: str | None
    model: str | None
    scored_at: str | None
    inputs_hash: str | None


@dataclass(frozen=True)
class Version:
    """One way in which the pair is scored, with the heading of its column."""

    label: str
    policy: str
    pair: PairScore


@dataclass(frozen=True)
class Explanation:
    """All that is told of a match.

    `policy`: that of `now`, the scores computed from the profiles as they are, and of `what_if`, the same with
    `changes` (as `b.list_size`; None without any). `stale`: whether the stored row is older than the data; None where
    it cannot be told. `notes`: what to know before reading on. `sizes`: by field, how much A and B have there.
    """

    match_id: str
    profiles: tuple[str, str]
    policy: str
    model: str
    stored: Stored | None
    stale: bool | None
    now: PairScore
    what_if: PairScore | None
    changes: tuple[str, ...]
    notes: tuple[str, ...]
    sizes: Mapping[str, tuple[str, str]]

    @property
    def versions(self) -> list[Version]:
        """The columns: what is stored, where that is not what comes out now, then now, then with the changes."""
        shown = [Version("now", self.policy, self.now)]
        if self.stored and (self._stored_policy != self.policy or _numbers(self.stored.pair) != _numbers(self.now)):
            shown.insert(0, Version("stored", self._stored_policy, self.stored.pair))
        if self.what_if:
            shown.append(Version("changed", self.policy, self.what_if))
        return shown if len(shown) > 1 else [replace(shown[0], label="score")]

    @property
    def _stored_policy(self) -> str:
        return (self.stored and self.stored.policy) or CURRENT_POLICY


def parse_changes(given: Sequence[str]) -> dict[str, str]:
    """The `--set` options, each `column=value`, as `explain` takes them; UserError for anything else."""
    changes: dict[str, str] = {}
    for option in given:
        name, found, value = option.partition("=")
        name = name.strip()
        if not found or not name:
            raise UserError(f"--set {_short(option)}: write column=value, such as list_size=12000")
        if name in changes:
            raise UserError(f"--set {_short(name)}: given twice")
        changes[name] = value
    return changes


def explain(
    database: Database,
    embedder_model: str,
    match_id: str,
    policy: str | None = None,
    *,
    changes: Mapping[str, str] | None = None,
    embed: Embed | None = None,
) -> Explanation:
    """Why a match has its score.

    `embedder_model`: only vectors under its name are used. `policy`: by default the one that the stored score was made
    under. `changes`: what if a column of B, the suggested profile, had this value (`a.column` is A's); an empty value
    is null; values are written as in the CSV files of `jv load`. A text that changes gets its vector from `embed`;
    without that, it has none.

    UserError for a match that there is not or that cannot be scored, and for a policy, column or value that is wrong.
    """
    of_changes = _typed(changes or {})
    identity = _checked("MATCH_ID", PARSERS["uuid"], match_id)
    calibration = _checked("JV_EMBEDDING_MODEL", calibration_of, embedder_model)
    asked = None if policy is None else str(_checked("--policy", parse_policy, policy))
    (identity, a, b), stored, profiles = database.run(lambda connection: _read(connection, identity, embedder_model))
    chosen = asked or _policy_of(stored)
    now_hash = _inputs_hash(profiles, (identity, a, b), chosen, calibration, embedder_model)
    with_vectors, without = _embedded([profiles[a], profiles[b]], of_changes, embed)
    pair = explain_pair(
        profiles[a], profiles[b], chosen, calibration, changes_a=with_vectors[0], changes=with_vectors[1]
    )
    stale = _stale(stored, now_hash, embedder_model)
    explanation = Explanation(
        match_id=identity,
        profiles=(a, b),
        policy=chosen,
        model=embedder_model,
        stored=stored,
        stale=stale,
        now=pair.before,
        what_if=pair.after if changes else None,
        changes=tuple(f"{side}.{name}" for side, own in zip(SIDES, of_changes, strict=True) for name in own),
        notes=(),
        sizes={name: (_size(profiles[a][name]), _size(profiles[b][name])) for name in (*INPUT_COLUMNS, *_VECTORS)},
    )
    return replace(explanation, notes=(*_notes(explanation, asked), *without))


def _checked(where: str, check: Callable[[str], T], value: str) -> T:
    try:
        return check(value)
    except ValueError as error:
        raise UserError(f"{where}: {error}") from None


def _typed(changes: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The changes of A and those of B, their values as the database would have them; UserError for a wrong one."""
    typed: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    for given, value in changes.items():
        side, dot, name = given.partition(".")
        if not dot or side not in SIDES:
            side, name = "b", given
        if name not in INPUT_COLUMNS:
            known = name in PROFILE_COLUMNS
            reason = "no score depends on that column" if known else "profiles have no such column"
            raise UserError(f"--set {_short(given)}: {reason}; use one of {', '.join(INPUT_COLUMNS)}")
        of_side = typed[SIDES.index(side)]
        if name in of_side:
            raise UserError(f"--set {_short(given)}: given twice")
        try:
            value.encode()
            of_side[name] = PARSERS[PROFILE_COLUMNS[name]](value) if value else None
        except UnicodeEncodeError:
            raise UserError(f"--set {given}: is not UTF-8") from None
        except ValueError as error:
            raise UserError(f"--set {given}: {error}") from None
    return typed


def _read(
    connection: Connection, match_id: str, model: str
) -> tuple[tuple[str, str, str], Stored | None, dict[str, Profile]]:
    """The match's ids, what is stored of it, and both profiles by id, with the vectors that `model` made."""
    row = connection.execute(text(_MATCH), {"id": match_id}).one_or_none()
    if row is None:
        raise UserError(f"no match has the id {match_id}")
    ids = (row.profile_id, row.suggested_profile_id)
    try:
        found = connection.execute(text(_PROFILES), {"a": ids[0], "b": ids[1], "model": model}).mappings().all()
    except ValueError as error:  # a number in jsonb that Python does not read
        raise UserError(f"a profile of match {match_id} cannot be read: {error}") from None
    profiles: dict[str, Profile] = {}
    for profile in found:
        vectors = {name: _vector(profile[name]) for name in _VECTORS}
        profiles[profile["id"]] = {name: profile[name] for name in INPUT_COLUMNS} | vectors
    for profile_id in ids:
        if profile_id not in profiles:
            raise UserError(f"match {match_id} cannot be scored: its profile {profile_id} is gone")
    if ids[0] == ids[1]:
        raise UserError(f"match {match_id} cannot be scored: it matches profile {ids[0]} with itself")
    return (row.id, *ids), _stored(row), profiles


_MATCH = """
    SELECT id::text, profile_id::text, suggested_profile_id::text, score_ab::float8, score_ba::float8,
        harmonic_mean::float8, match_context::text
    FROM match_suggestions WHERE id = :id
"""
_PROFILES = f"""
    SELECT id::text, {", ".join(INPUT_COLUMNS)},
        {", ".join(f"CASE WHEN embeddings_model = :model THEN {name}::text END AS {name}" for name in _VECTORS)}
    FROM profiles WHERE id IN (:a, :b)
"""


def _vector(value: str | None) -> npt.NDArray[np.float32] | None:
    return None if value is None else np.array(value.strip("[]").split(","), np.float32)


def _stored(row: Any) -> Stored | None:
    if row.harmonic_mean is None:
        return None
    try:
        context = json.loads(row.match_context or "null")
    except (ValueError, RecursionError):
        context = None
    context = context if isinstance(context, dict) else {}
    scores = [math.nan if score is None else score for score in (row.score_ab, row.score_ba, row.harmonic_mean)]
    ab, ba = (_numbers_of(context.get(f"breakdown_{direction}")) for direction in _TITLES)
    stamp = (context.get(name) for name in ("policy", "scoring_version", "embedding_model", "scored_at", "inputs_hash"))
    pair = PairScore(scores[0], scores[1], scores[2], ab, ba)
    return Stored(pair, *(_short(value) if isinstance(value, str) else None for value in stamp))


def _numbers_of(breakdown: Any) -> Breakdown:
    """Scores and methods of a stored breakdown, {} where it is not in order."""
    try:
        found = {name: _dimension_numbers(breakdown[name]) for name in DIMENSIONS}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {}
    return found if any(part["score"] is not None for part in found.values()) else {}


def _dimension_numbers(dimension: Any) -> dict[str, Any]:
    factors = [
        {"name": str(factor["name"]), "score": _number(factor["score"]), "method": _method(factor.get("method"))}
        for factor in dimension["factors"]
    ]
    return {"score": _number(dimension["score"]), "factors": factors}


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 10:
        raise ValueError("not a score")
    return float(value)


def _method(value: object) -> str:
    return value if isinstance(value, str) and value in (SEMANTIC, WORD_OVERLAP) else ""


def _numbers(pair: PairScore) -> object:
    """What two versions are compared by."""
    directions = [
        [
            (
                name,
                breakdown[name]["score"],
                [(factor["name"], factor["score"]) for factor in breakdown[name]["factors"]],
            )
            for name in DIMENSIONS
            if name in breakdown
        ]
        for breakdown in (pair.breakdown_ab, pair.breakdown_ba)
    ]
    return (pair.score_ab, pair.score_ba, pair.harmonic_mean, directions)


def _policy_of(stored: Stored | None) -> str:
    if stored and (stored.policy or CURRENT_POLICY) in POLICIES:
        return stored.policy or CURRENT_POLICY
    return str(_checked("JV_POLICY", parse_policy, settings.policy()))


def _inputs_hash(
    profiles: Mapping[str, Profile], ids: tuple[str, str, str], policy: str, calibration: Calibration, model: str
) -> str:
    """What the pipeline would store as the match's inputs hash now."""
    names = (*INPUT_COLUMNS, *_VECTORS)
    columns = {name: [profile[name] for profile in profiles.values()] for name in names}
    prepared = prepare(frame(columns).set_index(pd.Index(list(profiles), dtype=object)))
    columns_of_pair = zip(("id", "profile_id", "suggested_profile_id"), ids, strict=True)
    pairs = pd.DataFrame({name: [value] for name, value in columns_of_pair}, dtype=object)
    scored = score_pairs(prepared, pairs, policy, calibration)
    return match_contexts(prepared, scored, policy=policy, model=model, scored_at="")[1][0]


def _embedded(
    profiles: Sequence[Profile], changes: Sequence[Mapping[str, Any]], embed: Embed | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """The changes with the vectors of the texts among them, and a note where those could not be made."""
    with_vectors, notes = [dict(own) for own in changes], []
    places = [
        (k, name)
        for k, own in enumerate(changes)
        for name in edited_texts(profiles[k], own)
        if text_to_embed(own[name]) is not None
    ]
    if places and embed is None:
        names = ", ".join(f"{SIDES[k]}.{name}" for k, name in places)
        notes.append(f"{names}: the new text was not embedded, so it is compared by word overlap")
    elif places and embed is not None:
        vectors = embed([text_to_embed(changes[k][name]) or "" for k, name in places])
        for (k, name), vector in zip(places, vectors, strict=True):
            with_vectors[k][f"embedding_{name}"] = vector
    return with_vectors, notes


def _stale(stored: Stored | None, now_hash: str, model: str) -> bool | None:
    if stored is None or stored.inputs_hash is None or stored.model not in (None, model):
        return None
    return stored.inputs_hash != now_hash


def _notes(explanation: Explanation, asked: str | None) -> list[str]:
    stored = explanation.stored
    if stored is None:
        return ["no score is stored for this match yet: this one is computed now"]
    notes = []
    made_under = stored.policy or CURRENT_POLICY
    if stored.policy is None:
        notes.append(f"the stored score names no policy: it is taken for {CURRENT_POLICY}")
    if made_under != explanation.policy:
        notes.append(f"the stored score was made under another policy, {made_under}; now: {explanation.policy}")
    elif asked is None and made_under != settings.policy():
        notes.append(f"the stored score was made under {made_under}; the next rescore would be {settings.policy()}")
    if stored.version != SCORING_VERSION:
        notes.append(f"the stored score was made by rules {stored.version or 'without a name'}; now: {SCORING_VERSION}")
    if stored.model not in (None, explanation.model):
        notes.append(f"the stored score was made with vectors of {stored.model}; now: {explanation.model}")
    same_rules = (made_under, stored.version) == (explanation.policy, SCORING_VERSION)
    differs = _numbers(stored.pair) != _numbers(explanation.now)
    if explanation.stale:
        though = ", though the same numbers come out of it" if same_rules and not differs else ""
        notes.append(
            f"the stored row is older than the data: profiles or vectors were changed since it was scored at "
            f"{stored.scored_at or '?'}{though}; next: jv rescore"
        )
    elif explanation.stale is None and stored.model in (None, explanation.model):
        notes.append("the stored row has no inputs hash: whether it is older than the data cannot be told")
    elif explanation.stale is False and same_rules and differs:
        notes.append("the stored numbers are not what the rules make of the same data: something else wrote them")
    if not (stored.pair.breakdown_ab and stored.pair.breakdown_ba):
        notes.append("the stored score has no breakdown that can be read")
    elif not _adds_up(stored.pair, made_under):
        notes.append("the stored score is not what its stored breakdown adds up to")
    return notes


def _adds_up(pair: PairScore, policy: str) -> bool:
    if policy not in POLICIES:
        return True
    directions = ((pair.breakdown_ab, pair.score_ab), (pair.breakdown_ba, pair.score_ba))
    return all(
        abs(aggregate([breakdown[name]["score"] for name in DIMENSIONS], POLICIES[policy].aggregation) - score) < 0.006
        for breakdown, score in directions
    )


def _size(value: object) -> str:
    """How much a field holds, and not what."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return _counted(len(value), "character") if value.strip() else "blank"
    if isinstance(value, np.ndarray):
        return f"vector of {len(value)}"
    if isinstance(value, (list, dict)):
        return _counted(len(value), "entry", "entries")
    return "a number" if isinstance(value, (int, float)) else "set"


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def _short(value: str) -> str:
    return value if len(value) <= 60 else value[:60] + "…"


@dataclass(frozen=True)
class _Table:
    """What both the terminal and the page show. `bars`: of each row, from where to where of 0..100."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Sequence[tuple[float, float]] = ()
    heads: frozenset[int] = field(default_factory=frozenset)


_TEXT_COLUMNS = {"detail", "method", "tier", "policy"}
_BAR = 25
_TITLES = {"ab": "A → B: what B is worth to A", "ba": "B → A: what A is worth to B"}


def _tables(explanation: Explanation) -> list[_Table]:
    versions = explanation.versions
    tables = [_score_table(versions)]
    for direction, title in _TITLES.items():
        tables.append(_factor_table(title, versions, direction))
        heading = f"{title.split(':')[0]}: points of 100 that each dimension costs"
        for labels, steps in _waterfalls(versions, direction):
            tables.append(_waterfall_table(f"{heading} ({labels})" if len(versions) > 1 else heading, steps))
        tables.append(_null_table(title.split(":")[0], versions[-1], direction))
    fields = [(name, *sizes) for name, sizes in explanation.sizes.items()]
    return [*(table for table in tables if table.rows), _Table("What the profiles hold", ("field", "A", "B"), fields)]


def _waterfalls(versions: Sequence[Version], direction: str) -> list[tuple[str, list[Contribution]]]:
    """A waterfall a version, those that are the same together."""
    found: list[tuple[str, list[Contribution]]] = []
    for version in versions:
        breakdown = _of(version, direction)
        if not breakdown or version.policy not in POLICIES:
            continue
        steps = waterfall({name: breakdown[name]["score"] for name in DIMENSIONS}, version.policy)
        if found and found[-1][1] == steps:
            found[-1] = (f"{found[-1][0]} and {version.label}", steps)
        else:
            found.append((version.label, steps))
    return found


def _of(version: Version, direction: str) -> Breakdown:
    return version.pair.breakdown_ab if direction == "ab" else version.pair.breakdown_ba


def _score_table(versions: Sequence[Version]) -> _Table:
    rows = [
        (version.label, _two(pair.score_ab), _two(pair.score_ba), _two(pair.harmonic_mean),
         tier(pair.harmonic_mean) if pair.harmonic_mean >= 0 else "-", version.policy)
        for version in versions
        for pair in (version.pair,)
    ]  # fmt: skip
    return _Table("Scores, 0 to 100", ("", "A → B", "B → A", "harmonic_mean", "tier", "policy"), rows)


def _factor_table(title: str, versions: Sequence[Version], direction: str) -> _Table:
    """Dimensions and factors, a column a version; the detail is the last version's."""
    breakdowns = [_of(version, direction) for version in versions]
    by_name = [
        {part["name"]: part for name in DIMENSIONS for part in breakdown.get(name, _NO)["factors"]}
        for breakdown in breakdowns
    ]
    rows: list[tuple[str, ...]] = []
    heads: set[int] = set()
    for name in DIMENSIONS:
        heads.add(len(rows))
        of_dimension = (_two(breakdown.get(name, _NO)["score"]) for breakdown in breakdowns)
        rows.append((name.capitalize(), f"{DIMENSION_WEIGHTS[name]:.0%}", *of_dimension, "", ""))
        for factor in breakdowns[-1][name]["factors"]:
            parts = [factors.get(factor["name"], _NO) for factors in by_name]
            methods = " → ".join(
                dict.fromkeys(part["method"].replace("_", " ") for part in parts if part.get("method"))
            )
            shown = (_two(part["score"]) for part in parts)
            rows.append((f"  {factor['name']}", f"{factor['weight']:.1f}", *shown, methods, factor["detail"]))
    columns = ("", "weight", *(version.label for version in versions), "method", "detail")
    return _Table(title, columns, rows, heads=frozenset(heads))


def _waterfall_table(title: str, steps: Sequence[Contribution]) -> _Table:
    """Each cost is the difference of two running totals as shown, so that what is shown adds up too."""
    rows = [("all at 10", "", "", "", "100.00")]
    bars, before = [(0.0, 100.0)], 100.0
    for step in steps:
        after = round(step.left, 2)
        share = f"{step.weight:.0%}"
        rows.append((step.dimension.capitalize(), share, _two(step.score), f"{after - before + 0.0:.2f}", _two(after)))
        bars.append((after, before))
        before = after
    rows.append(("score", "", "", "", _two(before)))
    return _Table(title, ("", "share", "score", "points", "left"), rows, [*bars, (0.0, before)])


def _null_table(title: str, version: Version, direction: str) -> _Table:
    rows = [
        (", ".join(cost.factors) if len(cost.factors) == 1 else "all of these", _two(cost.score),
         *(f"{_two(other)} ({other - cost.score:+.2f})" for other in (cost.neutral, cost.left_out, cost.at_ten)))
        for cost in null_costs(_of(version, direction), version.policy)
    ]  # fmt: skip
    columns = ("factor without data", "score", "as neutral", "left out", "at 10")
    return _Table(f"{title}: what missing data does to the score", columns, rows)


_NO: dict[str, Any] = {"score": None, "factors": []}


def _two(score: float | None) -> str:
    return "-" if score is None or math.isnan(score) else f"{score:.2f}"


def _facts(explanation: Explanation) -> list[tuple[str, str]]:
    stored = explanation.stored
    facts = [
        ("match", explanation.match_id),
        ("A", explanation.profiles[0]),
        ("B", explanation.profiles[1]),
        ("policy", explanation.policy),
        ("model", explanation.model),
        ("stored", f"scored at {stored.scored_at or '?'}" if stored else "no score"),
    ]
    return facts + ([("changed", ", ".join(explanation.changes))] if explanation.changes else [])


def show(explanation: Explanation, to: "Console | None" = None) -> None:
    """Print it; by default where all of `jv` prints."""
    from rich.markup import escape
    from rich.table import Table

    from jv_assets.console import out

    to = to or out
    for name, value in _facts(explanation):
        to.print(f"[bold]{name:<8}[/]{escape(value)}", soft_wrap=True)
    for note in explanation.notes:
        to.print(f"[yellow]note[/]    {escape(note)}", soft_wrap=True)
    for table in _tables(explanation):
        to.print(f"\n[bold]{escape(table.title)}[/]", soft_wrap=True)
        shown = Table()
        for number, column in enumerate(table.columns):
            shown.add_column(escape(column), justify="left" if not number or column in _TEXT_COLUMNS else "right")
        if table.bars:
            shown.add_column("")
        for number, row in enumerate(table.rows):
            bar = [_text_bar(*table.bars[number])] if table.bars else []
            shown.add_row(*map(escape, row), *bar, style="bold" if number in table.heads else None)
        to.print(shown)


def _text_bar(start: float, end: float) -> str:
    left, right = (round(value / 100 * _BAR) for value in (start, end))
    return " " * left + "█" * (right - left)


def to_html(explanation: Explanation) -> str:
    """A page of the same: it loads nothing and runs nothing."""
    title = f"Match {explanation.match_id}"
    facts = "".join(f"<dt>{escape_html(name)}<dd>{escape_html(value)}" for name, value in _facts(explanation))
    notes = "".join(f"<p class=note>{escape_html(note)}" for note in explanation.notes)
    tables = "".join(map(_html_table, _tables(explanation)))
    return _PAGE.format(title=escape_html(title), facts=facts, notes=notes, tables=tables, style=_STYLE)


def _html_table(table: _Table) -> str:
    kinds = ["t" if not number or name in _TEXT_COLUMNS else "n" for number, name in enumerate(table.columns)]
    head = "".join(
        f"<th scope=col class={kind}>{escape_html(name)}" for kind, name in zip(kinds, table.columns, strict=True)
    )
    rows = []
    for number, row in enumerate(table.rows):
        style = "head" if number in table.heads else "part" if row[0].startswith("  ") else "row"
        first = f"<th scope=row class=t>{escape_html(row[0].strip())}"
        cells = "".join(f"<td class={kind}>{escape_html(cell)}" for kind, cell in zip(kinds[1:], row[1:], strict=True))
        rows.append(f"<tr class={style}>{first}{cells}{_html_bar(*table.bars[number]) if table.bars else ''}")
    head += "<td>" if table.bars else ""
    return (
        f"<section><h2>{escape_html(table.title)}</h2><div class=wide><table><thead><tr>{head}</thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></section>\n"
    )


def _html_bar(start: float, end: float) -> str:
    bar = f'<i style="margin-left:{start:.2f}%;width:{max(0.0, end - start):.2f}%"></i>'
    return f"<td class=bar aria-hidden=true>{bar}"


_STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --page: #fff; --faint: #60646c; --line: #d9dde2; --bar: #2f6fbd;
  --note: #fff4d6; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --page: #15181c; --faint: #a0a6ae; --line: #363c44;
  --bar: #6ea8ea; --note: #3a3116; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--text); background: var(--page); max-width: 64rem;
  margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.25rem; overflow-wrap: anywhere; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.note { background: var(--note); padding: .4rem .7rem; border-radius: .3rem; margin: .6rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--line); }
th { font-weight: normal; } thead th { color: var(--faint); } .head th, .head td { font-weight: 600; }
.t { text-align: left; } td.t { white-space: nowrap; } .n { text-align: right; font-variant-numeric: tabular-nums;
  white-space: nowrap; } .part th { padding-left: 1.7rem; }
.bar { width: 14rem; min-width: 8rem; } .bar i { display: block; height: .8rem; background: var(--bar); }
"""
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<dl>{facts}</dl>
{notes}
{tables}</body>
</html>
"""
