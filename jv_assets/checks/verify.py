"""The checks of `published_scores`. They read the database again after a publish."""

from collections.abc import Iterator, Sequence

import dagster as dg
import numpy as np
import pandas as pd
from sqlalchemy import text

from jv_assets.checks.audit import check_result
from jv_assets.errors import UserError
from jv_assets.explain import explain
from jv_assets.names import MATCH_SCORES, PUBLISHED_SCORES
from jv_assets.partitions import keys_of_run
from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.rules import in_force
from jv_assets.platform.own_runs import config_of
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles

_ASSET = PUBLISHED_SCORES
SAMPLE = 20
"""How many matches the plain reference rescores, one by one."""
_IDS = ["id", "profile_id", "suggested_profile_id"]
# In order of id, so that Postgres uses the index on it.
_ANY_NULL = """
    SELECT id FROM match_suggestions WHERE id BETWEEN :low AND :high AND harmonic_mean IS NULL ORDER BY id LIMIT 1
"""
_NULL = f"""
    SELECT {", ".join(f"{name}::text" for name in _IDS)} FROM match_suggestions
    WHERE id BETWEEN :low AND :high AND harmonic_mean IS NULL AND id = ANY(CAST(:ids AS uuid[]))
"""  # noqa: S608 - of our own constants


@dg.multi_asset_check(
    name="verify",
    specs=[
        dg.AssetCheckSpec(
            "nothing_left_null",
            asset=_ASSET,
            blocking=True,
            description="Every match that the run scored has a score in the database. Does not count a match that was "
            "added, or that got other profiles, after the run had scored it: the next run scores it.",
        ),
        dg.AssetCheckSpec(
            "reference_agrees",
            asset=_ASSET,
            blocking=True,
            description=f"The plain reference implementation rescores {SAMPLE} random matches of the run from the "
            "database, and gives exactly the stored scores and breakdowns. Skips a match if its profiles changed "
            "since it was scored. Takes about 10 ms per match.",
        ),
    ],
)
def verify(
    context: dg.AssetCheckExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.AssetCheckResult]:
    keys = files.made(MATCH_SCORES, keys_of_run(context.run))
    left = {key: count for key in keys if (count := left_null(database, files, key))}
    problem = f"in {', '.join(left)} scorable matches have no score: type jv retry" if left else None
    numbers = {"ranges": len(keys), "scorable_without_a_score": sum(left.values())}
    yield check_result(_ASSET, "nothing_left_null", problem, numbers)
    compared, wrong = reference_sample(database, embedder.model, _drawn(files, keys, context.run))
    problem = None
    if wrong:
        problem = f"stored scores of {', '.join(wrong)} are not what the rules give: type jv explain {wrong[0]}"
    yield check_result(_ASSET, "reference_agrees", problem, {"compared": compared, "wrong": len(wrong)})


def left_null(database: Database, files: RangeFiles, key: str) -> int:
    """Return how many matches that the partition's file has scored are NULL in the database, with the same profiles."""
    low, high = files.cut.matches.bounds(key)
    if not database.run(seeing_all(lambda connection: connection.scalar(text(_ANY_NULL), {"low": low, "high": high}))):
        return 0
    return sum(_left_null(database, rows) for rows in files.chunks(MATCH_SCORES, key, _IDS))


def _left_null(database: Database, rows: pd.DataFrame) -> int:
    if not len(rows):
        return 0
    asked = {"low": rows["id"].iloc[0], "high": rows["id"].iloc[-1], "ids": rows["id"].tolist()}
    null_rows = database.run(seeing_all(lambda connection: connection.execute(text(_NULL), asked).all()))
    null = pd.DataFrame([tuple(row) for row in null_rows], columns=_IDS)
    return len(rows.merge(null)) if len(null) else 0


def reference_sample(database: Database, model: str, match_ids: Sequence[str]) -> tuple[int, list[str]]:
    """Return how many of the matches were compared with the reference, and the ids of those that differ."""
    compared, wrong, version = 0, [], in_force(model).version
    for match_id in match_ids:
        try:
            told = explain(database, model, match_id)
        except UserError:  # The match was deleted meanwhile.
            continue
        stored = told.stored
        if stored is None or told.stale is not False or stored.version != version:
            continue
        compared += 1
        if len(told.versions) > 1:
            wrong.append(match_id)
    return compared, wrong


def _drawn(files: RangeFiles, keys: Sequence[str], run: dg.DagsterRun) -> list[str]:
    """Return up to `SAMPLE` ids that the run published, from a few partitions, so that not all files are read."""
    only_missing = config_of(run, PUBLISHED_SCORES).get("only_missing")
    dice = np.random.default_rng(list(run.run_id.encode()))
    ids: list[str] = []
    for key in dice.permutation(np.array(keys, dtype=object))[:SAMPLE].tolist():
        for rows in files.chunks(MATCH_SCORES, key, ["id", "stored_harmonic_mean"]):
            ids += rows.loc[rows["stored_harmonic_mean"].isna() | (not only_missing), "id"].tolist()
    return [str(match_id) for match_id in dice.permutation(np.array(ids, dtype=object))[:SAMPLE]]
