"""Serve the report read-only to this machine: a few files of one folder.

`jv ui` runs this module in its own process.
"""

import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from jv_assets import settings
from jv_assets.resources import report_address

SERVED = {
    "report.html": "text/html",
    "report.txt": "text/plain",
    "report.json": "application/json",
    "refused.html": "text/html",
    "momentum_options.json": "application/json",
    "text_robustness.json": "application/json",
    "top_matches.csv": "text/csv",
}
"""By file name in the folder of the reports: its content type. No other file is ever read."""
_NOT_YET = (
    "There is no %s yet: jv report makes it, and so does the job `report` in the Dagster UI. Then load this again.\n"
)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        status, kind, content = self._found()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        if body:
            self.wfile.write(content)

    def _found(self) -> tuple[HTTPStatus, str, bytes]:
        name = self.path.partition("?")[0].removeprefix("/") or "report.html"
        # Refuse other names: a foreign page could resolve its name to this address, and read what we serve.
        if self.headers.get("Host", "").partition(":")[0] not in (report_address.REPORTS_HOST, "localhost"):
            return HTTPStatus.FORBIDDEN, "text/plain", b"This is served to this machine alone.\n"
        if name not in SERVED:
            return HTTPStatus.NOT_FOUND, "text/plain", f"Here are only {', '.join(SERVED)}.\n".encode()
        try:
            return HTTPStatus.OK, SERVED[name], (settings.reports_dir() / name).read_bytes()
        except OSError:
            return HTTPStatus.NOT_FOUND, "text/plain", (_NOT_YET % name).encode()

    def log_message(self, *_: object) -> None:
        """Log nothing: a log that grows with each request helps nobody."""


def main(port: int) -> None:
    """Serve until the process is ended."""
    with _Server((report_address.REPORTS_HOST, port), _Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
