"""The asset `match_candidates`: finds, for every profile, the best pairs that no match joins yet."""

from collections.abc import Mapping

import dagster as dg
import pandas as pd

from jv_assets import settings
from jv_assets.assets import lineage, production
from jv_assets.errors import UserError
from jv_assets.names import MATCH_CANDIDATES, PROFILE_EMBEDDINGS, PROFILES
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, keys_of_step, one_line_failure
from jv_assets.pipeline.candidates import Ground, read_ground
from jv_assets.pipeline.database.origins import Origin, read_origins, reading
from jv_assets.pipeline.scoring import known_policy
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.discovery import Looked

COLUMNS = [
    dg.TableColumn("profile_id, candidate_id", "uuid", "a profile, and one that no match joins it to"),
    dg.TableColumn("harmonic_mean", "double", "the pair's value, 0-100, 2 decimals, as scoring would publish it"),
    dg.TableColumn("score_ab, score_ba", "double", "what the candidate is worth to the profile, and the reverse"),
]
DEPS: list[dg.AssetSpec | dg.AssetDep] = [
    *(production.PROFILES, production.MATCHES),
    *(dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in (PROFILES, PROFILE_EMBEDDINGS)),
]


class CandidatesConfig(dg.Config):
    """`top`: how many candidates each profile gets, the best first. `policy`: the policy to score under."""

    top: int = 20
    policy: str = settings.policy()


@dg.asset(
    group_name="discover",
    kinds={"python", "parquet"},
    description="""
The best pairs that nobody suggested yet: for every profile, its best candidates by the scoring rules.

A candidate is a profile with a usable text that no row of match_suggestions joins to this one, in either order. The
search is exact: the result is the same as scoring all pairs, but it skips pairs that cannot be among the best.

Reads the features of all profiles, the vectors of the configured model, and the ids in match_suggestions. Writes one
Parquet file per partition under JV_HOME, and nothing to the database. Takes some seconds per run to read all profiles,
then about one second for 3,500 profiles.
""",
    deps=DEPS,
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata={
        "dagster/column_schema": dg.TableSchema([*COLUMNS, dg.TableColumn("rank", "bigint", "from 1, the best")]),
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
        rows = candidates[candidates["profile_id"].between(low, high)]
        metadata = {"rows": len(rows), "top": config.top, "policy": config.policy} | origin.stamp(*inputs)
        size = files.write(MATCH_CANDIDATES, key, without_attrs(rows), metadata)
        mean = {"mean_value": round(float(rows["harmonic_mean"].mean()), 2)} if len(rows) else {}
        return {"rows": len(rows), "profiles": rows["profile_id"].nunique(), **mean, **looked, "file_bytes": size,
                "policy": config.policy, "embedding_model": embedder.model}  # fmt: skip

    with reading(context, database, files) as origin:
        with one_line_failure():
            known_policy(config.policy)
            if config.top < 1:
                raise UserError(f"--top {config.top}: ask for 1 candidate or more")
            inputs, ground = ground_of(database, files, embedder.model, origin)
            bounds = [files.cut.profiles.bounds(key) for key in keys_of_step(context)]
            ids = ground.prepared.features.index
            candidates = ground.best(
                config.top, config.policy, [name for name in ids if any(low <= name <= high for low, high in bounds)]
            )
            looked = _looked(candidates.attrs["looked"])
        each_range(context, work, again="jv discover")


def ground_of(
    database: Database, files: RangeFiles, model: str, origin: Origin
) -> tuple[list[dict[str, object]], Ground]:
    return read_origins(files, origin), read_ground(database, files, model)


def without_attrs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows without attrs, which a file cannot hold; the metadata has what they say."""
    plain = rows.copy()
    plain.attrs = {}
    return plain


def _looked(looked: Looked) -> dict[str, float]:
    """Return figures of the whole run, shown on each of its partitions."""
    share = looked.looked_at / looked.possible if looked.possible else 0.0
    return {"pairs_possible": looked.possible, "pairs_looked_at": looked.looked_at, "share_looked_at": round(share, 4)}
