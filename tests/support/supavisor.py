"""A stand-in for Supavisor where it has no connection to give: it refuses a client or its first statement."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from tests.support.wire import answers, messages, proxy

When = Literal["login", "statement"]
"""Supavisor refuses at the login, or takes the client and refuses the first statement of a transaction."""


@dataclass
class Supavisor:
    """Refuses `times` transactions with `message`, the first and then every other one; passes all else on."""

    when: When
    message: str
    times: int
    state: str = "XX000"
    begun: int = 0
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, client: socket.socket, server: socket.socket) -> None:
        for kind, body, whole in messages(client):
            logs_in, begins = not kind, kind == b"Q" and body.upper().startswith(b"BEGIN")
            if (logs_in if self.when == "login" else begins) and self._is_next_refused():
                client.sendall(self._refusal())
                return
            if logs_in:
                answers(server, client)
            server.sendall(whole)

    def _is_next_refused(self) -> bool:
        with self.lock:
            self.begun += 1
            refused = (self.begun % 2 == 1 and self.refused < self.times) or self.times > 1_000
            self.refused += refused
            return refused

    def _refusal(self) -> bytes:
        """Supavisor names no file of a source, as Postgres does."""
        fields = f"SFATAL\0VFATAL\0C{self.state}\0M{self.message}\0\0".encode()
        return b"E" + (len(fields) + 4).to_bytes(4) + fields


ALWAYS = 1_000_000


@contextmanager
def supavisor(url: str, when: When, message: str, times: int, state: str = "XX000") -> Iterator[tuple[str, Supavisor]]:
    """The same URL by way of the stand-in, and the stand-in."""
    running = Supavisor(when, message, times, state)
    with proxy(url, running.serve) as behind:
        yield behind, running
