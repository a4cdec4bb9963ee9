"""Where the database stands: what is embedded, scored, NULL and why."""

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.embedding import stale_texts
from jv_assets.partitions import spans
from jv_assets.pipeline.model_names import model_of
from jv_assets.reading import read_profiles
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.scoring import ProfilesToScore, facts_of
from jv_scoring.engine import GONE, SELF
from jv_scoring.policy import CURRENT_POLICY
from jv_scoring.text import EMBEDDED_FIELDS

NOT_YET = "not yet scored"


@dataclass(frozen=True)
class Status:
    """Counts of profiles and of matches.

    `profiles`: embedded (under the configured model's name), under another model, skipped (no usable text), waiting.
    `null`: matches without a score, by reason. `scored`: matches with one, by policy, version and model as stored.
    """

    profiles: dict[str, int]
    matches: int
    null: dict[str, int]
    scored: dict[tuple[str, str, str], int]

    @property
    def waiting(self) -> int:
        """Matches that could be scored and are not."""
        return self.null.get(NOT_YET, 0)


def read_status(database: Database, model: str) -> Status:
    """The counts, from one transaction."""

    def work(connection: Connection) -> Status:
        profiles = connection.execute(text(_PROFILES), {"model": model}).mappings().one()
        null: dict[str, int] = dict(
            connection.execute(text(_NULL), {"gone": GONE, "self": SELF, "not_yet": NOT_YET}).tuples().all()
        )
        rows = connection.execute(text(_SCORED), {"policy": f"{CURRENT_POLICY} (not named)"}).all()
        scored = {(policy, version, of_model): count for policy, version, of_model, count in rows}
        return Status(dict(profiles), sum(null.values()) + sum(scored.values()), null, scored)

    return database.run(work)


def count_older(database: Database, model: str) -> int | None:
    """How many stored scores are older than the data: the inputs hash of both profiles as they are now is another.

    Reads all profiles, and of their vectors a digest; scores nothing. None where a profile cannot be read, so that it
    cannot be told.
    """
    try:
        facts = pd.concat([facts_of(read_profiles(database, *each)) for each in spans()])
    except ValueError:
        return None
    profiles = ProfilesToScore(database, facts, model)
    return sum(_older_within(database, profiles, *each) for each in spans())


def count_waiting_texts(database: Database, model: str) -> int:
    """How many texts have no vector, or one that is not of the text as it is now."""
    embedder = Embedder(model)
    return sum(stale_texts(database, embedder, *each) for each in spans())


def _older_within(database: Database, profiles: ProfilesToScore, low: str, high: str) -> int:
    values = {"low": low, "high": high}
    rows = database.run(lambda connection: connection.execute(text(_HASHES), values).all())
    stored = pd.DataFrame(list(map(tuple, rows)), columns=["profile_id", "suggested_profile_id", "hash"], dtype=object)
    now = profiles.inputs_hashes(stored)
    return int(((now != None) & (now != stored["hash"].to_numpy())).sum())  # noqa: E711 - each of them


_HASHES = """
    SELECT profile_id::text, suggested_profile_id::text, match_context ->> 'inputs_hash'
    FROM match_suggestions
    WHERE id BETWEEN :low AND :high AND harmonic_mean IS NOT NULL AND match_context ->> 'inputs_hash' IS NOT NULL
"""
_VECTORS = ", ".join(f"embedding_{name}" for name in EMBEDDED_FIELDS)
_USABLE = " OR ".join(rf"length(regexp_replace({name}, '^\s+|\s+$', '', 'g')) >= 5" for name in EMBEDDED_FIELDS)
_PROFILES = f"""
    SELECT count(*) FILTER (WHERE has_vector AND ours) AS embedded,
        count(*) FILTER (WHERE has_vector AND NOT ours) AS under_another_model,
        count(*) FILTER (WHERE NOT has_vector AND NOT usable) AS skipped_no_text,
        count(*) FILTER (WHERE NOT has_vector AND usable) AS waiting
    FROM (
        SELECT num_nonnulls({_VECTORS}) > 0 AS has_vector, coalesce({_USABLE}, false) AS usable,
            coalesce({model_of("embeddings_model")} = :model, false) AS ours
        FROM profiles
    ) AS p
"""  # noqa: S608 - of our own constants
_NULL = """
    SELECT reason, count(*) FROM (
        SELECT CASE
            WHEN NOT EXISTS (SELECT FROM profiles p WHERE p.id = m.profile_id)
                OR NOT EXISTS (SELECT FROM profiles p WHERE p.id = m.suggested_profile_id) THEN :gone
            WHEN m.profile_id = m.suggested_profile_id THEN :self
            ELSE :not_yet
        END AS reason
        FROM match_suggestions m WHERE m.harmonic_mean IS NULL
    ) AS n GROUP BY reason ORDER BY count(*) DESC
"""
_SCORED = """
    SELECT coalesce(c.policy, :policy), coalesce(c.scoring_version, 'none'), coalesce(c.embedding_model, 'not named'),
        count(*)
    FROM match_suggestions m
    LEFT JOIN LATERAL jsonb_to_record(CASE jsonb_typeof(m.match_context) WHEN 'object' THEN m.match_context END)
        AS c (policy text, scoring_version text, embedding_model text) ON true
    WHERE m.harmonic_mean IS NOT NULL
    GROUP BY 1, 2, 3 ORDER BY 4 DESC
"""
