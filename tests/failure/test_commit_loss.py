"""A connection lost exactly at COMMIT, when nobody can know whether it took effect: both outcomes must end right."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import pytest

from tests.support import wire
from tests.support.faults import KEYS, Production
from tests.support.forked import ForkedProgram
from tests.support.judging import assert_whole
from tests.support.telling import assert_passed
from tests.support.undone import assert_as_before, assert_undone, kept_run
from tests.support.wire import answers, messages

Lost = Literal["the COMMIT", "its answer"]
TIMES = 3
"""How often it happens: at every other COMMIT of an update that is logged, so that each comes through at the retry.

The trial update before a run logs nothing."""


@dataclass
class Losing:
    """Passes on what PgBouncer and its clients say but some COMMITs or answers to them: both sides are closed then."""

    lose: Lost
    commits: int = 0
    lost: list[str] = field(default_factory=list)
    before_loss: Callable[[], object] = bool
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, client: socket.socket, server: socket.socket) -> None:
        swallow = threading.Event()

        def passes(data: bytes) -> bool:
            if not swallow.is_set():
                return True
            assert b"COMMIT\0" in data, data  # the server has done it
            self.before_loss()
            return False

        answers(server, client, passes)
        updated = False
        for kind, body, whole in messages(client):
            updated |= kind in (b"P", b"Q") and b"WITH updated AS" in body
            if kind == b"Q" and body.upper().startswith(b"COMMIT"):
                if updated and self._is_next_lost():
                    if self.lose == "the COMMIT":
                        return
                    swallow.set()
                updated = False
            server.sendall(whole)

    def _is_next_lost(self) -> bool:
        with self.lock:
            self.commits += 1
            lost = self.commits % 2 == 1 and len(self.lost) < TIMES
            if lost:
                self.lost.append(self.lose)
            return lost


@contextmanager
def proxy(url: str, lose: Lost) -> Iterator[tuple[str, Losing]]:
    """The same URL through a proxy, and the proxy."""
    running = Losing(lose)
    with wire.proxy(url, running.serve) as through:
        yield through, running


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
