"""The assets that score the matches and publish the scores."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial

import dagster as dg
import pandas as pd

from jv_assets import settings
from jv_assets.assets import lineage, production
from jv_assets.auditing import AUDITED, broken_rules
from jv_assets.errors import UserError
from jv_assets.former_rows import GoneRows, read_former
from jv_assets.gates import Refusal, shift_refusal, word_overlap_refusal
from jv_assets.partitions import ID_RANGES, each_range, one_line_failure
from jv_assets.pipeline.id_spans import id_spans
from jv_assets.pipeline.origins import Origin, as_of_file, reading
from jv_assets.pipeline.stored_rules import refuse_other_rules
from jv_assets.publishing import NEEDED, Chunk, Wanted, publish_range
from jv_assets.reading import STORED_COLUMNS, read_matches
from jv_assets.resources.database import Database
from jv_assets.resources.embedder import Embedder
from jv_assets.resources.range_file import ROW_GROUP, RangeFile
from jv_assets.resources.range_files import RangeFiles
from jv_assets.schedules import every_night_anew
from jv_assets.scoring import ToldOfRange, profiles_of_files, score_range
from jv_assets.setup.catalogue import require_fit
from jv_assets.setup.writability import require_writable
from jv_assets.undo_units import unit_of
from jv_scoring.policy import CODE_VERSION, parse_policy

_BACKFILL = dg.BackfillPolicy.multi_run(settings.ranges_per_run())

_SCORED_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("id, profile_id, suggested_profile_id", "uuid", "the match, A and B"),
        dg.TableColumn("score_ab, score_ba", "double", "0-100, 2 decimals, as they will be published"),
        dg.TableColumn("harmonic_mean", "double", "the match's score, 0-100, 2 decimals, as it will be published"),
        dg.TableColumn("intent_ab, context_ab, …_ba", "double", "dimensions of each direction, 0-10"),
        dg.TableColumn("synergy_impute_ab, synergy_redistribute_ab, momentum_…", "double", "by both null treatments"),
        dg.TableColumn("offering_seeking_ab, …", "double", "the sixteen factors of each direction; null: no data"),
        dg.TableColumn("offering_seeking_method_ab, …_cosine_ab, …_overlap_ab", "", "of the two similarity factors: "
                       "semantic or word_overlap, the cosine, and the score by word overlap alone"),
        dg.TableColumn("policy, scoring_version, inputs_hash, code_version", "text", "what made the score"),
        dg.TableColumn("reused", "bool", "the row was there before: nothing of it had changed, here or in production"),
        dg.TableColumn("match_context", "text", "what is published beside the score; null where it was reused"),
        dg.TableColumn("match_score", "double", "the older matcher's, as read"),
        dg.TableColumn("stored_score_ab, … stored_inputs_hash", "", "what was published when this was scored"),
        dg.TableColumn("stored_row", "bigint", "of the row that had that: another one after each change of it"),
    ]
)  # fmt: skip


class ScoreConfig(dg.Config):
    """`policy`: the policy to score under. Publishing under another one than the stored is refused by default."""

    policy: str = settings.policy()


@dg.asset(
    group_name="score",
    code_version=CODE_VERSION,
    kinds={"python", "parquet"},
    description="""
Every match of the range, scored in both directions by the ISMC rules.

Reads the range's rows of match_suggestions that something was written to since its file was made, the files of all
ranges of `profiles`, and the vectors that the configured model made. A match that would be scored of the same as when
its row was made, and that production holds as that row says, keeps its row: a night scores what changed. Writes one
Parquet file a range under JV_HOME: the scores, all that the reports need, and what was stored before. Writes nothing to
the database: materializing this alone is the dry run. A match whose profile is gone, or that names one profile twice,
is counted and skipped. Costs some seconds a run to read all profiles, then some 20 microseconds a match that is scored.
""",
    deps=[
        production.MATCHES,
        dg.AssetDep("profiles", partition_mapping=dg.AllPartitionMapping()),
        dg.AssetDep("profile_embeddings", partition_mapping=dg.AllPartitionMapping()),
    ],
    partitions_def=ID_RANGES,
    backfill_policy=_BACKFILL,
    metadata={"dagster/column_schema": _SCORED_COLUMNS, "dagster/column_lineage": lineage.MATCHES},
)
def match_scores(
    context: dg.AssetExecutionContext,
    config: ScoreConfig,
    database: dg.ResourceParam[Database],
    embedder: dg.ResourceParam[Embedder],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    def work(key: str) -> Mapping[str, object]:
        former, gone, told = read_former(files, key, origin.may_reuse), GoneRows(files, key), ToldOfRange()

        def chunks() -> Iterator[pd.DataFrame]:
            for low, high in id_spans(database, "match_suggestions", *files.cut.matches.bounds(key)):
                before = former.until(high)
                matches = read_matches(database, low, high, known=before)
                scored = score_range(profiles, matches, config.policy, before)
                gone.note(before, scored.rows)
                told.note(scored)
                yield scored.rows
            gone.keep()

        facts = {"policy": config.policy, **origin.stamp(*inputs)}
        size = files.write_chunks("match_scores", key, chunks(), lambda: told.facts | facts)
        return {**told.summary, "policy": config.policy, "embedding_model": embedder.model, "file_bytes": size}

    with one_line_failure():
        known_policy(config.policy)
    with reading(context, database, files) as origin:
        with one_line_failure():
            require_writable(database, "dry run")
            inputs = read_origins(files, origin)
            profiles = profiles_of_files(database, files, embedder.model, all(map(origin.may_reuse, inputs)))
        each_range(context, work)


def read_origins(files: RangeFiles, origin: Origin) -> list[dict[str, object]]:
    """Return the metadata of all files of profiles; UserError for one that is not of this database as it is."""
    inputs = {key: files.facts("profiles", key) for key in ID_RANGES.get_partition_keys()}
    for key, facts in inputs.items():
        origin.require("profiles", key, facts)
    return list(inputs.values())


_PUBLISHED_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("id", "uuid", "the match"),
        dg.TableColumn("score_ab, score_ba", "numeric(5,2)", "what B is worth to A, and A to B, 0-100"),
        dg.TableColumn("harmonic_mean", "numeric(5,2)", "the match's score, 0-100: the harmonic mean of both"),
        dg.TableColumn("match_context", "jsonb", "both breakdowns, policy, version, model and the hash of the inputs"),
    ]
)


class PublishConfig(dg.Config):
    """`only_missing`: write only where harmonic_mean is NULL. `dry_run`: write nothing, count what would be written.

    `switch_policy`: allow scores stored under another policy to be replaced. `accept_shift`: allow the scores as a
    whole to move further than they do on an ordinary night. `accept_word_overlap`: allow word overlap to take the place
    of vectors in more text comparisons than on an ordinary night.
    """

    only_missing: bool = False
    dry_run: bool = False
    switch_policy: bool = False
    accept_shift: bool = False
    accept_word_overlap: bool = False


@dg.asset(
    group_name="publish",
    kinds={"python", "postgres"},
    description="""
