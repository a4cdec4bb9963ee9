"""A stand-in for Supavisor where it has no connection to give: it refuses a client or its first statement."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import make_url

When = Literal["login", "statement"]
"""Supavisor refuses at the login, or takes the client and refuses the first statement of a transaction."""
_SSL_REQUEST = (80877103).to_bytes(4)


@dataclass
class Supavisor:
    """Refuses `times` transactions with `message`, the first and then every other one; passes all else on."""

    upstream: tuple[str, int]
    when: When
    message: str
    times: int
    state: str = "XX000"
    begun: int = 0
    refused: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed at the end of the test
            while True:
                client, _ = listening.accept()
                threading.Thread(target=self._client, args=(client,), daemon=True).start()

    def _client(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.upstream) as server, contextlib.suppress(OSError):
            stream = client.makefile("rb")
            kind = b""  # the first message has none
            while True:
                head = stream.read(len(kind) + 4)
                if len(head) < len(kind) + 4:
                    break
                body = stream.read(int.from_bytes(head[-4:]) - 4)
                if not kind and body == _SSL_REQUEST:
                    client.sendall(b"N")
                    continue
                logs_in, begins = not kind, head[:1] == b"Q" and body.upper().startswith(b"BEGIN")
                if (logs_in if self.when == "login" else begins) and self._is_next_refused():
                    client.sendall(self._refusal())
                    break
                if not kind:
                    threading.Thread(target=_answers, args=(server, client), daemon=True).start()
                kind = b"?"
                server.sendall(head + body)
            _close(client, server)

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


def _answers(server: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(65536):
            client.sendall(data)
    _close(client, server)


def _close(*sides: socket.socket) -> None:
    for side in sides:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)


ALWAYS = 1_000_000


@contextmanager
def supavisor(url: str, when: When, message: str, times: int, state: str = "XX000") -> Iterator[tuple[str, Supavisor]]:
    """The same URL by way of the stand-in, and the stand-in."""
    parsed = make_url(url)
    running = Supavisor((str(parsed.host), int(parsed.port or 0)), when, message, times, state)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=running.serve, args=(listening,), daemon=True).start()
        yield parsed.set(port=listening.getsockname()[1]).render_as_string(hide_password=False), running
        listening.shutdown(socket.SHUT_RDWR)
