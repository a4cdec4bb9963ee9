"""Databases as they are elsewhere: each is scored exactly, or refused in one line with a cure that works."""

import math
from collections.abc import Callable

import numpy as np
import psycopg
import pytest
from sqlalchemy import text

from jv_assets.automation.schedules import NIGHTLY
from jv_assets.errors import UserError
from jv_assets.explain import explain
from jv_assets.pipeline.undo import kept_runs, undo_range
from jv_assets.platform import postgres
from jv_assets.reports.exporting import top_matches
from jv_assets.reports.impact_rows import hours_ago, row_chunks
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate
from jv_assets.setup.status import count_older, read_status
from tests.support.models import MINILM
from tests.support.odd import (
    COMMANDS,
    SCORED,
    TEMPLATE,
    Case,
    Meant,
    Odd,
    Outcome,
    Profile,
    assert_right,
    assert_settled,
    cure_in,
    first_profile,
    others,
    state,
)
from tests.support.pipelines import KEYS, failure


def retyped(table: str, **kinds: str) -> str:
    """SQL: give columns other types, their values by way of their text."""
    actions = [f"ALTER {name} TYPE {kind} USING {name}::text::{kind}" for name, kind in kinds.items()]
    return f"ALTER TABLE {table} {', '.join(actions)};"


def as_halves(profile: Profile) -> Profile:
    vectors = {name: value for name, value in profile.items() if name.startswith("embedding_") and value is not None}
    return profile | {name: value.astype(np.float16).astype(np.float32) for name, value in vectors.items()}


def at_most_smallint(profile: Profile) -> Profile:
    return profile | {"list_size": profile["list_size"] and min(profile["list_size"], 32_767)}


def one_with(**values: object) -> Meant:
    """The first profile has these values."""
    return lambda profile: profile | (values if profile["id"] == first_profile() else {})


DOMAINS = "CREATE DOMAIN odd_{0} AS {1}; ALTER TABLE {2} ALTER {3} TYPE odd_{0} USING {3}::odd_{0};"

