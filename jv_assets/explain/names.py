"""The names of the two profiles of an explanation, which it shows only if somebody asks for them."""

from dataclasses import replace

from sqlalchemy import text

from jv_assets.explain.explanation import Explanation
from jv_assets.resources.database import Database
from jv_assets.tables import selected

_NAMES = f"SELECT id::text, {selected('profiles', ('name',))} FROM profiles WHERE id IN (:a, :b)"  # noqa: S608


def with_names(database: Database, explanation: Explanation) -> Explanation:
    """Return the explanation with the names of both profiles."""
    a, b = explanation.profiles
    rows = database.run(lambda connection: connection.execute(text(_NAMES), {"a": a, "b": b}).all())
    names = {row.id: row.name or "(no name)" for row in rows}
    return replace(explanation, names=(names.get(a), names.get(b)))
