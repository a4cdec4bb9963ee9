"""Rows that are hidden, and updates that do not do what they say: refused, and never counted as written."""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np
import numpy.typing as npt
import psycopg
import pytest
from sqlalchemy import Connection, make_url, text
from test_publishing import contexts_of, scores

from jv_assets.demo.population import make_population
from jv_assets.errors import UserError
from jv_assets.partitions import one_line_failure
from jv_assets.pipeline import embedding, publishing
from jv_assets.pipeline.publishing import PublishOptions, prune, publish_range
from jv_assets.pipeline.reading import read_matches
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.setup.doctor import require_ready
from jv_assets.setup.grant import grant
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_assets.setup.writability import require_writable
from tests.support.models import MINILM
from tests.support.servers import pgbouncer

FIRST, LAST = "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"


class Quick(Embedder):
    """Vectors of length 1 in place of a model's."""

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return np.eye(self.dimension, dtype=np.float32)[[len(text) % self.dimension for text in texts]]

    def token_counts(self, texts: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.array([len(text) for text in texts])

    def truncated(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        return np.zeros(len(texts), np.bool_)


EMBEDDER = Quick(MINILM)


@dataclass(frozen=True)
class Production:
    """A database of its owner's, and the same as the pipeline's role, which `jv grant` made."""

    owner: Database
    pipeline: Database
    role: str

    def sql(self, *statements: str) -> list[Any]:
        rows: list[Any] = []
        with self.owner.transaction() as connection:
            for statement in statements:
                result = connection.execute(text(statement.replace("{role}", self.role).replace(":", r"\:")))
                rows = list(result.all()) if result.returns_rows else []
        return rows

    def contents(self) -> list[Any]:
        """Of both tables and of our own: what a refused write leaves as it was."""
        tables = ("match_suggestions", "profiles", "jv.embedded_texts", "jv.publish_runs", "jv.replaced_scores")
        return [self.sql(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {name} t") for name in tables]

    def publish(self, rows: Any) -> publishing.Published:
        chunks = [(rows, lambda: contexts_of(rows))]
        return publish_range(self.pipeline, (FIRST, LAST), chunks, PublishOptions(), run_id="run")

    def embed(self) -> embedding.Written:
        plan = embedding_plan.plan_range(self.pipeline, EMBEDDER, FIRST, LAST)
        embedding.adopt(self.pipeline, EMBEDDER, plan)
        embedding.delete_orphans(self.pipeline, FIRST, LAST)
        return embedding.embed(self.pipeline, EMBEDDER, plan)


@pytest.fixture
def production(database_url: str) -> Iterator[Production]:
    owner = Database(url=database_url)
    migrate(owner, dimension=384)
    population = make_population(30, 40)
    load_frames(owner, population.profiles, population.matches)
    role = f"role_{secrets.token_hex(4)}"
    url = make_url(database_url).set(username=role, password="word")
    production = Production(owner, Database(url=url.render_as_string(hide_password=False)), role)
    production.sql("CREATE ROLE {role} LOGIN PASSWORD 'word'")
    grant(owner, role)
    yield production
    production.sql("DROP OWNED BY {role} CASCADE", "DROP ROLE {role}")


def function(body: str) -> str:
    """A trigger's function, with the rights of the owner."""
    return f"CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN {body} END $$"


SECURED = "ALTER TABLE {} ENABLE ROW LEVEL SECURITY"
TOUCH = function("NEW.updated_at := now(); RETURN NEW;")
FOR_ROWS = "FOR EACH ROW EXECUTE FUNCTION act()"
REFUSED = {
    "no policy": (
        [SECURED.format("match_suggestions"), SECURED.format("profiles")],
        r"row-level security may hide rows of profiles and match_suggestions from role {role}, ",
    ),
    "a policy to read by": (
        [SECURED.format("match_suggestions"), "CREATE POLICY seen ON match_suggestions FOR SELECT USING (true)"],
        r"row-level security may hide rows of match_suggestions from role {role}, or refuse to update them, ",
    ),
    "a policy that shows a part": (
        [SECURED.format("profiles"), "CREATE POLICY part ON profiles TO {role} USING (id::text < '8')"],
        r"row-level security may hide rows of profiles from role {role}",
    ),
    "a policy that takes a part": (
        [SECURED.format("profiles"), "CREATE POLICY part ON profiles USING (true) WITH CHECK (id::text < '8')"],
        r"row-level security may hide rows of profiles from role {role}",
    ),
    "a restrictive policy": (
        [
            SECURED.format("profiles"),
            "CREATE POLICY every ON profiles USING (true)",
            "CREATE POLICY \"not those\" ON profiles AS RESTRICTIVE FOR SELECT USING (id::text < '8')",
        ],
        r'the restrictive policy "not those" of profiles must let it pass: let the tables\' owner type: ALTER POLICY ',
    ),
    "restrictive policies of each shape, on both tables": (
        [
            SECURED.format("profiles"),
            SECURED.format("match_suggestions"),
            "CREATE POLICY every ON match_suggestions USING (true)",
            "CREATE POLICY a ON profiles AS RESTRICTIVE USING (name <> 'a') WITH CHECK (name <> 'b' OR name <> 'c')",
            "CREATE POLICY b ON match_suggestions AS RESTRICTIVE FOR UPDATE USING (true) WITH CHECK (false)",
            "CREATE POLICY c ON match_suggestions AS RESTRICTIVE "
            "USING (EXISTS (SELECT FROM profiles p WHERE p.id = profile_id AND p.name > 'M'))",
        ],
        r"the restrictive policies a of profiles, b of match_suggestions, c of match_suggestions must let it pass: ",
    ),
    "a policy of our name that shows less": (
        [
            SECURED.format("profiles"),
            "CREATE POLICY jv_all_rows ON profiles TO {role} USING (id::text < '8')",
        ],
        r"; let the tables' owner type: jv grant {role}, or: CREATE POLICY jv_all_rows_2 ON profiles TO {role} USING ",
    ),
    "our own tables": (
        [
            "ALTER TABLE jv.publish_runs ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE jv.publish_runs FORCE ROW LEVEL SECURITY",
        ],
        r"row-level security may hide rows of jv.publish_runs from role {role}",
    ),
    "a rule in place of updates": (
        ["CREATE RULE nothing AS ON UPDATE TO match_suggestions DO INSTEAD NOTHING"],
        r"rule nothing of match_suggestions does something else than what is written; ",
    ),
    "a rule beside updates": (
        ["CREATE RULE more AS ON UPDATE TO match_suggestions DO ALSO UPDATE profiles SET updated_at = now()"],
        r"rule more of match_suggestions does something else than what is written; ",
    ),
    "a trigger that swallows matches": (
        [function("RETURN NULL;"), f"CREATE TRIGGER swallow BEFORE UPDATE ON match_suggestions {FOR_ROWS}"],
        r"match_suggestions: 1 rows were to be updated, and 0 were, so nothing was written: trigger swallow of ",
    ),
    "a trigger that swallows profiles": (
        [function("RETURN NULL;"), f"CREATE TRIGGER swallow BEFORE UPDATE ON profiles {FOR_ROWS}"],
        r"profiles: 1 rows were to be updated, and 0 were, so nothing was written: trigger swallow of profiles does it",
    ),
    "the usual trigger of updated_at": (
        [TOUCH, f"CREATE TRIGGER set_updated_at BEFORE UPDATE ON profiles {FOR_ROWS}"],
        r"updating profiles also changed updated_at, so nothing was written: trigger set_updated_at of profiles ",
    ),
    "one that fires for our columns among others": (
        [TOUCH, f"CREATE TRIGGER act BEFORE INSERT OR UPDATE OF seeking, embedding_seeking ON profiles {FOR_ROWS}"],
        r"updating profiles also changed updated_at, so nothing was written: trigger act of profiles does it",
    ),
    "one that fires always": (
        [
            TOUCH,
            f"CREATE TRIGGER act BEFORE UPDATE ON profiles {FOR_ROWS}",
            "ALTER TABLE profiles ENABLE ALWAYS TRIGGER act",
        ],
        r"updating profiles also changed updated_at, so nothing was written: trigger act of profiles does it",
    ),
    "one with a name that is to be quoted": (
        [TOUCH, f'CREATE TRIGGER "Set it" BEFORE UPDATE ON profiles {FOR_ROWS}'],
        r'trigger "Set it" of profiles does it; let the table\'s owner type: CREATE OR REPLACE TRIGGER "Set it" ',
    ),
    "one that rounds": (
        [
            function("NEW.score_ab := round(NEW.score_ab); RETURN NEW;"),
            f"CREATE TRIGGER rounds BEFORE UPDATE ON match_suggestions {FOR_ROWS}",
        ],
        r"updating match_suggestions also changed what is written, so nothing was written: trigger rounds of ",
    ),
    "one that keeps an old vector": (
        [
            function("NEW.embedding_seeking := OLD.embedding_seeking; RETURN NEW;"),
            f"CREATE TRIGGER keeps BEFORE UPDATE ON profiles {FOR_ROWS}",
        ],
        r"updating profiles also changed what is written, so nothing was written: trigger keeps of profiles",
    ),
    "one that keeps the time of the vectors": (
        [
            function("NEW.embeddings_updated_at := OLD.embeddings_updated_at; RETURN NEW;"),
            f"CREATE TRIGGER keeps BEFORE UPDATE ON profiles {FOR_ROWS}",
        ],
        r"updating profiles also changed what is written, so nothing was written: trigger keeps of profiles",
    ),
    "one that widens an update of a partitioned table": (
        [
            "ALTER TABLE match_suggestions RENAME TO old",
            "CREATE TABLE match_suggestions (LIKE old INCLUDING DEFAULTS, PRIMARY KEY (id)) PARTITION BY HASH (id)",
            "CREATE TABLE part PARTITION OF match_suggestions FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
            "INSERT INTO match_suggestions SELECT * FROM old",
            "GRANT SELECT, UPDATE (score_ab, score_ba, harmonic_mean, match_context) ON match_suggestions TO {role}",
            function("IF pg_trigger_depth() = 1 THEN UPDATE match_suggestions SET notes = 'x'; END IF; RETURN NULL;"),
            "CREATE TRIGGER widens AFTER UPDATE ON match_suggestions FOR EACH STATEMENT EXECUTE FUNCTION act()",
        ],
        r"updating match_suggestions also changed \d+ rows more, so nothing was written: trigger widens of ",
    ),
    "one for a statement, of all rows": (
        [
            function("UPDATE profiles SET updated_at = now(); RETURN NULL;"),
            "CREATE TRIGGER act AFTER UPDATE ON match_suggestions FOR EACH STATEMENT EXECUTE FUNCTION act()",
        ],
        r"updating match_suggestions also changed 30 rows more, so nothing was written: trigger act of ",
    ),
    "one of a statement's rows": (
        [
            function("UPDATE profiles SET updated_at = now() WHERE id IN (SELECT profile_id FROM now); RETURN NULL;"),
            "CREATE TRIGGER act AFTER UPDATE ON match_suggestions REFERENCING NEW TABLE AS now "
            "FOR EACH STATEMENT EXECUTE FUNCTION act()",
        ],
        r"trigger act of match_suggestions does it; let the table's owner type: ALTER TABLE match_suggestions DISABLE ",
    ),
    "a constraint that acts at the end": (
        [
            function("UPDATE match_suggestions SET notes = 'x' WHERE id = NEW.id AND notes IS NULL; RETURN NULL;"),
            "CREATE CONSTRAINT TRIGGER act AFTER UPDATE ON match_suggestions DEFERRABLE INITIALLY DEFERRED " + FOR_ROWS,
        ],
        r"updating match_suggestions also changed 1 rows more, so nothing was written: trigger act of match_sugg",
    ),
    "a trigger that always raises": (
        [
            function("RAISE EXCEPTION 'no: %', NEW.email;"),
            f"CREATE TRIGGER act BEFORE UPDATE ON profiles {FOR_ROWS}",
        ],
        r"row [0-9a-f-]{36} of profiles cannot be written: a function of the database, act, raised an error .* type: ",
    ),
    "a trigger on our own tables": (
        [function("RETURN NULL;"), f"CREATE TRIGGER act BEFORE INSERT ON jv.replaced_scores {FOR_ROWS}"],
        r"trigger act of jv.replaced_scores acts on what only the pipeline writes; ",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_hide_rows_or_change_an_update_is_refused_and_can_be_cured(
    production: Production, case: str
) -> None:
    changes, said = REFUSED[case]
    production.sql(*changes)
    rows, before = scores(production.owner), production.contents()
    line = refusal(lambda: require_ready(production.pipeline))
    assert re.search(said.replace("{role}", production.role), line), line
    assert refusal(lambda: require_writable(production.pipeline)) == line
    assert production.contents() == before
    # also where nobody asked before
    assert re.search("row-level|trigger|rule", refusal(lambda: (production.embed(), production.publish(rows))))
    assert production.contents()[0] == before[0]
    production.sql(*re.split("; ", re.split(r"type: (?:jv grant \w+, or: )?", line)[-1]))
    require_ready(production.pipeline)
    assert production.publish(rows).written == 40
    production.embed()
    assert embedding_plan.stale_texts(production.pipeline, EMBEDDER, FIRST, LAST) == 0


ALLOWED = {
    "a trigger that is off": [
        TOUCH,
        f"CREATE TRIGGER act BEFORE UPDATE ON profiles {FOR_ROWS}",
        "ALTER TABLE profiles DISABLE TRIGGER act",
    ],
    "a trigger of replicas": [
        TOUCH,
        f"CREATE TRIGGER act BEFORE UPDATE ON profiles {FOR_ROWS}",
        "ALTER TABLE profiles ENABLE REPLICA TRIGGER act",
    ],
    "a trigger of the platform's columns": [TOUCH, f"CREATE TRIGGER act BEFORE UPDATE OF name ON profiles {FOR_ROWS}"],
    "a trigger that logs elsewhere": [
        "CREATE TABLE log (id uuid)",
        function("INSERT INTO log VALUES (NEW.id); RETURN NULL;"),
        f"CREATE TRIGGER act AFTER UPDATE ON match_suggestions {FOR_ROWS}",
    ],
    "a column that is generated of ours": [
        "ALTER TABLE match_suggestions ADD COLUMN better numeric GENERATED ALWAYS AS (harmonic_mean + 1) STORED"
    ],
    "policies that show all": [
        SECURED.format("profiles"),
        "CREATE POLICY seen ON profiles FOR SELECT USING (true)",
        "CREATE POLICY written ON profiles FOR UPDATE TO {role} USING (true)",
        "CREATE POLICY strict ON profiles AS RESTRICTIVE USING (true)",
    ],
    "a policy of a group": [
        "CREATE ROLE {role}_group",
        "GRANT {role}_group TO {role}",
        SECURED.format("profiles"),
        "CREATE POLICY seen ON profiles TO {role}_group USING (true)",
    ],
}


@pytest.mark.parametrize("case", ALLOWED)
def test_what_does_no_harm_is_no_reason_to_refuse(production: Production, case: str) -> None:
    production.sql(*ALLOWED[case])
    require_ready(production.pipeline)
    assert production.publish(scores(production.pipeline)).written == 40
    if case == "a policy of a group":
        production.sql("DROP OWNED BY {role}_group", "DROP ROLE {role}_group")


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        work()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_dry_run_is_refused_for_hidden_rows_and_tries_no_update(production: Production) -> None:
    production.sql(*REFUSED["the usual trigger of updated_at"][0])
    require_ready(production.pipeline, "dry run")
    production.sql(SECURED.format("profiles"))
    assert "row-level security" in refusal(lambda: require_ready(production.pipeline, "dry run"))
    (warning,) = require_ready(production.pipeline, "read")
    assert warning.startswith("row-level security may hide rows of profiles")


def test_the_owner_is_refused_where_security_is_forced(production: Production) -> None:
    tables = ("profiles", "match_suggestions")
    production.sql(*(f"ALTER TABLE {table} OWNER TO {{role}}" for table in tables), *map(SECURED.format, tables))
    require_ready(production.pipeline)
    production.sql(*(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY" for table in tables))
    line = refusal(lambda: require_ready(production.pipeline))
    assert line.startswith("row-level security may hide rows of profiles and match_suggestions from role")
    with production.pipeline.transaction() as connection:  # which may do it itself
        for statement in line.partition(", or: ")[2].split("; "):
            connection.execute(text(statement))
    require_ready(production.pipeline)


def test_jv_grant_makes_the_policies_once(production: Production) -> None:
    production.sql(SECURED.format("profiles"), SECURED.format("match_suggestions"))
    made = [statement for statement in grant(production.owner, production.role) if "POLICY" in statement]
    assert made == [
        f'CREATE POLICY "jv_all_rows" ON "{table}" TO "{production.role}" USING (true) WITH CHECK (true)'
        for table in ("profiles", "match_suggestions")
    ]
    assert not [statement for statement in grant(production.owner, production.role) if "POLICY" in statement]
    require_ready(production.pipeline)
    production.sql("CREATE ROLE {role}_other")
    assert [one for one in grant(production.owner, f"{production.role}_other") if one.startswith("ALTER POLICY")]
    grant(production.owner, production.role)
    require_ready(production.pipeline)
    production.sql("DROP OWNED BY {role}_other", "DROP ROLE {role}_other")


def test_jv_grant_lets_the_role_see_what_other_policies_hide(production: Production) -> None:
    """One that goes by the same name and shows less, and security on our own tables that binds their owner too."""
    production.sql(
        SECURED.format("profiles"),
        "CREATE POLICY jv_all_rows ON profiles TO {role} USING (id::text < '8')",
        SECURED.format("jv.publish_runs"),
        "ALTER TABLE jv.publish_runs FORCE ROW LEVEL SECURITY",
    )
    assert f"jv grant {production.role}" in refusal(lambda: require_ready(production.pipeline))
    made = [statement for statement in grant(production.owner, production.role) if "POLICY" in statement]
    assert [statement.split(" TO ")[0] for statement in made] == [
        'CREATE POLICY "jv_all_rows_2" ON "profiles"',
        'CREATE POLICY "jv_all_rows" ON "jv"."publish_runs"',
    ]
    require_ready(production.pipeline)
    assert not [statement for statement in grant(production.owner, production.role) if "POLICY" in statement]


def test_rows_that_a_trigger_swallows_now_and_then(production: Production) -> None:
    rows = scores(production.owner)
    swallowed = rows["id"].iloc[7]
    production.sql(
        function(f"IF NEW.id = '{swallowed}' THEN RETURN NULL; END IF; RETURN NEW;"),
        f"CREATE TRIGGER partly BEFORE UPDATE ON match_suggestions {FOR_ROWS}",
    )
    require_ready(production.pipeline)
    before = production.contents()
    line = refusal(lambda: production.publish(rows))
    assert line.startswith(
        "match_suggestions: 40 rows were to be updated, and 39 were, so nothing was written: trigger partly of "
    )
    assert production.contents() == before


def test_a_trigger_that_takes_the_vector_of_another_text_away(production: Production) -> None:
    """Each vector of a batch is written; one that the batch is not about is gone."""
    assert production.embed().texts > 0
    production.sql(
        "UPDATE profiles SET seeking = 'Authors who write about gardens'",
        function("NEW.embedding_offering := NULL; RETURN NEW;"),
        f"CREATE TRIGGER takes BEFORE UPDATE OF embedding_seeking ON profiles {FOR_ROWS}",
    )
    before = production.contents()
    line = refusal(production.embed)
    assert line.startswith(
        "updating profiles also changed embedding_offering, so nothing was written: trigger takes of profiles"
    )
    assert production.contents() == before


def test_a_trigger_that_changes_some_rows_is_found_among_all(production: Production) -> None:
    rows = scores(production.owner)
    production.sql(
        function(f"IF NEW.id = '{rows['id'].iloc[9]}' THEN NEW.notes := 'x'; END IF; RETURN NEW;"),
        f"CREATE TRIGGER partly BEFORE UPDATE ON match_suggestions {FOR_ROWS}",
    )
    assert "also changed notes" in refusal(lambda: production.publish(rows))


@pytest.mark.parametrize("pooled", [False, True])
def test_a_match_deleted_before_it_is_locked_is_counted_as_deleted(
    production: Production, monkeypatch: pytest.MonkeyPatch, pooled: bool
) -> None:
    rows = scores(production.owner)
    gone = [f"DELETE FROM match_suggestions WHERE id = '{rows['id'].iloc[3]}'"]
    write = publishing.write_scores

    def delete_first(connection: Connection, *given: Any) -> None:
        if gone:
            production.sql(gone.pop())
        write(connection, *given)

    monkeypatch.setattr(publishing, "write_scores", delete_first)
    if pooled:
        with pgbouncer(production.pipeline.url) as url:
            done = Production(production.owner, Database(url=url), production.role).publish(rows)
    else:
        done = production.publish(rows)
    assert (done.rows, done.written, done.deleted) == (40, 39, 1)
    assert production.sql("SELECT count(*) FROM jv.replaced_scores") == [(39,)]


def test_nothing_is_cleaned_up_because_it_was_not_seen(production: Production) -> None:
    assert production.embed().texts > 0
    rows = scores(production.owner)
    production.publish(rows)
    before = production.contents()
    production.sql(SECURED.format("profiles"))
    assert "row-level security" in refusal(lambda: embedding.delete_orphans(production.pipeline, FIRST, LAST))
    production.sql(
        "ALTER TABLE profiles DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE jv.publish_runs ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE jv.publish_runs FORCE ROW LEVEL SECURITY",
    )
    assert "row-level security" in refusal(lambda: prune(production.pipeline, (FIRST, LAST), "run"))
    assert "row-level security" in refusal(lambda: read_matches(production.pipeline, FIRST, LAST))
    assert production.contents() == before


def test_texts_are_remembered_only_where_their_vectors_were_written(production: Production) -> None:
    assert production.embed().texts > 0
    production.sql("UPDATE profiles SET seeking = 'Authors who write about gardens' WHERE seeking IS NOT NULL")
    plan = embedding_plan.plan_range(production.pipeline, EMBEDDER, FIRST, LAST)
    production.sql(SECURED.format("profiles"), "CREATE POLICY seen ON profiles FOR SELECT USING (true)")
    before = production.contents()
    line = refusal(lambda: embedding.embed(production.pipeline, EMBEDDER, plan))
    assert re.match(r"profiles: \d+ rows were to be locked, and 0 were, so nothing was written: row-level", line)
    assert production.contents() == before
    production.sql("ALTER TABLE profiles DISABLE ROW LEVEL SECURITY")
    assert production.embed().texts == len(plan.embed)


def test_a_row_that_is_refused_is_named_without_what_it_holds(production: Production) -> None:
    rows = scores(production.owner)
    row = rows["id"].iloc[11]
    production.sql(
        "UPDATE match_suggestions SET notes = 'canary-note'",
        f"ALTER TABLE match_suggestions ADD CONSTRAINT refused CHECK (score_ab IS NULL OR id <> '{row}')",
    )
    line = refusal(lambda: production.publish(rows))
    assert line.startswith(f"row {row} of match_suggestions cannot be written: new row for relation ")
    assert 'violates check constraint "refused"; correct that row, or let the table\'s owner change what' in line
    assert "canary" not in line
    rows.loc[5, "score_ab"] = 12_345.678
    line = refusal(lambda: production.publish(rows))
    assert line.startswith(f"row {rows['id'].iloc[5]} of match_suggestions cannot be written: numeric field overflow")


def test_a_row_that_an_index_has_no_room_for_is_named(production: Production) -> None:
    rows = scores(production.owner)
    long = " || ".join(f"sha512((score_ab + {number})::text::bytea)" for number in range(50))
    production.sql(f"CREATE INDEX narrow ON match_suggestions (({long}))")
    line = refusal(lambda: production.publish(rows))
    assert re.match(r"row [0-9a-f-]{36} of match_suggestions cannot be written: index row size \d+ exceeds", line), line
    assert 'for index "narrow"; correct that row, or let the table\'s owner change what refuses it' in line


@pytest.mark.parametrize(
    "body",
    ["RAISE EXCEPTION '%', NEW;", "PERFORM NEW.notes::integer;", "PERFORM * FROM absent;", "ASSERT false, NEW.notes;"],
)
def test_a_deferred_trigger_that_fails_is_named(production: Production, body: str) -> None:
    rows = scores(production.owner)
    production.sql(
        "UPDATE match_suggestions SET notes = 'canary'",
        function(f"{body} RETURN NULL;"),
        "CREATE CONSTRAINT TRIGGER late AFTER UPDATE ON match_suggestions DEFERRABLE INITIALLY DEFERRED " + FOR_ROWS,
    )
    for work in (lambda: require_ready(production.pipeline), lambda: production.publish(rows)):
        line = refusal(work)
        assert line.startswith("updating match_suggestions fails at its end: ")
        assert "trigger late of match_suggestions does it; " in line
        assert "canary" not in line


def test_an_error_without_a_cure_of_its_own_fails_a_run_in_one_line() -> None:
    with pytest.raises(dg.Failure) as caught, one_line_failure():
        raise psycopg.errors.UniqueViolation('duplicate key value violates unique constraint "alone"')
    said = "the database refused it: duplicate key value violates unique constraint"
    assert str(caught.value.description).startswith(said)
    assert caught.value.__suppress_context__


def test_the_model_of_the_trial_is_left_nowhere(production: Production) -> None:
    production.embed()
    production.sql(
        "CREATE TABLE log (id uuid)",
        function("INSERT INTO log VALUES (NEW.id); RETURN NULL;"),
        f"CREATE TRIGGER one AFTER UPDATE ON match_suggestions {FOR_ROWS}",
        f"CREATE TRIGGER two AFTER UPDATE ON profiles {FOR_ROWS}",
    )
    before = production.contents()
    require_ready(production.pipeline)
    assert production.contents() == before
    assert production.sql("SELECT count(*) FROM log") == [(0,)]
    assert production.sql("SELECT DISTINCT embeddings_model FROM profiles WHERE embeddings_model IS NOT NULL") == [
        (MINILM,)
    ]
