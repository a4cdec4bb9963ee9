"""Dagster's webserver, restricted to its own pages. `python -m jv_assets.ui.webserver` takes `dagster-webserver`'s
options.

Dagster's webserver has no login. It answers any page that the operator's browser has open: a form of another site that
posts to 127.0.0.1, a mutation in the address of a picture, a foreign name that leads to this machine (DNS rebinding).
This module checks each request before Dagster sees it.
"""

import ipaddress
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from jv_assets import settings

_READING = ("GET", "HEAD", "OPTIONS")


class OwnPagesOnly:
    """An ASGI application that passes on requests of its own pages and of programs, and answers others with 403.

    `ui_url`: where people open the pages, if that is not this machine's address, such as behind a proxy.
    """

    def __init__(self, app: ASGIApp, ui_url: str) -> None:
        self._app, self._ui = app, urlsplit(ui_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refused = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refused is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008, reason=refused[:120])(scope, receive, send)
        else:
            await PlainTextResponse(f"{refused}\n", 403)(scope, receive, send)

    def _refusal(self, scope: Scope) -> str | None:
        """Return why a request is refused, or None."""
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_ours(host):
            return f"the host {host or '(none)'} is not known here: set JV_UI_URL to the address that people open"
        acts = scope["type"] == "websocket" or scope["method"] not in _READING
        if acts and origin is not None and urlsplit(origin).netloc not in (host, self._ui.netloc):
            return (
                f"a page of {origin} may not act here: if that is this UI behind a proxy, set JV_UI_URL to its address"
            )
        if acts and headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return "a page of another site may not act here"
        if scope["type"] == "http" and scope["path"].rstrip("/").endswith("/graphql"):
            return _graphql_refusal(scope["method"], headers)
        return None

    def _is_ours(self, host: str) -> bool:
        """Return whether no foreign name leads here: a number cannot be rebound."""
        name = urlsplit(f"//{host}").hostname or ""
        return name in ("localhost", self._ui.hostname) or _is_number(name)


def _graphql_refusal(method: str, headers: Headers) -> str | None:
    """Return whether the request is JSON, which pictures, links and forms cannot send; the playground at /graphql is
    HTML.
    """
    if method == "POST" and headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return "send GraphQL as application/json"
    if method == "GET" and "text/html" not in headers.get("accept", ""):
        return "send GraphQL by POST"
    return None


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def main() -> None:
    """Serve until the process is ended."""
    from dagster_webserver.cli import cli
    from dagster_webserver.webserver import DagsterWebserver

    # The command has no option for middleware, but the class asks this method for it.
    theirs = DagsterWebserver.build_middleware

    def build_middleware(server: Any) -> list[Middleware]:
        return [Middleware(OwnPagesOnly, ui_url=settings.ui_url()), *theirs(server)]

    DagsterWebserver.build_middleware = build_middleware  # type: ignore[assignment, method-assign]
    cli(auto_envvar_prefix="DAGSTER_WEBSERVER")


if __name__ == "__main__":
    main()
