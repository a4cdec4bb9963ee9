"""The small server of the report, over real HTTP: what is there is shown, and nothing else of the disk."""

import http.client
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from jv_assets import settings
from jv_assets.errors import UserError
from jv_assets.resources import report_address
from tests.support.servers import free_port
from tests.support.waiting import wait_until

SECONDS = 30


class Client:
    """Asks one server."""

    def __init__(self, port: int, folder: Path) -> None:
        self.port, self.folder = port, folder

    def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        with closing(connection):
            connection.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()


def addresses_of(process: "subprocess.Popen[bytes]") -> set[tuple[str, int]]:
    """Where it listens."""
    assert process.poll() is None
    connections = psutil.Process(process.pid).net_connections()
    return {(each.laddr.ip, each.laddr.port) for each in connections if each.status == "LISTEN"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """In a process of its own, on a home that has no report yet."""
    home, port = tmp_path_factory.mktemp("home"), free_port()
    command = [sys.executable, "-m", "jv_assets.ui.report_server", str(port)]
    with subprocess.Popen(command, env={"JV_HOME": str(home)}) as process:
        try:
            listening = wait_until(lambda: addresses_of(process))
            assert listening == {("127.0.0.1", port)}
            yield Client(port, home / "reports")
        finally:
            process.kill()


@pytest.fixture
def report(server: Client) -> Iterator[Client]:
    """With a report, and other files beside and above it."""
    server.folder.mkdir()
    (server.folder / "report.html").write_text("<!doctype html>what the scores mean: –", encoding="utf-8")
    (server.folder / "momentum_options.json").write_text("{}")
    (server.folder / "secret.txt").write_text("secret")
    (server.folder.parent / "secret.txt").write_text("secret")
    yield server
    for path in (*server.folder.iterdir(), server.folder.parent / "secret.txt"):
        path.unlink()
    server.folder.rmdir()


def test_before_there_is_a_report_it_says_so(server: Client) -> None:
    for path, name in (("/", "report.html"), ("/report.html", "report.html"), ("/top_matches.csv", "top_matches.csv")):
        status, headers, body = server.ask(path)
        assert status == 404
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert body.decode().startswith(f"There is no {name} yet: jv report makes it")


def test_the_report_is_shown_as_it_is_now(report: Client) -> None:
    for path in ("/", "/report.html", "/report.html?again"):
        status, headers, body = report.ask(path)
        assert (status, body.decode()) == (200, "<!doctype html>what the scores mean: –")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Content-Length"] == str(len(body))
        assert headers["Cache-Control"] == "no-store"
    (report.folder / "report.html").write_text("another")
    assert report.ask("/")[2] == b"another"
    assert report.ask("/momentum_options.json")[1]["Content-Type"].startswith("application/json")
    status, headers, body = report.ask("/report.html", "HEAD")
    assert (status, headers["Content-Length"], body) == (200, "7", b"")


@pytest.mark.parametrize(
    "path",
    ["/secret.txt", "/../secret.txt", "/%2e%2e/secret.txt", "//secret.txt", "/report.html/../secret.txt", "/reports/",
     "/./secret.txt", "/report.html%00", "/..\\\\secret.txt", "http://127.0.0.1/secret.txt"],
)  # fmt: skip
def test_nothing_else_is_read_and_no_folder_is_listed(report: Client, path: str) -> None:
    status, _, body = report.ask(path)
    assert status == 404
    assert b"secret" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_it_only_reads(report: Client, method: str) -> None:
    before = sorted(path.name for path in report.folder.iterdir())
    assert report.ask("/report.html", method)[0] == 501
    assert sorted(path.name for path in report.folder.iterdir()) == before


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example:3100", ""])
def test_another_sites_page_cannot_have_it_under_its_own_name(report: Client, host: str) -> None:
    status, _, body = report.ask("/report.html", Host=host)
    assert (status, b"scores" in body) == (403, False)
    assert report.ask("/report.html", Host=f"localhost:{report.port}")[0] == 200


def test_the_address_is_that_of_the_setting_or_of_the_last_jv_ui(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert report_address.report_url() == "http://127.0.0.1:3100/report.html"
    home.mkdir()
    report_address.note_reports_port(3107)
    assert report_address.report_url() == "http://127.0.0.1:3107/report.html"
    monkeypatch.setenv("JV_REPORTS_PORT", "4000")
    assert report_address.report_url() == "http://127.0.0.1:4000/report.html"
    for wrong in ("0", "65536", "http", "-1"):
        monkeypatch.setenv("JV_REPORTS_PORT", wrong)
        with pytest.raises(UserError, match=f"^JV_REPORTS_PORT={wrong}: set it to a port, 1 to 65535$"):
            settings.reports_port()
