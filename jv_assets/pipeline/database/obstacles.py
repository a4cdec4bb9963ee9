"""What in the database's catalogue hides rows, or changes what an update does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, text

from jv_assets.tables import WRITTEN

POLICY = "jv_all_rows"
"""The name of the policy, made by `jv grant`, that shows the pipeline's role all rows."""


@dataclass(frozen=True)
class Table:
    """A table and the obstacles there.

    `columns`: those that others write, quoted, without generated ones. `hiding`: restrictive policies that hide rows,
    by name, with the clauses that let the role pass. `unseen`: no policy shows the role all rows, or lets it write all.
    `policy`: a name that no policy has. `rules` replace or extend a write. `triggers` fire for an update of our
    columns; by name, with their definition.
    """

    name: str
    columns: tuple[str, ...] = ()
    hiding: dict[str, str] = field(default_factory=dict)
    unseen: bool = False
    policy: str = POLICY
    rules: tuple[str, ...] = ()
    triggers: dict[str, str] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Return whether the table is in the schema jv."""
        return self.name not in WRITTEN

    @property
    def is_acted_on(self) -> bool:
        """Return whether anything in the database acts when our columns are updated."""
        return bool(self.triggers or self.rules)

    @property
    def suspects(self) -> str | None:
        """Return the triggers that may have caused a wrong update, with a cure; None if there are none."""
        names = [f"trigger {name}" for name in self.triggers]
        if not names:
            return None
        which = names[0] if len(names) == 1 else f"one of {', '.join(names)}"
        cures = [_without_our_columns(self, name) for name in self.triggers]
        return f"{which} of {self.name} does it; let the table's owner type: {'; '.join(cures)}"


@dataclass(frozen=True)
class Obstacles:
    """The role, quoted, and all tables that the pipeline uses."""

    role: str
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        """Return the table of that name; an empty one if it is missing."""
        return next((table for table in self.tables if table.name == name), Table(name))

    @property
    def unseen(self) -> str | None:
        """Return cause and cure in one line, if the role may not see or update every row of every table."""
        hidden = [table for table in self.tables if table.unseen or table.hiding]
        if not hidden:
            return None
        names = " and ".join(table.name for table in hidden)
        made = [self._policy(table) for table in hidden if table.unseen]
        cure = f"let the tables' owner type: jv grant {self.role}, or: {'; '.join(made)}"
        if strict := [f"{name} of {table.name}" for table in hidden for name in table.hiding]:
            which = f"the restrictive {'policies' if len(strict) > 1 else 'policy'} {', '.join(strict)}"
            passing = [
                f"ALTER POLICY {name} ON {table.name} {clauses}"
                for table in hidden
                for name, clauses in table.hiding.items()
            ]
            cure = f"{which} must let it pass: let the tables' owner type: {'; '.join([*made, *passing])}"
        return (
            f"row-level security may hide rows of {names} from role {self.role}, or refuse to update them, without a "
            f"word; {cure}"
        )

    def _policy(self, table: Table) -> str:
        return f"CREATE POLICY {table.policy} ON {table.name} TO {self.role} USING (true) WITH CHECK (true)"

    @property
    def rewritten(self) -> str | None:
        """Return cause and cure if a rule replaces or extends a write, or if anything acts on our own tables."""
        for table in self.tables:
            for name in table.rules:
                return (
                    f"rule {name} of {table.name} does something else than what is written; let the table's owner "
                    f"type: DROP RULE {name} ON {table.name}"
                )
            for name in table.triggers if table.is_ours else ():
                return (
                    f"trigger {name} of {table.name} acts on what only the pipeline writes; let the table's owner "
                    f"type: DROP TRIGGER {name} ON {table.name}"
                )
        return None


def read_obstacles(connection: Connection) -> Obstacles:
    """Read the obstacles from the catalogue. Takes about a millisecond, and reads no row."""
    ours = {"profiles": list(WRITTEN["profiles"]), "matches": list(WRITTEN["match_suggestions"])}
    rows = connection.execute(text(_LOOK), ours).all()
    return Obstacles(next((row.role for row in rows), ""), tuple(map(_table, rows)))


def is_row_security_active(connection: Connection) -> bool:
    """Return whether row-level security binds this role in any of the tables; where it does not, no row is hidden."""
    return bool(connection.scalar(text(_IS_ROW_SECURITY_ACTIVE)))


def _table(row: Any) -> Table:
    triggers = dict(zip(row.trigger_names, row.trigger_definitions, strict=True))
    hiding = dict(zip(row.hiding_names, row.hiding_clauses, strict=True))
    return Table(row.name, tuple(row.columns), hiding, row.unseen, row.policy, tuple(row.rules), triggers)


def _without_our_columns(table: Table, name: str) -> str:
    """Return SQL that recreates the trigger so that it fires for the platform's columns only."""
    definition = table.triggers[name]
    if " REFERENCING " in definition:  # Such a trigger takes no list of columns.
        return f"ALTER TABLE {table.name} DISABLE TRIGGER {name}"
    listed = re.search(r" UPDATE OF (.+?) ON ", definition)
    columns: Sequence[str] = table.columns
    if listed:
        columns = [column for column in listed[1].split(", ") if column in table.columns]
    if not columns:
        return f"DROP TRIGGER {name} ON {table.name}"
    made = re.sub(r" UPDATE( OF .+?)? ON ", lambda _: f" UPDATE OF {', '.join(columns)} ON ", definition, count=1)
    if made.startswith("CREATE CONSTRAINT"):  # OR REPLACE does not work for these.
        return f"DROP TRIGGER {name} ON {table.name}; {made}"
    return made.replace("CREATE TRIGGER", "CREATE OR REPLACE TRIGGER", 1)


