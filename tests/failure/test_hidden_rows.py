"""A role that row-level security hides rows from, met by `jv` as a process, through PgBouncer, and by the daemon."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy import make_url

from jv_assets.automation.schedules import NIGHTLY
from jv_assets.automation.sensors import edited_profiles, new_matches
from jv_assets.definitions import build
from jv_assets.demo.population import make_population
from jv_assets.partitions import all_ranges_tags
from jv_assets.resources.database import Database
from jv_assets.resources.range_files import RangeFiles
from jv_assets.setup.grant import grant
from jv_assets.setup.loading import load_frames
from jv_assets.setup.migrations.run import migrate
from tests.support.faults import connect
from tests.support.forked import ForkedProgram
from tests.support.models import MINILM, minilm
from tests.support.servers import pgbouncer

PASSWORD = "s3cr3t-of-the-role"
COMMANDS = [("rescore",), ("embed",), ("nightly",), ("retry",), ("undo", "12345678", "--yes"), ("rescore", "--dry-run")]


@dataclass(frozen=True)
class Secured:
    """`jv` as the pipeline's role, through PgBouncer, and the owner's URL."""

    jv: ForkedProgram
    url: str
    owner: str
    role: str

    def contents(self) -> list[object]:
        tables = ("match_suggestions", "profiles", "jv.embedded_texts", "jv.publish_runs")
        with connect(self.owner) as connection:
            rows = [connection.execute(f"SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {t} t").fetchone()
                    for t in tables]  # fmt: skip
        return [*rows]


@pytest.fixture
def secured(database_url: str, tmp_path: Path) -> Iterator[Secured]:
    owner, role = Database(url=database_url), f"role_{secrets.token_hex(4)}"
    migrate(owner, dimension=384)
    population = make_population(30, 40)
    load_frames(owner, population.profiles, population.matches)
    with connect(database_url) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'")  # type: ignore[call-overload]
    grant(owner, role)
    url = make_url(database_url).set(username=role, password=PASSWORD).render_as_string(hide_password=False)
    with pgbouncer(url) as pooled:
        settings = {"JV_DATABASE_URL": pooled, "JV_EMBEDDING_MODEL": MINILM, "JV_ID_RANGES": "4"}
        yield Secured(ForkedProgram(tmp_path / "home", settings), pooled, database_url, role)
    with connect(database_url) as connection:
        connection.execute(f"DROP OWNED BY {role} CASCADE")  # type: ignore[call-overload]
        connection.execute(f"DROP ROLE {role}")  # type: ignore[call-overload]


@pytest.mark.parametrize("table", ["profiles", "match_suggestions"])
def test_nothing_starts_where_rows_may_be_hidden(secured: Secured, table: str) -> None:
    """Exit code 2 and one line by each command that writes; the daemon's runs and ticks fail by the same line."""
    with connect(secured.owner) as connection:
        connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")  # type: ignore[call-overload]
    before = secured.contents()
    line = f"row-level security may hide rows of {table} from role {secured.role}"
    for words in COMMANDS:
        done = secured.jv.run(*words)
        assert (done.code, done.out) == (2, ""), words
        assert done.err.startswith(f"jv: {line}"), words
        assert done.err.count("\n") == 1
        assert PASSWORD not in done.err
    assert secured.jv.runs() == []

    database, files = Database(secured.url), RangeFiles(str(secured.jv.home))
    defs = build(database, minilm(), files)
    with dg.DagsterInstance.ephemeral() as instance:
        night = defs.resolve_job_def("nightly").execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(name) for name in NIGHTLY],
            tags=all_ranges_tags(),
            raise_on_error=False,
        )
        failures = [event.step_failure_data.user_failure_data for event in night.all_events if event.is_step_failure]
        assert failures
        assert all(failure and str(failure.description).startswith(line) for failure in failures)
        for sensor in (new_matches, edited_profiles):
            with (
                dg.build_sensor_context(
                    instance, "2020-01-01", repository_def=defs.get_repository_def(),
                    sensor_name=sensor.name, resources={"database": database},
                ) as context,
                pytest.raises(dg.Failure) as caught,
            ):  # fmt: skip
                sensor.evaluate_tick(context)
            assert str(caught.value.description).startswith(line)
            assert context.cursor == "2020-01-01"
        assert [run.job_name for run in instance.get_runs()] == ["nightly"]
    assert secured.contents() == before

    grant(Database(url=secured.owner), secured.role)
    assert secured.jv.run("rescore").code == 0
    assert secured.contents() != before
