"""Another web page in the operator's browser can neither change nor read anything: real pages, a real browser."""

import http.client
import http.server
import json
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from jv_assets.platform import postgres
from jv_assets.resources.database import Database
from jv_assets.setup.migrations.run import migrate
from tests.support.serving import SECONDS, SERVE, Running, running

SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "jv", "scheduleName": "every_night"}
START = "mutation ($it: ScheduleSelector!) { startSchedule(scheduleSelector: $it) { __typename } }"
STOP = "mutation ($id: String!) { stopRunningSchedule(id: $id) { __typename } }"
STATE = """query ($it: ScheduleSelector!) { scheduleOrError(scheduleSelector: $it) {
  ... on Schedule { scheduleState { id status } } } }"""
INLINE = START.replace("($it: ScheduleSelector!)", "").replace(
    "$it", '{repositoryName: "__repository__", repositoryLocationName: "jv", scheduleName: "every_night"}'
)
BODY = json.dumps({"query": START, "variables": {"it": SELECTOR}})
ATTACKS = {
    "text/plain;x=application/json": "fetch(url, {method: 'POST', mode: 'no-cors', body, "
    "headers: {'Content-Type': 'text/plain;x=application/json'}})",
    "a POST without a type": "fetch(`${url}?query=${encodeURIComponent(inline)}`, {method: 'POST', mode: 'no-cors'})",
    "a mutation by GET": "fetch(`${url}?query=${encodeURIComponent(inline)}`, {mode: 'no-cors'})",
    "a picture": "new Promise(done => { const image = new Image(); image.onload = image.onerror = done; "
    "image.src = `${url}?query=${encodeURIComponent(inline)}` })",
    "a form": "new Promise(done => { const frame = document.createElement('iframe'); frame.name = 'f'; "
    "frame.onload = done; document.body.append(frame); const form = document.createElement('form'); "
    "form.method = 'POST'; form.target = 'f'; form.enctype = 'text/plain'; "
    "form.action = `${url}?query=${encodeURIComponent(inline)}`; document.body.append(form); form.submit() })",
}
READ_BY_SOCKET = """([url]) => new Promise(done => {
  const socket = new WebSocket(url.replace('http', 'ws'), 'graphql-ws');
  socket.onopen = () => done('open'); socket.onerror = socket.onclose = () => done('refused') })"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    home = tmp_path_factory.mktemp("other")
    migrate(Database(url=postgres.start(home / "postgres").url("jv")), dimension=384)
    with running(SERVE, home) as pages:
        yield pages
        pages.process.send_signal(signal.SIGTERM)
        pages.process.wait(SECONDS)
    postgres.stop(home / "postgres")


@pytest.fixture(scope="module")
def site() -> Iterator[int]:
    """The port of another site: empty pages."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<body>another site")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def misled(playwright: Playwright, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """A browser to which rebound.test is this machine, as after DNS rebinding."""
    arguments = [*browser_type_launch_args["args"], "--host-resolver-rules=MAP rebound.test 127.0.0.1"]
    browser = playwright.chromium.launch(**{**browser_type_launch_args, "args": arguments})
    yield browser
    browser.close()


def state(pages: Running) -> dict[str, str]:
    found: dict[str, str] = pages.ask(STATE, it=SELECTOR)["scheduleOrError"]["scheduleState"]
    return found


def act(page: Page, pages: Running, attack: str) -> None:
    page.evaluate(
        f"([url, body, inline]) => ({ATTACKS[attack]}).then(() => 0, () => 0)",
        [f"http://127.0.0.1:{pages.port}/graphql", BODY, INLINE],
    )


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_origin_starts_nothing(page: Page, pages: Running, site: int, attack: str, host: str) -> None:
    page.goto(f"http://{host}:{site}/")
    act(page, pages, attack)
    assert state(pages)["status"] == "STOPPED"


def test_a_page_of_another_origin_opens_no_web_socket(page: Page, pages: Running, site: int) -> None:
    address = f"http://127.0.0.1:{pages.port}"
    page.goto(f"http://localhost:{site}/")
    assert page.evaluate(READ_BY_SOCKET, [f"{address}/graphql"]) == "refused"
    page.goto(address)
    assert page.evaluate(READ_BY_SOCKET, [f"{address}/graphql"]) == "open"


def test_a_foreign_name_for_this_machine_shows_nothing(misled: Browser, pages: Running) -> None:
    page = misled.new_page()
    answer = page.goto(f"http://rebound.test:{pages.port}/")
    assert answer
    assert answer.status == 403
    said = page.inner_text("body")
    assert said.startswith(
        f"the host rebound.test:{pages.port} is not known here: set JV_UI_URL to the address that people"
    )


def test_the_pages_own_requests_go_through(page: Page, pages: Running) -> None:
    """What the attacks try does work from a page of the UI itself, so they would be seen if they did."""
    page.goto(f"http://localhost:{pages.port}/")
    json_type = {"Content-Type": "application/json"}
    page.evaluate(
        "([body, headers]) => fetch('/graphql', {method: 'POST', body, headers}).then(answer => answer.json())",
        [BODY, json_type],
    )
    now = state(pages)
    assert now["status"] == "RUNNING"
    pages.ask(STOP, id=now["id"])
    assert state(pages)["status"] == "STOPPED"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:3000"}, 200),
        ({"Host": "192.0.2.7:3000"}, 200),
        ({"Host": "jv.example.com"}, 403),
        ({"Host": "localhost.example.com"}, 403),
        ({"Host": "127.0.0.1.example.com"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://example.com"}, 403),
        ({"Origin": ""}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Content-Type": "text/plain;x=application/json"}, 403),
        ({"Content-Type": "application/graphql"}, 403),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
    ],
)
def test_what_is_answered(pages: Running, headers: dict[str, str], status: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", pages.port, timeout=SECONDS)
    sent = {"Content-Type": "application/json", **headers}
    connection.request("POST", "/graphql", json.dumps({"query": "{ version }"}), sent)
    answer = connection.getresponse()
    assert answer.status == status, answer.read()
    connection.close()


def test_behind_a_proxy_the_address_of_the_ui_counts(tmp_path: Path) -> None:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from starlette.testclient import TestClient

    from jv_assets.ui.webserver import OwnPagesOnly

    app = Starlette(routes=[Route("/act", lambda _: PlainTextResponse("done"), methods=["POST"])])
    client = TestClient(OwnPagesOnly(app, "https://jv.example.com:8443"), base_url="http://127.0.0.1:3000")
    assert client.post("/act", headers={"Origin": "https://jv.example.com:8443"}).text == "done"
    assert client.post("/act", headers={"Host": "jv.example.com"}).text == "done"
    assert client.post("/act", headers={"Origin": "https://jv.example.com"}).status_code == 403
    said = client.post("/act", headers={"Origin": "https://other.example.com"}).text
    assert "a page of https://other.example.com may not act here: " in said
    assert "set JV_UI_URL to its address" in said
