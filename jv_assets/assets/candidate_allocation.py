"""The asset `candidate_allocation`: spreads candidate pairs, so that no profile is in too many."""

import dagster as dg
import numpy as np
import pandas as pd

from jv_assets import settings
from jv_assets.assets import lineage
from jv_assets.assets.match_candidates import COLUMNS, DEPS, ground_of, match_candidates, without_attrs
from jv_assets.errors import UserError
from jv_assets.names import CANDIDATE_ALLOCATION
from jv_assets.partitions import one_line_failure
from jv_assets.pipeline.candidates import WHOLE, Ground, gini
from jv_assets.pipeline.database.origins import reading
from jv_assets.pipeline.scoring import known_policy
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.allocation import Ranged


class AllocationConfig(dg.Config):
    """`cap`: how many accepted pairs a profile may be in. `policy`: the policy to score under."""

    cap: int = 10
    policy: str = settings.policy()


@dg.asset(
    group_name="discover",
    kinds={"python", "parquet"},
    description="""
Candidate pairs, spread so that no profile is in more than `cap` pairs.

Takes all candidate pairs from the best to the worst, and accepts a pair if both profiles have room. Equal pairs go by
their ids. The result is stable: no two profiles would both prefer each other to what they got. Above 20,000 profiles it
considers only the best 200 candidates of each, and counts the profiles that ran out of candidates. Writes one Parquet
file under JV_HOME, and nothing to the database.
""",
    deps=[*DEPS, dg.AssetDep(match_candidates, partition_mapping=dg.AllPartitionMapping())],
    metadata={"dagster/column_schema": dg.TableSchema(COLUMNS), "dagster/column_lineage": lineage.CANDIDATES},
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
        pairs = ground.spread(config.cap, config.policy)
        metadata = {"rows": len(pairs), "cap": config.cap, "policy": config.policy} | origin.stamp(*inputs)
        size = files.write(CANDIDATE_ALLOCATION, WHOLE, without_attrs(pairs), metadata)
    return dg.MaterializeResult(metadata={**_spread(ground, pairs), "cap": config.cap, "file_bytes": size})


def _spread(ground: Ground, pairs: pd.DataFrame) -> dict[str, float]:
    named = pd.concat([pairs["profile_id"], pairs["candidate_id"]]).value_counts()
    counts = named.reindex(ground.prepared.features.index[ground.among], fill_value=0).to_numpy(np.intp)
    ranged: Ranged = pairs.attrs["ranged"]
    numbers: dict[str, float] = {"rows": len(pairs), "gini": round(gini(counts), 4), "ran_out": ranged.ran_out}
    if len(pairs):
        numbers["mean_value"] = round(float(pairs["harmonic_mean"].mean()), 2)
    return numbers | ({} if ranged.lists is None else {"list_length": ranged.lists})