ACCEPTED = [
    Case("an ordinary database", ""),
    Case("an ordinary database, scored before", "", template=SCORED),
    Case(
        "numbers are numeric, JSON is text",
        retyped(
            "profiles",
            audience_engagement_score="numeric",
            list_size="numeric(14,2)",
            social_reach="bigint",
            jv_history="text",
            content_platforms="json",
            tags="varchar(200)[]",
            seeking="varchar",
            network_role="name",
        )
        + retyped("match_suggestions", match_score="double precision", score_ab="numeric", score_ba="numeric(8,4)"),
    ),
    Case(
        "numbers are real, texts are char(n) or of an enum, lists are jsonb",
        "UPDATE profiles SET list_size = 32767 WHERE list_size > 32767;"
        + retyped("profiles", audience_engagement_score="real", list_size="smallint", social_reach="double precision")
        + "ALTER TABLE profiles ALTER tags TYPE jsonb USING to_jsonb(tags), ALTER jv_history TYPE varchar, "
        "ALTER company TYPE char(200);"
        "DO $$ BEGIN EXECUTE (SELECT format('CREATE TYPE odd_tier AS ENUM (%s)', string_agg(DISTINCT "
        "quote_literal(revenue_tier), ', ')) FROM profiles); END $$;"
        + retyped("profiles", revenue_tier="odd_tier")
        + retyped("match_suggestions", score_ab="real", score_ba="double precision", harmonic_mean="real"),
        meant=at_most_smallint,
    ),
    Case(
        "domains over the usual types",
        DOMAINS.format("text", "text", "profiles", "seeking")
        + DOMAINS.format("share", "numeric CHECK (VALUE <> 7)", "profiles", "audience_engagement_score")
        + DOMAINS.format("history", "jsonb", "profiles", "jv_history")
        + DOMAINS.format("key", "uuid", "match_suggestions", "profile_id")
        + DOMAINS.format("score", "numeric(5,2) CHECK (VALUE BETWEEN 0 AND 100)", "match_suggestions", "harmonic_mean")
        + DOMAINS.format("context", "jsonb", "match_suggestions", "match_context")
        + DOMAINS.format("vector", "vector(384)", "profiles", "embedding_seeking")
        + DOMAINS.format("model", "varchar(60)", "profiles", "embeddings_model"),
    ),
    Case(
        "half vectors, of a declared and an undeclared length",
        "ALTER TABLE profiles ALTER embedding_seeking TYPE halfvec(384), ALTER embedding_offering TYPE halfvec, "
        "ALTER embedding_who_you_serve TYPE halfvec(384), ALTER embedding_what_you_do TYPE halfvec(384)",
        meant=as_halves,
    ),
    Case(
        "scores are real, and the context is json",
        "ALTER TABLE match_suggestions ALTER score_ab TYPE real, ALTER score_ba TYPE real, "
        "ALTER harmonic_mean TYPE double precision, ALTER match_context TYPE json; "
        "ALTER TABLE profiles ALTER embeddings_updated_at TYPE timestamp, ALTER updated_at TYPE timestamp",
        template=SCORED,
        command="nightly",
    ),
    Case(
        "a partitioned table",
        "ALTER TABLE match_suggestions RENAME TO old; "
        "CREATE TABLE match_suggestions (LIKE old INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id); "
        "CREATE TABLE part_0 PARTITION OF match_suggestions FOR VALUES WITH (MODULUS 2, REMAINDER 0); "
        "CREATE TABLE part_1 PARTITION OF match_suggestions FOR VALUES WITH (MODULUS 2, REMAINDER 1); "
        "INSERT INTO match_suggestions SELECT * FROM old; DROP TABLE old",
    ),
    Case(
        "numbers that are none",
        retyped("profiles", audience_engagement_score="real", list_size="numeric", social_reach="double precision")
        + "UPDATE profiles SET audience_engagement_score = 'NaN', list_size = 'Infinity', social_reach = '-Infinity'",
        meant=lambda profile: (
            profile | {"audience_engagement_score": math.nan, "list_size": math.inf, "social_reach": -math.inf}
        ),
    ),
    Case(
        "texts of other collations",
        'ALTER TABLE profiles ALTER seeking TYPE text COLLATE "POSIX", ALTER offering TYPE text COLLATE "C", '
        'ALTER embeddings_model TYPE varchar(100) COLLATE "POSIX"; '
        "DELETE FROM jv.embedded_texts WHERE field = 'seeking'; UPDATE profiles SET embedding_offering = NULL",
        command="nightly",
    ),
    Case(
        "a session prints fewer digits than a number has",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET extra_float_digits = -10', current_database()); END $$",
    ),
]
"""Every scorable match is as the reference says, and a second run writes nothing."""


def refused(
    name: str, sql: str, says: str, table: str, cure: str, *, mend: str = "", meant: Meant = lambda profile: profile
) -> Case:
    """A case whose cure is an ALTER TABLE of the owner's."""
    says = f"{says}; let its owner type: "
    return Case(name, sql, says=says, cure=f"ALTER TABLE {table} {cure}", mend=mend, meant=meant)


