"""Where a Postgres URL leads, for messages and for names of folders, never with a password."""

import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from sqlalchemy import make_url
from sqlalchemy.engine import URL

_PARTS = re.compile(r"(?P<scheme>[^:/?#]+://)(?P<user>[^@?]*@)?(?P<hosts>[^/?@]*)(?P<rest>.*)", re.DOTALL)
_HOST = re.compile(r"(?:\[(?P<v6>[^]]+)\]|(?P<name>[^:]*))(?::(?P<port>\d*))?")
_DEFAULT_PORT = "5432"


@dataclass(frozen=True)
class Address:
    """`hosts`: names, addresses or socket folders with their port; None if the URL leaves it to the default.

    `service`: the entry of pg_service.conf that names the hosts, if nothing else does.
    """

    user: str | None
    hosts: tuple[tuple[str, str | None], ...]
    database: str | None
    service: str | None = None

    @property
    def place(self) -> str:
        """Return host, port and database, for messages."""
        hosts = ",".join(f"{_bracketed(host)}:{port or _DEFAULT_PORT}" for host, port in self.hosts)
        if self.service:
            return "/".join(filter(None, [f"service={self.service}", hosts, self.database]))
        return "/".join(filter(None, [hosts, self.database or self.user]))

    @property
    def folder(self) -> str:
        """Return user, host, port and database as the name of a folder."""
        hosts = ",".join(f"{host}:{port}" if port else host for host, port in self.hosts)
        service = f"service={self.service}" if self.service else None
        server = "/".join(filter(None, [service, hosts, self.database]))
        return re.sub(r"[^\w.@-]+", "_", f"{self.user}@{server}" if self.user else server)


def address_of(url: URL) -> Address:
    """Return where libpq connects: by the query of the URL, then the URL before it, then the environment."""
    words = connect_words(url)

    def known(word: str, variable: str) -> str | None:
        return str(words.get(word) or os.environ.get(variable) or "") or None

    service = known("service", "PGSERVICE")
    given = known("host", "PGHOST") or known("hostaddr", "PGHOSTADDR")
    if given is None and service:
        return Address(known("user", "PGUSER"), (), known("dbname", "PGDATABASE"), service)
    hosts = (given or "localhost").split(",")
    ports = (known("port", "PGPORT") or "").split(",")
    if len(ports) == 1:  # One port is for all hosts.
        ports *= len(hosts)
    pairs = tuple((host or "localhost", port or None) for host, port in zip(hosts, ports, strict=False))
    return Address(known("user", "PGUSER"), pairs, known("dbname", "PGDATABASE"))


def parsed(given: str) -> URL:
    """Read a URL as libpq does; ValueError or ArgumentError if it is not one.

    SQLAlchemy accepts several hosts, and a socket's folder, only in the query, and wants a port for each host.
    """
    parts = _PARTS.fullmatch(given)
    if parts is None or not re.search("[,%]|:$", parts["hosts"]):
        url = make_url(given)
    else:
        matched = [_HOST.fullmatch(each) for each in parts["hosts"].split(",")]
        if None in matched:
            raise ValueError("a host is none")
        hosts = [unquote(each["v6"] or each["name"]) for each in matched if each]
        ports = [each["port"] or "" for each in matched if each]
        url = make_url(f"{parts['scheme']}{parts['user'] or ''}{parts['rest']}")
        words = {"host": ",".join(hosts)} if any(hosts) else {}
        if any(ports):
            words["port"] = ",".join(port or _DEFAULT_PORT for port in ports)
        url = url.set(query={**words, **url.query})
    hosts_in_query, port = url.query.get("host"), url.query.get("port")
    if isinstance(hosts_in_query, str) and isinstance(port, str) and "," not in port:
        url = url.update_query_dict({"port": ",".join([port] * (hosts_in_query.count(",") + 1))})
    return url


def connect_words(url: URL) -> dict[str, Any]:
    """Return the parameters for libpq. Not a URL: libpq accepts no blank in one, and its error would show
    the password.
    """
    _, words = url.set(drivername="postgresql+psycopg").get_dialect()().create_connect_args(url)
    return dict(words)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
