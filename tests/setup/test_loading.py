"""Loading the two tables into an empty database: all of it or nothing."""

import csv
import json
import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pandas as pd
import pytest
from psycopg.errors import UniqueViolation
from sqlalchemy import text

from jv_assets.demo.interrupted import SCORED, write_interrupted_scores
from jv_assets.demo.population import MATCHES, make_population
from jv_assets.errors import UserError
from jv_assets.resources.database import Database
from jv_assets.settings import DEMO_MODEL
from jv_assets.setup.loading import Population, load_frames, read_csv_folder
from jv_assets.setup.migrations.run import migrate
from jv_assets.tables import MATCH_COLUMNS, PROFILE_COLUMNS, SCORE_COLUMNS

TABLES = {"profiles": PROFILE_COLUMNS, "match_suggestions": MATCH_COLUMNS}


@pytest.fixture
def database(database_url: str) -> Database:
    """A migrated, empty database."""
    database = Database(url=database_url)
    migrate(database)
    return database


@pytest.fixture(scope="module")
def population() -> Population:
    return make_population(400, 1500)


def load(database: Database, population: Population) -> None:
    load_frames(database, population.profiles, population.matches)


def stored(database: Database, table: str) -> list[dict[str, Any]]:
    """The rows of a table in order of id, as a `Population` holds them; vectors left out."""
    names = [*TABLES[table], *(SCORE_COLUMNS if table == "match_suggestions" else ())]
    with database.transaction() as connection:
        rows = connection.execute(text(f"SELECT {', '.join(names)} FROM {table} ORDER BY id")).mappings().all()
    return [{name: plain(value) for name, value in row.items()} for row in rows]


def plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (str, list, dict, datetime, int, float, type(None))):
        return "NaN" if isinstance(value, float) and math.isnan(value) else value
    return str(value)


def made(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{name: plain(value) for name, value in row.items()} for row in rows.sort_values("id").to_dict("records")]


def count(database: Database, table: str) -> int:
    with database.transaction() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


def test_the_population_arrives_as_it_was_made(database: Database, population: Population) -> None:
    load(database, population)
    assert stored(database, "profiles") == made(population.profiles)
    assert stored(database, "match_suggestions") == made(population.matches)
    with database.transaction() as connection:
        vectors = connection.scalar(text("SELECT count(embedding_seeking) + count(embeddings_model) FROM profiles"))
    assert vectors == 0


def test_the_columns_have_the_types_of_the_tables(database: Database) -> None:
    with database.transaction() as connection:
        rows = connection.execute(
            text(
                "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod) FROM pg_attribute "
                "WHERE attrelid = ANY(ARRAY['profiles', 'match_suggestions']::regclass[]) AND attnum > 0"
            )
        )
        types = {(table, name): kind.replace("timestamp with time zone", "timestamptz") for table, name, kind in rows}
    assert {key: types[key] for key in types if key[1] in TABLES[key[0]]} == {
        (table, name): kind for table, columns in TABLES.items() for name, kind in columns.items()
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_table_with_rows_is_left_alone(database: Database, population: Population, table: str) -> None:
    row = {
        "profiles": "INSERT INTO profiles (id, name) VALUES (gen_random_uuid(), 'Kelsol')",
        "match_suggestions": "INSERT INTO match_suggestions (id, profile_id, suggested_profile_id) "
        "VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid())",
    }[table]
    with database.transaction() as connection:
        connection.execute(text(row))
    with pytest.raises(UserError, match=rf"^the table {table} has rows already, .*load into an empty database.*$"):
        load(database, population)
    assert {name: count(database, name) for name in TABLES} == dict.fromkeys(TABLES, 0) | {table: 1}


def test_a_load_that_fails_half_way_leaves_nothing(database: Database, population: Population) -> None:
    matches = population.matches.copy()
    matches.loc[matches.index[-1], "id"] = matches["id"].iloc[0]
    with pytest.raises(UniqueViolation):
        load_frames(database, population.profiles, matches)
    assert {name: count(database, name) for name in TABLES} == dict.fromkeys(TABLES, 0)
    load(database, population)
    assert count(database, "match_suggestions") == 1500


def test_of_two_loads_at_once_one_is_refused(database: Database, population: Population) -> None:
    barrier, refused = Barrier(2), []

    def attempt(mine: Population) -> None:
        barrier.wait()
        try:
            load(database, mine)
        except UserError as error:
            refused.append(str(error))

    threads = [Thread(target=attempt, args=(mine,)) for mine in (population, make_population(50, 60, seed=1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1
    assert (count(database, "profiles"), count(database, "match_suggestions")) in ((400, 1500), (50, 60))


def write_csv(rows: pd.DataFrame, columns: dict[str, str], path: Path) -> None:
    """As the loader's documentation says; an empty string cannot be told from null and is left out."""
    cell: dict[str, Callable[[Any], str]] = {
        "jsonb": json.dumps,
        "text[]": json.dumps,
        "timestamptz": datetime.isoformat,
    }
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows.to_dict("records"):
            writer.writerow(
                "" if row[name] is None else cell.get(kind, str)(row[name]) for name, kind in columns.items()
            )


def test_csv_files_make_the_same_rows(database: Database, population: Population, tmp_path: Path) -> None:
    write_csv(population.profiles, PROFILE_COLUMNS, tmp_path / "profiles.csv")
    write_csv(population.matches, MATCH_COLUMNS, tmp_path / "match_suggestions.csv")
    load(database, read_csv_folder(tmp_path))
    for table, rows, columns in (
        ("profiles", population.profiles, PROFILE_COLUMNS),
        ("match_suggestions", population.matches, MATCH_COLUMNS),
    ):
        texts = [name for name, kind in columns.items() if kind == "text"]
        assert stored(database, table) == [
            {name: None if name in texts and value == "" else value for name, value in row.items()}
            for row in made(rows)
        ]


def test_what_the_interrupted_script_left_is_the_same_however_many_pairs_are_scored_at_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = make_population(60, 200)
    load_frames(database, population.profiles, population.matches)
    stored = "SELECT id::text, score_ab, score_ba, harmonic_mean, match_context FROM match_suggestions ORDER BY id"
    clear = ", ".join(f"{name} = NULL" for name in SCORE_COLUMNS)
    found = []
    for at_once in (5_000, 7):
        monkeypatch.setattr("jv_assets.pipeline.scoring.PAIRS_AT_ONCE", at_once)
        assert write_interrupted_scores(database, DEMO_MODEL) == round(200 * SCORED / MATCHES)
        assert write_interrupted_scores(database, DEMO_MODEL) == 0
        with database.transaction() as connection:
            found.append(connection.execute(text(stored)).all())
            connection.execute(text(f"UPDATE match_suggestions SET {clear}"))
    assert found[0] == found[1]
    assert sum(row.harmonic_mean is not None for row in found[0]) == round(200 * SCORED / MATCHES)
