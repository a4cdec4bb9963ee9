"""Servers that tests put beside the embedded Postgres."""

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from sqlalchemy import make_url

SECONDS = 10
"""How long a server may take to answer; on a free machine it is a fraction of a second."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def pgbouncer(server_url: str, **settings: object) -> Iterator[str]:
    """
    Run PgBouncer in transaction mode before the server of `server_url`; the value is the same URL through it.

    `settings` are lines of its `[pgbouncer]` section. The pool is small, so that clients soon get each other's server
    connection.
    """
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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "users.txt").write_text(f'"{url.username}" "{url.password}"\n')
        text = "".join(f"{key} = {value}\n" for key, value in lines.items())
        (folder / "pgbouncer.ini").write_text(f"[databases]\n* = host={url.host} port={url.port}\n[pgbouncer]\n{text}")
        as_user = []
        if os.geteuid() == 0:  # PgBouncer refuses to be root
            nobody = pwd.getpwnam("nobody")
            for path in (folder, *folder.iterdir()):
                os.chown(path, nobody.pw_uid, nobody.pw_gid)
            as_user = ["-u", "nobody"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([program, *as_user, "pgbouncer.ini"], cwd=folder, stdout=log, stderr=log)
        try:
            _until_it_answers(through.render_as_string(hide_password=False), process, folder / "log")
            yield through.render_as_string(hide_password=False)
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
