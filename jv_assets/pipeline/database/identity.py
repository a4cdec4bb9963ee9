"""Which database a home belongs to. Files and runs of one database must never be used for another.

An address does not identify a database: behind one pooler host the user name chooses the project, and a DNS name may
change. So a home keeps the identity that the database itself states.
"""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, make_url, text

from jv_assets.addresses import address_of
from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.resources.home_access import shown
from jv_assets.resources.range_files import RangeFiles

FILE = "database.json"
"""File in the home: the identity of its database."""
_MAY_ASK_SERVER = "SELECT has_function_privilege('pg_control_system()', 'EXECUTE')"
_SERVER = "SELECT system_identifier::text FROM pg_control_system()"
_DATABASE = "SELECT oid::bigint, datname FROM pg_database WHERE datname = current_database()"
# A logical dump copies the row's id. It does not copy xmin, because the restore is another transaction.
_OWN = "SELECT id || '/' || xmin::text FROM jv.identity"


@dataclass(frozen=True)
class Identity:
    """What a database states about itself, and how it was reached, for messages.

    `server`: the system identifier of the server, None if the role may not read it. `own`: an id in schema jv, with the
    transaction that wrote it. `oid`: the database on its server.
    """

    server: str | None
    own: str
    oid: int
    place: str

    @property
    def key(self) -> str:
        """Return one text for the identity, which the partition files carry."""
        return f"{self.server or self.own}/{self.oid}"

    def is_same(self, other: "Identity") -> bool:
        """Return whether both are one database, by what both of them know."""
        server = self.server == other.server if self.server and other.server else self.own == other.own
        return server and self.oid == other.oid


def read_identity(database: Database) -> Identity:
    """Ask the database for its identity."""

    def work(connection: Connection) -> Identity:
        server = connection.scalar(text(_SERVER)) if connection.scalar(text(_MAY_ASK_SERVER)) else None
        oid, name = connection.execute(text(_DATABASE)).one()
        user = address_of(make_url(database.url)).user or "postgres"
        return Identity(server, str(connection.scalar(text(_OWN))), oid, f"{user}@{_server(database)}/{name}")

    return database.run(work)


def require_home(database: Database, files: RangeFiles) -> Identity:
    """Return the database's identity. A new home belongs to this database from now on.

    UserError if the home belongs to another database.
    """
    mine, path = read_identity(database), files.home / FILE
    known = _owner(files)
    if known is None:
        files.put(path, json.dumps(asdict(mine), indent=1).encode())
    elif not known.is_same(mine):
        raise _refusal(known, mine, files)
    return mine


def refuse_other_home(database: Database, files: RangeFiles) -> None:
    """Raise UserError if the home belongs to another database. Leaves a new home as it is."""
    known = _owner(files)
    if known and not known.is_same(mine := read_identity(database)):
        raise _refusal(known, mine, files)


def _refusal(known: Identity, mine: Identity, files: RangeFiles) -> UserError:
    return UserError(
        f"JV_HOME {shown(files.home)} belongs to database {known.place} (identity {known.key}), and this is another "
        f"one: {mine.place} (identity {mine.key}); give each a JV_HOME of its own. If the database was moved or "
        f"restored on purpose, delete {shown(files.home / FILE)}, then type: jv nightly"
    )


def _owner(files: RangeFiles) -> Identity | None:
    path = files.home / FILE
    try:
        return Identity(**json.loads(files.get(path)))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"{shown(path)} cannot be read ({reason}): delete it if JV_HOME belongs to this database"
        ) from None


def _server(database: Database) -> str:
    return database.place.rpartition("/")[0]
