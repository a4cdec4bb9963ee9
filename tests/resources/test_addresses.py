"""Where a URL leads is shown as it is, wherever the URL says so; the password nowhere, wherever that stands."""

from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from jv_assets import settings
from jv_assets.addresses import address_of, parsed
from jv_assets.errors import UserError
from jv_assets.pipeline.database.identity import read_identity
from jv_assets.platform.postgres import production_url
from jv_assets.resources.database import Database
from jv_assets.setup.doctor import examine
from jv_assets.setup.migrations.run import migrate
from tests.support.models import minilm
from tests.support.servers import free_port

CANARY = "canary-5Tz8"
PLACES = {
    "postgresql://me:pw@db.example:6543/jv": ("db.example:6543/jv", "me@db.example_6543_jv"),
    "postgresql://me:pw@db.example/jv": ("db.example:5432/jv", "me@db.example_jv"),
    "postgresql://me@/jv?host=db.example&port=6543": ("db.example:6543/jv", "me@db.example_6543_jv"),
    "postgresql://me@ignored:1/jv?host=db.example&port=6543": ("db.example:6543/jv", "me@db.example_6543_jv"),
    "postgresql:///jv?host=/var/run/postgresql": ("/var/run/postgresql:5432/jv", "_var_run_postgresql_jv"),
    "postgresql:///jv?host=/tmp&port=5433&user=me": ("/tmp:5433/jv", "me@_tmp_5433_jv"),
    "postgresql://me@/jv?host=a.example:1&host=b.example:2": (
        "a.example:1,b.example:2/jv",
        "me@a.example_1_b.example_2_jv",
    ),
    "postgresql://me@/jv?host=a.example,b.example&port=7,8": (
        "a.example:7,b.example:8/jv",
        "me@a.example_7_b.example_8_jv",
    ),
    "postgresql://me@a.example:1,b.example:2/jv": ("a.example:1,b.example:2/jv", "me@a.example_1_b.example_2_jv"),
    "postgresql://me@a.example,[::1]:2/jv": ("a.example:5432,[::1]:2/jv", "me@a.example_5432_1_2_jv"),
    "postgresql://me@a.example,b.example/jv?port=7": ("a.example:7,b.example:7/jv", "me@a.example_7_b.example_7_jv"),
    "postgresql://me@/jv?host=a.example,b.example&port=7": (
        "a.example:7,b.example:7/jv",
        "me@a.example_7_b.example_7_jv",
    ),
    "postgresql://me@%2Ftmp/jv": ("/tmp:5432/jv", "me@_tmp_jv"),
    "postgresql://me@%2Ftmp:7/jv?sslmode=disable": ("/tmp:7/jv", "me@_tmp_7_jv"),
    "postgresql://me@db.example:/jv": ("db.example:5432/jv", "me@db.example_jv"),
    "postgresql:///jv?service=live": ("service=live/jv", "service_live_jv"),
    "postgresql://?service=live": ("service=live", "service_live"),
    "postgresql://me@db.example/jv?service=live": ("db.example:5432/jv", "me@db.example_jv"),
    "postgresql://db.example": ("db.example:5432", "db.example"),
    "postgresql://me@[::1]:7/jv": ("[::1]:7/jv", "me@_1_7_jv"),
    "postgresql://me@/?host=db.example&dbname=jv": ("db.example:5432/jv", "me@db.example_jv"),
    "postgresql://me@/jv?hostaddr=10.1.2.3": ("10.1.2.3:5432/jv", "me@10.1.2.3_jv"),
    "postgresql://me@/jv": ("localhost:5432/jv", "me@localhost_jv"),
}


@pytest.mark.parametrize("url", PLACES)
def test_where_a_url_leads(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("JV_HOME")
    monkeypatch.setenv("JV_DATABASE_URL", url)
    assert (address_of(parsed(url)).place, Path(settings.home()).name) == PLACES[url]


def test_what_the_url_leaves_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"PGHOST": "db.example", "PGPORT": "6543", "PGUSER": "me"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PGDATABASE", raising=False)
    assert address_of(make_url("postgresql://")).place == "db.example:6543/me"


@pytest.mark.parametrize(
    "form",
    [
        "/{database}?host={host}&port={port}",
        "/{database}?host={host}:{port}",
        "/{database}?host={host},{host}&port={port},{port}",
        "/{database}?host={host},{host}&port={port}",
        "{host}:{port},{host}:{port}/{database}?target_session_attrs=read-write",
        "{host},{host}/{database}?port={port}",
    ],
)
def test_it_is_shown_in_every_message(database_url: str, form: str) -> None:
    url = make_url(database_url)
    whole = form.format(host=url.host, port=url.port, database=url.database)
    given = f"postgresql://{url.username}:{url.password}@{whole}{'&' if '?' in whole else '?'}sslmode=disable"
    database = Database(url=given)
    migrate(database, dimension=minilm().dimension)
    assert f"{url.host}:{url.port}" in read_identity(database).place
    connected = examine(database, minilm())[0]
    assert connected.level == "ok"
    assert f"{url.host}:{url.port}" in connected.text


@pytest.mark.parametrize("query", ["host=a,b,c&port=7,8", "host=a,b&port=7,x", "host=a&port=x"])
def test_ports_that_do_not_fit_the_hosts(query: str) -> None:
    with pytest.raises(
        UserError, match=r"^JV_DATABASE_URL has ports that do not fit its hosts: write a port, a number"
    ):
        _ = Database(url=f"postgresql://me@/jv?{query}").place


@pytest.mark.parametrize("where", ["user:{pw}@/db?", "/db?user=me&password={pw}&"])
def test_a_server_that_is_away(where: str) -> None:
    port = free_port()
    database = Database(url=f"postgresql://{where.format(pw=CANARY)}host=127.0.0.1&port={port}")
    with pytest.raises(UserError) as caught, database.transaction() as connection:
        connection.execute(text("SELECT 1"))
    assert str(caught.value).startswith(f"no connection to the database 127.0.0.1:{port}/db: ")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("url", [f"postgresql://me@h/db?password=x@{CANARY}", f"postgresql://me:x@{CANARY}@h/db"])
def test_a_password_that_was_not_quoted(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("JV_HOME")
    monkeypatch.setenv("JV_DATABASE_URL", url)
    assert CANARY not in settings.home()
    with pytest.raises(UserError, match=r"^JV_DATABASE_URL has an @ too many: write the one in the password as %40$"):
        _ = Database(production_url).place
