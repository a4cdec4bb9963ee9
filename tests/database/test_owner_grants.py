"""`jv migrate` and `jv grant` by an owner who is no superuser, with pgvector in another schema: each cure helps."""

import re
import secrets
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import make_url, text

from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.pipeline import embedding
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.resources.database import Database
from jv_assets.setup.doctor import examine, require_ready
from jv_assets.setup.grant import grant
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.models import minilm
from tests.support.odd import FIRST, LAST, Odd, Outcome, assert_right, assert_settled

PASSWORD = "not-shown"
QUOTED = {"extensions": "extensions", 'Odd "schema", here': '"Odd ""schema"", here"'}
"""Schemas, as Postgres quotes them."""


class Roles:
    """An owner of a database who may create roles, and a role that the owner made for the pipeline."""

    def __init__(self, url: str) -> None:
        self.url, self.owner = url, f"owner_{secrets.token_hex(4)}"
        self.role = f"{self.owner}_pipeline"
        name = make_url(url).database
        self.as_superuser(f"CREATE ROLE {self.owner} LOGIN CREATEROLE PASSWORD '{PASSWORD}'")
        self.as_superuser(f"ALTER DATABASE {name} OWNER TO {self.owner}")

    def as_superuser(self, *statements: str) -> None:
        _execute(self.url, *statements)

    def as_owner(self, *statements: str) -> None:
        _execute(self.owner_url, *statements)

    @property
    def owner_url(self) -> str:
        return self._url_of(self.owner)

    @property
    def role_url(self) -> str:
        return self._url_of(self.role)

    def make_role(self) -> None:
        self.as_owner(f"CREATE ROLE {self.role} LOGIN PASSWORD '{PASSWORD}'")

    def _url_of(self, user: str) -> str:
        return make_url(self.url).set(username=user, password=PASSWORD).render_as_string(hide_password=False)


def _execute(url: str, *statements: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "", 1), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


@pytest.fixture
def roles(database_url: str) -> Iterator[Roles]:
    roles = Roles(database_url)
    yield roles
    for name in (roles.role, roles.owner):
        roles.as_superuser(f"DO $$ BEGIN REASSIGN OWNED BY {name} TO postgres; DROP OWNED BY {name} CASCADE; "
                           f"EXCEPTION WHEN undefined_object THEN END $$", f"DROP ROLE IF EXISTS {name}")  # fmt: skip


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        work()
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def cure(line: str, after: str = "type: ") -> list[str]:
    """The statements that the line says to type."""
    return re.split("; then again: jv grant ", line.rpartition(after)[2])[0].split("; ")


def filled(url: str) -> Database:
    database = Database(url=url)
    migrate(database, dimension=minilm().dimension)
    population = make_population(60, 80)
    load_frames(database, population.profiles, population.matches)
    return database


def test_an_owner_who_made_the_role(roles: Roles) -> None:
    roles.as_superuser("CREATE EXTENSION vector")
    owner = filled(roles.owner_url)
    roles.make_role()
    line = refusal(lambda: grant(owner, roles.role))
    assert line == (
        f"{roles.owner} is no member of role {roles.role}, so that it cannot hand schema jv over to it; type: "
        f"GRANT {roles.role} TO {roles.owner}; then again: jv grant {roles.role}"
    )
    roles.as_owner(*cure(line))
    statements = grant(owner, roles.role)
    assert grant(owner, roles.role) == statements
    assert migrate(owner, dimension=minilm().dimension) == []
    require_ready(Database(url=roles.role_url))


def test_a_role_that_somebody_else_made(roles: Roles) -> None:
    roles.as_superuser("CREATE EXTENSION vector", f"CREATE ROLE {roles.role} LOGIN PASSWORD '{PASSWORD}'")
    roles.as_superuser(f"ALTER ROLE {roles.owner} NOINHERIT")
    owner = filled(roles.owner_url)
    line = refusal(lambda: grant(owner, roles.role))
    assert "let an administrator type: " in line
    roles.as_superuser(*cure(line))
    grant(owner, roles.role)
    grant(owner, roles.role)
    require_ready(Database(url=roles.role_url))