MATCHES, PROFILES = "match_suggestions", "profiles"
VIEW = "CREATE SCHEMA base; ALTER TABLE profiles SET SCHEMA base; CREATE VIEW profiles AS SELECT * FROM base.profiles"
REFUSED = [
    refused(
        "a column that publishing writes is missing",
        "ALTER TABLE match_suggestions DROP COLUMN score_ba",
        "match_suggestions has no column score_ba",
        MATCHES,
        "ADD COLUMN score_ba numeric(5,2)",
    ),
    refused(
        "scores with one decimal, without any, and of too few digits",
        retyped(MATCHES, score_ab="numeric(4,1)", score_ba="integer", harmonic_mean="numeric(4,2)"),
        "match_suggestions.score_ab is numeric(4,1), which does not hold 0 to 100 with two decimals, "
        "match_suggestions.score_ba is integer, which is not read as numeric(5,2), "
        "match_suggestions.harmonic_mean is numeric(4,2), which does not hold 0 to 100 with two decimals",
        MATCHES,
        "ALTER COLUMN score_ab TYPE numeric(5,2) USING score_ab::text::numeric(5,2), "
        "ALTER COLUMN score_ba TYPE numeric(5,2) USING score_ba::text::numeric(5,2), "
        "ALTER COLUMN harmonic_mean TYPE numeric(5,2) USING harmonic_mean::text::numeric(5,2)",
    ),
    refused(
        "the ids of matches are text",
        retyped(MATCHES, id="text", suggested_profile_id="text"),
        "match_suggestions.id is text, which is not read as uuid, "
        "match_suggestions.suggested_profile_id is text, which is not read as uuid",
        MATCHES,
        "ALTER COLUMN id TYPE uuid USING id::uuid, "
        "ALTER COLUMN suggested_profile_id TYPE uuid USING suggested_profile_id::uuid",
    ),
    refused(
        "the ids of profiles are text",
        retyped(PROFILES, id="text"),
        "profiles.id is text, which is not read as uuid",
        PROFILES,
        "ALTER COLUMN id TYPE uuid USING id::uuid",
    ),
    refused(
        "the context is text",
        retyped(MATCHES, match_context="text"),
        "match_suggestions.match_context is text, which is not read as jsonb",
        MATCHES,
        "ALTER COLUMN match_context TYPE jsonb USING match_context::jsonb",
    ),
    refused(
        "texts and lists of other types",
        "ALTER TABLE profiles ALTER tags TYPE text USING array_to_string(tags, ','), "
        "ALTER niche TYPE text[] USING ARRAY[niche], ALTER list_size TYPE varchar",
        "profiles.niche is text[], which is not read as text, profiles.tags is text, which is not read as text[], "
        "profiles.list_size is character varying, which is not read as integer",
        PROFILES,
        "ALTER COLUMN niche TYPE text USING array_to_string(niche, ', '), "
        "ALTER COLUMN tags TYPE text[] USING string_to_array(tags::text, ','), "
        "ALTER COLUMN list_size TYPE integer USING list_size::text::integer",
    ),
    refused(
        "a list of numbers",
        "ALTER TABLE profiles ALTER tags TYPE integer[] USING ARRAY[1, 20]",
        "profiles.tags is integer[], which is not read as text[]",
        PROFILES,
        "ALTER COLUMN tags TYPE text[] USING tags::text[]",
        meant=lambda profile: profile | {"tags": ["1", "20"]},
    ),
    refused(
        "a list of an enum",
        "CREATE TYPE odd_tag AS ENUM ('a', 'b, c'); "
        "ALTER TABLE profiles ALTER tags TYPE odd_tag[] USING ARRAY['b, c', 'a']::odd_tag[]",
        "profiles.tags is odd_tag[], which is not read as text[]",
        PROFILES,
        "ALTER COLUMN tags TYPE text[] USING tags::text[]",
        meant=lambda profile: profile | {"tags": ["b, c", "a"]},
    ),
    refused(
        "a text and a number are JSON",
        "ALTER TABLE profiles ALTER seeking TYPE jsonb USING to_jsonb(seeking), "
        "ALTER list_size TYPE jsonb USING to_jsonb(list_size::text)",
        "profiles.seeking is jsonb, which is not read as text, "
        "profiles.list_size is jsonb, which is not read as integer",
        PROFILES,
        "ALTER COLUMN seeking TYPE text USING (seeking #>> '{}')::text, "
        "ALTER COLUMN list_size TYPE integer USING (list_size #>> '{}')::text::integer",
    ),
    refused(
        "a vector is a list of numbers",
        "ALTER TABLE profiles ALTER embedding_offering TYPE real[] USING embedding_offering::real[]",
        "profiles.embedding_offering is real[], which is not read as vector",
        PROFILES,
        "ALTER COLUMN embedding_offering TYPE vector USING embedding_offering::vector",
    ),
    refused(
        "no room for the model's name",
        retyped(PROFILES, embeddings_model="varchar(20)").replace(
            "embeddings_model::text::varchar(20)", f"right(embeddings_model, {len('all-MiniLM-L6-v2')})"
        ),
        f"profiles.embeddings_model is character varying(20), too short for {MINILM}",
        PROFILES,
        "ALTER COLUMN embeddings_model TYPE varchar(100) USING embeddings_model::varchar(100)",
    ),
    refused(
        "a score is generated",
        "ALTER TABLE match_suggestions DROP harmonic_mean, ADD harmonic_mean numeric(5,2) "
        "GENERATED ALWAYS AS (round((score_ab + score_ba) / 2, 2)) STORED",
        "match_suggestions.harmonic_mean is generated, but the pipeline writes it",
        MATCHES,
        "ALTER COLUMN harmonic_mean DROP EXPRESSION",
    ),
    refused(
        "a score must be there",
        "UPDATE match_suggestions SET harmonic_mean = 0; "
        "ALTER TABLE match_suggestions ALTER harmonic_mean SET NOT NULL",
        "match_suggestions.harmonic_mean is NOT NULL, but NULL says that there is none",
        MATCHES,
        "ALTER COLUMN harmonic_mean DROP NOT NULL",
        mend="ALTER TABLE match_suggestions ALTER harmonic_mean DROP NOT NULL; "
        "UPDATE match_suggestions SET harmonic_mean = NULL",
    ),
    refused(
        "a CHECK for scores of another scale",
        "ALTER TABLE match_suggestions ADD CONSTRAINT of_ten CHECK (harmonic_mean <= 10)",
        "CHECK of_ten of match_suggestions does not admit harmonic_mean 24.42, which the pipeline may write",
        MATCHES,
        "DROP CONSTRAINT of_ten",
    ),
    refused(
        "a CHECK for a key that the context lacks",
        "ALTER TABLE match_suggestions ADD CONSTRAINT \"Old keys\" CHECK (match_context::jsonb -> 'engine' IS NOT NULL "
        "AND jsonb_typeof(match_context) = 'object') NOT VALID",
        "which the pipeline may write",
        MATCHES,
        'DROP CONSTRAINT "Old keys"',
    ),
    refused(
        "a domain that holds no score",
        "CREATE DOMAIN share AS numeric CHECK (VALUE <= 1); "
        "ALTER TABLE match_suggestions ALTER score_ab TYPE share USING score_ab::share",
        "match_suggestions.score_ab is share, which does not admit score_ab 20.25",
        MATCHES,
        "ALTER COLUMN score_ab TYPE numeric(5,2) USING score_ab::numeric(5,2)",
    ),
    Case(
        "a view in place of a table",
        VIEW,
        says="profiles is a view, but only a table can be read and written; "
        "let the pipeline's role find the table in schema base first: ALTER ROLE postgres IN DATABASE ",
        mend="DROP VIEW profiles; ALTER TABLE base.profiles SET SCHEMA public",
    ),
    Case(
        "a foreign table in place of a table",
        "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere; "
        "ALTER TABLE profiles RENAME TO away; "
        "CREATE FOREIGN TABLE profiles (id uuid, name text) SERVER nowhere",
        says="profiles is a foreign table, but only a table can be read and written; "
        "give in JV_DATABASE_URL the database that has the table",
        mend="DROP FOREIGN TABLE profiles; ALTER TABLE away RENAME TO profiles",
    ),
    Case(
        "an id twice",
        "ALTER TABLE match_suggestions DROP CONSTRAINT match_suggestions_pkey; "
        "INSERT INTO match_suggestions SELECT * FROM match_suggestions ORDER BY id LIMIT 1",
        says="match_suggestions has no primary key or unique constraint on id alone, so that an id may be there twice; "
        "delete the rows that are too many, then let its owner type: ",
        cure="ALTER TABLE match_suggestions ADD PRIMARY KEY (id)",
        mend="DELETE FROM match_suggestions m USING match_suggestions o WHERE m.id = o.id AND m.ctid > o.ctid",
    ),
    Case(
        "a primary key of two columns",
        "ALTER TABLE match_suggestions DROP CONSTRAINT match_suggestions_pkey, ADD PRIMARY KEY (id, profile_id)",
        says="match_suggestions has no primary key or unique constraint on id alone, so that an id may be there twice; "
        "delete the rows that are too many, then let its owner type: ",
        cure="ALTER TABLE match_suggestions ALTER COLUMN id SET NOT NULL, ADD UNIQUE (id)",
    ),
    Case(
        "a table that is partitioned by time",
        "ALTER TABLE match_suggestions RENAME TO old; CREATE TABLE match_suggestions (LIKE old INCLUDING DEFAULTS, "
        "PRIMARY KEY (id, suggested_at)) PARTITION BY RANGE (suggested_at); "
        "CREATE TABLE ever PARTITION OF match_suggestions DEFAULT; INSERT INTO match_suggestions SELECT * FROM old",
        says="match_suggestions has no primary key or unique constraint on id alone, so that an id may be there twice; "
        "it is partitioned by RANGE (suggested_at), and no such table can have that key: let its owner move the rows "
        "to a table that is partitioned by HASH (id), or not at all",
        mend="DROP TABLE match_suggestions; ALTER TABLE old RENAME TO match_suggestions",
    ),
    Case(
        "a table that others inherit from",
        "CREATE TABLE more () INHERITS (match_suggestions); "
        "INSERT INTO more SELECT * FROM ONLY match_suggestions LIMIT 1",
        says="match_suggestions has tables that inherit from it, so that an id may be there twice; "
        "let its owner take each of them off: ALTER TABLE … NO INHERIT match_suggestions",
        mend="ALTER TABLE more NO INHERIT match_suggestions",
    ),
]
"""The doctor says so, every command is refused with exit code 2 before it starts, and the cure helps."""

