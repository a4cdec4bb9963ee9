"""Find conditions of the database that the pipeline's values could never meet, without writing."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, text
from sqlalchemy.exc import DBAPIError

from jv_assets import settings
from jv_assets.tables import SCORE_COLUMNS, TABLES, WRITTEN
from jv_scoring.policy import CURRENT_POLICY, SCORING_VERSION
from jv_scoring.reference import score_pair
from jv_scoring.similarity import CALIBRATIONS

_CHECKS = """
    SELECT c.relname AS table_name, quote_ident(k.conname) AS name, pg_get_expr(k.conbin, k.conrelid) AS condition,
        ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum = ANY (k.conkey)) AS columns
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions')) AND k.contype = 'c'
        AND to_jsonb(k) ->> 'conenforced' IS DISTINCT FROM 'false'
    ORDER BY c.relname DESC, k.conname
"""


def unpassable(connection: Connection, columns: Sequence[Row[Any]]) -> str | None:
    """Return what is wrong with the first CHECK, of a table or a domain, that ordinary values of ours do not meet.

    `columns`: from `catalogue`. A condition that also depends on other columns is left to the database.
    """
    types = {(column.table_name, column.name): column.shown for column in columns}
    for check in connection.execute(text(_CHECKS)).all():
        ours = WRITTEN[check.table_name]
        if not check.columns or not set(check.columns) <= set(ours):
            continue
        for sample in _samples(check.table_name, settings.embedding_model()):
            values = {name: sample[name] for name in check.columns}
            given = ", ".join(f"CAST(:{name} AS {types[check.table_name, name]}) AS {name}" for name in values)
            condition = check.condition.replace(":", r"\:")
            select = f"SELECT ({condition}) IS NOT FALSE FROM (SELECT {given}) AS {check.table_name}"  # noqa: S608 - the database's own condition, over values of ours
            if _tried(connection, select, values) is False:
                return (
                    f"CHECK {check.name} of {check.table_name} does not admit {_shown(values)}, which the pipeline "
                    f"may write; let its owner type: ALTER TABLE {check.table_name} DROP CONSTRAINT {check.name}"
                )
    return _unpassable_domain(connection, types)


def _unpassable_domain(connection: Connection, types: Mapping[tuple[str, str], str]) -> str | None:
    for (table, name), shown in types.items():
        if name not in WRITTEN[table]:
            continue
        for sample in _samples(table, settings.embedding_model()):
            value = {name: sample[name]}
            if _tried(connection, f"SELECT CAST(:{name} AS {shown}) IS NULL OR true", value) is False:
                created = TABLES[table][name].kind.created
                return (
                    f"{table}.{name} is {shown}, which does not admit {_shown(value)}; let its owner type: ALTER TABLE "
                    f"{table} ALTER COLUMN {name} TYPE {created} USING {name}::{created}"
                )
    return None


def _tried(connection: Connection, select: str, values: Mapping[str, object]) -> bool | None:
    """Return what the database answers; None if it cannot tell. A domain that does not admit a value gives False."""
    attempt = connection.begin_nested()
    try:
        said = bool(connection.scalar(text(select), values))
    except DBAPIError as error:
        attempt.rollback()
        return False if getattr(error.orig, "sqlstate", None) == "23514" else None
    attempt.commit()
    return said


def _shown(values: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {'NULL' if value is None else _short(str(value))}" for name, value in values.items())


def _short(value: str) -> str:
    return value if len(value) <= 40 else value[:40] + "…"


@cache
def _samples(table: str, model: str) -> list[dict[str, Any]]:
    """Rows of ordinary values, and one of nulls, by the columns that the pipeline writes."""
    if table == "profiles":
        dimension = CALIBRATIONS[model].dimension if model in CALIBRATIONS else 1
        vector = str([1.0] + [0.0] * (dimension - 1))
        given = dict.fromkeys(WRITTEN[table], vector)
        given |= {"embeddings_model": model, "embeddings_updated_at": "2026-01-01 00:00:00+00"}
        nulls = {name: None if name.startswith("embedding_") else value for name, value in given.items()}
        return [given, nulls]
    pair = score_pair({}, {})
    context = json.dumps(
        {
            "breakdown_ab": pair.breakdown_ab,
            "breakdown_ba": pair.breakdown_ba,
            "scored_at": "2026-01-01T00:00:00+00:00",
            "scoring_version": SCORING_VERSION,
            "policy": CURRENT_POLICY,
            "embedding_model": model,
            "inputs_hash": "0" * 32,
        }
    )
    scores = [("20.25", "30.75", "24.42"), ("60.5", "55.25", "57.76"), ("90.01", "95.99", "92.9")]
    rows = [dict(zip(SCORE_COLUMNS, (*three, context), strict=True)) for three in scores]
    return [*rows, dict.fromkeys(SCORE_COLUMNS)]
