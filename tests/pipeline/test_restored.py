"""Databases and homes that were restored, copied or mixed up: no score of another state is written or left standing."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from jv_assets.automation.schedules import NIGHTLY, OF_MATCHES
from jv_assets.errors import UserError
from jv_assets.pipeline.database.identity import FILE, read_identity, require_home
from jv_assets.pipeline.database.origins import Origin
from jv_assets.platform import postgres as local
from jv_assets.resources.database import Database
from jv_assets.setup.grant import grant
from tests.support.pipelines import Pipeline, assert_equal_to_reference, failure, matches, nightly_done, versions

ANOTHER_STATE = "was read from a state that this database does not have"
EDIT = "UPDATE profiles SET (list_size, social_reach) = (:size, :size) WHERE id = :id"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    with nightly_done(tmp_path_factory.mktemp("restored")) as pipeline:
        yield pipeline


class Backup:
    """A copy of a stopped server's data folder, to be put back."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline, self._folder = pipeline, pipeline.home / "backup"
        with self._stopped() as data:
            shutil.rmtree(self._folder, ignore_errors=True)
            _copy(data, self._folder)

    def restore(self) -> None:
        with self._stopped() as data:
            shutil.rmtree(data)
            _copy(self._folder, data)

    @contextmanager
    def _stopped(self) -> Iterator[Path]:
        postgres = self._pipeline.home / "postgres"
        local.stop(postgres)
        yield postgres / "data"
        self._pipeline.database = Database(local.start(postgres).url("nightly"))
        self._pipeline.defs = self._pipeline.rebuilt()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True)
    for path in (target, *target.rglob("*")):
        owner = (source / path.relative_to(target)).lstat()
        shutil.chown(path, owner.st_uid, owner.st_gid)
    target.chmod(0o700)


def edit(pipeline: Pipeline, profile: str, size: int, at: int = 0) -> int:
    """Edit a profile so that its scores change, by transaction `at` or the next one; returns the transaction's id."""
    if at:
        use_up_ids(pipeline, at)
    pipeline.sql(EDIT, id=profile, size=size)
    [row] = pipeline.sql("SELECT xmin::text::bigint AS xmin FROM profiles WHERE id = :id", id=profile)
    return int(row["xmin"])


def use_up_ids(pipeline: Pipeline, until: int) -> None:
    """Begin transactions until the next one has this id."""
    while pipeline.sql("SELECT pg_current_xact_id()::text::bigint + 1 AS next")[0]["next"] < until:
        pass


def next_id(pipeline: Pipeline) -> int:
    return int(pipeline.sql("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS id")[0]["id"])


def a_profile(pipeline: Pipeline) -> str:
    """One that many matches name."""
    [row] = pipeline.sql(
        "SELECT p.id::text FROM profiles p JOIN match_suggestions m ON p.id IN (m.profile_id, m.suggested_profile_id) "
        "WHERE m.harmonic_mean IS NOT NULL GROUP BY p.id ORDER BY count(*) DESC, p.id LIMIT 1"
    )
    return str(row["id"])


def test_an_edit_after_a_restore_has_the_id_of_one_before(whole: Pipeline) -> None:
    """As many transactions happen after the restore as before it, so no id is lower than any that was seen."""
    backup, profile = Backup(whole), a_profile(whole)
    before = edit(whole, profile, 120_000, at=next_id(whole) + 100)
    assert whole.run("nightly", NIGHTLY).success
    seen = next_id(whole)
    assert_equal_to_reference(whole)

    backup.restore()
    assert edit(whole, profile, 7, at=before) == before
    use_up_ids(whole, seen + 100)
    assert whole.run("nightly", NIGHTLY).success
    assert_equal_to_reference(whole)
    again = whole.run("nightly", NIGHTLY)
    scored = whole.total("match_scores", again.run_id, "scored")
    assert whole.total("match_scores", again.run_id, "reused") == scored > 0


