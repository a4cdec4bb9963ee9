"""`jv migrate` on empty databases and on ones in production: what is missing comes, and nothing else changes."""

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, make_url, text

from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import is_current, migrate
from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS
from tests.support.models import BGE, MINILM
from tests.support.servers import pgbouncer

VECTORS = [f"embedding_{name}" for name in ("seeking", "offering", "who_you_serve", "what_you_do")]
OUTPUTS = {
    "profiles": dict.fromkeys(VECTORS, "vector(384)")
    | {"embeddings_model": "varchar(100)", "embeddings_updated_at": "timestamptz"},
    "match_suggestions": dict.fromkeys(("score_ab", "score_ba", "harmonic_mean"), "numeric(5,2)")
    | {"match_context": "jsonb"},
}
INPUTS = {"profiles": PROFILE_COLUMNS, "match_suggestions": MATCH_COLUMNS}
MEMORY = {
    "profile_id": "uuid",
    "field": "text",
    "text_hash": "bytea",
    "model": "varchar(100)",
    "embedded_at": "timestamptz",
    "vector_hash": "bytea",
}
MIGRATIONS = [
    "pgvector, the two tables where they are missing, the columns that the pipeline writes, and the schema jv",
    "What each publishing run replaced, so that it can be put back",
    "Indexes by which the sensors find new matches, edited profiles and the matches that refer to them",
    "The hash of each vector as it was stored, by which another program's is told from ours",
    "The log of published scores, which tells what stood in production at any moment",
    "What tells this database and its history from others, and newer published scores from older ones",
    "Where the partitions of a table begin, where that was taken from its ids",
    "A name for the rows of the log where it is replicated",
    "Pairs of rating sheets, and what people thought of them",
    "The pairs that discovery proposes, for the platform to read",
    "Trials of a policy or a calibration: what is tried, its scores, and the figures of each night",
]


@pytest.fixture
def database(database_url: str) -> Database:
    """An empty one."""
    return Database(url=database_url)


@pytest.fixture
def production(database: Database) -> Database:
    """The two tables as the other application made them: with rows, defaults, an index, and a column we do not know."""
    execute(database, "CREATE EXTENSION vector")
    for table, columns in INPUTS.items():
        lines = [f"{name} {kind}" for name, kind in columns.items()]
        execute(
            database,
            f"CREATE TABLE {table} ({', '.join(lines)}, tenant varchar(20) NOT NULL DEFAULT 'one', PRIMARY KEY (id))",
            f"CREATE INDEX {table}_status ON {table} (status)",
        )
    execute(
        database,
        "ALTER TABLE profiles DROP COLUMN notes, ADD COLUMN notes varchar(50), ALTER COLUMN name SET NOT NULL",
        "INSERT INTO profiles (id, name, tags, jv_history) "
        "SELECT gen_random_uuid(), 'Kelsol ' || n, ARRAY['a', 'b'], '[1]' FROM generate_series(1, 50) n",
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id, match_score) "
        "SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), n FROM generate_series(1, 50) n",
    )
    return database


