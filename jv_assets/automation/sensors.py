"""Sensors that score new matches and edited profiles between two nights. Off until switched on.

Both sensors request a run that reads and embeds the changed profiles. When that run succeeds, `score_concerned`
requests runs over the partitions of the matches concerned. The nightly run does whatever a sensor missed.
"""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg
from sqlalchemy import Connection, text

from jv_assets.automation.finishing import parts, request_after
from jv_assets.automation.schedules import NOT_ENDED, OF_MATCHES, refresh, rescore
from jv_assets.partitions import ID_RANGES, all_ranges_tags, one_line_failure
from jv_assets.pipeline.database.counted_writes import seeing_all
from jv_assets.pipeline.database.stored_cut import read_cut
from jv_assets.pipeline.matches.match_states import context_of, not_ours, scorable
from jv_assets.platform.own_runs import is_ours
from jv_assets.resources.database import Database
from jv_assets.setup.catalogue import refuse_unfit

CONCERNED = "jv/concerned_ranges"
"""Tag of a run: the partitions of matches to score after it, separated by commas, or `all`."""
MOST = 200
"""How many partitions a tag names at most, because Dagster limits tags to 2,700 characters. Above that, all are scored.
"""
ALL = "all"
_SECONDS = 60
# Allow one minute for transactions, which commit some time after they write.
_SETTLED = "SELECT (now() - interval '1 minute')::text"
# Another program may have given it a score. CASE keeps the query from reading many contexts.
_NEW = f"""
    SELECT m.id::text FROM match_suggestions m {context_of("m")}
    WHERE m.suggested_at > CAST(:since AS timestamptz) AND m.suggested_at <= CAST(:until AS timestamptz)
        AND {scorable("m")}
        AND CASE WHEN m.harmonic_mean IS NULL THEN true ELSE {not_ours("m")} END
"""  # noqa: S608 - of our own constants
_REFERRING = f"""
    WITH edited AS (
        SELECT id FROM profiles
        WHERE updated_at > CAST(:since AS timestamptz) AND updated_at <= CAST(:until AS timestamptz)
    )
    SELECT (SELECT count(*) FROM edited), array(
        SELECT m.id::text FROM match_suggestions m JOIN edited e ON m.profile_id = e.id WHERE {scorable("m")}
        UNION SELECT m.id::text FROM match_suggestions m JOIN edited e ON m.suggested_profile_id = e.id
            WHERE {scorable("m")}
    )
"""  # noqa: S608 - of our own constants


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=_SECONDS,
    description="Scores new matches within minutes. Looks every minute for rows with a later suggested_at that have no "
    "score, or a score of another program. Then it reads and embeds the changed profiles, and scores and publishes the "
    "partitions of these matches only.",
)
def new_matches(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.RunRequest | dg.SkipReason:
    def look(connection: Connection, asked: dict[str, str]) -> tuple[int, Sequence[str]]:
        matches = connection.execute(text(_NEW), asked).scalars().all()
        return len(matches), matches

    return _tick(context, database, context.cursor or "-infinity", "new matches", look)


@dg.sensor(
    job=refresh,
    minimum_interval_seconds=_SECONDS,
    description="Rescores the matches of edited profiles within minutes. Looks every minute for profiles with a later "
    "updated_at. Then it reads and embeds them, rescores the partitions of the matches that refer to them, and "
    "publishes the scores that differ. The first tick only notes the time: the nightly run does earlier edits.",
)
def edited_profiles(
    context: dg.SensorEvaluationContext, database: dg.ResourceParam[Database]
) -> dg.RunRequest | dg.SkipReason:
    def look(connection: Connection, asked: dict[str, str]) -> tuple[int, Sequence[str]]:
        count, matches = connection.execute(text(_REFERRING), asked).one()
        return count, matches

    return _tick(context, database, context.cursor or "infinity", "edited profiles", look)


def _tick(
    context: dg.SensorEvaluationContext,
    database: Database,
    since: str,
    what: str,
    look: Callable[[Connection, dict[str, str]], tuple[int, Sequence[str]]],
) -> dg.RunRequest | dg.SkipReason:
    """Return a run request for what came after `since`; `look` counts it and returns the ids of the matches concerned.

    While the last run of this sensor waits or is in progress, new rows are left to the next tick.
    """
    mine = dg.RunsFilter(tags={"dagster/sensor_name": context.sensor_name}, statuses=NOT_ENDED)
    if going := [run for run in context.instance.get_runs(mine) if is_ours(context.instance, run)]:
        return dg.SkipReason(f"run {going[0].run_id} is still running")

    def work(connection: Connection) -> tuple[str, int, Sequence[str]]:
        refuse_unfit(connection)
        until = str(connection.scalar(text(_SETTLED)))
        return until, *look(connection, {"since": since, "until": until})

    # Hidden rows would be missed for good, because the next tick begins after this one.
    with one_line_failure():
        until, count, matches = database.run(seeing_all(work))
    context.update_cursor(until)
    if not count:
        return dg.SkipReason(f"no {what}")
    cut = read_cut(database, len(ID_RANGES.get_partition_keys()))
    ranges = sorted({cut.matches.key_of(match_id) for match_id in matches})
    context.log.info(f"{count:,} {what}, {len(ranges)} ranges of matches to score")
    concerned = ",".join(ranges) if len(ranges) <= MOST else ALL
    return dg.RunRequest(tags=all_ranges_tags() | ({CONCERNED: concerned} if ranges else {}))


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[refresh],
    request_job=rescore,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Second half of new_matches and edited_profiles: when their first run succeeds, scores and publishes "
    "the partitions of matches that it concerns.",
)
def score_concerned(context: dg.RunStatusSensorContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    run = context.dagster_run
    if CONCERNED not in run.tags:
        yield dg.SkipReason("it concerns no ranges of matches")
        return
    every, named = list(ID_RANGES.get_partition_keys()), run.tags[CONCERNED].split(",")
    # ALL is not a partition, nor are the keys of another JV_ID_RANGES. In both cases all partitions are scored.
    for part in parts(OF_MATCHES, named if set(named) <= set(every) else every):
        yield request_after(run, part)
