"""The Celery app of a worker: a process that takes Dagster's runs from the broker (docs/scale-out.md).

    celery -A jv_assets.ui.celery_app worker

Not `dagster-celery worker start`: at each start, that writes the broker's URL with the password into a file and leaves
it there, and it finds the program `celery` only on PATH.
"""

import os
import signal
import threading
import time

from celery import signals  # type: ignore[import-untyped]
from dagster_celery.tasks import create_execute_job_task

import jv_assets.definitions  # noqa: F401 - once and not in each run's process; and what is wrong with them is seen now
from jv_assets.platform.broker import celery
from jv_assets.platform.storage import dagster_home

app = celery()
create_execute_job_task(app)
os.environ["DAGSTER_HOME"] = str(dagster_home())


@signals.worker_process_init.connect  # type: ignore[untyped-decorator]
def _end_with_the_worker(**_: object) -> None:
    """In a run's process: end if the worker was killed. The run then counts as lost, and is done again."""
    worker = os.getppid()

    def watch() -> None:
        while os.getppid() == worker:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
