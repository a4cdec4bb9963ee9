"""Bringing a database to what the pipeline needs, by Alembic."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.setup.catalogue import refuse_no_tables
from jv_assets.setup.extension import usable_vector
from jv_assets.setup.seen import READ_ONLY, refuse_read_only
from jv_scoring.similarity import calibration_of
from jv_scoring.text import EMBEDDED_FIELDS

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK_TIMEOUT = "5s"
_LOCK = "SELECT pg_advisory_xact_lock(4210118)"
"""Two migrations at once: the second waits, and then finds nothing to do."""
_DIMENSIONS = """
    SELECT attname, atttypmod FROM pg_attribute
    WHERE attrelid = to_regclass('profiles') AND attname = ANY(:columns) AND NOT attisdropped
    ORDER BY attnum
"""


def migrate(database: Database, dimension: int | None = None) -> list[str]:
    """Apply what is missing, in one transaction; returns what was applied, oldest first.

    `dimension` is the length of the vector columns, by default that of the configured model. UserError where they are
    there with another.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    config = _config()
    wanted = dimension or model_dimension()
    with database.transaction() as connection:
        refuse_read_only(connection.execute(text(READ_ONLY)).one(), database.place)
        # An ALTER TABLE that waits keeps all readers of the table waiting behind it.
        connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        connection.execute(text(_LOCK))
        refuse_no_tables(connection)
        usable_vector(connection)
        check_dimensions(connection, wanted)
        before = _revision(connection)
        config.attributes |= {"connection": connection, "dimension": wanted}
        command.upgrade(config, "head")
        scripts = ScriptDirectory.from_config(config).iterate_revisions("head", before or "base")
        return [script.doc for script in scripts][::-1]


def is_current(connection: Connection) -> bool:
    """Return whether nothing is to be migrated. Every command asks, so this does not load Alembic."""
    return _revision(connection) == newest()


def is_migrated(database: Database) -> bool:
    """Return `is_current` of a database."""
    return database.run(is_current)


def newest() -> str:
    """Return the newest revision, by the name of its file."""
    return max(path.name for path in (Path(__file__).parent / "versions").glob("[0-9]*.py")).partition("_")[0]


def model_dimension() -> int:
    """The length of the configured model's vectors; UserError for a model without a calibration."""
    try:
        return calibration_of(settings.embedding_model()).dimension
    except ValueError as error:
        raise UserError(f"JV_EMBEDDING_MODEL: {error}") from None


def check_dimensions(connection: Connection, wanted: int) -> None:
    """UserError where a vector column has another dimension than `wanted`."""
    columns = [f"embedding_{field}" for field in EMBEDDED_FIELDS]
    for name, dimension in connection.execute(text(_DIMENSIONS), {"columns": columns}):
        if dimension not in (wanted, -1):
            raise UserError(
                f"profiles.{name} holds vectors of {dimension} numbers, but model {settings.embedding_model()} makes "
                f"{wanted}: set JV_EMBEDDING_MODEL to the model that the database was made for, or use another database"
            )


def _config() -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _revision(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass('jv.alembic_version')")) is None:
        return None
    revision = connection.scalar(text("SELECT version_num FROM jv.alembic_version"))
    return None if revision is None else str(revision)
