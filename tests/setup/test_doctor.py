"""What `jv doctor` says of real databases, well and unwell, and of model and folder."""

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text

from jv_assets.errors import UserError
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.setup.doctor import Finding, examine, require_ready
from jv_assets.setup.migrations.run import migrate
from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS, READ, WRITTEN
from tests.support.models import BGE, MINILM, minilm
from tests.support.servers import free_port, pgbouncer

SUBJECTS = [
    "connection",
    "pooler",
    "pgvector",
    "tables",
    "dimensions",
    "privileges",
    "writes",
    "model",
    "folder",
    "vectors",
]
CANARY = "canary-4Y1x"


@pytest.fixture
def database(database_url: str) -> Database:
    database = Database(url=database_url)
    migrate(database)
    return database


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """A role of its own, whose password is CANARY and which may do no more than anybody."""
    name = f"role_{secrets.token_hex(4)}"
    execute(database, f"CREATE ROLE {name} LOGIN PASSWORD '{CANARY}'")
    yield name
    execute(database, f"DROP OWNED BY {name}", f"DROP ROLE {name}")


def execute(database: Database, *statements: str) -> None:
    with database.transaction() as connection:
        for statement in statements:
            connection.execute(text(statement))


def changed(url: str, **parts: object) -> Database:
    """The database of a URL of which something is changed."""
    return Database(url=make_url(url).set(**parts).render_as_string(hide_password=False))  # type: ignore[arg-type]


def as_role(database: Database, role: str) -> Database:
    return changed(database.url, username=role, password=CANARY)


def grant_all_that_is_needed(database: Database, role: str) -> None:
    for table, columns in WRITTEN.items():
        execute(database, f"GRANT SELECT, UPDATE ({', '.join(columns)}) ON {table} TO {role}")
    execute(
        database,
        f"GRANT USAGE ON SCHEMA jv TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON jv.embedded_texts TO {role}",
        f"GRANT SELECT, INSERT, DELETE ON jv.partition_cuts, jv.publish_runs, jv.replaced_scores TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON jv.score_log_sources, jv.score_log_base TO {role}",
        f"GRANT SELECT, INSERT ON jv.score_log_seeded TO {role}",
        f"GRANT SELECT ON jv.identity TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON jv.read_marks TO {role}",
        f"GRANT SELECT, INSERT, UPDATE ON jv.published_ranges TO {role}",
        f"GRANT SELECT, INSERT ON jv.rating_pairs TO {role}",
        f"GRANT SELECT, INSERT, DELETE ON jv.ratings TO {role}",
        f"GRANT SELECT, INSERT, UPDATE ON jv.trials, jv.trial_nights TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON jv.trial_scores TO {role}",
        f"GRANT SELECT ON jv.alembic_version TO {role}",
        f"GRANT CREATE ON SCHEMA jv TO {role}",
        f"ALTER TABLE jv.score_log_rows OWNER TO {role}",
        f"ALTER TABLE jv.score_log OWNER TO {role}",
    )


def look(database: Database, embedder: Embedder | None = None) -> dict[str, Finding]:
    """The findings by subject. None of them has a second line or the password."""
    findings = examine(database, embedder or minilm())
    for finding in findings:
        assert "\n" not in finding.text
        assert str(make_url(database.url).password) not in finding.text
    assert [finding.subject for finding in findings] == SUBJECTS[: len(findings)]
    return {finding.subject: finding for finding in findings}


def error(database: Database, subject: str, embedder: Embedder | None = None) -> str:
    """The text of the one error, about this subject; a run is refused with the same words."""
    findings = look(database, embedder)
    assert [finding.subject for finding in findings.values() if finding.level == "error"] == [subject]
    if subject in ("model", "folder"):
        require_ready(database)
    else:
        assert refusal(database) == findings[subject].text
    return findings[subject].text