@pytest.fixture
def role(database: Database) -> Iterator[Database]:
    """The database for a role that may create nothing in it."""
    name = f"role_{secrets.token_hex(4)}"
    execute(database, f"CREATE ROLE {name} LOGIN PASSWORD 'other'")
    yield Database(url=make_url(database.url).set(username=name, password="other").render_as_string(False))
    execute(database, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


def execute(database: Database, *statements: str) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(text(statement))


def ask(database: Database, sql: str) -> Any:
    with database.transaction() as connection:
        return connection.scalar(text(sql))


def types(database: Database, table: str) -> dict[str, str]:
    """The columns of a table, in order, with their types."""
    sql = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = to_regclass(:table) AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    names = {"timestamp with time zone": "timestamptz", "character varying": "varchar"}
    with database.transaction() as connection:
        rows = connection.execute(text(sql), {"table": table}).all()
    for long, short in names.items():
        rows = [(name, kind.replace(long, short)) for name, kind in rows]
    return dict(rows)


def state(database: Database) -> dict[str, list[Any]]:
    """All that there is of the two tables before: files, columns with their attributes, indexes, and rows with xmin."""

    def rows(connection: Connection, sql: str) -> list[Any]:
        return list(connection.execute(text(sql)))

    tables = "ANY(ARRAY[to_regclass('profiles'), to_regclass('match_suggestions')]::oid[])"
    with database.transaction() as connection:
        return {
            "files": rows(
                connection, f"SELECT oid, relfilenode, relowner FROM pg_class WHERE oid = {tables} ORDER BY 1"
            ),
            "columns": rows(
                connection,
                "SELECT attrelid, attnum, attname, atttypid, atttypmod, attnotnull, atthasdef, attisdropped "
                f"FROM pg_attribute WHERE attrelid = {tables} ORDER BY 1, 2",
            ),
            "indexes": rows(
                connection, f"SELECT indexrelid, indisvalid FROM pg_index WHERE indrelid = {tables} ORDER BY 1"
            ),
            **{
                f"rows of {table}": rows(
                    connection, f"SELECT xmin::text, ctid::text, id, to_jsonb(t) FROM {table} t ORDER BY id"
                )
                for table in INPUTS
            },
        }


def assert_only_added(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> None:
    assert after["files"] == before["files"]
    assert set(after["indexes"]) >= set(before["indexes"])
    assert set(before["columns"]) <= set(after["columns"])
    for table, columns in OUTPUTS.items():
        rows = f"rows of {table}"
        assert len(before[rows]) == len(after[rows])
        for (*old, was), (*new, row) in zip(before[rows], after[rows], strict=True):
            assert old == new
            assert row == dict.fromkeys(columns) | was


def test_an_empty_database_gets_everything(database: Database, capfd: pytest.CaptureFixture[str]) -> None:
    assert migrate(database) == MIGRATIONS
    for table, inputs in INPUTS.items():
        assert types(database, table) == inputs | OUTPUTS[table]
    assert types(database, "jv.embedded_texts") == MEMORY
    assert ask(database, "SELECT '[3,4]'::vector <-> '[0,0]'::vector") == 5
    for table, key in [("profiles", "id"), ("match_suggestions", "id"), ("jv.embedded_texts", "profile_id, field")]:
        definition = ask(
            database, f"SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{table}'::regclass "
            "AND contype = 'p'"
        )  # fmt: skip
        assert definition == f"PRIMARY KEY ({key})"
    assert capfd.readouterr() == ("", "")


def test_migrating_again_does_nothing(database: Database) -> None:
    migrate(database)
    before = state(database)
    catalog = "SELECT string_agg(xmin::text, ',' ORDER BY oid) FROM pg_class"
    version = ask(database, catalog)
    assert migrate(database) == []
    assert state(database) == before
    assert ask(database, catalog) == version


def test_whether_a_database_is_current(database: Database) -> None:
    with database.transaction() as connection:
        assert not is_current(connection)
    migrate(database)
    with database.transaction() as connection:
        assert is_current(connection)
    execute(database, "UPDATE jv.alembic_version SET version_num = '0000'")
    with database.transaction() as connection:
        assert not is_current(connection)


def test_a_production_database_gets_what_is_missing_and_keeps_what_it_has(production: Database) -> None:
    before = state(production)
    assert migrate(production) == MIGRATIONS
    assert_only_added(before, state(production))
    for table, outputs in OUTPUTS.items():
        assert types(production, table).items() >= outputs.items()
    after = state(production)
    assert migrate(production) == []
    assert state(production) == after


def test_columns_that_are_there_are_kept_with_what_is_in_them(production: Database) -> None:
    """Also those with a wider type than ours."""
    execute(
        production,
        "ALTER TABLE profiles ADD COLUMN embedding_offering vector(384), ADD COLUMN embeddings_model text, "
        "ADD COLUMN embedding_seeking vector",
        f"UPDATE profiles SET embedding_offering = '{[1.0] * 384}', embeddings_model = '{MINILM}', "
        "embedding_seeking = '[1,2]'",
        "ALTER TABLE match_suggestions ADD COLUMN harmonic_mean numeric(6,3), ADD COLUMN match_context jsonb",
        """UPDATE match_suggestions SET harmonic_mean = 53.125, match_context = '{"a": 1}'""",
    )
    before = state(production)
    assert migrate(production) == MIGRATIONS
    assert_only_added(before, state(production))
    assert (
        types(production, "profiles").items()
        >= {
            **OUTPUTS["profiles"],
            "embeddings_model": "text",
            "embedding_seeking": "vector",
        }.items()
    )
    assert types(production, "match_suggestions")["harmonic_mean"] == "numeric(6,3)"


def test_tables_in_another_schema_of_the_search_path(production: Database) -> None:
    execute(
        production,
        "CREATE SCHEMA app",
        *(f"ALTER TABLE {table} SET SCHEMA app" for table in INPUTS),
        f"ALTER DATABASE {make_url(production.url).database} SET search_path = public, app",
    )
    moved = Database(url=production.url)
    before = state(moved)
    assert migrate(moved) == MIGRATIONS
    assert_only_added(before, state(moved))
    assert ask(moved, "SELECT to_regclass('public.profiles')") is None


def test_an_index_is_made_only_where_no_other_leads_with_its_column(production: Database) -> None:
    execute(
        production,
        "CREATE INDEX of_its_owner ON match_suggestions (profile_id, suggested_profile_id)",
        "CREATE INDEX of_some ON match_suggestions (suggested_profile_id) WHERE match_score > 50",
        "ALTER TABLE profiles DROP COLUMN updated_at",
    )
    migrate(production)
    made = ask(
        production, "SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE indexname ~ '^jv'"
    )
    assert made == "jv_suggested_at jv_suggested_profile_id"


@pytest.mark.parametrize("fixture", ["database", "production"])
def test_two_at_once(request: pytest.FixtureRequest, fixture: str) -> None:
    url = request.getfixturevalue(fixture).url
    barrier = Barrier(2)

    def attempt(_: int) -> list[str]:
        mine = Database(url=url)
        barrier.wait()
        return migrate(mine)

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == [[], MIGRATIONS]


@pytest.mark.parametrize("pool_size", [1, 2])
def test_through_a_transaction_pooler(production: Database, pool_size: int) -> None:
    before = state(production)
    with pgbouncer(production.url, default_pool_size=pool_size, server_reset_query="") as url:
        assert migrate(Database(url=url)) == MIGRATIONS
        assert migrate(Database(url=url)) == []
        with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
            assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)
    assert_only_added(before, state(production))


def test_the_vectors_are_as_long_as_the_models(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_EMBEDDING_MODEL", BGE)
    migrate(database)
    assert {types(database, "profiles")[name] for name in VECTORS} == {"vector(1024)"}


@pytest.mark.parametrize("is_migrated", [True, False])
def test_vectors_of_another_length(production: Database, is_migrated: bool) -> None:
    if is_migrated:
        migrate(production, dimension=1024)
        name = "embedding_seeking"
    else:
        execute(production, "ALTER TABLE profiles ADD COLUMN embedding_who_you_serve vector(1024)")
        name = "embedding_who_you_serve"
    before = state(production)
    with pytest.raises(UserError) as caught:
        migrate(production)
    assert str(caught.value) == (
        f"profiles.{name} holds vectors of 1024 numbers, but model {MINILM} makes 384: set JV_EMBEDDING_MODEL to the "
        "model that the database was made for, or use another database"
    )
    assert state(production) == before


def test_a_model_without_a_calibration(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_EMBEDDING_MODEL", "example/model")
    with pytest.raises(UserError, match="JV_EMBEDDING_MODEL: model example/model has no calibration"):
        migrate(database)
    assert ask(database, "SELECT to_regnamespace('jv')") is None


@pytest.mark.parametrize("missing", INPUTS)
def test_one_table_without_the_other(production: Database, missing: str) -> None:
    execute(production, f"DROP TABLE {missing}", "DROP EXTENSION vector")
    with pytest.raises(UserError, match=rf"^the database has one of the two tables but no {missing}: check [^\n]*$"):
        migrate(production)
    assert types(production, missing) == {}
    assert ask(production, "SELECT to_regnamespace('jv')") is None
    assert ask(production, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'") == 0


# Roles


def test_a_role_that_may_not_create_extensions_where_pgvector_is(database: Database, role: Database) -> None:
    name = make_url(role.url).username
    execute(database, "CREATE EXTENSION vector", f"CREATE SCHEMA jv AUTHORIZATION {name}")
    execute(database, f"GRANT CREATE ON SCHEMA public TO {name}")
    assert migrate(role) == MIGRATIONS
    assert migrate(role) == []


def test_the_owner_of_the_tables_who_is_no_superuser(production: Database, role: Database) -> None:
    name = make_url(role.url).username
    execute(production, *(f"ALTER TABLE {table} OWNER TO {name}" for table in INPUTS))
    execute(production, f"GRANT CREATE ON DATABASE {make_url(role.url).database} TO {name}")
    before = state(production)
    assert migrate(role) == MIGRATIONS
    assert_only_added(before, state(production))


@pytest.mark.parametrize(
    ("granted", "denied"),
    [
        ("CONNECT ON DATABASE {}", "permission denied for database"),
        ("CREATE ON DATABASE {}", "must be owner of table profiles"),
    ],
)
def test_a_role_that_may_not_migrate(production: Database, role: Database, granted: str, denied: str) -> None:
    url = make_url(role.url)
    execute(production, f"GRANT {granted.format(url.database)} TO {url.username}")
    before = state(production)
    with pytest.raises(UserError, match=rf"{denied}[^\n]*; let its owner grant it, or see: jv doctor$"):
        migrate(role)
    assert state(production) == before
    assert ask(production, "SELECT to_regnamespace('jv')") is None


# Others at work


def test_a_long_reader_is_not_waited_for(production: Database) -> None:
    """An ALTER TABLE that waits keeps every later reader waiting too."""
    before = state(production)
    with production.transaction() as reader:
        reader.execute(text("SELECT count(*) FROM match_suggestions"))
        with pytest.raises(
            UserError, match=r"^database [^\n]* lock timeout; somebody else holds what is needed[^\n]*$"
        ):
            migrate(production)
    assert state(production) == before
    assert ask(production, "SELECT to_regnamespace('jv')") is None
    assert migrate(production) == MIGRATIONS


def test_readers_and_writers_do_not_matter_once_it_is_current(production: Database) -> None:
    migrate(production)
    with production.transaction() as other:
        other.execute(text("UPDATE profiles SET name = 'edited'"))
        assert migrate(production) == []
