"""The address of the report that `jv ui` serves."""

from pathlib import Path

from jv_assets import settings

REPORTS_HOST, REPORTS_PORTS = "127.0.0.1", range(3100, 3200)
"""Where the report is served: to this machine alone, on the first free port."""


def report_url() -> str:
    """Return the report's address: on JV_REPORTS_PORT, or the last port used, or the first one to try."""
    port = settings.reports_port()
    if port is None:
        try:
            port = int(_reports_port_file().read_text())
        except (OSError, ValueError):
            port = REPORTS_PORTS[0]
    return f"http://{REPORTS_HOST}:{port}/report.html"


def note_reports_port(port: int) -> None:
    """Store the address of the report for `report_url`."""
    _reports_port_file().write_text(str(port))


def _reports_port_file() -> Path:
    return settings.reports_dir().with_name("reports_port")
