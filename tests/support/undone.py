"""What the tests of faults during `jv undo` share."""

from jv_assets.platform import postgres
from tests.support.faults import POPULATED, Production, connect
from tests.support.judging import judge
from tests.support.program import Done
from tests.support.telling import assert_retried

_NOW = "SELECT id::text, (score_ab, score_ba, harmonic_mean, match_context)::text AS four FROM match_suggestions"
_NOTHING = "(,,,)"


def kept_run(production: Production) -> str:
    """The id of the run that is to be undone: the one that wrote every score of the template."""
    [row] = production.sql("SELECT run_id FROM jv.publish_runs ORDER BY started_at LIMIT 1")
    return str(row["run_id"])


def assert_undone(production: Production, done: Done) -> None:
    """An undo that went well by itself: what was done again is told in the log and on the terminal, and no more."""
    assert assert_retried(production, done)
    assert [(run.job, run.status) for run in production.jv.runs()] == [("undo", "SUCCESS")]
    assert "undo" not in production.jv.succeeds("status").out


def assert_as_before(production: Production) -> None:
    """Every match holds what it held before the run that was undone, as the template POPULATED has it; no row was
    written twice, and nothing else changed.
    """
    with connect(postgres.start(production.folder).url(POPULATED)) as connection:
        before = {row["id"]: row["four"] for row in connection.execute(_NOW)}
    now = {row["id"]: row["four"] for row in production.sql(_NOW)}
    assert now.keys() == before.keys()
    judge(production, {match_id: _what(now[match_id], four) for match_id, four in before.items()})


def _what(now: str, before: str) -> str:
    if now == before:
        return ""
    return "lost" if now == _NOTHING else "wrong"
