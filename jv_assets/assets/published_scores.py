"""The asset `published_scores`: writes the scores that differ to production."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial

import dagster as dg
import pandas as pd

from jv_assets.assets import score_columns
from jv_assets.assets.columns import column_metadata
from jv_assets.assets.match_scores import match_scores
from jv_assets.automation.schedules import every_night_anew
from jv_assets.checks.audit import AUDITED, broken_rules
from jv_assets.checks.shift import Refusal, moved_within, shift_refusal, word_overlap_refusal
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, keys_of_step, one_line_failure
from jv_assets.pipeline.changes import STORED_COLUMNS
from jv_assets.pipeline.database.origins import Origin, as_of_file, reading
from jv_assets.pipeline.matches.stored_rules import refuse_other_rules
from jv_assets.pipeline.matches.undo_units import unit_of
from jv_assets.pipeline.publishing import NEEDED, Chunk, PublishOptions, publish_range
from jv_assets.resources.database import KEPT_CONNECTIONS, Database
from jv_assets.resources.range_file import ROW_GROUP, RangeFile
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.catalogue import require_fit
from jv_assets.setup.writability import require_writable

AT_ONCE = KEPT_CONNECTIONS
"""How many partitions are published at the same time: Python prepares one while Postgres writes the other."""


class PublishConfig(dg.Config):
    """`only_missing`: write only where harmonic_mean is NULL. `dry_run`: count what would be written, and write
    nothing.

    `switch_policy`: replace scores that are stored under another policy. `accept_shift`: publish even if the scores as
    a whole moved further than on an ordinary night. `accept_word_overlap`: publish even if word overlap replaces
    vectors in many more text comparisons than before.
    """

    only_missing: bool = False
    dry_run: bool = False
    switch_policy: bool = False
    accept_shift: bool = False
    accept_word_overlap: bool = False


@dg.asset(
    group_name=Group.PUBLISH,
    kinds={"python", "postgres"},
    description="""
The scores in production: `score_ab`, `score_ba`, `harmonic_mean` and `match_context` of match_suggestions.

Compares each partition's file of `match_scores` with what production holds, and writes only the rows that differ in
score, version, policy or inputs hash. It never writes `match_score`. Each batch is one short transaction of at most
5,000 rows. Re-running is safe, so an interrupted run is resumed by materializing again. Keeps the replaced scores for
`jv undo`.

Before it writes, it refuses scores of another policy, and scores that as a whole moved further than on an ordinary
night. Config: `only_missing` writes only where harmonic_mean is NULL; `dry_run` counts what it would write, writes
nothing, and records no materialization.

Runs every night, and always after `match_scores` of the same partitions. Takes about 0.1 ms per written row.
""",
    deps=[match_scores],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    freshness_policy=every_night_anew(),
    output_required=False,
    metadata=column_metadata(score_columns.OF_PUBLISHED) | {"dagster/table_name": "match_suggestions"},
)
def published_scores(
    context: dg.AssetExecutionContext,
    config: PublishConfig,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
) -> Iterator[dg.MaterializeResult[None]]:
    options = PublishOptions(config.only_missing, config.dry_run, config.switch_policy)

    def work(key: str) -> Mapping[str, object]:
        with files.opened(MATCH_SCORES, key) as file:
            origin.require(MATCH_SCORES, key, file.metadata)
            if broken := broken_rules(map(partial(file.read, AUDITED, ()), file.groups()), file.metadata):
                raise UserError(f"the scores of range {key} break {', '.join(broken)}: materialize match_scores again")
            published = publish_range(
                database,
                files.cut.matches.bounds(key),
                _chunks(files, key, file, origin),
                options,
                run_id=unit_of(context.run),
                as_of=as_of_file(file.metadata),
            )
        return vars(published)

    with reading(context, database, files, makes_files=False) as origin:
        with one_line_failure():
            require_writable(database, "dry run" if config.dry_run else "write")
        if not config.dry_run:
            with one_line_failure():
                require_fit(database)  # A schedule's run has no command that asked the doctor.
                _refuse_as_a_whole(config, database, files, files.made(MATCH_SCORES, keys_of_step(context)))
        each_range(context, work, record=not config.dry_run, at_once=AT_ONCE, stop=database.stop)
    if not config.dry_run:
        yield dg.MaterializeResult()


def _refuse_as_a_whole(config: PublishConfig, database: Database, files: RangeFiles, keys: list[str]) -> None:
    """Raise UserError if the scores of these partitions together must not be published."""
    if config.only_missing or not config.switch_policy:
        refuse_other_rules(database, files, keys)
    if config.accept_word_overlap and config.accept_shift:
        return
    moved = moved_within(files, keys)
    rise = None if config.accept_word_overlap else word_overlap_refusal(moved.rise)
    if refusal := rise or (None if config.accept_shift else shift_refusal(moved.shift)):
        raise _with_page(refusal, database, files, keys)


def _with_page(refusal: Refusal, database: Database, files: RangeFiles, keys: list[str]) -> UserError:
    """Return the error that names a page, written for it, of what would change and why."""
    from jv_assets.reports.refusal import write_refusal  # Imported here, because charts take long to load.

    page = write_refusal(database, files, keys, f"Nothing was published: {refusal.moved}.")
    told = f"nothing was published: {refusal.moved}. See what would change, and what from, in {page}"
    return UserError(f"{told}; {refusal.cure}")


def _chunks(files: RangeFiles, key: str, file: RangeFile, origin: Origin) -> Iterator[Chunk]:
    columns = sorted({*NEEDED, *STORED_COLUMNS} - (set() if origin.may_reuse(file.metadata) else {"stored_row"}))
    for groups in file.groups(ROW_GROUP):  # Contexts are large, so read few row groups at a time.
        scored = file.read(columns, groups=groups)
        yield scored, cache(partial(_contexts, files, key, groups, scored))


def _contexts(files: RangeFiles, key: str, groups: Sequence[int], scored: pd.DataFrame) -> pd.Series:
    """Return `match_context` of the rows; UserError if another run rescored the partition since they were read."""
    with files.opened(MATCH_SCORES, key) as file:
        again = file.read([*NEEDED, "match_context"], groups=groups if groups in file.groups(ROW_GROUP) else [])
    if not again[list(NEEDED)].equals(scored[list(NEEDED)]):
        raise UserError(f"range {key} was rescored while it was published: type jv retry")
    return again["match_context"]
