"""The asset `match_candidates`: finds, for every profile, the best pairs that no match joins yet."""

import time
from collections.abc import Mapping, Sequence

import dagster as dg

from jv_assets import settings
from jv_assets.assets import production, score_columns
from jv_assets.assets.columns import Column, column_metadata
from jv_assets.errors import UserError
from jv_assets.names import MATCH_CANDIDATES, PROFILE_EMBEDDINGS, PROFILES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, keys_of_step, one_line_failure
from jv_assets.pipeline.candidate_lists import Found, find
from jv_assets.pipeline.candidate_store import Keeper
from jv_assets.pipeline.candidates import Ground, joined_rows, read_ground
from jv_assets.pipeline.database.origins import ORIGIN, Origin, read_origins, reading
from jv_assets.pipeline.scoring import known_policy
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis.match_candidates import gini

DEPS: list[dg.AssetSpec | dg.AssetDep] = [
    *(production.PROFILES, production.MATCHES),
    *(dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in (PROFILES, PROFILE_EMBEDDINGS)),
]


class CandidatesConfig(dg.Config):
    """`top`: how many candidates each profile gets, the best first. `policy`: the policy to score under."""

    top: int = 20
    policy: str = settings.policy()


@dg.asset(
    group_name=Group.DISCOVER,
    kinds={"python", "parquet"},
    description="""
The best pairs that nobody suggested yet: for every profile, its best candidates by the scoring rules.

A candidate is a profile with a usable text that no row of match_suggestions joins to this one, in either order. The
search is exact: the result is the same as scoring all pairs, but it skips pairs that cannot be among the best.

Reads the features of all profiles, the vectors of the configured model, and the ids in match_suggestions. Writes one
Parquet file per partition under JV_HOME, and replaces the partition's rows of jv.match_candidates. Writes nothing to
the platform's tables.

Runs in `jv discover`, and on Sundays if `every_week` is on.
Takes some seconds per run to read all profiles, then about one second for 3,500 profiles.
""",
    deps=DEPS,
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=column_metadata([*score_columns.OF_CANDIDATES, Column("rank", "bigint", "from 1, the best")]),
)
def match_candidates(
    context: dg.AssetExecutionContext,
    config: CandidatesConfig,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    def work(key: str) -> Mapping[str, object]:
        bounds, stamp = files.cut.profiles.bounds(key), origin.stamp(*inputs)
        rows = candidates[candidates["profile_id"].between(*bounds)]
        known = {"rows": len(rows), "top": config.top, **made, "horizon": ground.horizon}
        size = files.write(MATCH_CANDIDATES, key, rows, known | stamp)
        state = {**made, "as_of": stamp[ORIGIN]["as_of"]}
        stored = keeper.keep(bounds, joined_rows(rows, None), {**state, "run": context.run.run_id})
        mean = {"mean_value": round(float(rows["harmonic_mean"].mean()), 2)} if len(rows) else {}
        profiles = {"rows": len(rows), "profiles": rows["profile_id"].nunique()}
        return {**profiles, **mean, **of_run, "file_bytes": size, **state, **stored}

    made = {"policy": config.policy, "embedding_model": embedder.model}
    with reading(context, database, files) as origin:
        with one_line_failure():
            known_policy(config.policy)
            if config.top < 1:
                raise UserError(f"--top {config.top}: ask for 1 candidate or more")
            inputs, ground = ground_of(database, files, embedder.model, origin)
            within = [files.cut.profiles.bounds(key) for key in keys_of_step(context)]
            ids = [name for name in ground.eligible if any(low <= name <= high for low, high in within)]
            started = time.perf_counter()
            found = find(files, ground, config.top, config.policy, ids)
            seconds = round(time.perf_counter() - started, 3)
            of_run = {"search_seconds": seconds} | _of_run(ground, found, config, ids)
            candidates, keeper = ground.with_inputs(found.rows), Keeper(database)
        each_range(context, work)


def ground_of(
    database: Database, files: RangeFiles, model: str, origin: Origin
) -> tuple[list[dict[str, object]], Ground]:
    return read_origins(files, origin), read_ground(database, files, model)


def _of_run(ground: Ground, found: Found, config: CandidatesConfig, ids: Sequence[str]) -> dict[str, float]:
    """Return figures of the whole run, shown on each of its partitions."""
    looked, existing = found.looked, ground.existing_pairs(config.policy)
    best = existing.best_of_all(found.rows, config.top, ids)
    return ({} if found.changed is None else {"profiles_changed": found.changed}) | {
        "pairs_possible": looked.possible,
        "pairs_looked_at": looked.looked_at,
        "share_looked_at": round(looked.looked_at / looked.possible if looked.possible else 0.0, 4),
        "share_suggested": round(float(best.exists.mean()) if len(best.exists) else 0.0, 4),
        "gini": round(gini(existing.named(existing.found(found.rows))), 4),
    }