ONE = f"id = (SELECT min(id::text)::uuid FROM {PROFILES})"
REFUSED_IN_A_PARTITION = [
    Case(
        "a text that is not the JSON it should be",
        retyped(PROFILES, jv_history="text") + f"UPDATE profiles SET jv_history = 'three summits' WHERE {ONE}",
        says="does not hold JSON: Expecting value: line 1 column 1 (char 0); correct it in the table",
        mend=f"UPDATE profiles SET jv_history = NULL WHERE {ONE}",
        meant=one_with(jv_history=None),
    ),
    Case(
        "a number beyond a double",
        retyped(PROFILES, audience_engagement_score="numeric")
        + f"UPDATE profiles SET audience_engagement_score = 1e400 WHERE {ONE}",
        says="does not hold a number: beyond what a double precision number holds; correct it in the table",
        mend=f"UPDATE profiles SET audience_engagement_score = 0.3 WHERE {ONE}",
        meant=one_with(audience_engagement_score=0.3),
    ),
    Case(
        "a list that is an object",
        "ALTER TABLE profiles ALTER tags TYPE jsonb USING to_jsonb(tags);"
        f"UPDATE profiles SET tags = '{{}}' WHERE {ONE}",
        says="does not hold a list: JSON, but not a list; correct it in the table",
        mend=f"UPDATE profiles SET tags = '[]' WHERE {ONE}",
        meant=one_with(tags=[]),
    ),
]
"""The command fails with exit code 1 in the partitions that it concerns, writes the others, and the cure helps."""


