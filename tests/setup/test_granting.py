"""A role with what `jv grant` gives publishes, and cannot do what it must not, even with our own code against it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from jv_assets.errors import UserError
from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.doctor import examine, require_ready
from jv_assets.setup.grant import grant
from jv_assets.tables import WRITTEN
from tests.support.pipelines import Pipeline, assert_equal_to_reference, nightly_done, versions

ROLE, PASSWORD = "pipeline; odd", "not-shown"
FORGET = "UPDATE match_suggestions SET score_ab = NULL, score_ba = NULL, harmonic_mean = NULL, match_context = NULL"


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("granting")) as pipeline:
        pipeline.sql(f"CREATE ROLE \"{ROLE}\" LOGIN PASSWORD '{PASSWORD}'")
        pipeline.sql("CREATE SCHEMA private")
        pipeline.sql("CREATE TABLE private.secrets AS SELECT 1 AS secret")
        yield pipeline


@pytest.fixture(scope="module")
def role(owner: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """The pipeline as that role, over the owner's files."""
    statements = grant(owner.database, ROLE)
    ours = ", ".join(f'"{name}"' for name in WRITTEN["match_suggestions"])
    assert f'GRANT SELECT, UPDATE ({ours}) ON "match_suggestions" TO "{ROLE}"' in statements
    assert grant(owner.database, ROLE) == statements
    url = make_url(owner.database.url).set(username=ROLE, password=PASSWORD)
    pipeline = Pipeline(url.render_as_string(hide_password=False), tmp_path_factory.mktemp("home"), owner.instance)
    pipeline.files = owner.files
    return pipeline


def test_it_embeds_scores_and_publishes(owner: Pipeline, role: Pipeline) -> None:
    require_ready(role.database)
    (finding,) = [each for each in examine(role.database, role.embedder) if each.subject == "privileges"]
    assert (finding.level, finding.text.endswith("may do what is needed, and nothing else")) == ("ok", True)
    owner.sql(FORGET)
    assert role.run("nightly", ("profiles", "profile_embeddings", "match_scores", "published_scores")).success
    assert_equal_to_reference(owner)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE match_suggestions SET match_score = 1",
        "UPDATE match_suggestions SET score_ab = 1, match_reason = 'x'",
        "UPDATE profiles SET seeking = 'x'",
        "DELETE FROM match_suggestions",
        "DELETE FROM profiles",
        "TRUNCATE match_suggestions",
        "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) "
        "SELECT gen_random_uuid(), profile_id, suggested_profile_id FROM match_suggestions LIMIT 1",
        "SELECT * FROM private.secrets",
        "ALTER TABLE match_suggestions DISABLE TRIGGER ALL",
        "DROP TABLE profiles",
    ],
)
def test_it_can_do_no_harm(owner: Pipeline, role: Pipeline, statement: str) -> None:
    before = versions(owner)
    with pytest.raises(Exception, match=r"permission denied|must be owner") as caught:
        role.sql(statement)
    assert PASSWORD not in str(caught.value)
    assert versions(owner) == before


def test_our_own_publishing_turned_against_match_score_is_refused(
    owner: Pipeline, role: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jv_assets.pipeline import publishing

    owner.sql(FORGET)
    harmful = publishing._UPDATE.replace("SET score_ab", "SET match_score = 0, score_ab")
    monkeypatch.setattr(publishing, "_UPDATE", harmful)
    before = owner.sql("SELECT md5(string_agg(m::text, '|' ORDER BY id)) FROM match_suggestions m")
    result = role.run(first="0", last="4")
    assert not result.success
    assert owner.sql("SELECT md5(string_agg(m::text, '|' ORDER BY id)) FROM match_suggestions m") == before
    monkeypatch.undo()
    assert role.run().success


def test_what_cannot_be_granted_is_one_line(owner: Pipeline, role: Pipeline) -> None:
    with pytest.raises(UserError, match="there is no role nobody_here: let an administrator type: CREATE ROLE"):
        grant(owner.database, "nobody_here")
    with pytest.raises(UserError, match="is a superuser, who may do anything"):
        grant(owner.database, str(make_url(owner.database.url).username))
    owner.sql("CREATE ROLE another")
    with pytest.raises(
        UserError, match=r'^profiles and match_suggestions belong to postgres, and not to "pipeline; odd"'
    ):
        grant(role.database, "another")


def test_the_owner_is_warned_of(owner: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_DATABASE_URL", owner.database.url)
    warned = Database(url=owner.database.url)
    (finding,) = [each for each in examine(warned, owner.embedder) if each.subject == "privileges"]
    assert finding.level == "warning"
    assert "may more than it needs (it is a superuser)" in finding.text


def test_a_database_that_is_not_migrated(tmp_path: Path) -> None:
    server = postgres.start(tmp_path)
    try:
        server.ensure_database("empty")
        with pytest.raises(UserError, match="type: jv migrate"):
            grant(Database(url=server.url("empty")), "anybody")
    finally:
        postgres.stop(tmp_path)
