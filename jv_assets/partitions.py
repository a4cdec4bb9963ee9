"""The partitions of all assets, their runs, and the work on each partition of a run."""

import json
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

import dagster as dg
import psycopg

from jv_assets import progress, settings
from jv_assets.errors import UserError
from jv_assets.partition_cut import range_keys

T = TypeVar("T")

# Shared by every partitioned asset, and built at every start of every process.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`", category=dg.BetaWarning)


FAILED_RANGES = "failed_ranges"
"""Metadata key of a failed step: the cause of each failed partition."""

ID_RANGES = dg.StaticPartitionsDefinition(range_keys(settings.id_ranges()))

BACKFILL = dg.BackfillPolicy.multi_run(settings.ranges_per_run())
"""The backfill policy of every partitioned asset: how many partitions one run covers."""


def keys_of_run(run: dg.DagsterRun) -> list[str]:
    """Return the partitions of a run, by its tags; all of them if it has none, such as a run of a check alone.

    If the run names partitions that do not exist here, return the first and the last one that its tags name.
    """
    keys = list(ID_RANGES.get_partition_keys())
    if "dagster/partition" in run.tags:
        return [run.tags["dagster/partition"]]
    if _FIRST in run.tags and _LAST in run.tags:
        first, last = run.tags[_FIRST], run.tags[_LAST]
        if first not in keys or last not in keys:  # The run has the keys of another JV_ID_RANGES.
            return list(dict.fromkeys([first, last]))
        return keys[keys.index(first) : keys.index(last) + 1]
    return keys


def keys_of_step(context: dg.AssetExecutionContext) -> list[str]:
    """Return the partitions that a step is to do; Failure with what to type if its run has none.

    Dagster's command `dagster job execute` starts a run without partitions.
    """
    if not (context.has_partition_key or context.has_partition_key_range):
        tags = json.dumps(all_ranges_tags())
        raise dg.Failure(f"this run has no partitions; to do all of them, type: --tags '{tags}'", allow_retries=False)
    return list(context.partition_keys)


def range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags that make a run cover the partitions from `first` to `last`."""
    return {_FIRST: first, _LAST: last}


def all_ranges_tags() -> dict[str, str]:
    """Return the tags that make a run cover all partitions."""
    keys = ID_RANGES.get_partition_keys()
    return range_tags(keys[0], keys[-1])


_FIRST, _LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def each_range(
    context: dg.AssetExecutionContext,
    work: Callable[[str], Mapping[str, Any]],
    record: bool = True,
    again: str = "jv retry",
    *,
    at_once: int = 1,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Run `work(key)`, which returns the metadata to show, for every partition of this run; `at_once` and `stop` as
    `side_by_side` takes them.

    One bad partition does not stop the others: those that succeed are materialized, and at the end the run fails with
    the key and the cause of each that failed. `again` is what to type then. If `record` is false, partitions are only
    observed, and the asset must not yield an output.
    """
    asset, keys = context.asset_key.to_user_string(), keys_of_step(context)
    progress.doing.set(asset)  # Each thread says which partition.
    with side_by_side(partial(_outcome, asset, work), keys, at_once, stop) as outcomes:
        done, failed = _sorted_out(context, asset, len(keys), outcomes)
    if failed or not record:
        # A failed step records nothing by itself, so record the partitions that succeeded.
        event = dg.AssetMaterialization if record else dg.AssetObservation
        for key, metadata in done.items():
            context.log_event(event(context.asset_key, partition=key, metadata=dict(metadata)))
    if failed:
        raise _failure(asset, keys, failed, again)
    if record:
        for key, metadata in done.items():
            context.add_asset_metadata(dict(metadata), partition_key=key)


def observe_each(
    context: dg.OpExecutionContext, asset: str, work: Callable[[str], Mapping[str, Any]], again: str
) -> None:
    """Run `work` as `each_range` does, for an op, which has no partitions: observe every partition of `asset`."""
    keys = list(ID_RANGES.get_partition_keys())
    with side_by_side(partial(_outcome, asset, work), keys) as outcomes:
        done, failed = _sorted_out(context, asset, len(keys), outcomes)
    for key, metadata in done.items():
        context.log_event(dg.AssetObservation(asset, partition=key, metadata=dict(metadata)))
    if failed:
        raise _failure(asset, keys, failed, again)


