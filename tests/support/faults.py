"""What the tests of faults share: the production database and `jv` on it, and what must be true whatever happened.

A test gets the fixture `production`, does harm while `production.jv` runs, asserts what is told of it (telling.py), and
ends with `assert_whole(production)` (judging.py).
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from psycopg.rows import dict_row

from jv_assets.automation.finishing import failed_ranges
from jv_assets.demo.interrupted import write_interrupted_scores
from jv_assets.demo.population import make_population
from jv_assets.partition_cut import equal_width
from jv_assets.pipeline import embedding
from jv_assets.pipeline.database.id_locks import lock_names
from jv_assets.pipeline.texts import embedding_plan
from jv_assets.resources.database import Database
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from jv_scoring.text import EMBEDDED_FIELDS
from tests.support.forked import ForkedProgram
from tests.support.models import MINILM, minilm
from tests.support.servers import Pooler

POPULATED, DAGSTER, PUBLISHED = "populated", "empty_dagster", "published"
"""The template databases."""
KEYS = ["0", "2", "4", "6", "8", "a", "c", "e"]
"""The ranges: so many that none takes as long as it is between two faults."""
PROFILES, MATCHES = 200, 1_000
IMPATIENT = {
    "default_pool_size": 3,
    "client_idle_timeout": 2,
    "idle_transaction_timeout": 4,
    "server_lifetime": 3,
    "query_wait_timeout": 5,
    "server_login_retry": 1,
}
"""PgBouncer's settings: whoever holds a connection without using it for some seconds loses it."""
OURS = {
    "profiles": {*(f"embedding_{name}" for name in EMBEDDED_FIELDS), "embeddings_model", "embeddings_updated_at"},
    "match_suggestions": {"score_ab", "score_ba", "harmonic_mean", "match_context"},
}
"""By table, the columns that the pipeline writes: all that may ever change."""
FIRST, LAST = f"{0:032x}", "f" * 32


def populate(url: str) -> None:
    """Fill the template database: profiles with real vectors, and matches as the interrupted script left them.

    That is: six in seven matches have the right scores, without policy and hash, the others none, so publishing writes
    every scorable one. The table `writes` gets a row for each row of match_suggestions that is updated, by whomever.
    """
    database = Database(url=url)
    migrate(database, dimension=minilm().dimension)
    population = make_population(PROFILES, MATCHES)
    load_frames(database, population.profiles, population.matches)
    embedding.embed(database, minilm(), embedding_plan.plan_range(database, minilm(), FIRST, LAST))
    write_interrupted_scores(database, MINILM)
    with connect(url) as connection:
        connection.execute(_KEEP_WRITES)


def connect(url: str) -> "psycopg.Connection[dict[str, Any]]":
    """A connection for statements of a test's own, each its own transaction."""
    return psycopg.connect(
        url.replace("+psycopg", "", 1), autocommit=True, row_factory=dict_row, prepare_threshold=None
    )


@dataclass(frozen=True)
class Production:
    """A database of the Postgres in `folder`, PgBouncer before it, and `jv` through that, over 8 ranges.

    `url` is straight to Postgres, which keeps its port when it is started again.
    """

    folder: Path
    url: str
    pooler: Pooler
    jv: ForkedProgram
    record: Callable[[str, object], None]
    before: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.before.update(self.checksums())

    def sql(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """The rows of a statement, straight from Postgres."""
        with connect(self.url) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def checksums(self) -> dict[str, str]:
        """By table: a checksum of every column that is not W, of all its rows."""
        return {table: self._checksum(table, ours) for table, ours in OURS.items()}

    def _checksum(self, table: str, ours: set[str]) -> str:
        columns = self.sql(
            "SELECT quote_ident(attname) AS name FROM pg_attribute "
            "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped AND attname <> ALL(%s) "
            "ORDER BY attnum",
            *(table, sorted(ours)),
        )
        select = f"SELECT {', '.join(column['name'] for column in columns)} FROM {table}"
        [row] = self.sql(f"SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t.id)) AS md5 FROM ({select}) AS t")
        return f"{row['count']} rows, {row['md5']}"

    @property
    def scorable(self) -> int:
        """How many matches are of two profiles that are there."""
        [row] = self.sql(
            "SELECT count(*) FROM match_suggestions m JOIN profiles a ON a.id = m.profile_id "
            "JOIN profiles b ON b.id = m.suggested_profile_id WHERE a.id <> b.id"
        )
        return int(row["count"])

    def tarry(self, seconds: float) -> None:
        """From now on each UPDATE of match_suggestions takes so long, as on a busy server; 0: no longer."""
        self.sql(
            "CREATE OR REPLACE FUNCTION tarry() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_sleep({seconds}); RETURN NULL; END $$;"
            "CREATE OR REPLACE TRIGGER tarry BEFORE UPDATE ON match_suggestions "
            "FOR EACH STATEMENT EXECUTE FUNCTION tarry()"
        )

    def log(self) -> list[str]:
        """All that Dagster's log of all runs says, the oldest first: what the UI shows, stack traces with it."""
        with self.jv.instance() as instance:
            return [_text_of(entry) for run in instance.get_runs()[::-1] for entry in instance.all_logs(run.run_id)]

    def retries(self) -> list[str]:
        """The lines of the log that say that a transaction was lost and is tried again."""
        return [line for line in self.log() if "; attempt " in line]

    def failed(self) -> dict[str, dict[str, str]]:
        """Of the last run that failed in some ranges: the cause of each, by asset."""
        with self.jv.instance() as instance:
            for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])):
                if found := dict(failed_ranges(instance, run.run_id)):
                    return found
        return {}


