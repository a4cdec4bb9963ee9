"""Ports to listen on."""

import errno
import socket

from jv_assets.errors import UserError


def free_port(host: str, wanted: int | None, among: range, choose: str) -> int:
    """Return the port `wanted`, or the first free one `among` others; UserError, naming what to `choose`, if there is
    none.
    """
    for port in (wanted,) if wanted else among:
        if _is_free(host, port):
            return port
    ports = f"port {wanted} is" if wanted else f"ports {among.start} to {among.stop - 1} are"
    raise UserError(f"{ports} taken: choose another with {choose}")


def _is_free(host: str, port: int) -> bool:
    try:
        family, kind, *_, address = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address[0], port))
            probe.listen()
    except (OSError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            return False
        raise UserError(f"cannot listen on {host}, port {port}: {error}") from None
    return True
