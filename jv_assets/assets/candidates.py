"""The assets that find pairs which no match joins yet, and spread them."""

from collections.abc import Mapping

import dagster as dg
import numpy as np
import pandas as pd

from jv_assets import settings
from jv_assets.assets import lineage, production
from jv_assets.errors import UserError
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, one_line_failure
from jv_assets.pipeline.candidates import ALLOCATION, CANDIDATES, WHOLE, Ground, gini, read_ground
from jv_assets.pipeline.origins import Origin, read_origins, reading
from jv_assets.pipeline.scoring import known_policy
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.allocation import Ranged
from jv_scoring.discovery import Looked

_COLUMNS = [
    dg.TableColumn("profile_id, candidate_id", "uuid", "a profile, and one that no match joins it to"),
    dg.TableColumn("harmonic_mean", "double", "the pair's value, 0-100, 2 decimals, as scoring would publish it"),
    dg.TableColumn("score_ab, score_ba", "double", "what the candidate is worth to the profile, and the reverse"),
]
_DEPS: list[dg.AssetSpec | dg.AssetDep] = [
    *(production.PROFILES, production.MATCHES),
    *(dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in ("profiles", "profile_embeddings")),
]


class CandidatesConfig(dg.Config):
    """`top`: how many candidates a profile gets, the best first. `policy`: the policy to score under."""

    top: int = 20
    policy: str = settings.policy()


class AllocationConfig(dg.Config):
    """`cap`: in how many accepted pairs a profile may be. `policy`: the policy to score under."""

    cap: int = 10
    policy: str = settings.policy()


@dg.asset(
    group_name="discover",
    kinds={"python", "parquet"},
    description="""
The best pairs that nobody suggested: for every profile of the range, its best candidates under the scoring rules.

A candidate is a profile with a usable text that no row of match_suggestions joins to this one, in either order. The
search is exact: it gives what scoring of all pairs would put first, and skips pairs that cannot be among the best.
Reads the files of all ranges of `profiles`, the vectors that the configured model made, and the ends of all matches.
Writes one Parquet file a range under JV_HOME, and nothing to the database. Costs seconds a run to read all profiles,
then a second for 3,500 of them. A run over all ranges looks at a pair once at most, one over some ranges at more.
""",
    deps=_DEPS,
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata={
        "dagster/column_schema": dg.TableSchema([*_COLUMNS, dg.TableColumn("rank", "bigint", "from 1, the best")]),
        "dagster/column_lineage": lineage.CANDIDATES,
    },
)
def match_candidates(
    context: dg.AssetExecutionContext,
    config: CandidatesConfig,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    def work(key: str) -> Mapping[str, object]:
        low, high = files.cut.profiles.bounds(key)
        rows = found[found["profile_id"].between(low, high)]
        metadata = {"rows": len(rows), "top": config.top, "policy": config.policy} | origin.stamp(*inputs)
        size = files.write(CANDIDATES, key, _without_attrs(rows), metadata)
        mean = {"mean_value": round(float(rows["harmonic_mean"].mean()), 2)} if len(rows) else {}
        return {"rows": len(rows), "profiles": rows["profile_id"].nunique(), **mean, **looked, "file_bytes": size,
                "policy": config.policy, "embedding_model": embedder.model}  # fmt: skip

    with reading(context, database, files) as origin:
        with one_line_failure():
            known_policy(config.policy)
            if config.top < 1:
                raise UserError(f"--top {config.top}: ask for 1 candidate or more")
            inputs, ground = _ground(database, files, embedder.model, origin)
            bounds = [files.cut.profiles.bounds(key) for key in context.partition_keys]
            ids = ground.prepared.features.index
            found = ground.best(
                config.top, config.policy, [name for name in ids if any(low <= name <= high for low, high in bounds)]
            )
            looked = _looked(found.attrs["looked"])
        each_range(context, work, again="jv discover")


@dg.asset(
    group_name="discover",
    kinds={"python", "parquet"},
    description="""
Candidates spread so that no profile is in more than `cap` pairs.

Takes all candidate pairs from the highest value down, equal ones by their ids, and accepts a pair where both profiles
have room. So no two profiles would both rather have each other than what they got. Above 20,000 profiles it ranges
over the best 200 candidates of each, and says how many profiles ran out of theirs. Writes one Parquet file under
JV_HOME, and nothing to the database.
""",
    deps=[*_DEPS, dg.AssetDep(match_candidates, partition_mapping=dg.AllPartitionMapping())],
    metadata={"dagster/column_schema": dg.TableSchema(_COLUMNS), "dagster/column_lineage": lineage.CANDIDATES},
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
        inputs, ground = _ground(database, files, embedder.model, origin)
        pairs = ground.spread(config.cap, config.policy)
        metadata = {"rows": len(pairs), "cap": config.cap, "policy": config.policy} | origin.stamp(*inputs)
        size = files.write(ALLOCATION, WHOLE, _without_attrs(pairs), metadata)
    return dg.MaterializeResult(metadata={**_spread(ground, pairs), "cap": config.cap, "file_bytes": size})


def _ground(
    database: Database, files: RangeFiles, model: str, origin: Origin
) -> tuple[list[dict[str, object]], Ground]:
    return read_origins(files, origin), read_ground(database, files, model)


def _without_attrs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows as a file can hold them: what a search says of itself is in the metadata."""
    plain = rows.copy()
    plain.attrs = {}
    return plain


def _looked(looked: Looked) -> dict[str, float]:
    """Of the whole run, on each of its ranges."""
    share = looked.looked_at / looked.possible if looked.possible else 0.0
    return {"pairs_possible": looked.possible, "pairs_looked_at": looked.looked_at, "share_looked_at": round(share, 4)}


def _spread(ground: Ground, pairs: pd.DataFrame) -> dict[str, float]:
    named = pd.concat([pairs["profile_id"], pairs["candidate_id"]]).value_counts()
    counts = named.reindex(ground.prepared.features.index[ground.among], fill_value=0).to_numpy(np.intp)
    ranged: Ranged = pairs.attrs["ranged"]
    numbers: dict[str, float] = {"rows": len(pairs), "gini": round(gini(counts), 4), "ran_out": ranged.ran_out}
    if len(pairs):
        numbers["mean_value"] = round(float(pairs["harmonic_mean"].mean()), 2)
    return numbers | ({} if ranged.lists is None else {"list_length": ranged.lists})
