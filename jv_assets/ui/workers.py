"""Workers of this machine only, in the foreground until Ctrl-C, to try what docs/scale-out.md describes."""

import contextlib
import os
import sys

from jv_assets.ui.processes import DiedError, Family, alone, interrupts

READY_SECONDS = 120


def serve(count: int) -> int:
    """Run so many workers until Ctrl-C or SIGTERM. If one is killed, print that, and let the others continue.

    Returns the exit code: 0, or 1 if none is left.
    """
    from jv_assets.platform.broker import celery
    from jv_assets.platform.instance import open_instance
    from jv_assets.platform.storage import dagster_home

    app = celery()
    # Otherwise each would embed with as many threads as there are cores.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    try:
        with interrupts(), contextlib.ExitStack() as stack:
            open_instance().dispose()
            folder = dagster_home() / "workers"
            stack.enter_context(alone(folder, "there are workers of jv workers already: end them first"))
            print(f"Starting {count} of Celery's workers: this takes some ten seconds.", flush=True)
            family = stack.enter_context(Family(folder, "workers"))
            names = [f"jv-{number}-{os.getpid()}@{os.uname().nodename}" for number in range(1, count + 1)]
            for number, name in enumerate(names, start=1):
                words = ["-A", "jv_assets.ui.celery_app", "worker", "-n", name, "--loglevel", "INFO"]
                family.start(f"worker {number}", "celery", *words)
            family.wait_for(
                lambda: set(app.control.inspect(names, timeout=1).ping() or ()) == set(names), READY_SECONDS
            )
            print("The workers are there, and do what the Dagster UI starts (jv ui). Ctrl-C ends them.", flush=True)
            _until_none_is_left(family)
    except KeyboardInterrupt:
        return 0
    except DiedError as error:
        print(f"jv: {error}", file=sys.stderr)
    return 1


def _until_none_is_left(family: Family) -> None:
    while True:
        try:
            family.wait_for(lambda: False)
        except DiedError as error:
            if not family.end_orphans():
                raise
            print(f"jv: {error}; the others keep running", file=sys.stderr, flush=True)
