"""The asset `match_scores`: scores the matches."""

from collections.abc import Iterator, Mapping

import dagster as dg
import pandas as pd

from jv_assets import settings
from jv_assets.assets import production, score_columns
from jv_assets.assets.columns import column_metadata
from jv_assets.names import MATCH_SCORES, PROFILE_EMBEDDINGS, PROFILES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, one_line_failure
from jv_assets.pipeline.changes import former_matches
from jv_assets.pipeline.database.id_spans import id_spans
from jv_assets.pipeline.database.origins import read_origins, reading
from jv_assets.pipeline.gone_matches import GoneRows
from jv_assets.pipeline.reading import read_matches
from jv_assets.pipeline.rules import in_force
from jv_assets.pipeline.scoring import ToldOfRange, known_policy, profiles_of_files, score_range
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.writability import require_writable


class ScoreConfig(dg.Config):
    """`policy`: the policy to score under. Publishing refuses a policy that differs from the stored scores' policy."""

    policy: str = settings.policy()


@dg.asset(
    group_name=Group.SCORE,
    kinds={"python", "parquet"},
    description="""
The score of every match, in both directions, by the ISMC rules.

Reads the rows of match_suggestions that changed, the features of all profiles, and the vectors of the configured model.
Unchanged matches are skipped: a match is rescored only if its inputs or its stored row changed. A match is not scorable
if one of its profiles is gone, or if it names one profile twice; such matches are counted.

Writes one Parquet file per partition under JV_HOME: the scores, the numbers for the reports, and what was stored
before. Writes nothing to the database, so materializing this asset alone is a dry run. `published_scores` writes.

Runs every night, in `jv rescore`, and over the partitions of new matches and of edited profiles.
Takes some seconds per run to read all profiles, then about 20 microseconds per rescored match.
""",
    deps=[
        production.MATCHES,
        dg.AssetDep(PROFILES, partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep(PROFILE_EMBEDDINGS, partition_mapping=dg.AllPartitionMapping()),
    ],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=column_metadata(score_columns.OF_SCORES),
)
def match_scores(
    context: dg.AssetExecutionContext,
    config: ScoreConfig,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    def work(key: str) -> Mapping[str, object]:
        former, gone, told = former_matches(files, key, origin.may_reuse), GoneRows(files, key), ToldOfRange()

        def chunks() -> Iterator[pd.DataFrame]:
            for low, high in id_spans(database, "match_suggestions", *files.cut.matches.bounds(key)):
                before = former.until(high)
                matches = read_matches(database, low, high, known=before)
                scored = score_range(profiles, matches, config.policy, before)
                gone.note(before, scored.rows)
                told.note(scored)
                yield scored.rows
            gone.keep()

        metadata = {"policy": config.policy, "scoring_version": version, **origin.stamp(*inputs)}
        size = files.write_chunks(MATCH_SCORES, key, chunks(), lambda: told.file_metadata | metadata)
        return {**told.summary, "policy": config.policy, "embedding_model": embedder.model, "file_bytes": size}

    with one_line_failure():
        known_policy(config.policy)
        version = in_force(embedder.model).version
    with reading(context, database, files) as origin:
        with one_line_failure():
            require_writable(database, "dry run")
            inputs = read_origins(files, origin)
            profiles = profiles_of_files(database, files, embedder.model, all(map(origin.may_reuse, inputs)))
        each_range(context, work)
