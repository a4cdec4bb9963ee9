"""The asset `production_impact`: compares what production held earlier with what is computed now."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
import pandas as pd

from jv_assets import settings
from jv_assets.assets import production
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.score_columns import PAIRS
from jv_assets.assets.tallies import Tallied, keep_each, tally_metadata
from jv_assets.errors import UserError
from jv_assets.names import MATCH_SCORES, Group
from jv_assets.partitions import BACKFILL, ID_RANGES, one_line_failure
from jv_assets.pipeline.database.identity import require_home
from jv_assets.reports.impact_rows import Moment, begins, causes_lost, hours_ago, moment_of, row_chunks
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import tallied
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import production_impact as analysis
from jv_scoring.analysis import production_impact_report
from jv_scoring.stored_rules import OTHER_RULES


class ImpactConfig(dg.Config):
    """`hours`: how far to look back.

    `since`: a moment (2026-11-28T03:00Z) to look back to instead, or a run (its id, or 8 characters of it), which means
    the moment when it had finished writing. `until`: a later run or moment, whose scores replace the last computed
    ones. `sample`: about how many matches to use; by default all of them.
    """

    hours: float = 24
    since: str | None = None
    until: str | None = None
    sample: int | None = None


@dg.asset(
    group_name=Group.REPORTS,
    kinds={"python", "postgres", "parquet"},
    description="""
What changed in production, and for whom? Compares the scores of `hours` ago with the scores that were computed last.

Config: `since` compares with a run or a moment instead of `hours` ago; `until` takes the scores of another run or
moment instead of the last computed ones. Before a publish, it shows what the publish would change.

Reads `match_scores`, the stored scores, the log of published scores, and the scores that `jv undo` keeps. Compares
scores of the same policy and version only, and counts the others. Writes one row of JSON per partition under JV_HOME,
and nothing to the database.

Runs after every night and in `jv report`. Takes about 0.3 ms per match whose inputs changed.
""",
    deps=[match_scores, production.MATCHES],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata=tally_metadata({MATCH_SCORES: analysis.COLUMNS, PAIRS: ["harmonic_mean", "match_context"]}),
)
def production_impact(
    context: dg.AssetExecutionContext,
    config: ImpactConfig,
    database: dg.ResourceParam[Database],
    files: dg.ResourceParam[RangeFiles],
) -> None:
    with one_line_failure():
        require_home(database, files)
        since, until = _moments(database, config)
        sample = sample_of(files, config.sample)
    hours = None if config.since else config.hours

    def tally(key: str) -> Tallied:
        policies: set[str] = set()
        lost = 0

        def chunks() -> Iterator[pd.DataFrame]:
            nonlocal lost
            for rows in row_chunks(database, files, key, since.at, sample, until=until.at if until else None):
                policies.update(rows.loc[rows["harmonic_mean"].notna(), "policy"].unique())
                if until:
                    _refuse_several_policies(policies, until)
                lost += causes_lost(rows)
                yield rows

        found, _ = tallied(chunks(), analysis.tally)
        shown = production_impact_report.report(found)
        compared = _compared(since, until, begins(database, files.cut.matches.bounds(key)), lost)
        change = shown["means"][0]["change"]
        moved = {name: shown["moved"][name] for name in ("raised", "lowered", "tiers_up", "tiers_down", "rescued")}
        numbers = {} if change is None else {"change_of_mean": round(change, 4)}
        told = {name: value for name, value in compared.items() if value is not None}
        beside = {"hours": hours, "compared": compared | {"policy": found.policy}}
        return Tallied(found, shown["matches"], {**shown["states"], **moved, **numbers, **told}, beside)

    keep_each(context, files, tally, sample)


def _moments(database: Database, config: ImpactConfig) -> tuple[Moment, Moment | None]:
    """Return the moments to compare; UserError if they are invalid, or not in order."""
    most = settings.score_log_days() * 24
    if not 0 < config.hours <= most:
        raise UserError(f"hours: {config.hours:g}: more than 0, and at most {most}")
    if config.until and not config.since:
        raise UserError(f"--until {config.until} goes with --since RUN, or a moment")
    if config.since is None:
        return Moment(hours_ago(config.hours)), None
    since = moment_of(database, "--since", config.since)
    until = moment_of(database, "--until", config.until) if config.until else None
    if since.at >= (until.at if until else datetime.now(UTC)):
        raise UserError(f"--since {config.since} is not before {f'--until {config.until}' if until else 'now'}")
    return since, until


def _compared(since: Moment, until: Moment | None, log_begins: datetime | None, lost: int) -> dict[str, object]:
    """Return the moments in words, and how far it is known what stood then."""
    return {
        "since": str(since),
        "until": str(until) if until else None,
        "log_begins": log_begins.isoformat(timespec="seconds") if log_begins else None,
        "log_begins_later": log_begins is None or log_begins > since.at,
        "cause_not_known_any_more": lost,
    }


def _refuse_several_policies(policies: set[str], until: Moment) -> None:
    if len(policies) > 1 or OTHER_RULES in policies:
        several = f"several policies ({', '.join(sorted(policies))})" if len(policies) > 1 else OTHER_RULES
        raise UserError(
            f"at {until} production held scores of {several}, which cannot be compared: give another --until"
        )
