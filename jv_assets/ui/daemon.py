"""Dagster's daemon, where its database has no other. `python -m jv_assets.ui.daemon` takes `dagster-daemon`'s options.

The services of deploy/ start it; `jv ui` asks by itself whether it may have a daemon.
"""

import runpy
import sys

from jv_assets.dagster_internals import DAEMON
from jv_assets.errors import UserError
from jv_assets.ui.one_daemon import the_only_daemon


def main() -> None:
    """Serve until the process is ended; exit code 2, with the line that names the other daemon, where there is one."""
    try:
        with the_only_daemon():
            runpy.run_module(DAEMON, run_name="__main__")
    except UserError as error:
        print(f"jv: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
