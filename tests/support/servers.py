"""Servers that tests put beside the embedded Postgres."""

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
from redis import Redis, RedisError
from sqlalchemy import make_url

SECONDS = 10
"""How long a server may take to answer; on a free machine it is a fraction of a second."""


def free_port() -> int:
    """One that is free, as is the next, and stays so: no client is given one as low, nor an embedded server."""
    while True:
        port = random.SystemRandom().randrange(10_000, 20_000, 2)
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


class Pooler:
    """PgBouncer in transaction mode before a server, to be killed, held up and started again by a test.

    `url` is the server's URL through it. `settings` are lines of its `[pgbouncer]` section. The pool is small, so that
    clients soon get each other's server connection.
    """

    def __init__(self, folder: Path, server_url: str, settings: Mapping[str, object]) -> None:
        program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise RuntimeError("these tests need PgBouncer: install your system's package pgbouncer")
        url = make_url(server_url)
        through = url.set(host="127.0.0.1", port=free_port())
        lines = {
            "listen_addr": through.host,
            "listen_port": through.port,
            "unix_socket_dir": "",
            "pool_mode": "transaction",
            "default_pool_size": 2,
            "max_client_conn": 200,
            "auth_type": "scram-sha-256",
            "auth_file": "users.txt",
            "admin_users": url.username,
            **settings,
        }
        (folder / "users.txt").write_text(f'"{url.username}" "{url.password}"\n')
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        (folder / "pgbouncer.ini").write_text(f"[databases]\n* = host={url.host} port={url.port}\n[pgbouncer]\n{text}")
        as_user = []
        if os.geteuid() == 0:  # PgBouncer refuses to be root
            nobody = pwd.getpwnam("nobody")
            for path in (folder, *folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            as_user = ["-u", "nobody"]
        self.url = through.render_as_string(hide_password=False)
        self._folder, self._command = folder, [program, *as_user, "pgbouncer.ini"]
        self.start()

    def start(self) -> None:
        """Return when it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log)
        try:
            _until_it_answers(self.url, self._process, self._folder / "log")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """As `kill -9` does."""
        self._process.kill()
        self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """SIGSTOP keeps all connections open and passes nothing on, until SIGCONT."""
        self._process.send_signal(number)

    def log(self) -> str:
        return (self._folder / "log").read_text()


@contextlib.contextmanager
def pooler(server_url: str, **settings: object) -> Iterator[Pooler]:
    """Run PgBouncer before the server of `server_url`."""
    with tempfile.TemporaryDirectory() as name:
        running = Pooler(Path(name), server_url, settings)
        try:
            yield running
        finally:
            running.kill()


@contextlib.contextmanager
def pgbouncer(server_url: str, **settings: object) -> Iterator[str]:
    """The URL of a `pooler` that is left alone."""
    with pooler(server_url, **settings) as running:
        yield running.url


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The URL of a Redis of this test's own, with a password in it; it keeps nothing."""
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("these tests need Redis: install your system's package redis-server")
    port, password = free_port(), uuid.uuid4().hex
    (folder / "redis.conf").write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\n')
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen([program, folder / "redis.conf"], cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS
        with Redis(port=port, password=password) as client:
            while True:
                try:
                    client.ping()
                    break
                except RedisError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        said = (folder / "redis.log").read_text()
                        raise RuntimeError(f"Redis does not answer: {said[-1000:]}") from None
                    time.sleep(0.02)
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        process.kill()
        process.wait()


def _until_it_answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            psycopg.connect(url.replace("+psycopg", "", 1), connect_timeout=SECONDS).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer does not answer: {log.read_text()[-1000:]}") from None
            time.sleep(0.02)
        else:
            return
