"""Part of the doctor: whether the role has all privileges that it needs, and no more."""

from collections.abc import Iterator
from typing import Literal

from jv_assets import settings
from jv_assets.setup.seen import Seen
from jv_assets.setup.writability import Use
from jv_assets.tables import READ, WRITTEN

MEMORY, LOG, VERSION = "jv.embedded_texts", "jv.score_log_rows", "jv.alembic_version"
OURS = {
    MEMORY: ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "jv.publish_runs": ("SELECT", "INSERT", "DELETE"),
    "jv.replaced_scores": ("SELECT", "INSERT", "DELETE"),
    "jv.partition_cuts": ("SELECT", "INSERT", "DELETE"),
    "jv.score_log_sources": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    LOG: ("SELECT", "INSERT"),
    "jv.score_log_base": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "jv.score_log_seeded": ("SELECT", "INSERT"),
    "jv.score_log": ("SELECT",),
    "jv.identity": ("SELECT",),
    "jv.read_marks": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "jv.published_ranges": ("SELECT", "INSERT", "UPDATE"),
    "jv.rating_pairs": ("SELECT", "INSERT"),
    "jv.ratings": ("SELECT", "INSERT", "DELETE"),
    "jv.trials": ("SELECT", "INSERT", "UPDATE"),
    "jv.trial_scores": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "jv.trial_nights": ("SELECT", "INSERT", "UPDATE"),
    VERSION: ("SELECT",),
}
"""By table of the schema jv, what the pipeline does there."""


def look_at_privileges(seen: Seen, use: Use) -> tuple[Literal["ok", "warning", "error"], str]:
    """Return whether the role may do what `use` takes. Only writing takes more than reading."""
    role = seen.server.role
    statements = [f"GRANT {what} TO {role}" for what in _missing_grants(seen, use)]
    if use == "write" and LOG in seen.tables and not (seen.tables[LOG].is_owner and seen.tables[LOG].may_create):
        # Only a table's owner may add a partition to it, and a view reads with its owner's privileges.
        statements.append(f"GRANT CREATE ON SCHEMA jv TO {role}")
        statements += [f"ALTER TABLE {name} OWNER TO {role}" for name in (LOG, "jv.score_log")]
    if statements:
        return "error", f"role {role} may too little; let the tables' owner type: {'; '.join(statements)}"
    if seen.server.is_superuser and settings.database_url() is None:
        return "ok", f"{role}, the superuser of the embedded server"
    if excess := _excess(seen):
        cure = "use one that may only read, and UPDATE the pipeline's columns"
        return "warning", f"role {role} may more than it needs ({excess}); {cure}"
    return "ok", f"role {role} may do what is needed, and nothing else"


def _missing_grants(seen: Seen, use: Use) -> Iterator[str]:
    writes = use == "write"
    for table, columns in seen.columns.items():
        if any(not column.may_select for name, column in columns.items() if name in (*READ[table], *WRITTEN[table])):
            yield f"SELECT ON {table}"
        closed = [name for name, column in columns.items() if name in WRITTEN[table] and not column.may_update]
        if writes and closed:
            yield f"UPDATE ({', '.join(closed)}) ON {table}"
    if any(not seen.tables[name].may_enter for name in OURS if name in seen.tables):
        yield "USAGE ON SCHEMA jv"
    for name, privileges in OURS.items():
        needed = privileges if writes else ("SELECT",)
        if name in seen.tables and (missing := [one for one in needed if one not in seen.tables[name].may]):
            yield f"{', '.join(missing)} ON {name}"
    if writes and not seen.server.may_temp:
        yield f"TEMP ON DATABASE {seen.server.database}"


def _excess(seen: Seen) -> str:
    if seen.server.is_superuser:
        return "it is a superuser"
    if owned := [table for table in seen.columns if seen.tables[table].is_owner]:
        return f"it owns {' and '.join(owned)}"
    excess = []
    for table, columns in seen.columns.items():
        excess += [f"{p} {table}" for p in ("INSERT", "DELETE", "TRUNCATE") if p in seen.tables[table].may]
        others = [name for name, column in columns.items() if column.may_update and name not in WRITTEN[table]]
        if first := sorted(others, key=lambda name: name != "match_score")[:3]:
            excess.append(f"UPDATE {table} ({', '.join(first)}{', …' if others[3:] else ''})")
    return ", ".join(excess)
