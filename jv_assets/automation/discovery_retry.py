"""Find the run of discovery that failed or was killed, so that `jv retry` does it again with the same config."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from jv_assets.automation.finishing import Part, parts
from jv_assets.automation.schedules import DISCOVER
from jv_assets.names import CANDIDATE_ALLOCATION, MATCH_CANDIDATES, Job
from jv_assets.partitions import keys_of_run
from jv_assets.platform.launcher import ENDED_BADLY, is_at_work
from jv_assets.platform.own_runs import config_of, is_ours, started_by_jv
from jv_assets.resources.range_files import RangeFiles

_FILE = "discover.json"
"""In JV_HOME: the last request of `jv discover`, until its CSV file is written."""
_CONFIGURED = (MATCH_CANDIDATES, CANDIDATE_ALLOCATION)
_LATEST = 20
"""How many runs are looked through for our last one: others may share the instance."""


@dataclass(frozen=True)
class Rest:
    """The parts of a run to do again, and the config of its assets."""

    plan: list[Part]
    ops: Mapping[str, Mapping[str, Any]]


def rest_of_discovery(instance: dg.DagsterInstance) -> Rest | None:
    """Return what our last run of discovery was to do, if it ended badly; None otherwise."""
    run = _last_run(instance)
    if run is None or run.status not in ENDED_BADLY or is_at_work(instance, run):
        return None
    selected = {key.to_user_string() for key in run.asset_selection or ()} or set(DISCOVER)
    ops = {name: config for name in selected if (config := config_of(run, name))}
    return Rest(parts([name for name in DISCOVER if name in selected], keys_of_run(run)), ops)


@dataclass(frozen=True)
class Request:
    """What `jv discover` was asked for. out: the path of the CSV file; None for standard output."""

    top: int
    cap: int | None
    ranges: str | None
    policy: str
    out: str | None

    def config(self) -> dict[str, Mapping[str, Any]]:
        """Return what tells a run of this request from one of another, by asset."""
        cap = {} if self.cap is None else {CANDIDATE_ALLOCATION: {"cap": self.cap, "policy": self.policy}}
        return {MATCH_CANDIDATES: {"top": self.top, "policy": self.policy}, **cap}


def remember(instance: dg.DagsterInstance, files: RangeFiles, request: Request) -> None:
    """Keep a request before its runs begin, so that `jv retry` can finish it."""
    last = _last_run(instance)
    files.put(files.home / _FILE, json.dumps(asdict(request) | {"after": last.run_id if last else None}).encode())


def forget(files: RangeFiles) -> None:
    """Keep no request any more, because its CSV file is written."""
    files.put(files.home / _FILE, b"{}")


def unfinished_request(instance: dg.DagsterInstance, files: RangeFiles) -> Request | None:
    """Return the request whose CSV file was not written, although its runs began; None if there is none.

    A later run of discovery with another config replaced its candidates, so the request counts no more.
    """
    kept: dict[str, Any] = {}
    with suppress(FileNotFoundError):
        kept = json.loads(files.get(files.home / _FILE))
    run, after = _last_run(instance), kept.pop("after", None)
    if not kept or kept["out"] is None or run is None or run.run_id == after or is_at_work(instance, run):
        return None
    request = Request(**kept)
    known = request.config()
    same = started_by_jv(run) and all(config_of(run, name) in ({}, known.get(name)) for name in _CONFIGURED)
    return request if same else None


def _last_run(instance: dg.DagsterInstance) -> dg.DagsterRun | None:
    runs = instance.get_runs(dg.RunsFilter(job_name=Job.DISCOVER), limit=_LATEST)
    return next((run for run in runs if is_ours(instance, run)), None)
