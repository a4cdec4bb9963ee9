"""Logical replication, which refuses to write rows that it cannot name: said before anything starts, with a cure."""

from collections.abc import Callable

import pytest

from tests.support.odd import COMMANDS, Case, Odd, Outcome, assert_right, cure_in, state

ALL_TABLES = "CREATE PUBLICATION everything FOR ALL TABLES"
WITHOUT_KEY = "ALTER TABLE match_suggestions DROP CONSTRAINT match_suggestions_pkey, ADD UNIQUE (id)"
ADD_KEY = "ALTER TABLE match_suggestions ADD PRIMARY KEY (id), REPLICA IDENTITY DEFAULT"
SAYS = "a publication keeps {} from being written: "
REFUSED = [
    Case("no primary key", f"{WITHOUT_KEY}; {ALL_TABLES}", says=SAYS.format("match_suggestions"), cure=ADD_KEY),
    Case(
        "a table is named",
        f"{WITHOUT_KEY}; CREATE PUBLICATION one FOR TABLE match_suggestions WITH (publish = 'update')",
        says=SAYS.format("match_suggestions"),
        cure=ADD_KEY,
    ),
    Case(
        "the rows shall have no name",
        f"ALTER TABLE profiles REPLICA IDENTITY NOTHING; {ALL_TABLES}",
        says=SAYS.format("profiles"),
        cure="ALTER TABLE profiles REPLICA IDENTITY DEFAULT",
    ),
    Case(
        "a table of ours",
        f"ALTER TABLE jv.read_marks REPLICA IDENTITY NOTHING; {ALL_TABLES}",
        says=SAYS.format("jv.read_marks"),
        cure="ALTER TABLE jv.read_marks REPLICA IDENTITY DEFAULT",
    ),
    Case(
        "a table of ours has lost its key",
        f"ALTER TABLE jv.publish_runs DROP CONSTRAINT publish_runs_pkey; {ALL_TABLES}; "
        "ALTER TABLE jv.publish_runs ADD UNIQUE (run_id)",
        says=SAYS.format("jv.publish_runs"),
        cure="ALTER TABLE jv.publish_runs REPLICA IDENTITY FULL",
    ),
    Case(
        "a filter by a column that does not name the row",
        "CREATE PUBLICATION part FOR TABLE match_suggestions WHERE (status <> 'hidden')",
        says=SAYS.format("match_suggestions"),
        cure="ALTER PUBLICATION part DROP TABLE match_suggestions; ALTER PUBLICATION part ADD TABLE match_suggestions",
    ),
    Case(
        "columns without the one that names the row",
        "CREATE PUBLICATION part FOR TABLE profiles (name)",
        says=SAYS.format("profiles"),
        cure="ALTER PUBLICATION part DROP TABLE profiles; ALTER PUBLICATION part ADD TABLE profiles",
    ),
    Case(
        "a part of a table",
        "ALTER TABLE match_suggestions RENAME TO old; "
        "CREATE TABLE match_suggestions (LIKE old INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id); "
        'CREATE TABLE "Part 0" PARTITION OF match_suggestions FOR VALUES WITH (MODULUS 2, REMAINDER 0); '
        "CREATE TABLE part_1 PARTITION OF match_suggestions FOR VALUES WITH (MODULUS 2, REMAINDER 1); "
        "INSERT INTO match_suggestions SELECT * FROM old; DROP TABLE old; "
        f'ALTER TABLE "Part 0" REPLICA IDENTITY NOTHING; {ALL_TABLES}',
        says=SAYS.format("match_suggestions"),
        cure='ALTER TABLE "Part 0" REPLICA IDENTITY DEFAULT',
    ),
]


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_what_a_publication_keeps_from_being_written(odd_database: Callable[..., Odd], case: Case) -> None:
    odd = odd_database()
    odd.change(case.sql)
    before = state(odd)
    (line,) = odd.errors()
    assert line.startswith(case.says)
    for command in COMMANDS:
        assert odd.command(command) == Outcome(2, line)
    assert state(odd) == before
    odd.change(cure_in(line, case.cure))
    assert odd.errors() == []
    assert odd.command(case.command) == Outcome(0)
    assert assert_right(odd) > 120


def test_every_table_of_ours_can_be_published(odd_database: Callable[..., Odd]) -> None:
    """Those of the log too, whose partitions are made on the way: a subscriber must be able to name their rows."""
    odd = odd_database()
    odd.change(ALL_TABLES)
    assert odd.command("nightly") == Outcome(0)
    assert assert_right(odd) > 120
    assert odd.command("nightly") == Outcome(0)
    lacking = """
        SELECT relname FROM pg_class c WHERE relnamespace = 'jv'::regnamespace AND relkind IN ('r', 'p')
            AND relreplident <> 'f'
            AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)
    """
    assert odd.rows(lacking) == []