def _text_of(entry: dg.EventLogEntry) -> str:
    text = entry.user_message or entry.message or ""
    event = entry.dagster_event
    error = event.step_failure_data.error if event and event.is_step_failure else entry.error_info
    return f"{text}\n{error.to_string()}" if error else text


# --- doing harm ------------------------------------------------------------------------------------------------------


def is_publishing(production: Production) -> bool:
    """Whether scores are written, and logged by the same statement, at this moment; the doctor's trial logs nothing."""
    going_on = "state = 'active' AND query ~ 'WITH updated AS' AND pid <> pg_backend_pid()"
    return bool(production.sql(f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND {going_on}"))


def waiting(production: Production, count: int = 1) -> bool:
    """Whether so many of `jv`'s transactions wait for somebody's lock at this moment."""
    locked = "application_name = 'jv' AND wait_event_type = 'Lock' AND datname = current_database()"
    return len(production.sql(f"SELECT pid FROM pg_stat_activity WHERE {locked}")) >= count


def lock_of(key: str, ranges: int = len(KEYS)) -> str:
    """The statement by which a writer of partition `key` keeps others out, for one who wants to keep `jv` out."""
    name = lock_names("published_scores", *equal_width(ranges).bounds(key))[-1]
    return f"SELECT pg_advisory_xact_lock(hashtextextended('{name}', 0))"


@contextmanager
def held(production: Production, statement: str) -> Iterator["psycopg.Connection[dict[str, Any]]"]:
    """Another client has run this statement in a transaction, which it rolls back at the end."""
    with connect(production.url) as other, other.transaction(force_rollback=True):
        other.execute(statement)
        yield other


def terminate_all(production: Production) -> None:
    production.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


@contextmanager
def repeatedly(seconds: float, harm: Callable[[], object], growth: float = 1) -> Iterator[None]:
    """Do harm every so many seconds, from now on and until the end of the block; what it raises comes out there.

    Each pause is `growth` times the one before.
    """
    ended = threading.Event()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            pause = seconds
            while not ended.is_set():
                harm()
                ended.wait(pause)
                pause *= growth
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if raised:
        raise raised[0]


_KEEP_WRITES = """
    CREATE TABLE writes (match_id uuid NOT NULL, transaction xid8 NOT NULL DEFAULT pg_current_xact_id());
    CREATE FUNCTION keep_write() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN INSERT INTO public.writes (match_id) VALUES (NEW.id); RETURN NULL; END
    $$;
    CREATE TRIGGER keep_write AFTER UPDATE ON match_suggestions FOR EACH ROW EXECUTE FUNCTION keep_write();
"""


@contextmanager
def backends_terminated(production: Production) -> Iterator[None]:
    """All of them, every 0.8 s: first in an UPDATE that tarries, so that one is hit, and then whatever they do.

    Were each to tarry, one in some tens of runs would have a transaction hit six times in a row. So it would be on a
    busy machine, were the pauses not to grow.
    """
    terminate_all(production)
    production.tarry(0)
    with repeatedly(0.8, lambda: terminate_all(production), growth=1.3):
        yield