def refusal(database: Database) -> str:
    with pytest.raises(UserError) as caught:
        require_ready(database)
    return str(caught.value)


def warning(database: Database, subject: str) -> str:
    """The text of the one thing that is not ok; a run is not refused for it."""
    findings = look(database)
    assert {finding.subject: finding.level for finding in findings.values() if finding.level != "ok"} == {
        subject: "warning"
    }
    require_ready(database)
    return findings[subject].text


def test_all_is_well(database: Database, home: Path) -> None:
    findings = look(database)
    assert list(findings) == SUBJECTS
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert re.fullmatch(r"PostgreSQL [\d.]+ at 127.0.0.1:\d+/test_\w+, as postgres", findings["connection"].text)
    assert findings["pooler"].text == "none: the server itself answers"
    assert re.fullmatch(r"version [\d.]+", findings["pgvector"].text)
    assert findings["dimensions"].text == f"384, as {MINILM} makes them"
    assert findings["model"].text == f"{MINILM}: {minilm().place}"
    assert findings["folder"].text == f"{home} can be written"
    require_ready(database)


def test_examining_does_not_load_the_model(database: Database) -> None:
    code = f"""
import sys
from jv_assets.setup.doctor import examine, require_ready
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
database = Database({database.url!r})
require_ready(database)
assert not {{"torch", "sentence_transformers", "huggingface_hub"}} & sys.modules.keys()
assert {{finding.level for finding in examine(database, Embedder({MINILM!r}))}} == {{"ok"}}
assert not {{"torch", "sentence_transformers"}} & sys.modules.keys()
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Poolers


@pytest.mark.parametrize("pool_size", [1, 2, 20])
@pytest.mark.parametrize("in_turn", [0, 1])
def test_a_transaction_pooler(database: Database, pool_size: int, in_turn: int) -> None:
    with pgbouncer(database.url, default_pool_size=pool_size, server_round_robin=in_turn) as url:
        pooled = Database(url=url)
        for _ in range(3):  # with each the pool has more connections, until it is full
            findings = look(pooled)
            assert {finding.level for finding in findings.values()} == {"ok"}
            assert findings["pooler"].text.startswith("transaction pooler")
        require_ready(pooled)


@pytest.mark.parametrize("in_turn", [0, 1])
def test_a_session_pooler(database: Database, in_turn: int) -> None:
    with pgbouncer(database.url, pool_mode="session", server_round_robin=in_turn) as url:
        findings = look(Database(url=url))
        assert {finding.level for finding in findings.values()} == {"ok"}
        assert findings["pooler"].text.startswith("session pooler")


def test_a_session_pooler_with_one_connection(database: Database) -> None:
    with pgbouncer(database.url, pool_mode="session", default_pool_size=1) as url:
        text = warning(Database(url=url), "pooler")
        assert text.startswith("it gave no second connection within 5 s")
        assert "raise default_pool_size, or set pool_mode to transaction" in text


def test_a_statement_pooler(database: Database) -> None:
    with pgbouncer(database.url, pool_mode="statement") as url:
        text = error(Database(url=url), "connection")
    assert text.endswith("statement pooling mode; set the pooler's pool_mode to transaction")


def test_a_password_that_is_no_part_of_a_url(database: Database) -> None:
    """libpq takes no blank in a URL, and says so with the password. The pooler takes any, here."""
    with pgbouncer(database.url, auth_type="trust") as url:
        findings = look(changed(url, password=f" {CANARY} %/'\\"))
    assert {finding.level for finding in findings.values()} == {"ok"}


def test_examining_leaves_nothing_in_a_session_of_the_pooler(database: Database) -> None:
    settings = (
        "SELECT name, setting FROM pg_settings "
        "WHERE name IN ('statement_timeout', 'lock_timeout', 'TimeZone', 'DateStyle', 'search_path') ORDER BY name"
    )
    with pgbouncer(database.url, default_pool_size=1, server_reset_query="") as url:

        def seen() -> list[Any]:
            with psycopg.connect(url.replace("+psycopg", "", 1)) as connection:
                return connection.execute(settings).fetchall()

        before = seen()
        look(Database(url=url))
        assert seen() == before


# Connection


def test_a_server_that_does_not_run(database_url: str) -> None:
    database = changed(database_url, port=free_port())
    assert "Connection refused" in error(database, "connection")
    assert len(look(database)) == 1


@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_wrong_password(database_url: str, is_pooled: bool) -> None:
    with pgbouncer(database_url) as pooled:
        text = error(changed(pooled if is_pooled else database_url, password=CANARY), "connection")
    assert re.search(r"authentication failed.*; check user and password in JV_DATABASE_URL$", text)


@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_wrong_database_name(database_url: str, is_pooled: bool) -> None:
    # the pooler keeps clients waiting for so long after a login that failed
    with pgbouncer(database_url, server_login_retry=1) as pooled:
        text = error(changed(pooled if is_pooled else database_url, database="elsewhere"), "connection")
    assert text.endswith('database "elsewhere" does not exist; check the names in JV_DATABASE_URL')


def test_a_url_that_is_none() -> None:
    (finding,) = examine(Database(url=f"host=db password={CANARY}"), minilm())
    assert (finding.subject, finding.level) == ("connection", "error")
    assert CANARY not in finding.text


def test_an_embedded_server_that_cannot_be_made(home: Path) -> None:
    home.write_text("a file in the way")
    (finding,) = examine(Database(postgres.production_url), minilm())
    assert (finding.subject, finding.level) == ("connection", "error")
    assert finding.text.startswith("cannot use the embedded server's folder")


def test_a_server_that_takes_no_writes(database: Database) -> None:
    execute(database, f"ALTER DATABASE {make_url(database.url).database} SET default_transaction_read_only = on")
    assert "takes no writes" in error(Database(url=database.url), "connection")


# The database


def test_an_empty_database(database_url: str) -> None:
    database = Database(url=database_url)
    findings = look(database)
    assert re.fullmatch(r"pgvector [\d.]+ is not yet in this database; type: jv migrate", findings["pgvector"].text)
    assert re.match(
        r"the database has no table profiles and no table match_suggestions; type: jv migrate", findings["tables"].text
    )
    assert [name for name, finding in findings.items() if finding.level != "ok"] == ["pgvector", "tables"]
    assert refusal(database) == findings["pgvector"].text


def test_a_server_without_pgvector(database_url: str) -> None:
    nowhere = f"ALTER DATABASE {make_url(database_url).database} SET extension_control_path = '/nowhere'"
    execute(Database(url=database_url), nowhere)
    database = Database(url=database_url)
    text = "the database server has no pgvector: install it there (the package postgresql-NN-pgvector)"
    assert look(database)["pgvector"] == Finding("pgvector", "error", text)
    with pytest.raises(UserError, match=r"^the database server has no pgvector: install it"):
        migrate(database)


def test_pgvector_out_of_sight(database: Database, role: str) -> None:
    grant_all_that_is_needed(database, role)
    execute(database, "CREATE SCHEMA extensions", "ALTER EXTENSION vector SET SCHEMA extensions")
    cure = re.search("let that schema's owner type: (.*)$", error(as_role(database, role), "pgvector"))
    assert cure
    execute(database, cure[1])
    assert look(as_role(database, role))["pgvector"].level == "ok"


def test_a_production_database_before_the_first_migration(database_url: str) -> None:
    database = Database(url=database_url)
    execute(
        database,
        "CREATE EXTENSION vector",
        *(
            f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in columns.items())}, PRIMARY KEY (id))"
            for table, columns in (("profiles", PROFILE_COLUMNS), ("match_suggestions", MATCH_COLUMNS))
        ),
    )
    assert re.fullmatch(r"profiles has no column embedding_seeking, .*; type: jv migrate", error(database, "tables"))
    migrate(database)
    require_ready(database)


def test_schema_jv_is_gone(database: Database) -> None:
    execute(database, "DROP SCHEMA jv CASCADE")
    assert error(database, "tables") == "schema jv is missing or behind; type: jv migrate"


@pytest.mark.parametrize("table", READ)
def test_one_of_the_tables_is_missing(database: Database, table: str) -> None:
    execute(database, f"DROP TABLE {table}")
    assert error(database, "tables").startswith(f"the database has no table {table}; check the database's name")


@pytest.mark.parametrize(("table", "column"), [("profiles", "seeking"), ("match_suggestions", "match_score")])
def test_a_column_that_is_read_is_missing(database: Database, table: str, column: str) -> None:
    execute(database, f"ALTER TABLE {table} DROP COLUMN {column}")
    assert error(database, "tables").startswith(f"{table} has no column {column}, which is read: put it back")


def test_columns_that_are_written_were_dropped_after_the_migration(database: Database) -> None:
    """`jv migrate` would find nothing to do; what is proposed instead helps."""
    execute(
        database,
        f"ALTER TABLE profiles {', '.join(f'DROP COLUMN {name}' for name in WRITTEN['profiles'])}",
        "ALTER TABLE match_suggestions DROP COLUMN score_ba, DROP COLUMN match_context",
    )
    for table in READ:
        found = re.match(f"{table} has no column .*; let its owner type: (ALTER .*)", error(database, "tables"))
        assert found
        execute(database, found[1])
    require_ready(database)


def test_vectors_of_another_dimension(database_url: str) -> None:
    database = Database(url=database_url)
    migrate(database, dimension=1024)
    text = error(database, "dimensions")
    assert text.startswith(f"profiles.embedding_seeking holds vectors of 1024 numbers, but model {MINILM} makes 384: ")
    assert "set JV_EMBEDDING_MODEL" in text


def test_a_configured_model_without_a_calibration(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_EMBEDDING_MODEL", "example/model")
    assert "example/model has no calibration" in error(database, "dimensions")


# Privileges


def test_a_role_with_exactly_enough(database: Database, role: str) -> None:
    grant_all_that_is_needed(database, role)
    findings = look(as_role(database, role))
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert findings["privileges"].text == f"role {role} may do what is needed, and nothing else"


@pytest.mark.parametrize(
    "revoked",
    [
        "UPDATE (harmonic_mean) ON match_suggestions",
        "UPDATE (embedding_seeking, embeddings_model) ON profiles",
        "SELECT ON profiles",
        "SELECT ON match_suggestions",
        "SELECT, DELETE ON jv.embedded_texts",
        "USAGE ON SCHEMA jv",
        "SELECT ON jv.alembic_version",
    ],
)
def test_a_role_with_too_little(database: Database, role: str, revoked: str) -> None:
    grant_all_that_is_needed(database, role)
    execute(database, f"REVOKE {revoked} FROM {role}")
    text = error(as_role(database, role), "privileges")
    assert text == f"role {role} may too little; let the tables' owner type: GRANT {revoked} TO {role}"


def test_a_role_that_cannot_make_the_months_of_the_log(database: Database, role: str) -> None:
    grant_all_that_is_needed(database, role)
    execute(database, f"REVOKE CREATE ON SCHEMA jv FROM {role}")
    text = error(as_role(database, role), "privileges")
    owner = "; ".join(f"ALTER TABLE {name} OWNER TO {role}" for name in ("jv.score_log_rows", "jv.score_log"))
    assert text.endswith(f": GRANT CREATE ON SCHEMA jv TO {role}; {owner}")


def test_a_role_that_may_make_no_temporary_table(database: Database, role: str) -> None:
    grant_all_that_is_needed(database, role)
    name = make_url(database.url).database
    execute(database, f"REVOKE TEMP ON DATABASE {name} FROM PUBLIC")
    assert error(as_role(database, role), "privileges").endswith(f": GRANT TEMP ON DATABASE {name} TO {role}")


def test_what_is_proposed_to_a_role_that_may_nothing_is_exactly_enough(database: Database, role: str) -> None:
    text = error(as_role(database, role), "privileges")
    execute(database, *text.partition("type: ")[2].split("; "))
    assert look(as_role(database, role))["privileges"].level == "ok"


def test_reading_some_columns_is_enough(database: Database, role: str) -> None:
    grant_all_that_is_needed(database, role)
    for table, columns in READ.items():
        names = ", ".join((*columns, *WRITTEN[table]))
        execute(database, f"REVOKE SELECT ON {table} FROM {role}", f"GRANT SELECT ({names}) ON {table} TO {role}")
    assert look(as_role(database, role))["privileges"].level == "ok"


def test_a_superuser(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of the embedded server is nobody's mistake; another is."""
    assert look(database)["privileges"].text == "postgres, the superuser of the embedded server"
    monkeypatch.setenv("JV_DATABASE_URL", database.url)
    monkeypatch.setenv("JV_EMBEDDING_MODEL", MINILM)
    text = warning(database, "privileges")
    assert text.startswith("role postgres may more than it needs (it is a superuser); use one that may only read")


