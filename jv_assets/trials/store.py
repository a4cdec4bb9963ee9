"""Trials in the schema jv: which there are, when they began and ended, and the figures of their nights."""

import getpass
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Row, text

from jv_assets.errors import UserError
from jv_assets.pipeline.database.counted_writes import require_count
from jv_assets.pipeline.rules import require_name
from jv_assets.resources.database import Database
from jv_assets.trials.criteria import Night, hash_of
from jv_scoring.analysis.tallies import Json

DELETED_AT_ONCE = 10_000
"""How many scores of an ended trial one transaction deletes."""
_LONGEST_CAUSE = 500


@dataclass(frozen=True)
class Rules:
    """What is tried. `calibration`: None for that of production; `version`: that of the rules when it started."""

    policy: str
    calibration: str | None
    version: str
    model: str


@dataclass(frozen=True)
class Trial:
    """A trial. `ended_at`: None while it goes on."""

    id: int
    name: str
    rules: Rules
    criteria: Json
    criteria_sha256: str
    started_at: datetime
    started_by: str
    ended_at: datetime | None
    ended_by: str | None


def who(connection: Connection) -> str:
    """Return who does something: the user of this machine, and the database's role."""
    role = str(connection.scalar(text("SELECT current_user")))
    try:
        return f"{getpass.getuser()} as {role}"
    except (KeyError, OSError):  # The user of a container may have no name.
        return role


def start(database: Database, name: str, rules: Rules, criteria: Json) -> Trial:
    """Start a trial; UserError for a name that is none, or that a trial has already."""
    require_name(name, "a trial")
    values = {
        "name": name,
        "policy": rules.policy,
        "calibration": rules.calibration,
        "version": rules.version,
        "model": rules.model,
        "criteria": json.dumps(criteria, allow_nan=False),
        "sha256": hash_of(criteria),
    }
    # Not `run`: after a connection lost at COMMIT, the trial would be refused as its own double.
    with database.transaction() as connection:
        inserted = connection.execute(text(_START), values | {"by": who(connection)}).rowcount
    if not inserted:
        raise UserError(f"there is a trial {name} already: choose another name, because a name keeps its meaning")
    return find(database, name)


def find(database: Database, name: str) -> Trial:
    """Return the trial of that name; UserError, which names those that there are, for none."""
    every = trials(database)
    found = next((trial for trial in every if trial.name == name), None)
    if found is None:
        there = f"there are: {', '.join(trial.name for trial in every)}" if every else "there is none yet"
        raise UserError(f"no trial is named {name} ({there}); to start one, type: jv trial start {name} --policy …")
    return found


def trials(database: Database, *, going_on: bool = False) -> list[Trial]:
    """Return all trials, or those that have not ended, in the order of their start."""
    wanted = "WHERE ended_at IS NULL" if going_on else ""
    rows = database.run(lambda connection: connection.execute(text(_TRIALS.format(wanted=wanted))).all())
    return [_trial(row) for row in rows]


def end(database: Database, name: str) -> Trial:
    """End a trial: its scores are deleted, its nights stay. A night that is computing it stops doing so."""
    trial = find(database, name)
    if trial.ended_at is not None:
        delete_scores(database, trial)  # The command that ended it may have been interrupted.
        raise UserError(f"trial {name} ended at {trial.ended_at:%Y-%m-%d %H:%M} UTC already")

    def mark(connection: Connection) -> None:
        # A transaction of a night that holds the trial's row is waited for.
        connection.execute(text(_END), {"id": trial.id, "by": who(connection)})

    database.run(mark)
    delete_scores(database, trial)
    return find(database, name)


def delete_scores(database: Database, trial: Trial) -> None:
    """Delete the scores of an ended trial, some at a time."""
    values = {"id": trial.id, "count": DELETED_AT_ONCE}
    while database.run(lambda connection: connection.execute(text(_DELETE), values).rowcount):
        pass


def is_going_on(connection: Connection, trial: Trial) -> bool:
    """Return whether the trial goes on, and keep it from ending until the transaction ends."""
    return bool(connection.scalar(text(_GOES_ON), {"id": trial.id}))


def keep_night(database: Database, trial: Trial, night: Night) -> bool:
    """Keep what a run found of a trial; False if the trial has ended meanwhile. A later step of the run replaces it."""
    values = {
        "id": trial.id,
        "run": night.run,
        "night": night.night,
        "policy": night.policy,
        "version": night.version,
        "why": night.why_not_complete and night.why_not_complete[:_LONGEST_CAUSE],
        "figures": json.dumps(night.figures, allow_nan=False),
    }

    def work(connection: Connection) -> bool:
        if not is_going_on(connection, trial):
            return False
        require_count(connection, "jv.trial_nights", "kept", 1, connection.execute(text(_KEEP_NIGHT), values).rowcount)
        return True

    return database.run(work)


def nights(database: Database, trial: Trial) -> list[Night]:
    """Return the nights of a trial, the oldest first."""
    rows = database.run(lambda connection: connection.execute(text(_NIGHTS), {"id": trial.id}).all())
    return [Night(*row) for row in rows]


def _trial(row: Row[tuple[object, ...]]) -> Trial:
    values = dict(row._mapping)
    rules = Rules(*(values.pop(each) for each in ("policy", "calibration", "scoring_version", "embedding_model")))
    return Trial(rules=rules, **values)


_TRIALS = """
    SELECT id, name, policy, calibration, scoring_version, embedding_model, criteria, criteria_sha256,
        started_at, started_by, ended_at, ended_by
    FROM jv.trials {wanted} ORDER BY started_at, id
"""
_START = """
    INSERT INTO jv.trials
        (name, policy, calibration, scoring_version, embedding_model, criteria, criteria_sha256, started_by)
    VALUES (:name, :policy, :calibration, :version, :model, CAST(:criteria AS jsonb), :sha256, :by)
    ON CONFLICT (name) DO NOTHING
"""
_END = "UPDATE jv.trials SET ended_at = clock_timestamp(), ended_by = :by WHERE id = :id AND ended_at IS NULL"
_GOES_ON = "SELECT true FROM jv.trials WHERE id = :id AND ended_at IS NULL FOR SHARE"
_DELETE = """
    DELETE FROM jv.trial_scores WHERE trial_id = :id AND match_id IN (
        SELECT match_id FROM jv.trial_scores WHERE trial_id = :id LIMIT :count
    )
"""
_KEEP_NIGHT = """
    INSERT INTO jv.trial_nights (trial_id, run, night, production_policy, production_version, why_not_complete, figures)
    VALUES (:id, :run, :night, :policy, :version, :why, CAST(:figures AS jsonb))
    ON CONFLICT (trial_id, run) DO UPDATE SET noted_at = clock_timestamp(),
        production_policy = excluded.production_policy, production_version = excluded.production_version,
        why_not_complete = excluded.why_not_complete, figures = excluded.figures
"""
_NIGHTS = """
    SELECT run, night, production_policy, production_version, why_not_complete, figures FROM jv.trial_nights
    WHERE trial_id = :id ORDER BY noted_at, run
"""
