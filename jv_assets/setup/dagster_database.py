"""Part of the doctor: whether Dagster's database is only ours."""

from collections.abc import Iterator
from typing import Literal

import psycopg
from sqlalchemy.engine import URL

from jv_assets import settings
from jv_assets.addresses import address_of, connect_words
from jv_assets.errors import UserError
from jv_assets.platform.dagster_encoding import refuse_encoding
from jv_assets.platform.own_runs import REPOSITORY_TAG, is_our_location

_LOCATIONS = "SELECT DISTINCT value FROM run_tags WHERE key = %s ORDER BY value"


def look_at_dagster_database() -> Iterator[tuple[Literal["ok", "warning", "error"], str]]:
    """Yield whose runs are in the database of `JV_DAGSTER_URL`. Nothing without one, because the embedded server's is
    ours.
    """
    if given := settings.dagster_url():
        try:
            yield _look(settings.postgres_url(given, "JV_DAGSTER_URL"))
        except UserError as error:
            yield "error", str(error)


def _look(url: URL) -> tuple[Literal["ok", "warning"], str]:
    place, words = address_of(url).place, connect_words(url)
    try:
        with psycopg.connect(**{"connect_timeout": 10, "application_name": "jv", **words}) as connection:
            refuse_encoding(connection, place)
            there = connection.execute("SELECT to_regclass('run_tags') IS NOT NULL").fetchone() == (True,)
            labels = connection.execute(_LOCATIONS, [REPOSITORY_TAG]).fetchall() if there else []
    except psycopg.Error:
        # The first command that needs the database says why it is unavailable.
        return "warning", f"{place} does not answer, so no run can begin; check JV_DAGSTER_URL"
    names = sorted({label.rpartition("@")[2] for (label,) in labels})
    if others := [name for name in names if not is_our_location(name)]:
        return "warning", (
            f"{place} also keeps runs of the code location {', '.join(others)}: jv leaves them alone, but assets of "
            "the same names share their history; give jv a database of its own in JV_DAGSTER_URL"
        )
    return "ok", f"{place} keeps the runs of this pipeline alone"
