"""The asset `candidate_allocation`: spreads candidate pairs, so that no profile is in too many."""

import time

import dagster as dg
import pandas as pd

from jv_assets import settings
from jv_assets.assets import score_columns
from jv_assets.assets.columns import column_metadata
from jv_assets.assets.match_candidates import DEPS, ground_of, match_candidates
from jv_assets.errors import UserError
from jv_assets.names import CANDIDATE_ALLOCATION, MATCH_CANDIDATES, Group
from jv_assets.partitions import ID_RANGES, one_line_failure
from jv_assets.pipeline.candidate_lists import find
from jv_assets.pipeline.candidate_store import Keeper
from jv_assets.pipeline.candidates import FIGURES, RIVALS, WHOLE, Ground, both_sides, joined_rows
from jv_assets.pipeline.database.origins import ORIGIN, Origin, reading
from jv_assets.pipeline.scoring import known_policy
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.allocation import Allocator, Ranged
from jv_scoring.analysis.match_candidates import BEST, figures
from jv_scoring.analysis.tallies import Json
from jv_scoring.discovery import COLUMNS as LISTED


class AllocationConfig(dg.Config):
    """`cap`: how many accepted pairs a profile may be in. `policy`: the policy to score under."""

    cap: int = 10
    policy: str = settings.policy()


CAPS = (1, 3, 10, 30)
"""The caps whose cost the report shows, beside the configured one."""


@dg.asset(
    group_name=Group.DISCOVER,
    kinds={"python", "parquet"},
    description="""
Candidate pairs, spread so that no profile is in more than `cap` pairs.

Takes all candidate pairs from the best to the worst, and accepts a pair if both profiles have room. Equal pairs go by
their ids. The result is stable: no two profiles would both prefer each other to what they got. Above 20,000 profiles it
considers only the best 200 candidates of each, and counts the profiles that ran out of candidates.

Writes one Parquet file under JV_HOME, and marks the accepted pairs in jv.match_candidates. Also measures for the report
how many of the best pairs exist as matches, and what spreading costs. Writes nothing to the platform's tables.

Runs in `jv discover`, and on Sundays if `every_week` is on. Takes about 3 seconds for 3,500 profiles.
""",
    deps=[*DEPS, dg.AssetDep(match_candidates, partition_mapping=dg.AllPartitionMapping())],
    metadata=column_metadata(score_columns.OF_CANDIDATES),
)
def candidate_allocation(
    context: dg.AssetExecutionContext,
    config: AllocationConfig,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> dg.MaterializeResult[None]:
    with reading(context, database, files) as origin, one_line_failure():
        known_policy(config.policy)
        if config.cap < 0:
            raise UserError(f"--cap {config.cap}: give 0 or more")
        inputs, ground = ground_of(database, files, embedder.model, origin)
        started = time.perf_counter()
        allocator = ground.allocator(config.policy)
        pairs = allocator.spread(config.cap)
        seconds = round(time.perf_counter() - started, 3)
        # Counted here for the check `stable`, because only this step holds the values of all pairs.
        rivals = {RIVALS: allocator.rivals(pairs, config.cap)}
        numbers = _figures(files, ground, config, allocator, pairs)
        stamp = origin.stamp(*inputs)
        made = {"policy": config.policy, "embedding_model": embedder.model}
        known = {"rows": len(pairs), "cap": config.cap, **made, "horizon": ground.horizon, **rivals, FIGURES: numbers}
        size = files.write(CANDIDATE_ALLOCATION, WHOLE, ground.with_inputs(pairs), known | stamp)
        state = {**made, "as_of": stamp[ORIGIN]["as_of"]}
        accepted = ground.with_inputs(both_sides(pairs))
        stored = _mark_accepted(database, files, origin, accepted, {**state, "run": context.run.run_id})
    told = {"rows": len(pairs), "cap": config.cap, "allocation_seconds": seconds, "file_bytes": size, **state, **stored}
    return dg.MaterializeResult(metadata=_spread(numbers, config.cap, pairs.attrs["ranged"]) | told)


def _figures(
    files: RangeFiles, ground: Ground, config: AllocationConfig, allocator: Allocator, pairs: pd.DataFrame
) -> Json:
    """Return the figures of the report: the older matcher's choice, and what each cap costs."""
    caps = sorted({*CAPS, config.cap})
    spread = ((cap, pairs if cap == config.cap else allocator.spread(cap)) for cap in caps)
    # The lists that match_candidates left are the best ones already, unless something changed since.
    best = find(files, ground, BEST, config.policy, ground.eligible.tolist(), keep=False).rows
    return figures(ground.existing_pairs(config.policy), best, spread)


def _mark_accepted(
    database: Database, files: RangeFiles, origin: Origin, accepted: pd.DataFrame, stamp: dict[str, str]
) -> dict[str, object]:
    """Store the lists again with the accepted pairs, for the partitions whose lists are of the same rules and state."""
    rows, keeper = 0, Keeper(database)
    for key in files.made(MATCH_CANDIDATES, ID_RANGES.get_partition_keys()):
        metadata = files.metadata(MATCH_CANDIDATES, key)
        if any(metadata.get(name) != stamp[name] for name in ("policy", "embedding_model")) or not origin.has(metadata):
            continue
        lists = files.read(MATCH_CANDIDATES, key, [*LISTED, "inputs_hash"])
        oldest = min(stamp["as_of"], metadata[ORIGIN]["as_of"])
        marked = joined_rows(lists, accepted)
        stored = keeper.keep(files.cut.profiles.bounds(key), marked, stamp | {"as_of": oldest})
        if "not_stored" in stored:
            return stored
        rows += len(marked)
    return {"stored": rows}


def _spread(numbers: Json, cap: int, ranged: Ranged) -> dict[str, float]:
    (spread,) = (each for each in numbers["spreads"] if each["cap"] == cap)
    told = {"gini": spread["gini"], "ran_out": ranged.ran_out}
    told |= {} if spread["mean"] is None else {"mean_value": spread["mean"]}
    return told | ({} if ranged.lists is None else {"list_length": ranged.lists})
