"""The checks of `match_candidates` and `candidate_allocation`: whether their files are right.

For the check `stable`, the asset's step counts the pairs that would rather have each other, because only it holds the
values of all pairs.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from jv_assets.checks.audit import check_result
from jv_assets.errors import UserError
from jv_assets.explain import score_now
from jv_assets.names import CANDIDATE_ALLOCATION, MATCH_CANDIDATES
from jv_assets.partitions import keys_of_run
from jv_assets.pipeline.candidates import RIVALS, WHOLE, existing_matches
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles

SAMPLE = 20
"""How many values of each asset the plain reference computes again."""
_ENDS = ["profile_id", "candidate_id"]
_SCORES = ["score_ab", "score_ba", "harmonic_mean"]
_READ = [*_ENDS, *_SCORES, "inputs_hash"]


def _specs(asset: str) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            "only_new_pairs",
            asset=asset,
            description="No profile is its own candidate, no pair is listed twice, and no match joins a pair, in "
            "either order. Skips matches that were written since the run read them.",
        ),
        dg.AssetCheckSpec(
            "reference_agrees",
            asset=asset,
            description=f"The plain reference implementation computes {SAMPLE} random values again from the database, "
            "and gives exactly the same. Skips a pair if one of its profiles changed since, or is gone.",
        ),
    ]


@dg.multi_asset_check(name="candidates_right", specs=_specs(MATCH_CANDIDATES))
def candidates_right(
    context: dg.AssetCheckExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.AssetCheckResult]:
    keys = keys_of_run(context.run)
    yield from of_pairs(database, files, embedder.model, MATCH_CANDIDATES, keys, run_id=context.run.run_id)


@dg.multi_asset_check(
    name="allocation_right",
    specs=[
        *_specs(CANDIDATE_ALLOCATION),
        dg.AssetCheckSpec(
            "under_cap", asset=CANDIDATE_ALLOCATION, description="No profile is in more accepted pairs than the cap."
        ),
        dg.AssetCheckSpec(
            "stable",
            asset=CANDIDATE_ALLOCATION,
            description="No two profiles would both rather have each other than what they got: each of them is in as "
            "many better pairs as the cap allows. Counts over all pairs that the allocation considered.",
        ),
    ],
)
def allocation_right(
    context: dg.AssetCheckExecutionContext,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.AssetCheckResult]:
    yield from of_pairs(database, files, embedder.model, CANDIDATE_ALLOCATION, [WHOLE], run_id=context.run.run_id)
    yield from of_allocation(files)


def of_pairs(
    database: Database, files: RangeFiles, model: str, asset: str, keys: Sequence[str], *, run_id: str
) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the checks that both assets have. `run_id` decides which values are drawn."""
    pairs = _read(files, asset, keys)
    wrong = not_new(database, pairs, twice=_ENDS if asset == MATCH_CANDIDATES else ["low", "high"])
    count = sum(wrong.values())
    problem = f"{count:,} pairs are no candidates: materialize {asset} again" if count else None
    yield check_result(asset, "only_new_pairs", problem, {"pairs": len(pairs), **wrong})
    dice = np.random.default_rng(list(run_id.encode()))
    drawn = pairs.iloc[dice.permutation(len(pairs))[:SAMPLE]]
    agree = [(pair, agrees_now(database, model, pair)) for pair in drawn.itertuples(index=False)]
    others = [f"{pair.profile_id} {pair.candidate_id}" for pair, agrees in agree if agrees is False]
    problem = f"the rules give other values: type jv explain {others[0]}" if others else None
    compared = sum(agrees is not None for _, agrees in agree)
    yield check_result(asset, "reference_agrees", problem, {"compared": compared, "wrong": len(others)})


def of_allocation(files: RangeFiles) -> Iterator[dg.AssetCheckResult]:
    """Yield the results of the checks that only the allocation has."""
    asset = CANDIDATE_ALLOCATION
    if not files.exists(asset, WHOLE):
        return
    metadata, pairs = files.metadata(asset, WHOLE), files.read(asset, WHOLE, _ENDS)
    cap, rivals = int(metadata["cap"]), int(metadata[RIVALS])
    most = int(pd.concat([pairs[name] for name in _ENDS]).value_counts().max()) if len(pairs) else 0
    problem = f"a profile is in {most:,} pairs: materialize {asset} again" if most > cap else None
    yield check_result(asset, "under_cap", problem, {"most": most, "cap": cap})
    problem = f"{rivals:,} pairs would rather have each other: materialize {asset} again" if rivals else None
    yield check_result(asset, "stable", problem, {RIVALS: rivals})


def _read(files: RangeFiles, asset: str, keys: Sequence[str]) -> pd.DataFrame:
    """Return the pairs of these files, with what the metadata say of them, and both ids in order: `low` and `high`."""
    parts = [pd.DataFrame(columns=[*_READ, "policy", "horizon"])]
    for key in files.made(asset, keys):
        metadata = files.metadata(asset, key)
        known = {name: metadata.get(name) for name in ("policy", "horizon")}
        parts.append(files.read(asset, key, _READ).assign(**known))
    pairs = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return _ordered(pairs, _ENDS)


def _ordered(pairs: pd.DataFrame, ends: list[str]) -> pd.DataFrame:
    a, b = (pairs[name] for name in ends)
    return pairs.assign(low=a.where(a < b, b), high=b.where(a < b, a))


def not_new(database: Database, pairs: pd.DataFrame, twice: list[str]) -> dict[str, int]:
    """Return how many pairs are of one profile, are there twice, and are joined by a match."""
    joined = 0
    for horizon, read in pairs.groupby("horizon"):
        matches = _ordered(existing_matches(database, str(horizon)), ["profile_id", "suggested_profile_id"])
        joined += len(read.merge(matches[["low", "high"]].drop_duplicates()))
    return {
        "of_one_profile": int((pairs["low"] == pairs["high"]).sum()),
        "twice": int(pairs.duplicated(twice).sum()),
        "joined": joined,
    }


def agrees_now(database: Database, model: str, pair: Any) -> bool | None:
    """Return whether the reference gives the values of a pair; None if it changed since, or is gone."""
    try:
        inputs_hash, score = score_now(database, model, (pair.profile_id, pair.candidate_id), pair.policy)
    except UserError:  # A profile was deleted meanwhile.
        return None
    if inputs_hash != pair.inputs_hash:
        return None
    return all(getattr(score, name) == getattr(pair, name) for name in _SCORES)
