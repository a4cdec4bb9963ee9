"""Runs as Celery tasks: sent to a broker, done by workers of any machine (celery_app.py, docs/scale-out.md)."""

import warnings
from collections import Counter
from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from celery import states  # type: ignore[import-untyped]
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from jv_assets.dagster_internals import CheckRunHealthResult, ConfigurableClassData, LaunchRunContext, WorkerStatus
from jv_assets.platform import broker
from jv_assets.platform.launcher import again

# dagster-celery creates its task again for each run.
warnings.filterwarnings("ignore", message="Task name 'execute_job' is already registered")

ANSWER_SECONDS = 5
"""How long a worker has for an answer, which takes a few milliseconds."""
UNANSWERED = 3
"""After this many consecutive missing answers, the run counts as lost. A broker that restarts also leaves questions
unanswered.
"""


class Launcher(CeleryRunLauncher):
    """dagster-celery's launcher with three differences: its address is not in `dagster.yaml`, it notices a killed
    worker, and a run that is told to stop ends as it does on one machine.

    dagster-celery believes the worker's last message about a run. A killed worker sends none, so its run stayed in
    progress for ever (https://github.com/dagster-io/dagster/pull/33493).
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(default_queue=broker.QUEUE, inst_data=inst_data)
        self.celery = broker.celery()
        self._unanswered: Counter[str] = Counter()

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data)

    @property
    def supports_resume_run(self) -> bool:
        return False  # A new run does the rest, with a new log: `run_retries` in dagster.yaml.

    def launch_run(self, context: LaunchRunContext) -> None:
        broker.require_broker()  # Raises one line if the broker is down.
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if task := run.tags.get(DAGSTER_CELERY_TASK_ID_TAG):
            # Dagster turns this signal into an orderly end. A task that has not begun is skipped.
            self.celery.control.revoke(task, terminate=True, signal="SIGINT")
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        if gone := self._worker_gone(run):
            return CheckRunHealthResult(
                WorkerStatus.FAILED, f"{gone}; what it had done is kept, and it is tried again; else type: {again(run)}"
            )
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _worker_gone(self, run: dg.DagsterRun) -> str | None:
        """Return what became of the worker of a run in progress; None while the worker has the run."""
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task is None:  # The run began before its worker was recorded.
            return None
        known = self.celery.backend.get_task_meta(task)
        if known["status"] in states.READY_STATES:
            return "its process was killed or has crashed"
        worker = known["result"]["hostname"] if known["status"] == states.STARTED else None
        asked = self.celery.control.inspect(destination=worker and [worker], timeout=ANSWER_SECONDS)
        answers = asked.query_task(task) or {}
        if any(task in tasks for tasks in answers.values()):
            del self._unanswered[run.run_id]
            return None
        if worker in answers:
            return f"its worker {worker} was restarted"
        self._unanswered[run.run_id] += 1
        if self._unanswered[run.run_id] < UNANSWERED:
            return None
        del self._unanswered[run.run_id]
        return f"its worker {worker or ''} was killed or cannot be reached".replace("  ", " ")

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        return None  # The message says it.
