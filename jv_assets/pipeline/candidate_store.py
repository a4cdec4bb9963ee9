"""Store candidates in jv.match_candidates, where the platform reads them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
from sqlalchemy import Connection, text

from jv_assets.pipeline.database.counted_writes import require_count, run_counted, seeing_all
from jv_assets.pipeline.database.id_locks import lock_ids
from jv_assets.pipeline.rules import in_force
from jv_assets.resources.database import Database

TABLE = "jv.match_candidates"
_PAIR = ("profile_id", "candidate_id")
_STAMPED = ("policy", "embedding_model", "as_of", "run")
_VALUES = (
    *("rank", "harmonic_mean", "score_ab", "score_ba", "accepted", "inputs_hash"),
    *("scoring_version", *_STAMPED),
)
COLUMNS = (*_PAIR, *_VALUES)
_CREATE_BATCH = f"CREATE TEMP TABLE batch ON COMMIT DROP AS SELECT * FROM {TABLE} WHERE false"  # noqa: S608 - our own name
# In order of the key, so that no two writers deadlock.
_UPSERT = f"""
    INSERT INTO {TABLE} ({", ".join(COLUMNS)}) SELECT {", ".join(COLUMNS)} FROM batch ORDER BY {", ".join(_PAIR)}
    ON CONFLICT ({", ".join(_PAIR)}) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _VALUES)}
"""  # noqa: S608 - of our own constants
_DELETE = f"""
    DELETE FROM {TABLE} c WHERE profile_id BETWEEN :low AND :high AND NOT EXISTS (
        SELECT FROM batch b WHERE b.profile_id = c.profile_id AND b.candidate_id = c.candidate_id
    )
"""  # noqa: S608 - our own name
_COUNT = f"SELECT count(*) FROM {TABLE} WHERE profile_id BETWEEN :low AND :high"  # noqa: S608 - our own name
# Not has_table_privilege by name, because it raises an error for a role that may not use the schema.
_OBSTACLE = """
    SELECT current_setting('transaction_read_only') = 'on' AS read_only, quote_ident(current_user) AS role,
        ARRAY(SELECT p FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p
              WHERE NOT has_table_privilege(c.oid, p)) AS lacking,
        has_schema_privilege(n.oid, 'USAGE') AS may_enter,
        has_database_privilege(current_database(), 'TEMP') AS may_temp,
        quote_ident(current_database()) AS database
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'jv' AND c.relname = 'match_candidates'
"""


class Keeper:
    """Keeps the candidates of one run. Asks once whether this role may write, not for each partition."""

    def __init__(self, database: Database) -> None:
        self._database, self._obstacle = database, obstacle(database)

    def keep(self, bounds: tuple[str, str], rows: pd.DataFrame, stamp: Mapping[str, str]) -> dict[str, object]:
        """Replace the candidates of the profiles within `bounds` by these rows, if this role may.

        `rows`: `candidates.CSV_COLUMNS` and `inputs_hash`. `stamp`: `policy`, `embedding_model`, `as_of` and `run`.
        Returns metadata: how many rows were stored, and how many stale ones deleted; or why nothing was.
        """
        if self._obstacle:
            return {"not_stored": self._obstacle}
        return {"stored": len(rows), "stale_deleted": store(self._database, bounds, rows, stamp)}


def obstacle(database: Database) -> str | None:
    """Return why this role cannot store candidates, with a cure; None if it can."""
    found = database.run(lambda connection: connection.execute(text(_OBSTACLE)).one_or_none())
    if found is None:
        return f"{TABLE} was not written: it is missing; type: jv migrate"
    if found.read_only:
        return f"{TABLE} was not written: {database.place} takes no writes; the files have the same candidates"
    cures = [] if found.may_enter else [f"GRANT USAGE ON SCHEMA jv TO {found.role}"]
    cures += [f"GRANT {', '.join(found.lacking)} ON {TABLE} TO {found.role}"] if found.lacking else []
    cures += [] if found.may_temp else [f"GRANT TEMP ON DATABASE {found.database} TO {found.role}"]
    if not cures:
        return None
    return f"{TABLE} was not written: role {found.role} may not; let the table's owner type: {'; '.join(cures)}"


def store(database: Database, bounds: tuple[str, str], rows: pd.DataFrame, stamp: Mapping[str, str]) -> int:
    """Do what `Keeper.keep` does, in one transaction; return how many stale rows were deleted.

    UserError if the database does not hold exactly these rows afterwards; then it keeps what it held before.
    """
    low, high = bounds
    values = rows.assign(
        **{name: stamp[name] for name in _STAMPED}, scoring_version=in_force(stamp["embedding_model"]).version
    )
    values["accepted"] = values["accepted"].map({"true": True, "false": False, "": None})
    values = values[list(COLUMNS)].astype(object)
    batch = list(values.where(values.notna(), None).itertuples(index=False, name=None))
    return run_counted(database, seeing_all(partial(_replace, low=low, high=high, batch=batch)))


def _replace(connection: Connection, low: str, high: str, batch: list[tuple[Any, ...]]) -> int:
    lock_ids(connection, TABLE, low, high)
    connection.execute(text(_CREATE_BATCH))
    with connection.connection.cursor().copy(f"COPY batch ({', '.join(COLUMNS)}) FROM STDIN") as copy:
        for row in batch:
            copy.write_row(row)
    require_count(connection, TABLE, "stored", len(batch), connection.execute(text(_UPSERT)).rowcount)
    stale = connection.execute(text(_DELETE), {"low": low, "high": high}).rowcount
    held = int(connection.scalar(text(_COUNT), {"low": low, "high": high}) or 0)
    require_count(connection, TABLE, "kept", len(batch), held)
    return stale
