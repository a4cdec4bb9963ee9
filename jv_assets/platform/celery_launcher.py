"""Runs as tasks of Celery: handed to a broker, done by workers of any machine (celery_app.py, docs/scale-out.md)."""

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

# dagster-celery makes its task anew for each run.
warnings.filterwarnings("ignore", message="Task name 'execute_job' is already registered")

ANSWER_SECONDS = 5
"""How long a worker has for an answer; it is a few milliseconds where it is there."""
UNANSWERED = 3
"""So often in a row a worker gives no answer before its run is taken for lost: while the broker is started again, too,
questions go unanswered.
"""


class Launcher(CeleryRunLauncher):
    """dagster-celery's launcher, but its address is not in `dagster.yaml`, it notices that a worker was killed, and a
    run that is told to stop ends as it does on one machine.

    dagster-celery believes what the worker has last said of a run: one that was killed says nothing more, and its run
    went on for ever (https://github.com/dagster-io/dagster/pull/33493).
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
        return False  # a run goes on in a new one, whose log begins anew: `run_retries` in dagster.yaml

    def launch_run(self, context: LaunchRunContext) -> None:
        broker.require_broker()  # says in one line where it is away
        super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if task := run.tags.get(DAGSTER_CELERY_TASK_ID_TAG):
            # the signal that Dagster makes an orderly end of; one that nobody has begun is passed over
            self.celery.control.revoke(task, terminate=True, signal="SIGINT")
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        if gone := self._worker_gone(run):
            return CheckRunHealthResult(
                WorkerStatus.FAILED, f"{gone}; what it had done is kept, and it is tried again; else type: {again(run)}"
            )
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def _worker_gone(self, run: dg.DagsterRun) -> str | None:
        """What became of the worker of a run that goes on by all that Dagster knows; None while it has the run."""
        task = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if task is None:  # begun before it was told that it is there
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
            return f"its worker {worker} was started anew"
        self._unanswered[run.run_id] += 1
        if self._unanswered[run.run_id] < UNANSWERED:
            return None
        del self._unanswered[run.run_id]
        return f"its worker {worker or ''} was killed or cannot be reached".replace("  ", " ")

    def get_run_worker_debug_info(self, run: dg.DagsterRun, include_container_logs: bool | None = True) -> str | None:
        return None  # the message says it