def test_a_dry_run_before_the_restore_leaves_nothing_to_rely_on(whole: Pipeline) -> None:
    backup, profile = Backup(whole), a_profile(whole)
    before = edit(whole, profile, 60_000, at=next_id(whole) + 100)
    marks = whole.sql("SELECT count(*) FROM jv.read_marks")
    assert whole.run(published_scores={"dry_run": True}).success
    assert whole.sql("SELECT count(*) FROM jv.read_marks") == marks

    backup.restore()
    assert edit(whole, profile, 11, at=before) == before
    assert whole.run("nightly", NIGHTLY).success
    assert_equal_to_reference(whole)


def test_files_of_what_the_restore_undid_are_not_used(whole: Pipeline) -> None:
    """Neither are profiles of the lost state scored, nor are its scores published."""
    backup = Backup(whole)
    edit(whole, a_profile(whole), 30_000)
    assert whole.run("nightly", NIGHTLY).success

    backup.restore()
    written = versions(whole)
    for assets in (["published_scores"], ["match_scores"]):
        assert ANOTHER_STATE in failure(whole.run(assets=assets))
    assert versions(whole) == written
    assert whole.run().success
    assert_equal_to_reference(whole)


def test_a_restore_while_a_run_reads_is_found_at_its_end(whole: Pipeline) -> None:
    lost = Origin(whole.database, "", "run", str(uuid4()), is_own=True, as_of=datetime.now(UTC))
    with pytest.raises(UserError, match="the database was put back to an earlier state while this run read it"):
        lost.seal()


def test_a_home_that_was_restored_publishes_nothing_old(whole: Pipeline) -> None:
    kept = whole.home / "kept"
    shutil.copytree(whole.home / "ranges", kept)
    edit(whole, a_profile(whole), 3)
    assert whole.run("nightly", NIGHTLY).success

    shutil.rmtree(whole.home / "ranges")
    kept.rename(whole.home / "ranges")
    written = versions(whole)
    for assets in (["published_scores"], list(OF_MATCHES)):
        assert "and these are from older data" in failure(whole.run(assets=assets))
    assert versions(whole) == written
    assert whole.run().success
    assert_equal_to_reference(whole)


def test_another_database_is_refused_by_name(whole: Pipeline) -> None:
    """The copy has the same rows, the same schema jv and the same server."""
    local.start(whole.home / "postgres").ensure_database("postgres")
    admin = local.start(whole.home / "postgres").url("postgres").replace("+psycopg", "", 1)
    whole.database._engine.dispose()
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute("CREATE DATABASE staging TEMPLATE nightly")
    other = Pipeline(local.start(whole.home / "postgres").url("staging"), whole.home, whole.instance)
    before = matches(other)
    for assets in (["profiles"], ["profile_embeddings"], ["match_scores"], ["published_scores"], ["top_matches"]):
        job = "report" if assets == ["top_matches"] else "nightly"
        said = failure(other.run(job, assets))
        assert said.startswith(f"JV_HOME {whole.home} belongs to database ")
        assert "/nightly (identity " in said
        assert "/staging (identity " in said
    assert matches(other) == before

    moved = whole.home / FILE
    kept = moved.read_text()
    moved.unlink()
    assert ANOTHER_STATE in failure(other.run(assets=["match_scores"]))
    assert other.run("nightly", NIGHTLY).success
    assert_equal_to_reference(other)
    moved.write_text(kept)


def test_where_the_server_may_not_be_asked_the_schema_tells(whole: Pipeline) -> None:
    """A logical dump copies the id that schema jv holds, but not the transaction that wrote it."""
    known = require_home(whole.database, whole.files)
    whole.sql("CREATE ROLE pipeline LOGIN PASSWORD 'secret'")
    grant(whole.database, "pipeline")
    whole.sql("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    url = whole.database.url.replace(whole.database.url.split("@")[0], "postgresql://pipeline:secret")
    database = Database(url)
    try:
        assert read_identity(database).server is None
        assert require_home(database, whole.files).is_same(known)
        whole.sql("UPDATE jv.identity SET id = id")
        with pytest.raises(UserError, match="belongs to database"):
            require_home(database, whole.files)
    finally:
        whole.sql("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")
    assert require_home(whole.database, whole.files).is_same(known)
