"""The encoding of Dagster's database. The doctor looks at it without loading Dagster."""

from typing import Any

import psycopg

from jv_assets.errors import UserError


def refuse_encoding(connection: psycopg.Connection[Any], place: str) -> None:
    """UserError if Dagster's database cannot hold every text: logs and metadata have characters such as `→`."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in ("UTF8", None):  # None: a pooler did not pass it on
        raise UserError(
            f"Dagster's database {place} has the encoding {encoding}, which does not hold every text; give in "
            "JV_DAGSTER_URL one that does: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'"
        )
