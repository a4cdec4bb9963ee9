"""Write a candidate's scores to jv.trial_scores, beside production's and never in its rows."""

from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.pipeline.database.counted_writes import require_count, run_counted, seeing_all
from jv_assets.pipeline.database.id_locks import lock_ids
from jv_assets.pipeline.matches.match_states import scorable
from jv_assets.resources.database import Database
from jv_assets.trials.store import Trial, is_going_on

TABLE = "jv.trial_scores"
COLUMNS = ("id", "score_ab", "score_ba", "harmonic_mean", "production")
"""The columns of the rows to store: the candidate's scores, and production's harmonic_mean in the same file."""


@dataclass(frozen=True)
class Stored:
    """What production holds of the matches of some ids, beside the candidate's scores.

    `scored`: scorable matches with a score. `without`: those of them without a candidate's score. `unpublished`: those
    whose score is not the one that the file has.
    """

    scored: int = 0
    without: int = 0
    unpublished: int = 0

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(self.scored + other.scored, self.without + other.without, self.unpublished + other.unpublished)


def store(database: Database, trial: Trial, within: tuple[str, str], rows: pd.DataFrame) -> Stored | None:
    """Make the trial's scores of the matches whose id is `within` these two those of `rows`, in one transaction.

    Writes only the rows that differ. Returns None, and writes nothing, if the trial has ended.
    """
    values = list(zip(*(rows[name].tolist() for name in COLUMNS), strict=True))
    low, high = within
    ids = {"id": trial.id, "low": low, "high": high}

    def work(connection: Connection) -> Stored | None:
        if not is_going_on(connection, trial):
            return None
        lock_ids(connection, f"{TABLE} {trial.id}", low, high)
        connection.execute(text(_CREATE_BATCH))
        with connection.connection.cursor().copy("COPY batch FROM STDIN") as copy:
            for row in values:
                copy.write_row(row)
        connection.execute(text("ANALYZE batch"))
        connection.execute(text(_DELETE), ids)
        connection.execute(text(_UPSERT), ids)
        held = int(connection.scalar(text(_SAME), ids) or 0)
        require_count(connection, TABLE, "stored", len(values), held)
        return Stored(*connection.execute(text(_BESIDE), ids).one())

    return run_counted(database, seeing_all(work))


_CREATE_BATCH = """
    CREATE TEMP TABLE batch (
        match_id uuid PRIMARY KEY, score_ab numeric(5, 2), score_ba numeric(5, 2), harmonic_mean numeric(5, 2),
        production numeric(5, 2)
    ) ON COMMIT DROP
"""
_OF_TRIAL = "t.trial_id = :id AND t.match_id BETWEEN :low AND :high"
_DELETE = f"""
    DELETE FROM {TABLE} t WHERE {_OF_TRIAL} AND NOT EXISTS (SELECT FROM batch b WHERE b.match_id = t.match_id)
"""  # noqa: S608 - of our own constants
_SCORES = "(t.score_ab, t.score_ba, t.harmonic_mean)"
_NEW = "(b.score_ab, b.score_ba, b.harmonic_mean)"
_UPSERT = f"""
    INSERT INTO {TABLE} AS u (trial_id, match_id, score_ab, score_ba, harmonic_mean)
    SELECT :id, b.match_id, b.score_ab, b.score_ba, b.harmonic_mean
    FROM batch b LEFT JOIN {TABLE} t ON t.match_id = b.match_id AND {_OF_TRIAL}
    WHERE t.match_id IS NULL OR {_SCORES} <> {_NEW}
    ORDER BY b.match_id
    ON CONFLICT (trial_id, match_id) DO UPDATE
        SET score_ab = excluded.score_ab, score_ba = excluded.score_ba, harmonic_mean = excluded.harmonic_mean
"""  # noqa: S608 - of our own constants
_SAME = f"""
    SELECT count(*) FROM {TABLE} t JOIN batch b ON b.match_id = t.match_id WHERE {_OF_TRIAL} AND {_SCORES} = {_NEW}
"""  # noqa: S608 - of our own constants
# A match that was written after its file was read has no score yet, and waits for the next night.
_BESIDE = f"""
    SELECT count(*), count(*) FILTER (WHERE b.match_id IS NULL),
        count(*) FILTER (WHERE b.match_id IS NOT NULL
            AND b.production IS DISTINCT FROM round(m.harmonic_mean::text::numeric, 2))
    FROM match_suggestions m LEFT JOIN batch b ON b.match_id = m.id
    WHERE m.id BETWEEN :low AND :high AND m.harmonic_mean IS NOT NULL AND {scorable("m")}
"""  # noqa: S608 - of our own constants
