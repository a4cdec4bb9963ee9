"""A proxy before a Postgres server or a pooler, which sees each message of the protocol that a client sends."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from sqlalchemy import make_url

Serve = Callable[[socket.socket, socket.socket], None]
"""What a proxy does between a client and its connection to the server; both are closed when it returns."""
_SSL_REQUEST = (80877103).to_bytes(4)


@contextlib.contextmanager
def proxy(url: str, serve: Serve) -> Iterator[str]:
    """The same URL by way of a proxy, where `serve` runs for each client."""
    parsed = make_url(url)
    upstream = (str(parsed.host), int(parsed.port or 0))

    def client_served(client: socket.socket) -> None:
        with client, socket.create_connection(upstream) as server:
            with contextlib.suppress(OSError):
                serve(client, server)
            close(client, server)

    def accept(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed at the end of the test
            while True:
                client, _ = listening.accept()
                threading.Thread(target=client_served, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, args=(listening,), daemon=True).start()
        yield parsed.set(port=listening.getsockname()[1]).render_as_string(hide_password=False)
        listening.shutdown(socket.SHUT_RDWR)


def messages(client: socket.socket) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Each message of a client: its kind (empty for the first one, which logs in), its body, and the whole of it.

    A client that asks for TLS is told that there is none.
    """
    stream, kind = client.makefile("rb"), b""
    while True:
        head = stream.read(len(kind) + 4)
        if len(head) < len(kind) + 4:
            return
        body = stream.read(int.from_bytes(head[-4:]) - 4)
        if not kind and body == _SSL_REQUEST:
            client.sendall(b"N")
            continue
        yield head[:1] if kind else b"", body, head + body
        kind = b"?"


def answers(server: socket.socket, client: socket.socket, passes: Callable[[bytes], bool] = lambda data: True) -> None:
    """Start to pass on what the server says, until `passes` refuses some of it; then both sides are closed."""

    def pass_on() -> None:
        with contextlib.suppress(OSError):
            while (data := server.recv(65536)) and passes(data):
                client.sendall(data)
        close(client, server)

    threading.Thread(target=pass_on, daemon=True).start()


def close(*sides: socket.socket) -> None:
    for side in sides:
        with contextlib.suppress(OSError):
            side.shutdown(socket.SHUT_RDWR)
