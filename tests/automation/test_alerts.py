"""What a webhook is told of a run that failed, by a real HTTP server that takes it or does not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from jv_assets.automation.alerts import alert
from jv_assets.definitions import build
from jv_assets.partitions import range_tags
from jv_assets.platform.own_runs import STARTED_BY_JV
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from tests.support.models import minilm

SECRET = "s3cr3t-of-the-webhook"


@contextmanager
def webhook(*answers: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Its URL, and what it is sent; it answers with these statuses, one after the other."""
    sent: list[dict[str, Any]] = []
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(left.pop(0))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{SECRET}", sent
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def failed(tmp_path: Path) -> Iterator[dg.RunFailureSensorContext]:
    """Of a run that nothing but its config made fail, so that no database is asked."""
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    defs = build(database, minilm(), RangeFiles(str(tmp_path), 8))
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("rescore").execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey("match_scores")],
            run_config={"ops": {"match_scores": {"config": {"policy": "best/impute"}}}},
            tags=range_tags("0", "4"),
            raise_on_error=False,
        )
        [event] = [event for event in result.all_events if event.event_type == dg.DagsterEventType.RUN_FAILURE]
        run = instance.get_run_by_id(result.run_id)
        assert run
        yield dg.build_run_status_sensor_context("alert", event, instance, run).for_run_failure()


def test_a_failed_run_is_told(failed: dg.RunFailureSensorContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JV_UI_URL", "https://jv.example/")
    with webhook(200) as (url, sent):
        monkeypatch.setenv("JV_ALERT_WEBHOOK", url)
        assert alert(failed) is None
    [told] = sent
    run_id = failed.dagster_run.run_id
    [cause] = told["causes"]
    assert "best/impute" in cause
    assert (told["run"], told["job"]) == (run_id, "rescore")
    assert told["link"] == f"https://jv.example/runs/{run_id}"
    assert told["text"].splitlines() == [f"rescore failed ({run_id[:8]})", cause, told["link"], told["cure"]]


def test_a_webhook_that_is_busy_is_asked_again(
    failed: dg.RunFailureSensorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(503, 200) as (url, sent):
        monkeypatch.setenv("JV_ALERT_WEBHOOK", url)
        alert(failed)
    assert len(sent) == 2
    assert sent[0] == sent[1]


@pytest.mark.parametrize("reason", ["HTTP Error 500: Internal Server Error", "Connection refused", "it is no URL"])
def test_one_that_does_not_take_it_makes_the_tick_red(
    failed: dg.RunFailureSensorContext, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook(500, 500, 500) as (url, _):
        given = {"it is no URL": SECRET, "Connection refused": f"http://127.0.0.1:1/{SECRET}"}.get(reason, url)
        monkeypatch.setenv("JV_ALERT_WEBHOOK", given)
        with pytest.raises(dg.Failure) as caught:
            alert(failed)
    said = str(caught.value.description)
    assert said.startswith("JV_ALERT_WEBHOOK did not take the alert: ")
    assert reason in said
    assert SECRET not in said


def test_nobody_is_told_without_a_webhook_nor_of_what_jv_ran(
    failed: dg.RunFailureSensorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped = alert(failed)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "JV_ALERT_WEBHOOK is not set"
    with webhook() as (url, sent):
        monkeypatch.setenv("JV_ALERT_WEBHOOK", url)
        failed.dagster_run.tags[STARTED_BY_JV] = "host:1"
        assert isinstance(alert(failed), dg.SkipReason)
    assert sent == []
