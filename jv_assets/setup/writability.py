"""Check whether a run could write: all rows are visible, and an update changes exactly what it says.

The catalogue answers most of it. If triggers or rules would act, one row is updated in a savepoint, and rolled back.
"""

from collections.abc import Callable
from typing import Literal

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.pipeline.database.counted_writes import RefusedRowError, is_of_the_server
from jv_assets.pipeline.database.obstacles import Obstacles, read_obstacles
from jv_assets.resources.database import Database
from jv_assets.resources.database_errors import driver_error, is_passing
from jv_assets.setup.replication import refuse_unpublishable
from jv_assets.tables import cast
from jv_scoring.similarity import calibration_of

Use = Literal["read", "dry run", "write"]
"""The use of a database: only a write is tried first, and only reading is allowed if rows are hidden."""

_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '2s'"


def require_writable(database: Database, use: Use = "write") -> None:
    """Raise UserError if something would hide rows or change an update. Quick, because every run asks."""
    database.run(lambda connection: look(connection, use))


def look(connection: Connection, use: Use) -> str:
    """Return in one line that all is well; UserError with cause and cure if it is not."""
    obstacles = read_obstacles(connection)
    if cause := obstacles.unseen or obstacles.rewritten:
        raise UserError(cause)
    if use != "write":
        return "all rows can be seen; no update was tried"
    refuse_unpublishable(connection)
    _try_updates(connection, obstacles)
    return "all rows can be seen and updated, and an update changes nothing else"


def hidden_rows(connection: Connection) -> str | None:
    """Return a warning before anything is read and counted; None if all rows can be seen."""
    return read_obstacles(connection).unseen


def _try_updates(connection: Connection, obstacles: Obstacles) -> None:
    for table, update in _TRIALS.items():
        if obstacles.table(table).is_acted_on:
            with connection.begin_nested() as savepoint:
                try:
                    connection.execute(text(_LOCK_TIMEOUT))
                    update(connection)
                except RefusedRowError as error:
                    # A constraint may have refused the values of the trial. The run reports the values that it refuses.
                    if error.by_function:
                        raise
                except (DBAPIError, psycopg.Error) as error:
                    # A full disk or a lock may be gone when the run writes, and each partition reports it by itself.
                    if not (is_passing(error) or is_of_the_server(driver_error(error))):
                        raise
                finally:
                    if savepoint.is_active:
                        savepoint.rollback()


def _update_a_match(connection: Connection) -> None:
    from jv_assets.pipeline import publishing  # Here: it loads pandas, and few databases need the trial.

    connection.execute(text(publishing.CREATE_BATCH))
    match = connection.scalar(text(_A_MATCH))
    if match:
        publishing.write_batch(connection, match, match, None, logged=False)


def _update_a_profile(connection: Connection) -> None:
    from jv_assets.pipeline import embedding  # Here, as above.

    connection.execute(text(embedding.CREATE_BATCH))
    vector = str([1.0] + [0.0] * (calibration_of(settings.embedding_model()).dimension - 1))
    profile = connection.scalar(text(_A_PROFILE), {"vector": vector})
    if profile:
        embedding.write_vectors(connection, profile, profile, "tried, and rolled back")


_TRIALS: dict[str, Callable[[Connection], None]] = {
    "profiles": _update_a_profile,
    "match_suggestions": _update_a_match,
}
# Use a row that nobody holds. Its mean is that of both scores, because a constraint may demand it.
_JSONB = cast("match_suggestions", "match_context")
_A_MATCH = f"""
    WITH one AS (SELECT * FROM match_suggestions ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    INSERT INTO batch
    SELECT id, profile_id, suggested_profile_id, v.ab, v.ba, v.mean,
        CASE jsonb_typeof({_JSONB}) WHEN 'object' THEN {_JSONB} ELSE '{{}}' END
            || '{{"scored_at": "2000-01-01T00:00:00+00:00"}}'
    FROM one
    JOIN (VALUES (51.25, 48.75, 49.97), (52.25, 47.75, 49.90)) AS v (ab, ba, mean) ON v.ab IS DISTINCT FROM score_ab
    LIMIT 1
    RETURNING id::text
"""  # noqa: S608 - of our own constants
_A_PROFILE = """
    WITH one AS (SELECT id, seeking FROM profiles ORDER BY id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
    INSERT INTO batch (profile_id, field, stored, text_hash, embedding)
    SELECT id, 'seeking', seeking, '', CAST(:vector AS vector) FROM one
    RETURNING profile_id::text
"""