The scores in production: `score_ab`, `score_ba`, `harmonic_mean` and `match_context` of match_suggestions.

Reads the range's file of `match_scores` and what is stored, and writes the rows that differ in score, version, policy
or inputs hash, in short transactions that may be cut off anywhere: materialize again to go on. An unchanged row costs
no write. What is replaced is kept for `jv undo`. With `only_missing` it writes only where harmonic_mean is NULL. With
`dry_run` it writes nothing and records no materialization. `match_score` is never written. Costs about 0.1 ms a row
written.
""",
    deps=[match_scores],
    partitions_def=ID_RANGES,
    backfill_policy=_BACKFILL,
    freshness_policy=every_night_anew(),
    output_required=False,
    metadata={
        "dagster/table_name": "match_suggestions",
        "dagster/column_schema": _PUBLISHED_COLUMNS,
        "dagster/column_lineage": lineage.PUBLISHED,
    },
)
def published_scores(
    context: dg.AssetExecutionContext,
    config: PublishConfig,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.MaterializeResult[None]]:
    wanted = Wanted(config.only_missing, config.dry_run, config.switch_policy)

    def work(key: str) -> Mapping[str, object]:
        with files.opened("match_scores", key) as file:
            origin.require("match_scores", key, file.facts)
            if broken := broken_rules(map(partial(file.read, AUDITED, ()), file.groups()), file.facts):
                raise UserError(f"the scores of range {key} break {', '.join(broken)}: materialize match_scores again")
            published = publish_range(
                database,
                files.cut.matches.bounds(key),
                _chunks(files, key, file, origin),
                wanted,
                run_id=unit_of(context.run),
                as_of=as_of_file(file.facts),
            )
        return vars(published)

    with reading(context, database, files, makes_files=False) as origin:
        with one_line_failure():
            require_writable(database, "dry run" if config.dry_run else "write")
        if not config.dry_run:
            with one_line_failure():
                require_fit(database)  # no command asked the doctor before a schedule's run
                _refuse_as_a_whole(config, database, files, files.made("match_scores", context.partition_keys))
        each_range(context, work, record=not config.dry_run)
    if not config.dry_run:
        yield dg.MaterializeResult()


def _refuse_as_a_whole(config: PublishConfig, database: Database, files: RangeFiles, keys: list[str]) -> None:
    """UserError where the scores of these ranges together must not be published."""
    if config.only_missing or not config.switch_policy:
        refuse_other_rules(database, files, keys)
    for look, is_accepted in ((word_overlap_refusal, config.accept_word_overlap), (shift_refusal, config.accept_shift)):
        if not is_accepted and (refusal := look(files, keys)):
            raise _with_page(refusal, database, files, keys)


def _with_page(refusal: Refusal, database: Database, files: RangeFiles, keys: list[str]) -> UserError:
    """Return the error that names a page, made for it, of which matches would change and what from."""
    from jv_assets.refusal import write_refusal  # here: charts take long to load

    page = write_refusal(database, files, keys, f"Nothing was published: {refusal.moved}.")
    told = f"nothing was published: {refusal.moved}. See what would change, and what from, in {page}"
    return UserError(f"{told}; {refusal.cure}")


def _chunks(files: RangeFiles, key: str, file: RangeFile, origin: Origin) -> Iterator[Chunk]:
    columns = sorted({*NEEDED, *STORED_COLUMNS} - (set() if origin.may_reuse(file.facts) else {"stored_row"}))
    for groups in file.groups(ROW_GROUP):  # contexts are large
        scored = file.read(columns, groups=groups)
        yield scored, cache(partial(_contexts, files, key, groups, scored))


def _contexts(files: RangeFiles, key: str, groups: Sequence[int], scored: pd.DataFrame) -> pd.Series:
    """`match_context` of the rows; UserError where the range was scored anew, by another run, since they were read."""
    with files.opened("match_scores", key) as file:
        again = file.read([*NEEDED, "match_context"], groups=groups if groups in file.groups(ROW_GROUP) else [])
    if not again[list(NEEDED)].equals(scored[list(NEEDED)]):
        raise UserError(f"range {key} was scored anew while it was published: type jv retry")
    return again["match_context"]


def known_policy(name: str) -> None:
    try:
        parse_policy(name)
    except ValueError as error:
        raise UserError(str(error)) from None
