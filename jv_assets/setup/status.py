"""The state of the database: what is embedded, scored and NULL, and why."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Row, text

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.pipeline.database.id_spans import id_spans
from jv_assets.pipeline.database.profile_spans import profile_spans
from jv_assets.pipeline.matches.match_states import context_of, fits, gone, with_itself
from jv_assets.pipeline.reading import read_profiles_of
from jv_assets.pipeline.rules import in_force
from jv_assets.pipeline.scoring import ProfilesToScore, features_of
from jv_assets.pipeline.texts.embedding_plan import stale_texts
from jv_assets.pipeline.texts.stored_vectors import model_of
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.tables import comparable
from jv_scoring.engine import GONE, SELF
from jv_scoring.stored_rules import OTHER_RULES, is_whole, told_policy
from jv_scoring.text import EMBEDDED_FIELDS

NOT_YET = "not yet scored"
NO_VERSION = "none"
NOT_NAMED = " (not named)"
"""Added to a policy that the stored context does not name, but that its breakdown tells."""


@dataclass(frozen=True)
class Status:
    """Counts of profiles and of matches.

    `profiles`: embedded (under the configured model's name), under another model, skipped (no usable text), waiting;
    with `JV_PROFILES=matched` also those that do not wait, because no match names them.
    `null`: matches without a score, by reason. `scored`: matches with a score of ours, by policy, version and model.
    `foreign`: matches whose score another program wrote or changed: it has no breakdown, or differs from it. `once`:
    matches that have a score and can never be scored again, by reason.
    """

    profiles: dict[str, int]
    matches: int
    null: dict[str, int]
    scored: dict[tuple[str, str, str], int]
    foreign: int
    once: dict[str, int]

    @property
    def waiting(self) -> int:
        """How many matches could be scored but are not."""
        return self.null.get(NOT_YET, 0)

    @property
    def others(self) -> dict[str, int]:
        """All matches that are not in `scored`, by their label in the table."""
        by_other = {"scored: written by another program": self.foreign} if self.foreign else {}
        once = {f"scored once, {reason}": count for reason, count in self.once.items()}
        return by_other | once | {f"no score: {reason}": count for reason, count in self.null.items()}

    def other_rules(self, policy: str) -> int:
        """Return how many scores were not made under this policy and the current version of the rules."""
        names = (policy, policy + NOT_NAMED)
        current = (in_force(settings.embedding_model()).version, NO_VERSION)
        return sum(n for (of, version, _), n in self.scored.items() if of not in names or version not in current)


def read_status(database: Database, model: str) -> Status:
    """Count everything in one transaction."""

    def work(connection: Connection) -> Status:
        asked = {"model": model, "all": not settings.matched_only()}
        profiles = connection.execute(text(_PROFILES), asked).mappings().one()
        rows = connection.execute(text(_MATCHES), {"gone": GONE, "self": SELF, "not_yet": NOT_YET}).all()
        return _counted({name: count for name, count in profiles.items() if count is not None}, rows)

    return database.run(work)


def _counted(profiles: dict[str, int], rows: Sequence[Row[Any]]) -> Status:
    null: Counter[str] = Counter()
    once: Counter[str] = Counter()
    scored: Counter[tuple[str, str, str]] = Counter()
    foreign = 0
    for row in rows:
        if not row.has_score:
            null[row.reason] += row.matches
        elif row.reason != NOT_YET:
            once[row.reason] += row.matches
        elif not is_whole(row.policy, row.fits):
            foreign += row.matches
        else:
            told = str(told_policy(row.policy, row.fits, settings.policy()))
            label = told if row.policy or told == OTHER_RULES else told + NOT_NAMED
            scored[label, row.scoring_version or NO_VERSION, row.embedding_model or "not named"] += row.matches
    return Status(
        profiles,
        matches=sum(row.matches for row in rows),
        null=dict(null.most_common()),
        scored=dict(scored.most_common()),
        foreign=foreign,
        once=dict(once.most_common()),
    )


def count_older(database: Database, model: str) -> int | None:
    """Return how many stored scores are stale: the current inputs hash differs from the stored one.

    Reads the profiles that a match names and the digests of their vectors; scores nothing. None if a profile cannot be
    read.
    """
    spans = profile_spans(database, matched=True)
    try:
        features = pd.concat([features_of(read_profiles_of(database, span.ids or ())) for span in spans])
    except (UserError, ValueError):
        return None
    profiles = ProfilesToScore(database, features, model)
    return sum(_older_within(database, profiles, *each) for each in id_spans(database, "match_suggestions"))


def count_waiting_texts(database: Database, model: str) -> int:
    """Return how many texts have no vector, or a stale one."""
    embedder = Embedder(model)
    return sum(stale_texts(database, embedder, *span) for span in profile_spans(database))


def _older_within(database: Database, profiles: ProfilesToScore, low: str, high: str) -> int:
    values = {"low": low, "high": high}
    rows = database.run(lambda connection: connection.execute(text(_HASHES), values).all())
    stored = pd.DataFrame(list(map(tuple, rows)), columns=["profile_id", "suggested_profile_id", "hash"], dtype=object)
    now = profiles.inputs_hashes(stored)
    return int(((now != None) & (now != stored["hash"].to_numpy())).sum())  # noqa: E711 - each of them


_HASHES = f"""
    SELECT profile_id::text, suggested_profile_id::text, c.inputs_hash
    FROM match_suggestions m {context_of("m")}
    WHERE id BETWEEN :low AND :high AND harmonic_mean IS NOT NULL AND c.inputs_hash IS NOT NULL
        AND profile_id <> suggested_profile_id
"""  # noqa: S608 - of our own constants
_VECTORS = ", ".join(f"embedding_{name}" for name in EMBEDDED_FIELDS)
_USABLE = " OR ".join(
    rf"length(regexp_replace({comparable(name)}, '^\s+|\s+$', '', 'g')) >= 5" for name in EMBEDDED_FIELDS
)
_PROFILES = f"""
    SELECT count(*) FILTER (WHERE has_vector AND ours) AS embedded,
        count(*) FILTER (WHERE has_vector AND NOT ours) AS under_another_model,
        count(*) FILTER (WHERE NOT has_vector AND NOT usable) AS skipped_no_text,
        count(*) FILTER (WHERE NOT has_vector AND usable AND named) AS waiting,
        CASE WHEN NOT :all THEN count(*) FILTER (WHERE NOT has_vector AND usable AND NOT named) END AS named_by_no_match
    FROM (
        SELECT num_nonnulls({_VECTORS}) > 0 AS has_vector, coalesce({_USABLE}, false) AS usable,
            coalesce({model_of("embeddings_model")} = :model, false) AS ours,
            :all OR id IN (
                SELECT profile_id FROM match_suggestions UNION SELECT suggested_profile_id FROM match_suggestions
            ) AS named
        FROM profiles
    ) AS p
"""  # noqa: S608 - of our own constants
_MATCHES = f"""
    SELECT reason, has_score, policy, scoring_version, embedding_model, fits, count(*) AS matches FROM (
        SELECT CASE WHEN {gone("m")} THEN :gone WHEN {with_itself("m")} THEN :self ELSE :not_yet END AS reason,
            m.harmonic_mean IS NOT NULL AS has_score, c.policy, c.scoring_version, c.embedding_model,
            CASE WHEN m.harmonic_mean IS NOT NULL THEN {fits("m")} END AS fits
        FROM match_suggestions m {context_of("m")} OFFSET 0
    ) AS n GROUP BY 1, 2, 3, 4, 5, 6
"""  # noqa: S608 - of our own constants