def test_an_owner_of_the_tables_alone(roles: Roles) -> None:
    """The database is somebody else's, who lets nobody make a schema or a temporary table."""
    roles.as_superuser("CREATE EXTENSION vector")
    owner = filled(roles.owner_url)
    roles.make_role()
    roles.as_owner(f"GRANT {roles.role} TO {roles.owner}")
    name = make_url(roles.url).database
    roles.as_superuser(f"ALTER DATABASE {name} OWNER TO postgres", f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    roles.as_superuser(f"REVOKE ALL ON DATABASE {name} FROM {roles.owner}")
    roles.as_superuser(f"GRANT CONNECT ON DATABASE {name} TO {roles.owner}, {roles.role}")
    line = refusal(lambda: grant(owner, roles.role))
    assert f"{roles.owner} may too little in database {name}; let postgres type: " in line
    roles.as_superuser(*cure(line))
    grant(owner, roles.role)
    require_ready(Database(url=roles.role_url))


def test_somebody_who_is_not_the_owner(roles: Roles) -> None:
    roles.as_superuser("CREATE EXTENSION vector")
    filled(roles.owner_url)
    roles.make_role()
    line = refusal(lambda: grant(Database(url=roles.role_url), roles.role))
    assert line == (
        f"profiles and match_suggestions belong to {roles.owner}, and not to {roles.role}: connect as {roles.owner} in "
        f"JV_DATABASE_URL, then again: jv grant {roles.role}"
    )


@pytest.mark.parametrize("schema", QUOTED)
def test_pgvector_in_a_schema_where_nobody_looks(roles: Roles, schema: str) -> None:
    quoted = QUOTED[schema]
    roles.as_superuser(f"CREATE SCHEMA {quoted}", f"CREATE EXTENSION vector SCHEMA {quoted}")
    database = Database(url=roles.owner_url)
    line = refusal(lambda: migrate(database, dimension=minilm().dimension))
    assert line.startswith(
        f"role {roles.owner} may not use schema {quoted}, where pgvector is; let that schema's owner "
    )
    roles.as_superuser(*cure(line))
    owner = filled(roles.owner_url)
    roles.make_role()
    roles.as_owner(f"GRANT {roles.role} TO {roles.owner}")
    line = refusal(lambda: grant(owner, roles.role))
    assert line.startswith(f"role {roles.role} may not use schema {quoted}; let postgres type: GRANT USAGE ON SCHEMA ")
    roles.as_superuser(f"GRANT USAGE ON SCHEMA {quoted} TO {roles.owner} WITH GRANT OPTION")
    assert f'GRANT USAGE ON SCHEMA {sql.Identifier(schema).as_string()} TO "{roles.role}"' in grant(owner, roles.role)
    grant(owner, roles.role)
    pipeline = Database(url=roles.role_url)
    require_ready(pipeline)
    done = embedding.embed(pipeline, minilm(), embedding_plan.plan_range(pipeline, minilm(), FIRST, LAST))
    assert done.texts > 50
    assert {finding.level for finding in examine(pipeline, minilm())} == {"ok"}
    roles.as_superuser(f"REVOKE USAGE ON SCHEMA {quoted} FROM {roles.owner} CASCADE")
    line = refusal(lambda: require_ready(pipeline))
    roles.as_superuser(*cure(line))
    require_ready(pipeline)


@pytest.mark.parametrize("schema", QUOTED)
def test_a_night_with_pgvector_in_another_schema(odd_database: Callable[..., Odd], schema: str) -> None:
    odd = odd_database()
    quoted = QUOTED[schema]
    odd.change(f"CREATE SCHEMA {quoted}; ALTER EXTENSION vector SET SCHEMA {quoted}")
    odd.change("UPDATE profiles SET embedding_seeking = NULL")
    assert odd.errors() == []
    assert odd.command("nightly") == Outcome(0)
    assert assert_right(odd) > 120
    assert_settled(odd, "nightly")


def test_what_is_created_goes_where_it_went(database_url: str) -> None:
    """The schema of pgvector is looked in last, and not at all where there is no other."""
    with Database(url=database_url).transaction() as connection:
        connection.execute(text("CREATE SCHEMA extensions"))
        connection.execute(text("CREATE EXTENSION vector SCHEMA extensions"))
    with Database(url=database_url).transaction() as connection:
        assert connection.scalar(text("SELECT current_schemas(false)::text")) == "{public,extensions}"
    _execute(database_url, f"ALTER DATABASE {make_url(database_url).database} SET search_path = nowhere")
    with Database(url=database_url).transaction() as connection:
        assert connection.scalar(text("SELECT current_schemas(false)::text")) == "{}"
