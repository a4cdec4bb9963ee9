"""From which state of the database a range file was read: this decides whether its rows may stay, or be published.

A row that was not written since it was read has the same transaction id (`xmin`). That only holds within one history of
the database. After a backup is restored, new transactions use the same ids again, and an edit could pass unseen. So a
step of a run leaves a random mark in `jv.read_marks` when it begins to read, and seals the mark when it has read all:

- A database that has the sealed mark has been through everything that the step read: unchanged rows may stay.
- A database that lacks the mark went back to an earlier state, or is another copy: its files are void.

A dry run writes nothing to the database. Its files carry the last mark that it found, and their rows are never reused.

The highest transaction id is not kept beside the marks. It would not see a restore after which as many transactions
happened, and the marks see every restore. `xmin` stays readable after VACUUM FREEZE; a mark stops counting before
transaction ids come round again. After pg_upgrade, or a dump that was loaded elsewhere, the database has another
identity than the files.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import Connection, text

from jv_assets.errors import UserError
from jv_assets.names import PROFILE_EMBEDDINGS, PROFILES, PUBLISHED_SCORES
from jv_assets.partition_cut import every_range
from jv_assets.pipeline.database.identity import require_home
from jv_assets.platform.own_runs import config_of
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles

if TYPE_CHECKING:
    import dagster as dg

ORIGIN = "origin"
"""The name of an origin in the metadata of a partition file."""
_BEGIN = "INSERT INTO jv.read_marks (mark) VALUES (:mark) ON CONFLICT DO NOTHING"
_LAST = "SELECT mark::text FROM jv.read_marks ORDER BY made_at DESC, mark LIMIT 1"
_NOW = "SELECT clock_timestamp()"
_HALF_OF_ALL_IDS = 2**31
_KNOWN = f"""
    SELECT mark::text, sealed_by IS NOT NULL
        AND pg_snapshot_xmax(pg_current_snapshot())::text::bigint - sealed_by < {_HALF_OF_ALL_IDS}
    FROM jv.read_marks
"""  # noqa: S608 - of our own constant
_SEAL = """
    UPDATE jv.read_marks SET sealed_by = pg_snapshot_xmax(pg_current_snapshot())::text::bigint WHERE mark = :mark
"""
_PURGE = "DELETE FROM jv.read_marks WHERE made_at < now() - interval '90 days'"


@dataclass
class Origin:
    """The state of the database that a step reads, and what the step knows about the states of files.

    `mark`: the step's own, or the last one in the database if `is_own` is false. `as_of`: when the step began.
    """

    database: Database
    identity: str
    run_id: str
    mark: str | None
    is_own: bool
    as_of: datetime
    _known: dict[str, bool] = field(default_factory=dict)
    """By mark in the database: whether it is sealed."""

    def stamp(self, *inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the metadata for a file that is made from the database and from files with the metadata `inputs`."""
        as_of = min([self.as_of, *(as_of_file(each) or self.as_of for each in inputs)])
        known = {"database": self.identity, "run": self.run_id, "mark": self.mark, "own": self.is_own}
        return {ORIGIN: known | {"as_of": as_of.isoformat()}}

    def has(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether this database has been through the state that a file was read from."""
        origin = metadata.get(ORIGIN)
        if origin is None or origin["database"] != self.identity:
            return False
        return origin["mark"] is None or self._sealed(origin["mark"]) is not None

    def may_reuse(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether a row with the same transaction id as in this file is the same row."""
        if not self.has(metadata):
            return False
        origin = metadata[ORIGIN]
        return origin["run"] == self.run_id or bool(origin["own"] and self._sealed(origin["mark"]))

    def require(self, asset: str, key: str, metadata: Mapping[str, Any]) -> None:
        """Raise UserError if a file is of a state that this database does not have."""
        if not self.has(metadata):
            raise UserError(
                f"range {key} of {asset} was read from a state that this database does not have: it was restored, or "
                "is a copy; read everything again: jv rescore"
            )

    def _sealed(self, mark: str) -> bool | None:
        if mark not in self._known:
            known = self.database.run(lambda connection: connection.execute(text(_KNOWN)).all())
            self._known = {row[0]: row[1] for row in known}
        return self._known.get(mark)

    def seal(self) -> None:
        """Record that the step has read everything."""

        def work(connection: Connection) -> int:
            connection.execute(text(_PURGE))
            return connection.execute(text(_SEAL), {"mark": self.mark}).rowcount

        if self.is_own and not self.database.run(work):
            raise UserError(
                "the database was put back to an earlier state while this run read it; read everything again: jv "
                "rescore"
            )


def as_of_file(metadata: Mapping[str, Any]) -> datetime | None:
    """Return how old the oldest input of a file is, by the database's clock; None if the file does not say."""
    origin = metadata.get(ORIGIN)
    return datetime.fromisoformat(origin["as_of"]) if origin else None


@contextmanager
def reading(
    context: "dg.AssetExecutionContext", database: Database, files: RangeFiles, *, makes_files: bool = True
) -> Iterator[Origin]:
    """Give a step its origin. A failed step leaves its mark unsealed, so the next run reads those rows again."""
    import dagster as dg

    try:
        origin = _begin(context, database, files, marks=makes_files and writes(context))
        if makes_files:
            files.evict_other_cuts()
    except UserError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    yield origin
    try:
        origin.seal()
    except UserError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def _begin(context: "dg.AssetExecutionContext", database: Database, files: RangeFiles, *, marks: bool) -> Origin:
    identity, own = require_home(database, files).key, str(uuid4()) if marks else None

    def work(connection: Connection) -> tuple[str | None, datetime]:
        if own:
            connection.execute(text(_BEGIN), {"mark": own})
        mark = own or connection.scalar(text(_LAST))
        as_of: datetime = connection.execute(text(_NOW)).scalar_one()
        return mark, as_of

    mark, as_of = database.run(work)
    return Origin(database, identity, context.run.run_id, mark, own is not None, as_of)


def read_origins(files: RangeFiles, origin: Origin) -> list[dict[str, object]]:
    """Return the metadata of all files of profiles; UserError if one is not of this state of the database."""
    inputs = {key: files.metadata(PROFILES, key) for key in every_range()}
    for key, metadata in inputs.items():
        origin.require(PROFILES, key, metadata)
    return list(inputs.values())


def writes(context: "dg.AssetExecutionContext") -> bool:
    """Return whether the run writes to production. A dry run does not, and leaves no mark there."""
    selected = {key.to_user_string() for key in context.job_def.asset_layer.selected_asset_keys}
    dry = config_of(context.run, PUBLISHED_SCORES).get("dry_run")
    return PROFILE_EMBEDDINGS in selected or (PUBLISHED_SCORES in selected and not dry)
