"""Where a Postgres URL leads, for messages and for names of folders: never with a password, wherever that stands."""

import os
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import URL


@dataclass(frozen=True)
class Address:
    """`hosts`: names, addresses or socket folders with their port, None where the URL leaves it to the default."""

    user: str | None
    hosts: tuple[tuple[str, str | None], ...]
    database: str | None

    @property
    def place(self) -> str:
        """Host, port and database, for messages."""
        hosts = ",".join(f"{_bracketed(host)}:{port or 5432}" for host, port in self.hosts)
        return f"{hosts}/{self.database or self.user}"

    @property
    def folder(self) -> str:
        """User, host, port and database as the name of a folder."""
        hosts = ",".join(f"{host}:{port}" if port else host for host, port in self.hosts)
        server = f"{hosts}/{self.database}" if self.database else hosts
        return re.sub(r"[^\w.@-]+", "_", f"{self.user}@{server}" if self.user else server)


def address_of(url: URL) -> Address:
    """Return where libpq goes: as the query of the URL says, else the URL before it, else the environment."""
    words = connect_words(url)

    def known(word: str, variable: str) -> str | None:
        return str(words.get(word) or os.environ.get(variable) or "") or None

    hosts = (known("host", "PGHOST") or known("hostaddr", "PGHOSTADDR") or "localhost").split(",")
    ports = (known("port", "PGPORT") or "").split(",")
    if len(ports) == 1:  # one port is for all hosts
        ports *= len(hosts)
    pairs = tuple((host or "localhost", port or None) for host, port in zip(hosts, ports, strict=False))
    return Address(known("user", "PGUSER"), pairs, known("dbname", "PGDATABASE"))


def connect_words(url: URL) -> dict[str, Any]:
    """Return what libpq is to be given. Not as a URL: it takes no blank in one, and its error has the password."""
    _, words = url.set(drivername="postgresql+psycopg").get_dialect()().create_connect_args(url)
    return dict(words)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
