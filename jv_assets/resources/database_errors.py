"""Classify errors of the database: whether a retry may succeed, and the one line with cause and cure."""

import psycopg
from sqlalchemy.exc import DBAPIError

from jv_assets.errors import UserError
from jv_assets.resources.redaction import headline

# Errors that a retry may not meet again, beside lost connections, whose class is 08 or missing.
_PASSING = {
    "40001",  # serialization failure
    "40P01",  # deadlock
    "55P03",  # lock timeout
    "57014",  # statement timeout
    "25P03",  # idle in transaction for too long
    "25P04",  # the transaction took too long
    "57P01",  # terminated by an administrator
    "57P02",  # crash of another server process
    "57P03",  # starting or stopping
    "57P05",  # idle for too long
    "53300",  # too many connections
}
# Connections refused for good, and the cure. libpq and PgBouncer give no SQLSTATE, or that of a lost connection.
_REFUSALS = {
    "authentication failed": "check user and password in JV_DATABASE_URL",
    "no password supplied": "check user and password in JV_DATABASE_URL",
    "no such user": "check user and password in JV_DATABASE_URL",
    "Tenant or user not found": "check user and host in JV_DATABASE_URL: the user is ROLE.PROJECT at this pooler",
    "(ENOTFOUND)": "check user and host in JV_DATABASE_URL: the user is ROLE.PROJECT at this pooler",
    "(ETENANT": "check user and host in JV_DATABASE_URL: the user is ROLE.PROJECT at this pooler",
    "(ECIRCUITBREAKER)": "check user and password in JV_DATABASE_URL, then wait some minutes: the pooler blocks logins",
    "no pg_hba.conf entry": "let the server's operator admit this host, user and database",
    "no such database": "check the database's name in JV_DATABASE_URL",
    "root certificate file": "check sslrootcert in JV_DATABASE_URL",
    "does not exist": "check the names in JV_DATABASE_URL",
    "Name or service not known": "check the host in JV_DATABASE_URL",
    "nodename nor servname": "check the host in JV_DATABASE_URL",
    "SSL was required": "check sslmode in JV_DATABASE_URL",
    "certificate verify failed": "check sslmode and sslrootcert in JV_DATABASE_URL",
    "does not match host name": "check the host in JV_DATABASE_URL",
    "connection is bad: invalid": "correct it in JV_DATABASE_URL",
    "invalid connection option": "take it out of JV_DATABASE_URL",
    "unsupported startup parameter": "take it out of JV_DATABASE_URL, the pooler does not know it",
    "statement pooling mode": "set the pooler's pool_mode to transaction",
}
_AGAIN = "once the server is well, type: jv retry"
_LATER = "somebody else holds what is needed, or the server is slow: try again later"
_FULL = "its connections are all taken: end other clients, or raise pool_size or max_connections, then type: jv retry"
# Words of Postgres, PgBouncer and Supavisor when they have no connection left, or have just lost theirs. Supavisor puts
# a code in front of each message; its older versions do not. All have the SQLSTATE XX000.
_BUSY = {
    "too many clients already": _FULL,
    "too many connections for": _FULL,
    "connection slots are reserved": _FULL,
    "no more connections allowed": _FULL,
    "query_wait_timeout": _FULL,
    "(ECHECKOUTTIMEOUT)": _FULL,
    "(EMAXC": _FULL,
    "(EMAXPROXYCONN)": _FULL,
    "Max client connections reached": _FULL,
    "max clients reached": _FULL,
    "Unable to check out": _FULL,
    "(EDBHANDLEREXITED)": _AGAIN,
    "(EPOOLTERMINATING)": _AGAIN,
    "(ECHECKOUTFAILED)": _AGAIN,
    "DbHandler exited": _AGAIN,
    "db_termination": _AGAIN,
    "the database system is": _AGAIN,  # starting up, shutting down, or in recovery
}
# By the first characters of the SQLSTATE.
_CURES = {
    "08": _AGAIN,
    "25006": "it takes no writes: give the primary server in JV_DATABASE_URL",
    "25P03": _AGAIN,
    "25P04": _AGAIN,
    "28": "check user and password in JV_DATABASE_URL",
    "3D": "check the database's name in JV_DATABASE_URL",
    "40001": _AGAIN,
    "40P01": _LATER,
    "42501": "let its owner grant it, or see: jv doctor",
    "42703": "type: jv migrate (or jv doctor, to see what is missing)",
    "42P01": "type: jv migrate",
    "53100": "make room on the server, then type: jv retry",
    "53200": "make room on the server, then type: jv retry",
    "53300": _FULL,
    "55P03": _LATER,
    "57014": _LATER,
    "57P01": _AGAIN,
    "57P02": _AGAIN,
    "57P03": _AGAIN,
    "57P04": "check the database's name in JV_DATABASE_URL: it was dropped",
    "57P05": _AGAIN,
}


