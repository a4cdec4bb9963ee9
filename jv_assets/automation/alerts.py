"""The sensor that posts each failed run to a webhook, because a failure must reach people who do not look."""

import json
import urllib.request
from typing import Any

import dagster as dg
import tenacity

from jv_assets import settings
from jv_assets.automation.causes import run_causes
from jv_assets.automation.finishing import failed_ranges
from jv_assets.platform.launcher import again
from jv_assets.platform.own_runs import started_by_jv

_TIMEOUT, _ATTEMPTS = 10, 3


@dg.run_failure_sensor(
    name="alert",
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts each failed run as JSON to JV_ALERT_WEBHOOK: the assets and partitions that failed, the "
    "cause, and a link. Chat tools show `text`, which has all of it in a few lines. Does nothing if the variable is "
    "not set.",
)
def alert(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    url, run = settings.alert_webhook(), context.dagster_run
    if url is None:
        return dg.SkipReason("JV_ALERT_WEBHOOK is not set")
    if started_by_jv(run):
        return dg.SkipReason("it was started by jv, which told whoever typed it")
    post(url, message_of(context.instance, run))
    context.log.info(f"told the webhook of run {run.run_id}")
    return None


def message_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dict[str, Any]:
    """What is posted: `text`, and the same in parts: `run`, `job`, `ranges` by asset, `causes`, `link`, `cure`."""
    ranges = {asset: list(causes) for asset, causes in failed_ranges(instance, run.run_id)}
    causes, link = run_causes(instance, run), f"{settings.ui_url()}/runs/{run.run_id}"
    cure = f"fix the cause, then type: {again(run)}"
    lines = [f"{run.job_name} failed ({run.run_id[:8]})", *causes, link, cure]
    return {
        "text": "\n".join(lines),
        "run": run.run_id,
        "job": run.job_name,
        "ranges": ranges,
        "causes": causes,
        "link": link,
        "cure": cure,
    }


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(OSError),
    stop=tenacity.stop_after_attempt(_ATTEMPTS),
    wait=tenacity.wait_exponential_jitter(multiplier=0.5, max=5),
    reraise=True,
)
def _send(request: urllib.request.Request) -> None:
    with urllib.request.urlopen(request, timeout=_TIMEOUT):
        return


def post(url: str, message: dict[str, Any]) -> None:
    """POST the message as JSON. dg.Failure, without the URL, where it is not taken: the tick is then red."""
    try:
        request = urllib.request.Request(url, json.dumps(message).encode(), {"Content-Type": "application/json"})
        _send(request)
    except (OSError, ValueError) as error:  # ValueError: no URL; its message would show it
        reason = str(error) if isinstance(error, OSError) else "it is no URL"
        raise dg.Failure(f"JV_ALERT_WEBHOOK did not take the alert: {reason}", allow_retries=False) from None