_USED = """
    pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE (c.oid IN (to_regclass('profiles'), to_regclass('match_suggestions'))
        OR n.nspname = 'jv' AND c.relkind IN ('r', 'p') AND NOT c.relispartition)
"""
_IS_ROW_SECURITY_ACTIVE = f"SELECT EXISTS (SELECT FROM {_USED} AND row_security_active(c.oid))"  # noqa: S608 - of our own constants
# Commands by the letter of pg_policy. For schema jv only SELECT is used.
_LOOK = f"""
    WITH used AS (
        SELECT c.oid, CASE n.nspname WHEN 'jv' THEN 'jv.' ELSE '' END || c.relname AS name,
            CASE WHEN n.nspname <> 'jv' THEN 'rw' WHEN c.relname = 'alembic_version' THEN 'r' ELSE 'rawd' END AS needed,
            CASE WHEN c.oid = to_regclass('profiles') THEN CAST(:profiles AS name[])
                WHEN n.nspname <> 'jv' THEN CAST(:matches AS name[]) END AS ours
        FROM {_USED}
    ),
    policy AS (
        SELECT *, (coalesce(seen, 'true') = 'true' OR starts_with(seen, first))
            AND (coalesce(written, 'true') = 'true' OR starts_with(written, first)) AS lets_pass
        FROM (
            SELECT polrelid, polname, polpermissive, translate(polcmd::text, '*', '') AS command,
                regexp_replace(pg_get_expr(polqual, polrelid), '\\n *', ' ', 'g') AS seen,
                regexp_replace(pg_get_expr(polwithcheck, polrelid), '\\n *', ' ', 'g') AS written,
                format('((CURRENT_USER = %L::name) OR ', current_user) AS first
            FROM pg_policy
            WHERE EXISTS (SELECT FROM unnest(polroles) AS r WHERE r = 0 OR pg_has_role(r, 'USAGE'))
        ) AS policies
    ),
    firing AS (
        SELECT ARRAY['A', CASE current_setting('session_replication_role') WHEN 'replica' THEN 'R' ELSE 'O' END]
            AS modes
    ),
    rule AS (
        SELECT ev_class AS owner, quote_ident(rulename) AS name,
            CASE ev_type WHEN '2' THEN 'w' WHEN '3' THEN 'a' ELSE 'd' END AS command
        FROM pg_rewrite, firing WHERE ev_type <> '1' AND ev_enabled::text = ANY (modes) ORDER BY rulename
    )
    SELECT u.name, quote_ident(current_user) AS role,
        ARRAY(
            SELECT quote_ident(attname) FROM pg_attribute
            WHERE attrelid = u.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attname <> ALL (u.ours)
                AND has_column_privilege(u.oid, attnum, 'SELECT')
            ORDER BY attnum
        ) AS columns,
        h.names AS hiding_names, h.clauses AS hiding_clauses, (
            SELECT free FROM (VALUES ('jv_all_rows'), ('jv_all_rows_2'), ('jv_all_rows_3')) AS names (free)
            WHERE free NOT IN (SELECT polname FROM pg_policy WHERE polrelid = u.oid) LIMIT 1
        ) AS policy,
        row_security_active(u.oid) AND EXISTS (
            SELECT FROM regexp_split_to_table(u.needed, '') AS needed WHERE NOT EXISTS (
                SELECT FROM policy
                WHERE polrelid = u.oid AND polpermissive AND command IN ('', needed)
                    AND (needed = 'a' OR coalesce(seen, 'false') = 'true')
                    AND (needed IN ('r', 'd') OR coalesce(written, seen, 'false') = 'true')
            )
        ) AS unseen,
        ARRAY(SELECT name FROM rule WHERE owner = u.oid AND strpos(u.needed, command) > 0) AS rules,
        t.names AS trigger_names, t.definitions AS trigger_definitions
    FROM used u
    CROSS JOIN LATERAL (
        SELECT coalesce(array_agg(quote_ident(polname)), '{{}}') AS names, coalesce(array_agg(concat_ws(
            ' ', 'USING (' || first || seen || '))', 'WITH CHECK (' || first || written || '))'
        )), '{{}}') AS clauses
        FROM (SELECT * FROM policy WHERE polrelid = u.oid ORDER BY polname) AS of_table
        WHERE row_security_active(u.oid) AND NOT polpermissive AND NOT lets_pass
            AND (command = '' OR strpos(u.needed, command) > 0)
    ) AS h
    CROSS JOIN LATERAL (
        WITH RECURSIVE tree AS (
            SELECT u.oid AS relation UNION SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = relation
        )
        SELECT coalesce(array_agg(quote_ident(tgname)), '{{}}') AS names,
            coalesce(array_agg(pg_get_triggerdef(t.oid)), '{{}}') AS definitions
        FROM (
            SELECT DISTINCT ON (tgname) tgname, oid FROM pg_trigger, firing
            WHERE tgrelid IN (SELECT relation FROM tree) AND NOT tgisinternal
                AND tgenabled::text = ANY (modes)
                AND (u.ours IS NULL OR tgtype & 16 > 0 AND (
                    tgattr::text = '' OR EXISTS (
                        SELECT FROM pg_attribute
                        WHERE attrelid = tgrelid AND attname = ANY (u.ours) AND attnum = ANY (tgattr)
                    )
                ))
            ORDER BY tgname, oid
        ) AS t
    ) AS t
    ORDER BY u.name DESC
"""  # noqa: S608 - of our own constants