@pytest.mark.parametrize("case", ACCEPTED, ids=str)
def test_accepted(odd_database: Callable[[str], Odd], case: Case) -> None:
    odd = odd_database(case.template)
    odd.change(case.sql)
    assert odd.errors() == []
    before = others(odd)
    assert odd.command(case.command) == Outcome(0)
    assert assert_right(odd, case.meant) > 120
    assert others(odd) == before
    assert read_status(odd.database, MINILM).waiting == 0
    assert_settled(odd, case.command)


@pytest.mark.parametrize("case", REFUSED, ids=str)
def test_refused_before_it_starts(odd_database: Callable[[str], Odd], case: Case) -> None:
    odd = odd_database(case.template)
    odd.change(case.sql)
    before = state(odd)
    (line,) = odd.errors()
    assert case.says in line
    for command in COMMANDS:
        assert odd.command(command) == Outcome(2, line)
    assert state(odd) == before
    mend(odd, case, line)


@pytest.mark.parametrize("case", REFUSED_IN_A_PARTITION, ids=str)
def test_refused_in_a_partition(odd_database: Callable[[str], Odd], case: Case) -> None:
    odd = odd_database(case.template)
    odd.change(case.sql)
    assert odd.errors() == []
    outcome = odd.command(case.command)
    assert outcome.code == 1
    assert case.says in outcome.line
    assert first_profile() in outcome.line
    mend(odd, case, outcome.line)


REAL = (
    "ALTER TABLE match_suggestions ALTER score_ab TYPE real, ALTER score_ba TYPE real, ALTER harmonic_mean TYPE real, "
    "ALTER match_context TYPE json, ALTER match_score TYPE real;"
    "ALTER TABLE profiles ALTER jv_history TYPE text, ALTER embedding_seeking TYPE halfvec"
)


