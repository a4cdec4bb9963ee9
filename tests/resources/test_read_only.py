"""A hot standby, and roles that may only read: what reads works there, what writes is refused before it starts."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from jv_assets.platform import cluster, postgres
from tests.support.models import MINILM
from tests.support.pipelines import KEYS, Pipeline, nightly_done
from tests.support.program import Program

PASSWORD = "not-shown"
REPLICATING = {"wal_level": "replica", "max_wal_senders": "2"}
WRITING = [
    ["embed"],
    ["rescore"],
    ["nightly"],
    ["retry"],
    ["load", "demo"],
    ["undo", "0123abcd", "--yes"],
    ["migrate"],
    ["grant", "reader"],
]


@dataclass(frozen=True)
class ReadOnly:
    """`jv` on a database where nothing can be written, and the one that it is a copy of."""

    jv: Program
    primary: Pipeline

    @property
    def place(self) -> str:
        url = make_url(self.jv.settings["JV_DATABASE_URL"])
        return f"{url.host}:{url.port}/{url.database}"


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """A nightly run was made there, and matches came since."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "SETTINGS", {**postgres.SETTINGS, **REPLICATING})
        with nightly_done(tmp_path_factory.mktemp("primary")) as pipeline:
            pipeline.sql(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
            pipeline.sql("GRANT SELECT ON profiles, match_suggestions TO reader")
            pipeline.sql("CREATE ROLE careful LOGIN SUPERUSER PASSWORD '" + PASSWORD + "'")
            pipeline.sql("ALTER ROLE careful SET default_transaction_read_only = on")
            yield pipeline


@pytest.fixture(scope="module")
def standby(primary: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the database on a hot standby of the primary's server."""
    folder = tmp_path_factory.mktemp("standby")
    url = make_url(primary.database.url)
    words = ["-h", url.host, "-p", url.port, "-U", url.username, "-D", cluster.data(folder), "-c", "fast"]
    subprocess.run(
        [cluster.program("pg_basebackup"), *map(str, words)],
        env={**cluster.ENVIRONMENT, "PGPASSWORD": str(url.password)},
        check=True,
    )
    (cluster.data(folder) / "standby.signal").touch()
    (folder / "password").write_text(str(url.password))
    if os.geteuid() == 0:
        owner = cluster.data(primary.home / "postgres").stat()
        for path in (cluster.data(folder), *cluster.data(folder).rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
    try:
        yield postgres.start(folder).url(str(url.database))
    finally:
        postgres.stop(folder)


@pytest.fixture(params=["a hot standby", "a role that may only read", "default_transaction_read_only"])
def read_only(request: pytest.FixtureRequest, primary: Pipeline) -> ReadOnly:
    url = primary.database.url
    if request.param == "a hot standby":
        url = request.getfixturevalue("standby")
    else:
        user = "reader" if "role" in request.param else "careful"
        url = make_url(url).set(username=user, password=PASSWORD).render_as_string(hide_password=False)
    settings = {"JV_DATABASE_URL": url, "JV_EMBEDDING_MODEL": MINILM, "JV_ID_RANGES": str(len(KEYS))}
    return ReadOnly(Program(primary.home, settings), primary)


def test_reading(read_only: ReadOnly, tmp_path: Path) -> None:
    if "reader" in read_only.jv.settings["JV_DATABASE_URL"]:
        refused = read_only.jv.run("status")
        assert (refused.code, refused.out) == (2, "")
        cause, _, cure = refused.err.partition("let the tables' owner type: ")
        assert cause == "jv: role reader may too little; "
        for statement in cure.strip().split("; "):
            assert statement.startswith(("GRANT SELECT ON jv.", "GRANT USAGE ON SCHEMA jv"))
            read_only.primary.sql(statement)
    match = read_only.primary.sql("SELECT min(id::text) AS id FROM match_suggestions WHERE score_ab > 0")[0]["id"]
    status = read_only.jv.succeeds("status")
    assert "Next:" not in status.out
    assert match in read_only.jv.succeeds("explain", match).out
    read_only.jv.succeeds("export", "--top", "5", "--out", tmp_path / "best.csv")
    assert len((tmp_path / "best.csv").read_text().splitlines()) == 6
    read_only.jv.succeeds("undo")
    read_only.jv.succeeds("report")
    before = read_only.primary.sql("SELECT count(*), max(made_at) FROM jv.read_marks")
    dry = read_only.jv.run("rescore", "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert read_only.primary.sql("SELECT count(*), max(made_at) FROM jv.read_marks") == before


def test_writing(read_only: ReadOnly) -> None:
    is_reader = "reader" in read_only.jv.settings["JV_DATABASE_URL"]
    for command in WRITING:
        if is_reader and command == ["migrate"]:  # there is nothing to migrate, which it may see
            continue
        done = read_only.jv.run(*command)
        assert done.code == 2, (command, done)
        (line,) = (done.out + done.err).splitlines()
        assert line.startswith("jv: ")
        assert PASSWORD not in line
        if is_reader:
            assert "may too little" in line or "permission denied" in line or "belong to postgres" in line, line
        else:
            assert "takes no writes: " in line, line
    doctor = read_only.jv.run("doctor")
    assert doctor.code == 2
    assert "Traceback" not in doctor.err
    assert "takes no writes" in doctor.out or "may too little" in doctor.out