@contextmanager
def side_by_side(
    work: Callable[[str], T], keys: Sequence[str], at_once: int = 1, stop: Callable[[], None] = lambda: None
) -> Iterator[Iterable[tuple[str, T]]]:
    """Give each key with `work(key)`, in order; so many at the same time, each in a thread, if `at_once` is over 1.

    At an interrupt, no other key is begun, and `stop` is called until those that are being worked on have ended.
    """
    if at_once == 1:
        yield ((key, work(key)) for key in keys)
        return
    with ThreadPoolExecutor(at_once) as pool:
        futures = {key: pool.submit(copy_context().run, work, key) for key in keys}
        try:
            yield ((key, future.result()) for key, future in futures.items())
        finally:
            open_ = [future for future in futures.values() if not future.cancel()]
            while wait(open_, timeout=0).not_done:
                stop()
                wait(open_, timeout=_SECONDS_BETWEEN_STOPS)


_SECONDS_BETWEEN_STOPS = 0.2


def _outcome(asset: str, work: Callable[[str], Mapping[str, Any]], key: str) -> Mapping[str, Any] | Exception:
    """Return the metadata of a partition, or why it failed."""
    started = time.perf_counter()
    progress.doing.set(f"{asset}, range {key}")
    try:
        metadata = work(key)
    except Exception as error:
        return error
    rows = {"dagster/partition_row_count": metadata["rows"]} if "rows" in metadata else {}
    return {**metadata, **rows, "seconds": round(time.perf_counter() - started, 3)}


def _sorted_out(
    context: dg.AssetExecutionContext | dg.OpExecutionContext,
    asset: str,
    total: int,
    outcomes: Iterable[tuple[str, Mapping[str, Any] | Exception]],
) -> tuple[dict[str, Mapping[str, Any]], dict[str, str]]:
    """Return by partition the metadata of those that succeeded, and the cause of each that failed."""
    done: dict[str, Mapping[str, Any]] = {}
    failed: dict[str, str] = {}
    said = time.monotonic()
    for number, (key, outcome) in enumerate(outcomes, start=1):
        if not isinstance(outcome, Exception):
            done[key] = outcome
        elif isinstance(outcome, (UserError, psycopg.Error)):
            failed[key] = _in_one_line(outcome)
            context.log.error(f"{asset}, range {key}: {failed[key]}")
        else:
            failed[key] = f"{type(outcome).__name__}: {outcome}".splitlines()[0]
            context.log.error(f"{asset}, range {key}: {outcome}", exc_info=outcome)
        progress.report(asset, number, total)
        if time.monotonic() - said > _SECONDS_BETWEEN_SIGNS:
            context.log.info(f"{asset}: {number:,} of {total:,} ranges are done")
            said = time.monotonic()
    return done, failed


_SECONDS_BETWEEN_SIGNS = 600
"""How often a step's log says that it makes progress: see `launcher.SILENT_HOURS`."""


def _failure(asset: str, keys: Sequence[str], failed: Mapping[str, str], again: str) -> dg.Failure:
    causes = "; ".join(f"{key}: {cause}" for key, cause in failed.items())
    return dg.Failure(
        f"{len(failed)} of {len(keys)} ranges of {asset} failed ({causes}). Once fixed, type: {again}",
        metadata={FAILED_RANGES: dict(failed), "done_ranges": len(keys) - len(failed)},
        allow_retries=False,
    )


@contextmanager
def one_line_failure() -> Iterator[None]:
    """Fail the run with the one line of a UserError, for a cause that concerns all partitions."""
    try:
        yield
    except (UserError, psycopg.Error) as error:
        raise dg.Failure(_in_one_line(error), allow_retries=False) from None


def _in_one_line(error: UserError | psycopg.Error) -> str:
    return str(error) if isinstance(error, UserError) else f"the database refused it: {error}"