def test_what_is_stored_in_other_types_is_told(odd_database: Callable[[str], Odd]) -> None:
    """Status, the best matches, the explanation of one, and what production held before."""
    odd = odd_database(SCORED)
    odd.change(REAL)
    assert odd.command("rescore") == Outcome(0)
    status = read_status(odd.database, MINILM)
    assert status.waiting == 0
    assert sum(status.scored.values()) > 120
    assert count_older(odd.database, MINILM) == 0
    stored = {row[0]: row[1:] for row in odd.rows("SELECT id::text, harmonic_mean::text FROM match_suggestions")}
    best = top_matches(odd.database, 10).rows
    assert [str(score) for score in best["match_score"]] == [str(float(stored[one][0])) for one in best["id"]]
    told = explain(odd.database, MINILM, best["id"].iloc[0])
    assert told.stored is not None
    assert (told.stored.pair.harmonic_mean, told.stale) == (best["match_score"].iloc[0], False)
    (before,) = row_chunks(odd.database, odd.files, KEYS[0], hours_ago(0))
    assert len(before)
    assert (before["before_harmonic_mean"] == before["harmonic_mean"]).all()


def test_what_was_replaced_in_other_types_is_put_back(odd_database: Callable[[str], Odd]) -> None:
    odd = odd_database(SCORED)
    odd.change(REAL)
    odd.change("UPDATE match_suggestions SET score_ab = 12.345678 WHERE score_ab IS NOT NULL")
    odd.change("ALTER TABLE match_suggestions ALTER score_ba TYPE numeric")
    odd.change("UPDATE match_suggestions SET score_ba = 1234.56789 WHERE score_ba IS NOT NULL")
    columns = "id, score_ab::text, score_ba::text, harmonic_mean::text, match_context::jsonb"
    select = f"SELECT {columns} FROM match_suggestions ORDER BY id"
    before = odd.rows(select)
    assert odd.command("rescore") == Outcome(0)
    run = kept_runs(odd.database)[0]
    within = map(odd.files.cut.matches.bounds, KEYS)
    restored = sum(undo_range(odd.database, each, run.run_id, "own").restored for each in within)
    assert restored > 120
    assert odd.rows(select) == before


def test_a_run_of_the_schedule_is_refused_too(odd_database: Callable[[str], Odd]) -> None:
    """It asks no doctor before it starts; it would round each score, every night."""
    odd = odd_database(TEMPLATE)
    odd.change(retyped(MATCHES, score_ba="integer"))
    result = odd.run("nightly", NIGHTLY)
    assert failure(result).startswith("match_suggestions.score_ba is integer, which is not read as numeric(5,2); let ")
    assert odd.rows("SELECT count(score_ab) FROM match_suggestions") == [(0,)]


def test_a_view_is_passed_by_as_the_line_says(odd_database: Callable[..., Odd]) -> None:
    """Whatever else is looked for by the search path of before, such as pgvector, is still found."""
    odd = odd_database()
    odd.change(
        f"CREATE SCHEMA odd; ALTER EXTENSION vector SET SCHEMA odd; {VIEW}; DO $$ BEGIN EXECUTE format("
        "'ALTER DATABASE %I SET search_path = public, odd', current_database()); END $$"
    )
    odd = Odd(odd.database.url, odd.home, odd.instance)
    (line,) = odd.errors()
    odd.change(line.partition(" first: ")[2])
    odd = Odd(odd.database.url, odd.home, odd.instance)
    assert odd.errors() == []
    assert odd.command("rescore") == Outcome(0)
    assert assert_right(odd) > 120


def test_migrating_a_view_is_refused_in_one_line(database_url: str) -> None:
    database = Database(url=database_url)
    with database.transaction() as connection:
        connection.execute(text("CREATE VIEW profiles AS SELECT 1 AS id"))
        connection.execute(text("CREATE TABLE match_suggestions (id uuid PRIMARY KEY)"))
    with pytest.raises(UserError, match=r"^profiles is a view, but only a table can be read and written; give in JV_"):
        migrate(database, dimension=384)


def test_a_database_of_another_encoding(server: postgres.Server) -> None:
    made = "CREATE DATABASE odd_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C'"
    with psycopg.connect(server.url("postgres").replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(made)
    database = Database(url=server.url("odd_latin"))
    with pytest.raises(
        UserError, match=r"^the database's encoding is LATIN1, .*: CREATE DATABASE … TEMPLATE template0"
    ):
        migrate(database, dimension=384)


def mend(odd: Odd, case: Case, line: str) -> None:
    """Do what the line says; then all is well."""
    odd.change(case.mend)
    odd.change(cure_in(line, case.cure))
    assert odd.errors() == []
    assert odd.command(case.command) == Outcome(0)
    assert assert_right(odd, case.meant) > 120
