"""The asset that compares what production held a while ago with what is computed now."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg
import pandas as pd

from jv_assets import settings
from jv_assets.assets import production
from jv_assets.assets.match_scores import match_scores
from jv_assets.assets.tallies import TALLY
from jv_assets.errors import UserError
from jv_assets.names import PRODUCTION_IMPACT
from jv_assets.partitions import BACKFILL, ID_RANGES, each_range, one_line_failure
from jv_assets.pipeline.identity import require_home
from jv_assets.reports.impact_rows import Moment, begins, causes_lost, hours_ago, moment_of, row_chunks
from jv_assets.reports.sampling import sample_of
from jv_assets.reports.tallies import keep, tallied
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_scoring.analysis import production_impact as analysis
from jv_scoring.analysis import production_impact_report
from jv_scoring.stored_rules import OTHER_RULES


class ImpactConfig(dg.Config):
    """`hours`: how far to look back. `since`: in place of that, a moment (2026-11-28T03:00Z), or a run (its id, or 8
    characters of it): the moment at which it had written. `until`: another one, whose scores are compared in place of
    those that were computed last. `sample`: of about so many of all matches; all of them by default.
    """

    hours: float = 24
    since: str | None = None
    until: str | None = None
    sample: int | None = None


@dg.asset(
    group_name="reports",
    kinds={"python", "postgres", "parquet"},
    description="""
What changed in production, for whom? Every match as it was published `hours` ago, or at the run or moment `since`,
against what is computed now, or at another run or moment `until`.

Reads the range's file of `match_scores`, what production holds, the log of published scores, and what publishing runs
since then replaced (so it makes no difference whether these were resumed, retried or cut off). Before publishing it
says what that would change. Scores of the same policy and version are compared; of others it says how many there are.
Writes one row of JSON a range under JV_HOME, nothing to the database. Costs some 0.3 ms for each match whose inputs
changed.
""",
    deps=[match_scores, production.MATCHES],
    partitions_def=ID_RANGES,
    backfill_policy=BACKFILL,
    metadata={"dagster/column_schema": TALLY},
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

    def work(key: str) -> Mapping[str, object]:
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

        tally, _ = tallied(chunks(), analysis.tally)
        shown = production_impact_report.report(tally)
        compared = _compared(since, until, begins(database, files.cut.matches.bounds(key)), lost)
        size = keep(
            files,
            PRODUCTION_IMPACT,
            key,
            tally,
            shown["matches"],
            sample=sample,
            hours=hours,
            compared=compared | {"policy": tally.policy},
        )
        change = shown["means"][0]["change"]
        moved = {name: shown["moved"][name] for name in ("raised", "lowered", "tiers_up", "tiers_down", "rescued")}
        numbers = {} if change is None else {"change_of_mean": round(change, 4)}
        told = {name: value for name, value in compared.items() if value is not None}
        return {"rows": shown["matches"], **shown["states"], **moved, **numbers, **told, "file_bytes": size}

    each_range(context, work, again="jv report")


def _moments(database: Database, config: ImpactConfig) -> tuple[Moment, Moment | None]:
    """UserError where they are none, or not in order."""
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
    """The moments in words, and how far it is known what stood at them."""
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