class BusyError(UserError):
    """The server or the pooler answers, but has no connection to give at this moment."""


def is_passing(error: BaseException) -> bool:
    """Return whether a retry may succeed: after a lost connection, a lock, a restart of the server."""
    if isinstance(error, UserError):
        return error.is_passing
    if not isinstance(error, (DBAPIError, psycopg.Error)):
        return False
    cause = driver_error(error)
    if cause.sqlstate in _PASSING or cure_of_busy(cause):
        return True
    lost = cause.sqlstate is None and isinstance(cause, (psycopg.OperationalError, psycopg.InterfaceError))
    return (lost or (cause.sqlstate or "").startswith("08")) and _cure(_REFUSALS, cause) is None


def explain(error: psycopg.Error, place: str) -> UserError | None:
    """Return the one line for an error that the operator can fix; None for a bug of ours."""
    state, refused, busy = error.sqlstate, _cure(_REFUSALS, error), cure_of_busy(error)
    if state is None:
        if not (refused or isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError))):
            return None
        # The first paragraph only: Supavisor adds advice in others.
        first = " ".join(str(error).split("\n\n")[0].split())
        line = f"no connection to the database {place}: {first}; "
        if busy:
            return BusyError(line + busy, is_passing=True)
        return UserError(line + (refused or "check JV_DATABASE_URL and that it runs"), is_passing=is_passing(error))
    known = busy or next((cure for start, cure in _CURES.items() if state.startswith(start)), None)
    if refused and (state.startswith("08") or _is_of_pooler(error)):
        known = refused
    if known is None:
        return None
    kind = BusyError if busy else UserError
    return kind(f"database {place}: {headline(error)}; {known}", is_passing=is_passing(error))


def driver_error(error: DBAPIError | psycopg.Error) -> psycopg.Error:
    """Return the driver's own error, which quotes rows: to be examined, never shown."""
    original = error if isinstance(error, psycopg.Error) else error.orig
    if not isinstance(original, psycopg.Error):
        return psycopg.OperationalError(str(original))
    if isinstance(original, psycopg.InternalError) and original.sqlstate is None:
        # Behind PgBouncer, a COMMIT that is lost gives two messages: the server's last words, and the pooler's.
        return psycopg.OperationalError(f"the connection was lost ({original})")
    return original


def cure_of_busy(error: psycopg.Error) -> str | None:
    """Return the message of a pooler; None for a statement's error, whose words anybody may have chosen."""
    state = error.sqlstate
    if state in (None, "53300", "57P03") or (state or "").startswith("08") or _is_of_pooler(error):
        return _cure(_BUSY, error)
    return None


def _is_of_pooler(error: psycopg.Error) -> bool:
    """Return whether the error is Supavisor's FATAL XX000: Postgres names its source file, and Supavisor has none."""
    is_fatal = "FATAL" in (error.diag.severity_nonlocalized, error.diag.severity)
    return error.sqlstate == "XX000" and is_fatal and error.diag.source_file is None


def _cure(cures: dict[str, str], error: psycopg.Error) -> str | None:
    message = str(error)
    return next((cure for words, cure in cures.items() if words in message), None)
