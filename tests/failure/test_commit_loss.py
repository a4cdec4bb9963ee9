"""A connection lost exactly at COMMIT, when nobody can know whether it took effect: both outcomes must end right."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest
from sqlalchemy import make_url

from tests.support.faults import KEYS, Production
from tests.support.forked import ForkedProgram
from tests.support.judging import assert_whole
from tests.support.telling import assert_passed
from tests.support.undone import assert_as_before, assert_undone, kept_run

Lost = Literal["the COMMIT", "its answer"]
TIMES = 3
"""How often it happens: at every other COMMIT of an update that is logged, so that each comes through at the retry.

The trial update before a run logs nothing."""


@dataclass
class Proxy:
    """Passes on what PgBouncer and its clients say but some COMMITs or answers to them: both sides are closed then."""

    upstream: tuple[str, int]
    lose: Lost
    commits: int = 0
    lost: list[str] = field(default_factory=list)
    before_loss: Callable[[], object] = bool
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed at the end of the test
            while True:
                client, _ = listening.accept()
                threading.Thread(target=self._client, args=(client,), daemon=True).start()

    def _client(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.upstream) as server, contextlib.suppress(OSError):
            swallow = threading.Event()
            threading.Thread(target=self._answers, args=(server, client, swallow), daemon=True).start()
            stream = client.makefile("rb")
            kind, updated = b"", False  # the first message has no kind
            while True:
                head = stream.read(len(kind) + 4)
                if len(head) < len(kind) + 4:
                    break
                body = stream.read(int.from_bytes(head[-4:]) - 4)
                kind = head[:1] if kind else b"?"
                updated |= kind in b"PQ" and b"WITH updated AS" in body
                if kind == b"Q" and body.upper().startswith(b"COMMIT"):
                    if updated and self._is_next_lost():
                        if self.lose == "the COMMIT":
                            break
                        swallow.set()
                    updated = False
                server.sendall(head + body)
            _close(client, server)

    def _is_next_lost(self) -> bool:
        with self.lock:
            self.commits += 1
            lost = self.commits % 2 == 1 and len(self.lost) < TIMES
            if lost:
                self.lost.append(self.lose)
            return lost

    def _answers(self, server: socket.socket, client: socket.socket, swallow: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if swallow.is_set():
                    assert b"COMMIT\0" in data, data  # the server has done it
                    self.before_loss()
                    break
                client.sendall(data)
        _close(client, server)


def _close(*sides: socket.socket) -> None:
    for side in sides:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy(url: str, lose: Lost) -> Iterator[tuple[str, Proxy]]:
    """The same URL through a proxy, and the proxy."""
    parsed = make_url(url)
    running = Proxy((str(parsed.host), int(parsed.port or 0)), lose)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=running.serve, args=(listening,), daemon=True).start()
        yield parsed.set(port=listening.getsockname()[1]).render_as_string(hide_password=False), running
        listening.shutdown(socket.SHUT_RDWR)


def behind(production: Production, url: str) -> ForkedProgram:
    return replace(production.jv, settings={**production.jv.settings, "JV_DATABASE_URL": url})


@pytest.mark.parametrize("lose", ["the COMMIT", "its answer"])
def test_a_connection_lost_at_commit(production: Production, lose: Lost) -> None:
    with proxy(production.pooler.url, lose) as (url, between):
        done = behind(production, url).run("rescore")
    assert between.lost == [lose] * TIMES
    # What had been committed is found in order by the second attempt, and not written again.
    committed = lost_ranges(production) if lose == "its answer" else []
    retries = assert_passed(production, done, written=production.scorable - written_in(production, committed))
    assert len(retries) == TIMES
    transactions = production.sql("SELECT count(DISTINCT transaction) AS count FROM writes")
    assert transactions == [{"count": 8}]
    assert_whole(production)


def lost_ranges(production: Production) -> list[str]:
    return [line.removeprefix("published_scores, range ")[0] for line in production.retries()]


def written_in(production: Production, keys: list[str]) -> int:
    rows = production.sql("SELECT match_id::text FROM writes")
    return sum(max(key for key in KEYS if key <= row["match_id"][0]) in keys for row in rows)


@pytest.mark.parametrize("lose", ["the COMMIT", "its answer"])
@pytest.mark.parametrize("production", ["published"], indirect=True)
def test_an_undo_whose_connection_is_lost_at_commit(production: Production, lose: Lost) -> None:
    with proxy(production.pooler.url, lose) as (url, between):
        done = behind(production, url).run("undo", kept_run(production), "--yes")
    assert between.lost == [lose] * TIMES
    assert_undone(production, done)
    assert len(production.retries()) == TIMES
    before_that = written_in(production, lost_ranges(production)) if lose == "its answer" else 0
    assert (f"\n{before_that} matches had them already\n" in done.out) == (before_that > 0)
    assert_as_before(production)
