"""
TLS with `sslmode=verify-full`, to a server whose certificate is signed by itself.

The server is PgBouncer before the embedded Postgres, whose build has no TLS: to a client the protocol is the same, and
in production it is PgBouncer that most connections are made to.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest
from sqlalchemy import make_url

from jv_assets.errors import UserError
from jv_assets.platform import postgres
from jv_assets.platform.storage import dagster_home
from jv_assets.resources.database import Database
from tests.support.program import Program
from tests.support.servers import pgbouncer


@dataclass(frozen=True)
class Wrong:
    """How a client may address the server, so that it is not proven to be the right one."""

    cause: str
    cure: str
    host: str = "localhost"
    root: str = "server.crt"


WRONG = [
    Wrong("certificate verify failed", "check sslmode and sslrootcert in JV_DATABASE_URL", root="another.crt"),
    Wrong("does not match host name", "check the host in JV_DATABASE_URL", host="127.0.0.1"),
    Wrong("does not exist", "check sslrootcert in JV_DATABASE_URL", root="none.crt"),
]


@dataclass(frozen=True)
class Server:
    """One that takes TLS alone; in the folder is its certificate, `server.crt`, and one that is not, `another.crt`."""

    url: str
    folder: Path

    def verified(self, database: str = "jv", host: str = "localhost", root: str = "server.crt") -> str:
        """Its URL, with what docs/security.md has its reader add."""
        url = make_url(self.url).set(drivername="postgresql", host=host, database=database, query={})
        certificate = quote(str(self.folder / root), safe="/")
        return f"{url.render_as_string(hide_password=False)}?sslmode=verify-full&sslrootcert={certificate}"


@pytest.fixture(scope="module")
def tls(server: postgres.Server) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "of a & server")  # what URLs stumble over
        folder.mkdir()
        for path in (folder.parent, folder):
            path.chmod(0o755)  # PgBouncer runs as another user, where we are root
        for certificate in ("server", "another"):
            make_certificate(folder, certificate)
        tls = {"sslmode": "require", "cert_file": folder / "server.crt", "key_file": folder / "server.key"}
        without_sslmode = server.url().partition("?")[0]
        session = {"pool_mode": "session", "default_pool_size": 20}  # as Dagster's database has it, without a pooler
        with pgbouncer(without_sslmode, **session, **{f"client_tls_{key}": value for key, value in tls.items()}) as url:
            yield Server(url, folder)


def make_certificate(folder: Path, name: str) -> None:
    """One for localhost, and its key."""
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt")]
    command = ["openssl", *words.split(), "-addext", "subjectAltName=DNS:localhost", *files]
    subprocess.run(command, check=True, capture_output=True)
    for path in folder.glob(f"{name}.*"):
        path.chmod(0o644)


@pytest.fixture
def dagster_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(dagster_home()))


def test_a_server_that_proves_who_it_is(tls: Server) -> None:
    with Database(url=tls.verified()).transaction() as connection:
        assert connection.connection.driver_connection.pgconn.ssl_in_use  # type: ignore[union-attr]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.cause)
def test_one_that_does_not_is_refused_in_one_line(tls: Server, wrong: Wrong, caplog: pytest.LogCaptureFixture) -> None:
    database = Database(url=tls.verified(host=wrong.host, root=wrong.root))
    with pytest.raises(UserError) as caught:
        database.run(lambda connection: None)
    message = str(caught.value)
    assert message.startswith(f"no connection to the database {database.place}: ")
    assert wrong.cause in message
    assert message.endswith(f"; {wrong.cure}")
    assert "\n" not in message
    assert not caplog.records, "tried again, for nothing"


@pytest.mark.usefixtures("dagster_folder")
def test_dagsters_own_database(tls: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_DAGSTER_URL", tls.verified("dagster"))
    with dg.DagsterInstance.get() as instance:
        assert instance.get_runs_count() == 0
        with instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
            assert connection.connection.driver_connection.info.ssl_in_use


@pytest.mark.usefixtures("dagster_folder")
@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.cause)
def test_dagsters_own_is_refused_in_one_line(tls: Server, wrong: Wrong, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_DAGSTER_URL", tls.verified("dagster", wrong.host, wrong.root))
    with pytest.raises(UserError) as caught:
        dg.DagsterInstance.get()
    message = str(caught.value)
    assert message.startswith(f"no connection to Dagster's database {wrong.host}:{make_url(tls.url).port}/dagster: ")
    assert wrong.cause in message
    assert message.endswith("; check JV_DAGSTER_URL")
    assert "\n" not in message


def test_the_command_line_says_it_and_no_more(tls: Server, tmp_path: Path) -> None:
    program = Program(tmp_path / "home", {"JV_DATABASE_URL": tls.verified(root="another.crt")})
    done = program.run("status")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "certificate verify failed" in done.err