def test_the_owner_of_a_table(database: Database, role: str) -> None:
    grant_all_that_is_needed(database, role)
    execute(database, f"ALTER TABLE match_suggestions OWNER TO {role}")
    assert "(it owns match_suggestions)" in warning(as_role(database, role), "privileges")


@pytest.mark.parametrize(
    ("granted", "named"),
    [
        ("UPDATE (match_score) ON match_suggestions", "UPDATE match_suggestions (match_score)"),
        ("UPDATE ON match_suggestions", "UPDATE match_suggestions (match_score, id, profile_id, …)"),
        ("DELETE ON profiles", "DELETE profiles"),
        ("INSERT, TRUNCATE ON match_suggestions", "INSERT match_suggestions, TRUNCATE match_suggestions"),
    ],
)
def test_a_role_with_too_much(database: Database, role: str, granted: str, named: str) -> None:
    grant_all_that_is_needed(database, role)
    execute(database, f"GRANT {granted} TO {role}")
    assert f"role {role} may more than it needs ({named}); " in warning(as_role(database, role), "privileges")


def test_rows_that_row_level_security_hides(database: Database, role: str) -> None:
    grant_all_that_is_needed(database, role)
    execute(database, "ALTER TABLE profiles ENABLE ROW LEVEL SECURITY")
    text = error(as_role(database, role), "writes")
    assert text.startswith(f"row-level security may hide rows of profiles from role {role}")
    execute(database, text.rpartition(", or: ")[2])
    assert look(as_role(database, role))["writes"].level == "ok"


# Model and folder


def test_a_model_that_cannot_be_had(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_EMBEDDING_MODEL", BGE)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{free_port()}")
    database = Database(url=database_url)
    migrate(database)
    text = error(database, "model", Embedder(BGE))
    assert text.startswith(f"model {BGE} cannot be had: it is not in the Hugging Face cache {tmp_path}")


def test_a_folder_that_cannot_be_written(database: Database, home: Path) -> None:
    home.write_text("a file in the way")
    text = error(database, "folder")
    assert text.startswith(f"cannot write to {home}: ")
    assert text.endswith("or set JV_HOME to one")


def test_a_bucket_is_named_without_its_key(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_HOME", f"memory://key:{CANARY}@bucket/jv@home")
    assert look(database)["folder"].text == "memory://bucket/jv@home can be written"
    monkeypatch.setenv("JV_HOME", f"s3://key:{CANARY}@bucket/jv@home")
    assert error(database, "folder").startswith("s3://bucket/jv@home cannot be used (")
